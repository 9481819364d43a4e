"""Kept encodings, batches and parity of SAM, beside the libraries it comes from.

    python -m tests.benchmarks.segmenters [kept] [boxes] [parity] [int8] [gpu]

The models have the real architectures and random weights (see `tests.sam_models`): time and memory
are the real ones, what they outline means nothing. They are written once into a temporary folder
and come in through :func:`vde_nb.segment.models.add_model`, as a user's own would.

Measured on two cores of an AMD EPYC (AVX-512, bf16) with torch 2.14. `kept` had both for itself;
beside the others ran programs that had the share of the two cores that stands behind a part, and
one core taken away makes torch many times as slow. `parity` does not depend on that.
`gpu` has not been run on a GPU yet.

==========================  ==============  ==============  ===================================
kept (1 run; idle)          SAM ViT-B       SAM 2.1 tiny    wanted
==========================  ==============  ==============  ===================================
first prompt on a picture   10.0 s          3.06 s
second prompt               0.033 s         0.049 s
gain                        299 times       63 times        50
gain after a restart        136 times       28 times        50; tiny MISSED
==========================  ==============  ==============  ===================================

==========================  ==============  ==============  ===================================
boxes (64, 0.4 cores)       SAM ViT-B       SAM 2.1 tiny    wanted
==========================  ==============  ==============  ===================================
ours, near the boxes        4.0 s           4.2 s           never slower than the loop
ours, whole masks           6.2 s           6.6 s
library, a loop             4.4 s           4.4 s
library, one call           6.4 s           8.5 s
memory: ours, 8 and 64      63, 64 MiB                      the same
memory: loop, one call      160, 1800 MiB
==========================  ==============  ==============  ===================================

==========================  ==============  ==============  ===================================
parity (156 answers each)   SAM ViT-B       SAM 2.1 tiny    wanted
==========================  ==============  ==============  ===================================
exact: least IoU            0.99983         0.99995         0.999
exact: scores within        0.000017        0.000011        0.0001
kept as float16: least IoU  0.9991          0.987           (median 0.9998 and 0.9986)
kept: scores within         0.0018          0.005
==========================  ==============  ==============  ===================================

`boxes` and `parity` were measured before prompts had a decoder of our own (`segment/_decoder.py`).
A more disturbed run is not in the tables: `boxes` once at 28.8 s (ViT-B, near the boxes) beside a
loop of 4.9 s.

Cheaper encoders, disturbed (1.1 cores, and a run before): int8 1.0-1.3 times as fast (ViT-B) and
1.4-1.9 times (tiny), bf16 1.6-2.2 and 1.1-1.5 times. By computing time on one thread, outside of
this file: int8 1.4 and 1.6 times, bf16 1.9 and 1.5 times. The mean mask IoU is 0.91 and 0.93 in
int8, so there is no such option, and 0.97 in bf16, so it is not what a CPU uses unasked. Random
weights may suffer more than trained ones.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from tests.benchmarks.common import in_turn, machine, milliseconds, photo_pair, verdict
from tests.benchmarks.sam_libraries import (
    BIG,
    SMALL,
    Subject,
    Subjects,
    added,
    boxes_in,
    gain,
    overlap,
)
from tests.benchmarks.sam_parity import bench_int8, bench_parity
from vde_nb.detect import Box
from vde_nb.segment._embedded import Embedded
from vde_nb.segment.base import Prompt, Scene
from vde_nb.segment.neural import SamOptions, SamSegmenter, predictor_for, release
from vde_nb.segment.predictor import Predictor

OPTIONS = SamOptions(device="cpu", views="current")
REACH = 16  # pixels around a box that its outline is looked for in

CHILD = """
import sys
from tests.benchmarks import segmenters
getattr(segmenters, sys.argv[1])(*sys.argv[2:])
"""


def _in_child(function: str, *arguments: object, env: dict[str, str] | None = None) -> Any:
    """What a function of this module prints as JSON in a process of its own."""
    command = [sys.executable, "-c", CHILD, function, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=env)
    return json.loads(done.stdout.splitlines()[-1])


def _clock(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _grown(box: Box) -> Box:
    x, y, w, h = box
    return x - REACH, y - REACH, w + 2 * REACH, h + 2 * REACH


# --- kept


def bench_kept(subjects: Subjects) -> None:
    """A prompt on a 12 MP picture seen before: in this process, or in one that has ended."""
    picture = photo_pair(12)[1]
    pictures = [np.roll(picture, 40 * turn, 1) for turn in range(3)]
    path = subjects.folder / "picture.npy"
    np.save(path, picture)
    for subject in subjects(*SMALL):
        first, second = [], []
        _outline(subject, picture[:64, :64], 0)  # loads the model, warms up, and is not counted
        for image in pictures:
            first.append(_clock(partial(_outline, subject, image, 0)))
            second += [_clock(partial(_outline, subject, image, turn)) for turn in range(1, 6)]
        release()
        new, kept = statistics.median(first), statistics.median(second)
        print(f"  {subject.title:13} first prompt {milliseconds(new)}")
        print(f"  {'':13} second       {milliseconds(kept)}  {gain(new / kept, 50)}")
        runs = [_in_child("restarted", subject.title, subject.path, path, t) for t in range(1, 4)]
        loading, kept, new = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"  {'':13} a process starts and loads it {milliseconds(loading)}; then")
        print(f"  {'':13} new picture  {milliseconds(new)}")
        print(f"  {'':13} known one    {milliseconds(kept)}  {gain(new / kept, 50)}")


def _outline(subject: Subject, image: np.ndarray, turn: int) -> None:
    """What a user waits for: one outline in a picture that nothing but its pixels is known of."""
    height, width = image.shape[:2]
    box = boxes_in(8, width, height)[turn]
    scene = Scene(image, image, np.empty((height, width), np.uint8))
    prepared = SamSegmenter(subject.name, OPTIONS).prepare(scene)
    prepared.segment([Prompt(box, reach=REACH)])


def restarted(title: str, path: str, picture: str, turn: str) -> None:
    """In a new process: seconds for loading, for a picture that was kept, and for a new one."""
    subject, image = added(title, path), np.load(picture)
    backend: Any = predictor_for(subject.name, OPTIONS).backend
    loading = time.time() - psutil.Process().create_time()
    encode, backend.encode = backend.encode, None  # calling it would be an error
    kept = _clock(partial(_outline, subject, image, 0))
    backend.encode = encode
    fresh = np.roll(image, 40 * int(turn), 0)
    print(json.dumps([loading, kept, _clock(partial(_outline, subject, fresh, 0))]))


# --- boxes


def bench_boxes(subjects: Subjects) -> None:
    """64 boxes on a 2 MP picture: ours, a loop of the library's calls, and one call of it."""
    picture = photo_pair(2)[1]
    height, width = picture.shape[:2]
    boxes = boxes_in(64, width, height)
    for subject in subjects(*SMALL):
        predictor = Predictor(subject.backend(device="cpu"))
        embedded = predictor.embed(picture)
        library = subject.library()
        library.take(embedded.arrays, (height, width))
        names = ("near the boxes", "whole masks", "loop", "one call")
        taken = in_turn([_how(name, boxes, predictor, embedded, library) for name in names], 3)
        ours = taken[0]
        for name, one in zip(names, taken, strict=True):
            said = {
                "loop": gain(one / ours, 1),
                "one call": f"{one / ours:6.1f}×",
            }.get(name, "")
            print(f"  {subject.title:13} {name:15} {milliseconds(one)}  {said}")
        kept = subjects.folder / "embedding.npz"
        np.savez(kept, **embedded.arrays)
        del predictor, library
        if subject.title == SMALL[0]:
            _memory_of_boxes(subject, kept)


