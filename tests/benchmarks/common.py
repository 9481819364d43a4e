"""Pictures, timing and printing shared by the benchmarks."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

SIZES = {2: (1632, 1224), 12: (4000, 3000), 48: (8000, 6000)}


def photo_pair(megapixels: int, defects: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """A picture with the statistics of a photograph, and one with `defects` changes and noise."""
    width, height = SIZES[megapixels]
    rng = np.random.default_rng(megapixels)
    picture = np.zeros((height, width, 3), np.float32)
    for octave in range(2, 9):  # 1/f noise: detail at every scale, as in nature
        cells = rng.standard_normal((2**octave * height // width + 2, 2**octave + 1, 3))
        picture += cv2.resize(
            cells.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
        ) * (60 / octave)
    reference = np.clip(picture + 120, 0, 255).astype(np.uint8)
    grain = rng.integers(0, 4, (height, width, 1)).astype(np.uint8)
    reference = cv2.add(reference, np.repeat(grain, 3, 2))
    current = reference.copy()
    for _ in range(defects):
        x, y = int(rng.integers(60, width - 60)), int(rng.integers(60, height - 60))
        colour = tuple(int(value) for value in rng.integers(0, 256, 3))
        cv2.circle(current, (x, y), int(rng.integers(8, 40)), colour, -1, cv2.LINE_AA)
    noise = rng.integers(0, 3, (height, width, 1)).astype(np.uint8)
    return reference, cv2.subtract(current, np.repeat(noise, 3, 2))


def save_pair(megapixels: int, folder: Path) -> tuple[Path, Path]:
    """The pair as PNG files."""
    paths = folder / f"reference_{megapixels}.png", folder / f"current_{megapixels}.png"
    for path, image in zip(paths, photo_pair(megapixels), strict=True):
        cv2.imwrite(str(path), image[:, :, ::-1])
    return paths


def seconds(work: Callable[[], Any], runs: int) -> list[float]:
    """Wall times of `runs` runs after one that is not counted."""
    work()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return times


def in_turn(works: Sequence[Callable[[], Any]], runs: int) -> list[float]:
    """Median wall times of several works run in turn, so a slow moment hits all of them."""
    for work in works:
        work()
    times: list[list[float]] = [[] for _ in works]
    for _ in range(runs):
        for work, taken in zip(works, times, strict=True):
            started = time.perf_counter()
            work()
            taken.append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in times]


def milliseconds(value: float) -> str:
    return f"{value * 1000:9.1f} ms"


def verdict(reached: float, wanted: float, *, at_most: bool = False) -> str:
    """The target and whether it was reached."""
    good = reached <= wanted if at_most else reached >= wanted
    sign = "\u2264" if at_most else "\u2265"
    return f"wanted {sign} {wanted:g}: {'reached' if good else 'MISSED'}"


def machine() -> str:
    """What this was measured on."""

    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                name = line.split(":")[1].strip()
                break
    python = platform.python_version()
    return f"{name}, {os.cpu_count()} cores, Python {python}, OpenCV {cv2.__version__}"
