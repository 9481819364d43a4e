"""Eight threads on one cache, eight processes on one folder: nobody gets what is not theirs."""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

import vde_nb
from tests.robustness import seeds
from tests.robustness.tools import scaled
from vde_nb.segment.embeddings import EmbeddingCache
from vde_nb.stages import StageCache

KEYS = [hashlib.sha256(bytes([number])).hexdigest() for number in range(12)]


def arrays(number: int) -> dict[str, np.ndarray]:
    return {"image": np.full((8, 16, 16), number, np.float16)}


def changed(seed: int) -> tuple[np.ndarray, np.ndarray]:
    reference = seeds.picture(seed, 60, 80)
    current = reference.copy()
    current[10:30, 20 + seed : 44 + seed] ^= 255
    return reference, current


def threads_on_one_stage_cache(turns: int) -> None:
    pairs = [changed(seed) for seed in range(6)]
    alone = [vde_nb.compare(*pair, method="robust", cache=None).to_json() for pair in pairs]
    cache = StageCache(600_000)  # holds two or three of the six: results are dropped all the time

    def run(thread: int) -> None:
        draw = Random(thread)
        for _ in range(turns):
            which = draw.randrange(6)
            found = vde_nb.compare(*pairs[which], method="robust", cache=cache)
            assert without_times(found.to_json()) == without_times(alone[which])
            if draw.random() < 0.05:
                cache.clear()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))
    assert cache.bytes_used <= 600_000


def without_times(text: str) -> str:
    return text.partition('"timings_ms"')[0]


def test_eight_threads_compare_with_one_cache() -> None:
    threads_on_one_stage_cache(6)


@pytest.mark.long
def test_eight_threads_compare_with_one_cache_for_long() -> None:
    threads_on_one_stage_cache(scaled(400))


def use(folder: str, seed: int, turns: int, limit: int) -> list[str]:
    """Read, write and remove entries of a shared folder; what went wrong, in words."""
    draw, wrong = Random(seed), []
    for _ in range(turns):
        which = draw.randrange(len(KEYS))
        cache = EmbeddingCache(Path(folder), memory_bytes=5000, disk_bytes=limit)
        kept = cache.get(KEYS[which])
        if kept is None:
            cache.put(KEYS[which], arrays(which))
        elif not np.all(kept["image"] == which):
            wrong.append(f"{which} was mixed up")
        if draw.random() < 0.03:
            (Path(folder) / f"{KEYS[which]}.safetensors").unlink(missing_ok=True)
        said = cache.note()
        if said:
            wrong.append(said)
    return wrong


def processes_on_one_folder(folder: Path, count: int, turns: int, seconds: float) -> None:
    limit = 8 * 4500
    # "spawn", because a fork of a process with threads may hang
    with multiprocessing.get_context("spawn").Pool(count) as pool:
        given = [(str(folder), seed, turns, limit) for seed in range(count)]
        waiting = [pool.apply_async(use, one) for one in given]
        assert [one.get(seconds) for one in waiting] == [[]] * count
    told = EmbeddingCache(folder, disk_bytes=limit).info()
    assert 0 < told["bytes"] <= limit and "damaged" not in told["models"]
    assert not [one.name for one in folder.iterdir() if ".tmp" in one.name]


def test_eight_threads_share_a_folder_of_embeddings(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        runs = pool.map(lambda seed: use(str(tmp_path), seed, 30, 8 * 4500), range(8))
        assert list(runs) == [[]] * 8


@pytest.mark.long
def test_eight_processes_share_a_folder_of_embeddings(tmp_path: Path) -> None:
    processes_on_one_folder(tmp_path, 8, scaled(2000), 3600)


# The clock


class Clock:
    """A clock of the wall that is set by hours, forth and back, at every look at it."""

    def __init__(self) -> None:
        self._true, self._draw = (time.time, time.time_ns), Random(0)

    def time(self) -> float:
        return self._true[0]() + self._draw.choice((0, 7200, -7200, 86_400 * 400, -(10**9)))

    def time_ns(self) -> int:
        return int(self.time() * 1e9)


@pytest.fixture
def jumping(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "time", clock.time)
    monkeypatch.setattr(time, "time_ns", clock.time_ns)
    return clock


def test_a_clock_that_jumps_changes_no_comparison(jumping: Clock, tmp_path: Path) -> None:
    seeds.fill(tmp_path)
    cache = StageCache()
    files = tmp_path / "a.png", tmp_path / "b.png"
    first = without_times(vde_nb.compare(*files, cache=cache).to_json())
    for _ in range(20):
        assert without_times(vde_nb.compare(*files, cache=cache).to_json()) == first
    # A file that changed is seen, whatever the clock says it was written at.
    files[1].write_bytes(files[0].read_bytes())
    assert not vde_nb.compare(*files, cache=cache).anomalies


def test_a_clock_that_jumps_costs_no_embedding_that_is_in_use(
    jumping: Clock, tmp_path: Path
) -> None:
    cache = EmbeddingCache(tmp_path, memory_bytes=0, disk_bytes=5 * 4500)
    for number in range(40):
        cache.put(KEYS[0], arrays(0)) if number == 0 else cache.get(KEYS[0])
        cache.put(KEYS[1 + number % 11], arrays(1 + number % 11))
        assert cache.get(KEYS[0]) is not None, number  # used last but one: never the oldest
    assert cache.note() == ""


def test_who_asks_the_clock_on_the_wall_is_known() -> None:
    """Progress, time-outs and second tries go by a clock that nobody sets."""
    asking = {
        path.name
        for path in Path(vde_nb.__file__).parent.rglob("*.py")
        if "time.time(" in path.read_text("utf-8")
    }
    # Two ask whether a file was written so lately that its time may not tell the next time, the
    # third whether a file that nobody finished is older than an hour.
    assert asking <= {"compare.py", "_identity.py", "_files.py"}


# A slow disk


def slowly(monkeypatch: pytest.MonkeyPatch, seconds: float) -> Callable[[], int]:
    """Make the system's calls for files slow; how many there were."""
    import os

    calls = [0]
    for name in ("open", "replace", "stat", "scandir", "fsync", "utime", "link"):
        true: Any = getattr(os, name)

        def slow(*given: Any, _true: Any = true, **named: Any) -> Any:
            calls[0] += 1
            time.sleep(seconds)
            return _true(*given, **named)

        monkeypatch.setattr(os, name, slow)
    return lambda: calls[0]


def test_a_slow_disk_makes_nothing_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Eight threads with one lock on a disk that answers after 20 ms, as a network's might."""
    seeds.fill(tmp_path)
    calls = slowly(monkeypatch, 0.02)
    with ThreadPoolExecutor(8) as pool:
        runs = pool.map(lambda seed: use(str(tmp_path / "kept"), seed, 3, 8 * 4500), range(8))
        assert list(runs) == [[]] * 8
    found = vde_nb.compare(tmp_path / "a.png", tmp_path / "b.png")
    found.save(tmp_path / "out", what=("results", "csv", "annotated"))
    assert calls() > 30
    assert (tmp_path / "out" / "results.json").stat().st_size > 0