def _how(
    name: str, boxes: list[Box], predictor: Predictor, embedded: Embedded, library: Any
) -> Callable[[], Any]:
    """One way to outline all boxes; the masks are kept, as whoever asks for them would."""
    prompts = [Prompt(box) for box in boxes]

    def near() -> list[Any]:
        answers = predictor.stream(embedded, prompts)
        return [answer.tight(_grown(boxes[i])) for i, answer in answers]

    def whole() -> list[Any]:
        return [answer.mask() for _, answer in predictor.stream(embedded, prompts)]

    return {
        "near the boxes": near,
        "whole masks": whole,
        "loop": lambda: [library.ask(prompt)[0] for prompt in prompts],
        "one call": lambda: library.ask_boxes(boxes),
    }[name]


def _memory_of_boxes(subject: Subject, kept: Path) -> None:
    # What is freed goes back at once, so that a peak is what was in use.
    env = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(2**16)}
    given = subject.title, subject.path, kept
    found = {
        (name, count): _in_child("memory_of_boxes", *given, name, count, env=env)
        for name, count in (
            ("near the boxes", 8),
            ("near the boxes", 64),
            ("whole masks", 64),
            ("loop", 64),
            ("one call", 64),
        )
    }
    few = found["near the boxes", 8]
    for (name, count), peak in found.items():
        bound = (name, count) == ("near the boxes", 64)
        said = f"{peak / few:.2f} of 8: {verdict(peak / few, 1.5, at_most=True)}" if bound else ""
        print(f"  {'':13} {name:15} {count:2} boxes: peak {peak:6.0f} MiB more  {said}")


