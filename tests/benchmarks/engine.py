"""The engine's speed and memory, side by side with what it replaces.

    python -m tests.benchmarks.engine [ssim] [compare] [tick] [memory]

Everything is a ratio of medians measured in turn in one process; absolute times are printed to
make sense of the ratios and depend on the machine.
"""

from __future__ import annotations

import itertools
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from skimage.metrics import structural_similarity

from tests import published
from tests.benchmarks.common import (
    in_turn,
    machine,
    milliseconds,
    photo_pair,
    seconds,
    verdict,
)
from vde_nb.compare import compare
from vde_nb.comparison import Comparison
from vde_nb.difference import _implementation, prepare_kernel, ssim
from vde_nb.images import load_pair
from vde_nb.stages import StageCache

IMPLEMENTATIONS = ("opencv", "numba")


def bench_ssim() -> None:
    """Exact SSIM with its full map against scikit-image's."""
    wanted = {("opencv", 2): 6, ("opencv", 12): 12}
    wanted |= {("numba", 2): 30, ("numba", 12): 60, ("numba", 48): 60}
    for size, runs in ((2, 15), (12, 7), (48, 3)):
        pair = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in photo_pair(size)]
        base, *ours = in_turn(
            [
                partial(structural_similarity, *pair, full=True),
                *(partial(ssim, *pair, implementation=name) for name in IMPLEMENTATIONS),
            ],
            runs,
        )
        print(f"  {size:2} MP  scikit-image {milliseconds(base)}")
        for name, taken in zip(IMPLEMENTATIONS, ours, strict=True):
            target = wanted.get((name, size))
            said = verdict(base / taken, target) if target else ""
            print(f"         {name:12} {milliseconds(taken)}  {base / taken:6.1f}\u00d7  {said}")


def _fresh(name: str, *pictures: object, **options: object) -> None:
    """compare() with one SSIM implementation and an empty cache, as a first call has it."""
    kernel = _implementation._kernel
    _implementation._kernel = kernel if name == "numba" else None
    try:
        compare(*pictures, cache=StageCache(), **options)  # type: ignore[arg-type]
    finally:
        _implementation._kernel = kernel


def bench_compare() -> None:
    """compare(preset="published", segmenter="none") on arrays against the published pipeline."""
    for size, runs in ((2, 9), (12, 5)):
        pair = photo_pair(size)
        base, *ours = in_turn(
            [
                partial(published.hybrid, *pair),
                *(partial(_fresh, name, *pair, preset="published") for name in IMPLEMENTATIONS),
            ],
            runs,
        )
        print(f"  {size:2} MP  published    {milliseconds(base)}")
        for name, taken in zip(IMPLEMENTATIONS, ours, strict=True):
            said = verdict(base / taken, {"opencv": 10, "numba": 25}[name]) if size == 12 else ""
            print(f"         {name:12} {milliseconds(taken)}  {base / taken:6.1f}\u00d7  {said}")


def bench_tick() -> None:
    """A moved threshold on a warm comparison: threshold, contours, boxes, types."""
    for size, most in ((2, 3.0), (12, 10.0)):
        pair = load_pair(*photo_pair(size))
        warm = compare(pair, preset="published", cache=StageCache())
        levels = itertools.cycle(range(40, 100))

        def tick(warm: Comparison = warm, levels: Iterator[int] = levels) -> None:
            warm.again(threshold=next(levels))

        # Ticks follow one another, as under a moving slider.
        taken, full, usual, base = (
            statistics.median(seconds(work, runs))
            for work, runs in (
                (tick, 40),
                (partial(_fresh, "numba", pair, preset="published"), 9),
                (partial(_fresh, "numba", pair), 9),
                (partial(published.hybrid, pair.reference.array, pair.current.array), 3),
            )
        )
        print(
            f"  {size:2} MP  tick {milliseconds(taken)}  "
            f"{verdict(taken * 1000, most, at_most=True)} ms"
        )
        print(
            f"         1/{base / taken:<4.0f} of the published run {milliseconds(base)}, "
            f"{verdict(base / taken, 15)}"
        )
        for name, one in (("default", usual), ("published", full)):
            print(f"         1/{one / taken:<4.0f} of ours, {name} preset {milliseconds(one)}")


MEMORY = """
import sys
import numpy as np
from vde_nb.stages import StageCache
reference, current = (np.load(path) for path in sys.argv[2:4])
if sys.argv[1] == "published":
    from tests.published import hybrid
    hybrid(reference, current)
else:
    from vde_nb.compare import compare
    from vde_nb.difference import prepare_kernel
    if sys.argv[1] == "numba":
        prepare_kernel()
    compare(reference, current, preset="published", cache=StageCache())
# the peak since exec; getrusage would count what was inherited from the benchmark
with open("/proc/self/status") as status:
    print(next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM")))
"""


def bench_memory() -> None:
    """Peak memory of a whole process that compares two decoded 12 MP arrays."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / name) for name in ("reference.npy", "current.npy")]
        for path, image in zip(paths, photo_pair(12), strict=True):
            np.save(path, image)
        for name in ("published", "opencv", "numba"):
            done = subprocess.run(
                [sys.executable, "-c", MEMORY, name, *paths],
                capture_output=True,
                text=True,
                check=True,
            )
            peak = int(done.stdout)
            said = "" if name == "published" else verdict(peak, 250, at_most=True)
            print(f"  12 MP  {name:12} {peak:6} MiB  {said}")


def main() -> None:
    parts = {
        "ssim": bench_ssim,
        "compare": bench_compare,
        "tick": bench_tick,
        "memory": bench_memory,
    }
    chosen = sys.argv[1:] or list(parts)
    print(machine())
    if not prepare_kernel():
        raise SystemExit("numba is needed to measure both implementations")
    for name in chosen:
        print(f"{name}: {(parts[name].__doc__ or '').splitlines()[0]}")
        parts[name]()


if __name__ == "__main__":
    main()
