"""Runs of many pairs: throughput, overhead, Dask, memory over 10,000 pairs, resuming.

    python -m tests.benchmarks.batch [throughput] [overhead] [memory PAIRS] [killed]

Without words all of it, with 10,000 pairs. What is compared with each other is run in turn, and
the best of three rounds counts. Start of processes and clusters is not counted: each executor has
run before.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil

import vde_nb as vde
from tests.benchmarks.common import machine, photo_pair, verdict
from vde_nb.batch import compare_many
from vde_nb.batch._pool import _begin


def many_pairs(folder: Path, count: int) -> list[tuple[str, str]]:
    """Pairs of 2 MP files, each with another content."""
    reference, current = photo_pair(2)
    paths = [(folder / f"{n}_ref.png", folder / f"{n}_cur.png") for n in range(count)]
    for number, (one, two) in enumerate(paths):
        for path, picture in ((one, reference), (two, current)):
            picture = picture.copy()
            picture[number, :8] = number
            cv2.imwrite(str(path), picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return [(str(one), str(two)) for one, two in paths]


def seconds_of_run(folder: Path, pairs: Any, **options: Any) -> float:
    """Wall time of a run, from its begin to its last file."""
    out = folder / f"run_{os.urandom(4).hex()}"
    started = time.perf_counter()
    run = compare_many(pairs, out=out, progress=False, **options)
    taken = time.perf_counter() - started
    assert run.counts["error"] == 0, run.counts
    run.delete()
    return taken


def processor_seconds() -> float:
    """Processor time of this process and all below it, those that have ended too."""
    here = psutil.Process()
    spent = sum(here.cpu_times()[:4])
    for child in here.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            spent += sum(child.cpu_times()[:4])
    return spent


def pool(count: int) -> ProcessPoolExecutor:
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, mp_context=spawn, initializer=_begin, initargs=(1,))


def throughput(folder: Path, count: int = 12, rounds: int = 3) -> None:
    """Two processes against one, Dask against processes; each with one thread."""
    pairs = many_pairs(folder, count)
    with ExitStack() as stack:
        crews: dict[str, Executor] = {
            "one process": stack.enter_context(pool(1)),
            "two processes": stack.enter_context(pool(2)),
        }
        try:
            from distributed import Client, LocalCluster
        except ImportError:
            print("Dask is not here and left out")
        else:
            cluster = stack.enter_context(
                LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0")
            )
            crews["Dask, two workers"] = stack.enter_context(Client(cluster)).get_executor()
        taken: dict[str, list[float]] = {name: [] for name in crews}
        spent: dict[str, list[float]] = {name: [] for name in crews}
        for round_ in range(rounds + 1):
            for name, executor in crews.items():
                before = processor_seconds()
                one = seconds_of_run(folder, pairs, executor=executor)
                if round_:
                    taken[name].append(one)
                    spent[name].append(processor_seconds() - before)
    rate = {name: count / min(times) for name, times in taken.items()}
    for name, value in rate.items():
        each = 1000 * min(spent[name]) / count
        print(f"  {name:<20} {value:6.2f} pairs/s of 2 MP, {each:5.0f} ms of processor a pair")
    # Of a machine that does other things too, wall time tells how busy it is.
    alike = 2 * min(spent["one process"]) / min(spent["two processes"])
    print(f"  by processor time, two processes / one would be {alike:.2f} on two idle processors")
    gain = rate["two processes"] / rate["one process"]
    print(f"  two processes / one  {gain:6.2f}   {verdict(gain, 1.8)}")
    if "Dask, two workers" in rate:
        share = rate["Dask, two workers"] / rate["two processes"]
        print(f"  Dask / processes     {share:6.2f}   {verdict(share, 0.9)}")


def overhead(folder: Path, count: int = 24, rounds: int = 3) -> None:
    """What the runner costs beside the comparisons themselves, all in this process.

    What a run begins and ends with costs the same for two pairs as for thousands (the files and
    the page of a finished run, each safely on the disk): `count` pairs share it.
    """
    pairs = many_pairs(folder, count)

    def plain() -> object:
        for pair in pairs:
            vde.compare(*pair, cache=None)
        return None

    works: dict[str, Callable[[], object]] = {
        "compare() in a loop": plain,
        "the run, results.json": lambda: seconds_of_run(folder, pairs, workers=0, save=()),
        "  and thumbnails": lambda: seconds_of_run(folder, pairs, workers=0),
    }
    for what, clock in (("wall", time.perf_counter), ("processor", time.process_time)):
        taken: dict[str, list[float]] = {name: [] for name in works}
        for round_ in range(rounds + 1):
            for name, work in works.items():
                started = clock()
                work()
                if round_:
                    taken[name].append((clock() - started) / count)
        base = min(taken["compare() in a loop"])
        for name, times in taken.items():
            more = 100 * (min(times) / base - 1)
            print(f"  {name:<22} {1000 * min(times):7.1f} ms of {what} time a pair", end="  ")
            print(f"{more:+6.1f} %   {verdict(more, 5, at_most=True)}" if more else "")


def small_pairs(count: int) -> Iterator[Any]:
    """Pairs of 320 x 240, made one after the other."""
    rng = np.random.default_rng(1)
    ground = cv2.GaussianBlur(rng.integers(60, 200, (240, 320, 3)).astype(np.uint8), (0, 0), 3)
    for number in range(count):
        reference = ground.copy()
        reference[0, :4] = np.frombuffer(number.to_bytes(12, "little"), np.uint8).reshape(4, 3)
        current = reference.copy()
        if number % 2:
            current[60:90, 100:140] = (20, 220, number % 200)
        yield reference, current, f"pair {number}"


def memory(folder: Path, count: int) -> None:
    """Memory of the process that runs, and of its workers, over many small pairs."""
    here, told = psutil.Process(), []

    def look(done: int, total: int | None, row: Any) -> None:
        if done % 100 == 0 or done == count:
            workers = [one.memory_info().rss for one in here.children(recursive=True)]
            told.append((done, here.memory_info().rss / 1e6, sum(workers) / 1e6))

    # Libraries are loaded by a run before: they take their memory once.
    compare_many(small_pairs(4), out=folder / "first", progress=False, method="hybrid", workers=0)
    started = time.perf_counter()
    out = folder / "memory"
    compare_many(small_pairs(count), out=out, progress=look, method="hybrid", workers=2)
    taken = time.perf_counter() - started
    early = next(one for one in told if one[0] >= min(500, count // 4))
    last = told[-1]
    now = here.memory_info().rss / 1e6
    print(f"  {count} pairs of 320 x 240 in {taken:.0f} s, {count / taken:.0f} pairs/s")
    for name, before, after in (
        ("the runner", early[1], max(one[1] for one in told[told.index(early) :])),
        ("after its end", early[1], now),
        ("its two workers", early[2], last[2]),
    ):
        grown = after - before
        wanted = verdict(grown, 50, at_most=True)
        print(f"  {name:<16} {before:6.0f} MB -> {after:6.0f} MB, {grown:+5.0f} MB  {wanted}")


_KILLED = """
from tests.benchmarks.batch import small_pairs
from vde_nb.batch import compare_many
compare_many(small_pairs({count}), out={out!r}, method="hybrid", progress=False, workers=2)
"""


def killed(folder: Path, count: int = 300, times: int = 10) -> None:
    """``kill -9`` at a random moment, again and again; then every pair is there once."""
    out, script = folder / "killed", folder / "killed.py"
    script.write_text(_KILLED.format(count=count, out=str(out)))
    journal, kills, lines = out / "journal.ndjson", 0, []
    while kills < times:
        process = subprocess.Popen(
            [sys.executable, str(script)], env=_environment(), stderr=subprocess.DEVNULL
        )
        before = journal.read_bytes().count(b"\n") if journal.exists() else 0
        least = before + random.uniform(0, 1.5) * count / (times + 2)
        while process.poll() is None and _lines(journal) < least:
            time.sleep(0.005)
        time.sleep(random.random() * 0.05)
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        kills += 1
        lines.append(_lines(journal))
    subprocess.run([sys.executable, str(script)], env=_environment(), check=True)
    ids = [json.loads(line)["row"]["id"] for line in journal.read_bytes().splitlines()]
    rows = [json.loads(line) for line in (out / "results.ndjson").read_bytes().splitlines()]
    whole = len(rows) == len(set(ids)) == len(ids) == count
    numbers = [row["number"] for row in rows] == list(range(1, count + 1))
    print(f"  killed {kills} times, with {lines} rows in the journal")
    good = "all once" if whole and numbers else "WRONG"
    print(f"  {len(ids)} rows of {len(set(ids))} pairs: {good}")


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _environment() -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[2])
    return {**os.environ, "PYTHONPATH": root}


def main() -> None:
    print(machine(), f"load {os.getloadavg()[0]:.1f}")
    asked = sys.argv[1:] or ["throughput", "overhead", "memory", "10000", "killed"]
    count = next((int(word) for word in asked if word.isdecimal()), 10_000)
    for name, work in (
        ("throughput", throughput),
        ("overhead", overhead),
        ("memory", lambda folder: memory(folder, count)),
        ("killed", killed),
    ):
        if name in asked:
            print(name)
            with tempfile.TemporaryDirectory() as folder:
                work(Path(folder))


if __name__ == "__main__":
    main()