def memory_of_boxes(title: str, path: str, kept: str, name: str, count: str) -> None:
    """In a new process: MiB by which outlining boxes raises its memory, at the peak."""
    width, height = 1632, 1224
    arrays = dict(np.load(kept))
    subject = added(title, path)
    if name in ("loop", "one call"):
        library, predictor, embedded = subject.library(), None, None
        library.take(arrays, (height, width))
    else:
        library, backend = None, subject.backend(device="cpu")
        backend.encode = lambda *_: arrays  # type: ignore[method-assign]
        predictor = Predictor(backend)
        embedded = predictor.embed(np.zeros((height, width, 3), np.uint8))
    ask = partial(_how, predictor=predictor, embedded=embedded, library=library)  # type: ignore[arg-type]
    ask(name, boxes_in(1, width, height))()  # what only a first call needs is not counted
    work = ask(name, boxes_in(int(count), width, height))
    with _peak() as peak:
        work()
    print(json.dumps(peak[0] / 2**20))


@contextmanager
def _peak() -> Iterator[list[int]]:
    """Bytes by which this process grows at most while the body runs, looked at every 2 ms."""
    process, done, found = psutil.Process(), threading.Event(), [0]
    before = process.memory_info().rss

    def watch() -> None:
        while not done.wait(0.002):
            found[0] = max(found[0], process.memory_info().rss - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        done.set()
        watcher.join()


# --- gpu


def bench_gpu(subjects: Subjects, device: str = "cuda", titles: tuple[str, ...] = BIG) -> None:
    """Large models on a GPU: encoding a 2 MP picture, 64 boxes, memory."""
    if device == "cuda" and not torch.cuda.is_available():
        print("  left out: torch finds no CUDA device here")
        return
    if device == "cuda":
        print(f"  {torch.cuda.get_device_name()}, torch {torch.__version__}")
    picture = photo_pair(2)[1]
    height, width = picture.shape[:2]
    boxes = boxes_in(64, width, height)
    for subject in subjects(*titles):
        library, backend = subject.library(device), subject.backend(device=device)
        predictor = Predictor(backend)
        embedded = predictor.embed(picture)

        def look(library: Any = library) -> None:
            library.look(picture)
            _wait(device)

        looks = {
            "library, fp32": look,
            f"ours, {backend.precision}": partial(backend.encode, picture),
        }
        print(f"  {subject.title}: encoding")
        _beside(looks, 5, wanted=2, device=device)
        print(f"  {subject.title}: 64 boxes")
        ways = {
            name: _how(name, boxes, predictor, embedded, library)
            for name in ("loop", "one call", "near the boxes")
        }
        _beside(ways, 5, wanted=8, device=device)
        prompts = [Prompt(box) for box in boxes]
        library.look(picture)
        overlaps = [
            overlap(answer.mask(), library.ask(prompt)[0][0])
            for answer, prompt in zip(predictor.predict(embedded, prompts), prompts, strict=True)
        ]
        same = statistics.mean(overlaps)
        print(f"    masks beside fp32: mean IoU {same:.4f}, {verdict(same, 0.99)}")


def _beside(ways: dict[str, Callable[[], Any]], runs: int, wanted: float, device: str) -> None:
    """Times and peak memory on the device; the last way is ours, the first what it is held to."""
    taken = in_turn(list(ways.values()), runs)
    for (name, work), one in zip(ways.items(), taken, strict=True):
        said = gain(taken[0] / one, wanted) if one == taken[-1] else ""
        print(f"    {name:15} {milliseconds(one)}  {_device_peak(work, device):6.0f} MiB  {said}")


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _device_peak(work: Callable[[], Any], device: str) -> float:
    """MiB on the device at the peak, beyond what lay there before."""
    if device != "cuda":
        return 0.0
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    work()
    _wait(device)
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def _others() -> float:
    """Seconds of computing by everything but this process and its children, since the start.

    What is measured here suffers more than its share: torch's threads wait for one another at
    every step, so one of two cores taken away makes it five times as slow.
    """
    everything, own = psutil.cpu_times(), os.times()
    return everything.user + everything.nice + everything.system - sum(own[:4])


def main() -> None:
    parts: dict[str, Callable[[Subjects], None]] = {
        "kept": bench_kept,
        "boxes": bench_boxes,
        "parity": bench_parity,
        "int8": bench_int8,
        "gpu": bench_gpu,
    }
    chosen = sys.argv[1:] or list(parts)
    print(f"{machine()}, torch {torch.__version__}, {torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["VDE_NB_CACHE"] = str(Path(folder) / "cache")
        subjects = Subjects(Path(folder))
        for name in chosen:
            print(f"{name}: {(parts[name].__doc__ or '').splitlines()[0]}", flush=True)
            started, others = time.perf_counter(), _others()
            parts[name](subjects)
            taken = time.perf_counter() - started
            print(f"  ({taken:.0f} s; other programs had {(_others() - others) / taken:.2f} cores)")


if __name__ == "__main__":
    main()
