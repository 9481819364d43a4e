"""Runs of many pairs, killed, starved of disk and out of time: every pair exactly once.

The short tests of this are in ``tests/batch``; these are the long ones.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import psutil
import pytest

from tests.robustness.test_disk import tiny
from tests.robustness.test_sharing import Clock, jumping
from tests.robustness.tools import needs_linux, python, scaled, start
from vde_nb import OutputError
from vde_nb.batch import compare_many, open_run

__all__ = ["jumping", "tiny"]

pytestmark = pytest.mark.long

#: Compares `count` pairs of 64 x 48 pixels that it makes itself, and says when it begins.
_RUN = """
    import sys
    import numpy as np
    from vde_nb.batch import compare_many
    from tests.robustness.test_runs import pairs
    out, count, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if __name__ == "__main__":
        print("go", flush=True)
        compare_many(
            pairs(count), out=out, workers=workers, save=(), progress=False, method="hybrid",
            segmenter="none",
        )
"""


class Made:
    """A pair that is made when its turn comes."""

    def __init__(self, number: int) -> None:
        draw = np.random.default_rng(number)
        self.name = f"pair {number}"
        self.reference = np.full((48, 64, 3), 90, np.uint8)
        self.reference[::7] = draw.integers(0, 256, (64, 3))
        self.current = self.reference.copy()
        x, y = draw.integers(4, 28, 2)
        self.current[y : y + 12, x : x + 20] = 255 - self.current[y : y + 12, x : x + 20]


def pairs(count: int) -> Iterator[Made]:
    return (Made(number) for number in range(count))


def names_in(folder: Path) -> list[str]:
    return [row["name"] for row in open_run(folder).rows()]


def assert_complete(folder: Path, count: int) -> None:
    """Every pair has exactly one row, in the journal as in the results."""
    assert names_in(folder) == [f"pair {number}" for number in range(count)]
    lines = (folder / "journal.ndjson").read_bytes().splitlines()
    ids = [json.loads(line)["row"]["id"] for line in lines]
    assert len(ids) == len(set(ids)) == count
    assert open_run(folder).state == "finished"


@needs_linux
@pytest.mark.parametrize("workers", [0, 2])
def test_ten_kills_of_a_run_of_ten_thousand(workers: int, tmp_path: Path) -> None:
    count, draw, out = scaled(10_000), Random(time.time_ns()), tmp_path / "run"
    done, kills = 0, 0
    while kills < 10:
        child = start(_RUN, out, count, workers)
        assert child.stdout is not None and child.stdout.readline() == b"go\n"
        time.sleep(draw.uniform(0.2, 2 + count / 2000))
        if child.poll() is not None:
            break
        child.kill()
        child.communicate()
        kills += 1
        journal = out / "journal.ndjson"
        lines = journal.read_bytes().count(b"\n") if journal.exists() else 0
        assert lines >= done  # what was known stays known
        done = lines
        time.sleep(0.5)  # workers notice that their parent is gone
    ended = python(_RUN, out, count, workers, seconds=3000)
    assert ended.status == 0, ended.err[-1500:]
    assert_complete(out, count)


def _works(process: psutil.Process) -> bool:
    """Whether it is a worker, and not one that has just ended."""
    try:
        return "resource_tracker" not in str(process.cmdline())
    except psutil.Error:
        return False


@needs_linux
def test_ten_workers_killed_in_one_run(tmp_path: Path) -> None:
    count, out = scaled(5000), tmp_path / "run"
    child = start(_RUN, out, count, 2)
    try:
        parent, draw = psutil.Process(child.pid), Random(0)
        for _ in range(10):
            time.sleep(draw.uniform(1, 3))
            if child.poll() is not None:
                break
            workers = [one for one in parent.children() if _works(one)]
            if workers:
                os.kill(draw.choice(workers).pid, signal.SIGKILL)
        _, err = child.communicate(timeout=3000)
    except subprocess.TimeoutExpired:
        child.kill()
        raise
    assert child.returncode == 0, err.decode()[-1500:]
    assert names_in(out) == [f"pair {number}" for number in range(count)]
    # A pair that lost two workers is said to have, and is tried again the next time.
    lost = [row for row in open_run(out).rows() if row["status"] == "error"]
    assert all(row["error_kind"] == "WorkerLost" and row["retry"] for row in lost)
    assert len(lost) <= 10
    ended = python(_RUN, out, count, 2, seconds=600)
    assert ended.status == 0, ended.err[-1500:]
    assert names_in(out) == [f"pair {number}" for number in range(count)]
    assert open_run(out).counts["error"] == 0


def test_a_dask_worker_killed_in_mid_run(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    import threading

    count, out = scaled(2000), tmp_path / "run"
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):

        def kill() -> None:
            time.sleep(4)
            os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        run = compare_many(
            pairs(count),
            executor=client.get_executor(),
            out=out,
            save=(),
            progress=False,
            method="hybrid",
            segmenter="none",
        )
        killer.join()
    assert len(run) == count
    assert_complete(out, count)


def given(**more: Any) -> dict[str, Any]:
    return {"workers": 0, "progress": False, "method": "hybrid", "segmenter": "none", **more}


def test_a_disk_that_fills_up_stops_a_run_that_goes_on_with_more_room(tiny: Path) -> None:
    import shutil

    out = tiny / "run"
    with pytest.raises(OutputError):
        compare_many(pairs(2000), out=out, **given())
    known = (out / "journal.ndjson").read_bytes()
    assert known.count(b"\n") > 3
    moved = tiny.parent / "run"
    shutil.copytree(out, moved)
    compare_many(pairs(2000), out=moved, **given())
    assert_complete(moved, 2000)


def test_a_run_does_not_look_at_the_clock_on_the_wall(jumping: Clock, tmp_path: Path) -> None:
    run = compare_many(pairs(200), out=tmp_path / "run", **given(save=()))
    assert_complete(tmp_path / "run", 200)
    # Times are of a clock that nobody sets: none is negative, none of hours.
    assert all(0 <= one["seconds"] < 100 for one in _timings(tmp_path / "run"))
    assert run.state == "finished"


def _timings(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "timings.ndjson").read_text().splitlines()]
