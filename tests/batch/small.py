"""Small pairs that take milliseconds, and what a run left on the disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

#: Settings of the fastest comparison there is.
FAST: dict[str, Any] = {"method": "hybrid", "segmenter": "none", "progress": False}


def small_pair(seed: int, changed: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Two pictures of 80 x 60 pixels; a square of the second has changed, by default."""
    rng = np.random.default_rng(seed)
    reference = cv2.GaussianBlur(rng.integers(60, 200, (60, 80, 3)).astype(np.uint8), (0, 0), 3)
    current = reference.copy()
    if changed:
        current[20:40, 30:50] = (20, 220, 40)
    return reference, current


def write_pairs(folder: Path, count: int) -> list[tuple[str, str]]:
    """So many pairs as files; every third is clean."""
    folder.mkdir(parents=True, exist_ok=True)
    pairs = []
    for number in range(count):
        names = folder / f"{number:03d}_ref.png", folder / f"{number:03d}_cur.png"
        for path, picture in zip(names, small_pair(number, number % 3 != 2), strict=True):
            cv2.imwrite(str(path), picture[..., ::-1])
        pairs.append((str(names[0]), str(names[1])))
    return pairs


def rows_of(out: Path) -> list[dict[str, Any]]:
    """The final rows of a run."""
    return [json.loads(line) for line in (out / "results.ndjson").read_bytes().splitlines()]


def journal_of(out: Path) -> list[dict[str, Any]]:
    """The rows of the journal, in the order in which they came."""
    lines = (out / "journal.ndjson").read_bytes().splitlines()
    return [json.loads(line)["row"] for line in lines]


def manifest_of(out: Path) -> dict[str, Any]:
    return json.loads((out / "run.json").read_text("utf-8"))


def all_files(out: Path) -> dict[str, bytes]:
    """Everything in a run that two runs of the same pairs have in common."""
    differing = ("run.json", "journal.ndjson", "timings.ndjson", "index.html", ".lock")
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name not in differing
    }


def start_script(folder: Path, text: str) -> subprocess.Popen[bytes]:
    """Run a script in a process of its own, in a group of its own, so that it can be killed."""
    script = folder / f"script_{os.urandom(3).hex()}.py"
    script.write_text(text, "utf-8")
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(script)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # What a shell started in the background, as tests may be, does not listen to Ctrl-C.
        preexec_fn=_listen if os.name == "posix" else None,
    )


def _listen() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(what: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait until something is true; what it is then."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := what():
            return found
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")


def lines_in(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0
