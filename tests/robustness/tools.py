"""Processes that may be killed, watched from outside; and how much the long tests do."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
LINUX = sys.platform.startswith("linux")
needs_linux = pytest.mark.skipif(not LINUX, reason="needs Linux: /proc, RLIMIT_AS and kill")

# What a child runs first: one thread, so that two processors are shared with others in peace.
_FIRST = "import cv2; cv2.setNumThreads(1)\n"


def scaled(number: int) -> int:
    """`number` of anything a long test does, as ``VDE_NB_LONG`` scales it; at least 1."""
    return max(1, round(number * float(os.environ.get("VDE_NB_LONG", "1"))))


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes
    ----------
    status
        Its exit status; negative: the signal that killed it.
    out, err
        What it printed.
    seconds
        How long it ran.
    """

    status: int
    out: str
    err: str
    seconds: float


def python(code: str, *arguments: object, seconds: float = 120.0) -> Ended:
    """Run `code` in a Python of its own; a child that takes longer is killed and fails the test."""
    started = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, "-c", _FIRST + textwrap.dedent(code), *map(str, arguments)],
            cwd=REPOSITORY,
            env=environment(),
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        pytest.fail(f"a child was still running after {seconds} s: {expired.stderr!r:.500}")
    return Ended(
        done.returncode,
        done.stdout.decode("utf-8", "replace"),
        done.stderr.decode("utf-8", "replace"),
        time.monotonic() - started,
    )


def start(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    """Start `code` in a Python of its own, to be killed by the caller."""
    return subprocess.Popen(
        [sys.executable, "-c", _FIRST + textwrap.dedent(code), *map(str, arguments)],
        cwd=REPOSITORY,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def environment() -> dict[str, str]:
    """The environment of a child: this repository first, one thread of everything."""
    ones = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), **dict.fromkeys(ones, "1")}


def resident() -> int:
    """Bytes of memory that this process holds now and shares with nobody's files."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise OSError("no RssAnon in /proc/self/status")
