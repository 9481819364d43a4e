"""What a thousand workers would do to the scheduler, to the files of a run and to the cache.

    python -m tests.benchmarks.scale [JOBS]

Nothing here compares pictures: jobs return at once, so what is measured is everything around them,
which does not grow with the number of processors. JOBS is 3000 by default.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.common import machine
from vde_nb.batch._executors import Foreign
from vde_nb.batch._final import write_results
from vde_nb.batch._identity import Identities
from vde_nb.batch._job import Job, outcome
from vde_nb.batch._journal import Journal, line_of
from vde_nb.batch._loop import Loop, _identified
from vde_nb.batch._pairs import Given, Listed
from vde_nb.batch._plan import Plan, processors
from vde_nb.batch._row import KEYS, Row, folder_of
from vde_nb.settings import resolve

_SECONDS = 0.5  # a comparison of two pictures of 2 MP, about


def typical_row(number: int) -> Row:
    """A row as a pair of photographs has it."""
    identity = f"{number:032x}"
    found = {
        "id": identity,
        "number": number,
        "name": f"currents/line 3/part_{number:07d}.png",
        "reference": "/data/plant/references/part.png",
        "current": f"/data/plant/currents/line 3/part_{number:07d}.png",
        "status": "changed",
        "anomalies": 4,
        "types": {"missing_part": 1, "scratch": 1, "spot": 2},
        "severities": {"minor": 1, "moderate": 2, "major": 1},
        "change": 0.8579166666666668,
        "ssim": 0.9924525414826496,
        "score": 13.673193071410893,
        "largest": 932,
        "size": [1632, 1224],
        "method": "robust",
        "outlined_by": "Graph cut",
        "described_by": "",
        "notes": ["The current picture was moved by 1.2 pixels onto the reference."],
        "retry": False,
        "folder": folder_of(identity),
        "files": ["results.json", "thumbnail.jpg"],
        "given": {},
    }
    return {key: found.get(key) for key in KEYS}


def typical_plan(out: Path) -> Plan:
    settings = resolve("robust").flat()
    return Plan(str(out), "k" * 32, "robust", "default", settings, save=("thumbnails",))


def typical_job(number: int, plan: Plan) -> Job:
    row = typical_row(number)
    about = {key: row[key] for key in ("id", "number", "name", "reference", "current", "given")}
    return Job(plan, about, row["reference"], row["current"], ((row["current"], (1, 2)),))


def answered(job: Job) -> dict[str, Any]:
    """What a worker returns, without any work."""
    stages = dict.fromkeys(("images", "registration", "light", "difference", "files"), 12.345)
    return outcome(typical_row(job.about["number"]), _SECONDS, stages)


def scheduler(folder: Path, count: int) -> float:
    """Jobs that a scheduler of Dask passes on in a second, together with the loop of a run."""
    from distributed import Client, LocalCluster

    import vde_nb.batch._executors as executors

    plan, journal = typical_plan(folder), Journal(folder)

    def listed() -> Any:
        for number in range(1, count + 1):
            row = typical_row(number)
            yield Given(number, row["name"], None, row["id"].encode())

    with (
        LocalCluster(4, processes=False, threads_per_worker=4, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        usual, executors.work = executors.work, answered
        try:
            crew = Foreign(client.get_executor())
            for most in (64, 1024):
                loop = Loop(plan, crew, journal, lambda row: None, lambda done, row: None, most)
                started = time.perf_counter()
                loop.run(Listed(listed(), count, ""))
                rate = count / (time.perf_counter() - started)
                print(f"  {most:5d} in flight: {rate:6.0f} jobs/s")
        finally:
            executors.work = usual
            journal.close()
    return rate


def loop_alone(folder: Path, count: int) -> float:
    """Rows that the loop takes in a second when computing costs nothing at all."""
    journal = Journal(folder)
    plan = typical_plan(folder)
    started = time.perf_counter()
    for number in range(1, count + 1):
        journal.append(typical_row(number), {"seconds": _SECONDS})
    added = count / (time.perf_counter() - started)
    started = time.perf_counter()
    for number in range(1, count + 1):
        journal.see(number - 1, number)
    write_results(folder, journal.entries(unseen=False))
    finished = count / (time.perf_counter() - started)
    started = time.perf_counter()
    journal.reload()
    read = count / (time.perf_counter() - started)
    journal.close()
    sizes = {
        name: (folder / name).stat().st_size / count
        for name in ("journal.ndjson", "results.ndjson", "results.csv", "results.parquet")
        if (folder / name).exists()
    }
    jobs = [pickle.dumps(typical_job(number, plan)) for number in range(100)]
    print(f"  rows a second: {added:.0f} added, {finished:.0f} finished, {read:.0f} read again")
    print("  bytes a row: " + ", ".join(f"{name} {size:.0f}" for name, size in sizes.items()))
    answer = len(line_of(answered(typical_job(1, plan))))
    print(f"  bytes a job: {sum(map(len, jobs)) / 100:.0f} there, {answer} back")
    return added


def hashing(folder: Path) -> float:
    """Megabytes of files that get their identity in a second."""
    data = np.random.default_rng(0).bytes(6_000_000)
    paths = []
    for number in range(20):
        path = folder / f"{number}.png"
        path.write_bytes(number.to_bytes(4, "little") + data)
        paths.append(str(path))
    pairs = [Given(n, "x", *two) for n, two in enumerate(zip(paths[::2], paths[1::2], strict=True))]
    numbers = Identities()
    started = time.perf_counter()
    for pair in pairs:
        numbers.content_of(pair)
    alone = numbers.bytes_hashed / 1e6 / (time.perf_counter() - started)
    numbers = Identities()
    started = time.perf_counter()
    for _ in _identified(iter(pairs), numbers):
        pass
    rate = numbers.bytes_hashed / 1e6 / (time.perf_counter() - started)
    print(f"  {alone:.0f} MB/s on one thread, {rate:.0f} MB/s on {processors()}; files of 6 MB")
    return rate


def _use_cache(folder: str, who: int, count: int) -> tuple[float, float]:
    os.environ["VDE_NB_CACHE"] = folder
    from vde_nb.segment.embeddings import EmbeddingCache

    cache = EmbeddingCache(memory_bytes=0)
    arrays = {"image": np.random.default_rng(who).random((256, 64, 64), np.float32)}
    started = time.perf_counter()
    for number in range(count):
        cache.put(f"{who:016x}{number:016x}", arrays, model="test")
    wrote = count / (time.perf_counter() - started)
    started = time.perf_counter()
    for number in range(count):
        assert cache.get(f"{who:016x}{number:016x}") is not None
    return wrote, count / (time.perf_counter() - started)


def cache(folder: Path, count: int = 30) -> None:
    """Embeddings that several processes write into one folder and read from it, in a second."""
    spawn = multiprocessing.get_context("spawn")
    for processes in (1, 2, 4):
        with ProcessPoolExecutor(processes, mp_context=spawn) as pool:
            list(pool.map(abs, range(processes * 4)))
            place = [str(folder / f"cache{processes}")] * processes
            found = list(pool.map(_use_cache, place, range(processes), [count] * processes))
        wrote, read = (sum(one[at] for one in found) for at in (0, 1))
        print(f"  {processes} processes: {wrote:6.0f} written /s, {read:6.0f} read /s")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    print(machine(), f"load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as temporary:
        folders = [Path(temporary) / name for name in ("a", "b", "c", "d")]
        for folder in folders:
            folder.mkdir()
        print("Journal and final files")
        added = loop_alone(folders[0], count)
        print("Scheduler of Dask, with the loop")
        rate = scheduler(folders[1], count)
        print("Identity of files")
        speed = hashing(folders[2])
        print("Cache of embeddings on the disk, 2 MB each")
        cache(folders[3])
    needed = 1000 / _SECONDS
    print(f"A thousand workers with {_SECONDS:g} s a pair finish {needed:.0f} pairs/s:")
    print(
        json.dumps(
            {
                "workers the scheduler keeps busy": int(rate * _SECONDS),
                "workers the journal keeps up with": int(added * _SECONDS),
                "workers whose files of 12 MB a pair are hashed in time": int(
                    speed / 12 * _SECONDS
                ),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
