"""Workers that are killed, executors that break, scripts without a guard."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vde_nb as vde
from tests.batch.small import (
    FAST,
    all_files,
    journal_of,
    manifest_of,
    rows_of,
    small_pair,
    start_script,
    wait_for,
    write_pairs,
)
from vde_nb.batch import _plan, _pool, compare_many
from vde_nb.batch._executors import Broken, Foreign, Here, crew_of
from vde_nb.batch._job import Job
from vde_nb.batch._plan import Plan
from vde_nb.batch._pool import Processes
from vde_nb.errors import SettingError, VdeError

#: Kills the process that meets a large region: once, or as long as a file is there.
_KILLER = """
import os
import signal
from pathlib import Path
import vde_nb

@vde_nb.anomaly_type("killer")
def killer(region):
    marker = Path({marker!r})
    if region.area > 1000 and marker.exists():
        if {once}:
            marker.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return 0.0
"""


@pytest.fixture
def killer(tmp_path: Path) -> Iterator[Any]:
    """Writes the plugin; the marker makes it kill."""
    marker = tmp_path / "kill"

    def write(once: bool) -> Path:
        marker.touch()
        plugin = tmp_path / "killer.py"
        plugin.write_text(_KILLER.format(marker=str(marker), once=once))
        return plugin

    yield write
    vde.reset_anomaly_types()


def with_a_large_one(folder: Path, count: int = 8) -> list[Any]:
    """Pairs, of which the fourth has a large change."""
    pairs: list[Any] = [(*small_pair(n), f"n{n}") for n in range(count)]
    reference, current = small_pair(50)
    current = current.copy()
    current[5:55, 5:70] = (20, 220, 40)
    pairs[3] = (reference, current, "large")
    return pairs


def test_a_worker_that_is_killed_once_costs_nothing(tmp_path: Path, killer: Any) -> None:
    run = tmp_path / "run"
    pairs = with_a_large_one(tmp_path)
    compare_many(pairs, workers=2, out=run, plugins=killer(once=True), **FAST)
    assert not (tmp_path / "kill").exists()
    assert [row["status"] for row in rows_of(run)] == ["changed"] * 8
    ids = [row["id"] for row in journal_of(run)]
    assert len(ids) == len(set(ids))
    compare_many(pairs, workers=0, out=tmp_path / "whole", plugins=tmp_path / "killer.py", **FAST)
    assert all_files(run) == all_files(tmp_path / "whole")
    assert multiprocessing.active_children() == []


def test_a_pair_that_kills_every_worker_is_found_out_and_only_that(
    tmp_path: Path, killer: Any
) -> None:
    run = tmp_path / "run"
    pairs = with_a_large_one(tmp_path)
    options = {"workers": 2, "out": run, "plugins": killer(once=False), **FAST}
    compare_many(pairs, **options)
    rows = rows_of(run)
    assert [row["status"] for row in rows] == ["changed"] * 3 + ["error"] + ["changed"] * 4
    assert (rows[3]["error_kind"], rows[3]["retry"]) == ("WorkerLost", True)
    (tmp_path / "kill").unlink()
    compare_many(pairs, **options)
    assert [row["status"] for row in rows_of(run)] == ["changed"] * 8
    assert len(journal_of(run)) == 9  # only the one was tried again


def test_a_pool_of_the_users_that_breaks_keeps_what_there_is(tmp_path: Path, killer: Any) -> None:
    run = tmp_path / "run"
    pairs, plugin = with_a_large_one(tmp_path), killer(once=True)
    spawn = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(1, mp_context=spawn) as pool,
        pytest.raises(VdeError, match=r"The executor has stopped.*run the same again"),
    ):
        compare_many(pairs, executor=pool, out=run, plugins=plugin, **FAST)
    done = {row["name"] for row in journal_of(run)}
    assert {"n0", "n1", "n2"} <= done
    assert "large" not in done
    compare_many(pairs, workers=0, out=run, plugins=plugin, **FAST)
    ids = [row["id"] for row in journal_of(run)]
    assert len(ids) == len(set(ids)) == 8


def test_an_executor_that_was_shut_down_is_told(tmp_path: Path) -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(Broken, match=r"RuntimeError.*shutdown"):
        compare_many([small_pair(0)], executor=pool, out=tmp_path / "run", **FAST)


class Odd(Executor):
    """An executor that loses every second job in a way of its own."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.count = 0

    def submit(self, function: Any, /, *args: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.count += 1
        if self.count % 2:
            future.set_result(function(*args, **options))
        else:
            future.set_exception(self.error)
        return future


def test_a_job_that_does_not_reach_its_worker_is_a_row(tmp_path: Path) -> None:
    pairs = [(*small_pair(n), f"n{n}") for n in range(4)]
    odd = Odd(TypeError("cannot pickle"))
    compare_many(pairs, executor=odd, out=tmp_path / "run", **FAST)
    rows = rows_of(tmp_path / "run")
    assert [row["status"] for row in rows] == ["changed", "error"] * 2
    assert rows[1]["error_kind"] == "TypeError"
    assert rows[1]["retry"]


def test_workers_without_vde_nb_end_the_run(tmp_path: Path) -> None:
    odd = Odd(ModuleNotFoundError("No module named 'vde_nb'"))
    with pytest.raises(Broken, match="has to be installed on all"):
        compare_many(
            [(*small_pair(n), f"n{n}") for n in range(4)],
            executor=odd,
            out=tmp_path / "run",
            **FAST,
        )
    assert len(journal_of(tmp_path / "run")) == 1


def test_a_source_that_cannot_be_sent_is_a_row(tmp_path: Path) -> None:
    class Local:
        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            return small_pair(0)[0]

    compare_many([(Local(), Local()), small_pair(1)], workers=1, out=tmp_path / "run", **FAST)
    assert [row["status"] for row in rows_of(tmp_path / "run")] == ["error", "changed"]
    assert "could not be handed" in rows_of(tmp_path / "run")[0]["error"]


def test_what_is_no_executor_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="executor is a str"):
        crew_of("threads", None)
    assert isinstance(crew_of(None, 0), Here)


def test_what_was_cancelled_by_somebody_else_ends_the_run() -> None:
    crew = Foreign(ThreadPoolExecutor(1))
    future: Future[Any] = Future()
    crew._out[future] = object()  # type: ignore[assignment]
    future.add_done_callback(crew._back.put)
    future.cancel()
    with pytest.raises(Broken, match="CancelledError"):
        crew.gather(1)


def test_a_worker_of_another_version_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vde_nb.batch._plan.__version__", "9.9.9")
    with pytest.raises(SettingError, match=r"vde-nb 9\.9\.9, and the run is by"):
        compare_many([small_pair(0)], workers=0, out=tmp_path / "run", **FAST)


def test_workers_have_one_thread_each(tmp_path: Path) -> None:
    plugin = tmp_path / "count.py"
    plugin.write_text(
        "import cv2, vde_nb, os\n"
        "from pathlib import Path\n"
        "from vde_nb import _bands\n"
        "@vde_nb.anomaly_type('counting')\n"
        "def counting(region):\n"
        f"    path = Path({str(tmp_path)!r}) / f'threads_{{os.getpid()}}'\n"
        "    told = [cv2.getNumThreads(), _bands._workers(), os.environ['OMP_NUM_THREADS']]\n"
        "    path.write_text(' '.join(map(str, told)))\n"
        "    return 0.0\n"
    )
    try:
        pairs = [(*small_pair(n), f"n{n}") for n in range(4)]
        compare_many(pairs, workers=2, out=tmp_path / "run", plugins=plugin, **FAST)
    finally:
        vde.reset_anomaly_types()
    assert {path.read_text() for path in tmp_path.glob("threads_*")} == {"1 1 1"}
    assert {row["status"] for row in rows_of(tmp_path / "run")} == {"changed"}


def test_a_script_needs_no_guard_and_runs_once(tmp_path: Path) -> None:
    write_pairs(tmp_path / "in", 2)
    process = start_script(
        tmp_path,
        "from vde_nb.batch import compare_many\n"
        "print('begun', flush=True)\n"
        "pairs = [(f'in/00{n}_ref.png', f'in/00{n}_cur.png') for n in range(2)]\n"
        "run = compare_many(pairs, workers=2, out='run', method='hybrid', segmenter='none',\n"
        "                   progress=False)\n"
        "print(len(run))\n",
    )
    told, wrong = process.communicate(timeout=60)
    assert (told, wrong) == (b"begun\n2\n", b"")


def test_the_environment_of_this_process_stays_as_it_was(tmp_path: Path) -> None:
    before = dict(os.environ)
    compare_many([small_pair(0)], workers=2, out=tmp_path / "run", **FAST)
    assert dict(os.environ) == before
    assert multiprocessing.active_children() == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_workers_that_outlive_a_run_do_not_keep_it_locked(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "in", 2)
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(1, mp_context=fork) as pool:
        first = compare_many(pairs[:1], executor=pool, out=tmp_path / "run", **FAST)
        assert len(first) == 1
        again = compare_many(pairs, executor=pool, out=tmp_path / "run", **FAST)
        assert len(again) == 2
        assert again.delete() == ()


def test_a_process_that_cannot_be_started_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*args: Any, **options: Any) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("vde_nb.batch._pool._Process.start", busy)
    with pytest.raises(Broken, match=r"No processes can be started.*Resource.*workers=0"):
        compare_many([small_pair(0)], workers=1, out=tmp_path / "run", **FAST)


def test_pictures_of_a_class_of_the_script_are_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers do not run the script: unpacking one would end them, as if they had been killed."""

    class Shot:
        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            return small_pair(0)[0]

    Shot.__module__, Shot.__qualname__ = "__main__", "Shot"
    monkeypatch.setattr(sys.modules["__main__"], "Shot", Shot, raising=False)
    run = compare_many([(Shot(), Shot())], workers=1, out=tmp_path / "run", **FAST)
    row = run.row(1)
    assert row["error_kind"] == "PicklingError" and row["retry"]
    assert "a class of the script" in row["error"]


def test_windows_waits_for_61_processes_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vde_nb.batch._pool.sys.platform", "win32")
    assert Processes(200).slots() == 61


def test_a_worker_that_kept_types_of_an_earlier_run_is_told_so(tmp_path: Path) -> None:
    plugin = tmp_path / "left.py"
    plugin.write_text(
        "import vde_nb\n@vde_nb.anomaly_type('left')\ndef left(region):\n    return 0.0\n"
    )
    try:
        _plan.load_plugin(str(plugin))
        plan = _plan.Plan(
            out=str(tmp_path), key="k", method="hybrid", preset="default", settings={}
        )
        with pytest.raises(_plan.Unfit, match=r"has anomaly types.*\(left\).*Restart the workers"):
            _plan.ready(plan)
    finally:
        vde.reset_anomaly_types()


_TWICE = """
import os, signal, threading, time
from pathlib import Path
from vde_nb.batch import compare_many

def twice():
    while not Path('asleep').exists():
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1.0)
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=twice, daemon=True).start()
compare_many([('in/000_ref.png', 'in/000_cur.png')], workers=1, out='run', method='hybrid',
             segmenter='none', progress=False, plugins='sleeper.py')
"""


def test_a_second_ctrl_c_does_not_wait_for_a_worker(tmp_path: Path) -> None:
    write_pairs(tmp_path / "in", 1)
    (tmp_path / "sleeper.py").write_text(
        "import time, vde_nb\n"
        "from pathlib import Path\n"
        "@vde_nb.anomaly_type('sleeper')\n"
        "def sleeper(region):\n"
        "    Path('asleep').touch()\n"
        "    time.sleep(60)\n"
        "    return 0.0\n"
    )
    process = start_script(tmp_path, _TWICE)
    try:
        wait_for((tmp_path / "asleep").exists, 30)
        _, wrong = process.communicate(timeout=8)  # less than the ten seconds of one Ctrl-C
    finally:
        process.kill()
    assert b"KeyboardInterrupt" in wrong
    assert manifest_of(tmp_path / "run")["state"] == "interrupted"


@pytest.fixture
def listening() -> Iterator[None]:
    """Ctrl-C is listened to, also where a shell in the background has told not to."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("listening")
def test_ctrl_c_while_a_job_is_handed_over_does_not_lose_it() -> None:
    """Otherwise its worker writes files for a pair that has no row."""

    class Pool:
        _max_workers = 1

        def submit(self, *arguments: Any) -> Future[Any]:
            go.set()
            taker.join()
            return Future()

        def shutdown(self, **options: Any) -> None:
            """Nothing is open."""

    def take() -> None:
        go.wait()
        signal.raise_signal(signal.SIGINT)

    # As the system may do it: a thread that does not hold Ctrl-C back takes the signal.
    go, taker = threading.Event(), threading.Thread(target=take)
    taker.start()
    crew = Processes(1)
    crew._pool = Pool()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        crew.submit(Job(Plan("run", "", "hybrid", "", {}), {}, None, None))
    assert len(crew._out) == 1
    with pytest.raises(KeyboardInterrupt):  # and Ctrl-C is listened to as before
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("kill", [True, False])
def test_what_writes_to_killed_processes_is_let_go(
    monkeypatch: pytest.MonkeyPatch, kill: bool
) -> None:
    """Before Python 3.11.5 it waits for ever for somebody to read."""

    class Pool:
        _max_workers = 1
        _broken = False  # nobody has noticed yet
        _executor_manager_thread = threading.Thread(target=lambda: let_go.wait(5))

        class _call_queue:
            class _reader:
                close = staticmethod(lambda: let_go.set())

        def shutdown(self, **options: Any) -> None:
            """Wait for it."""

    let_go = threading.Event()
    monkeypatch.setattr(_pool, "_WAITS_FOR_THE_DEAD", True)
    monkeypatch.setattr(_pool, "_PATIENCE", 0.05)
    Pool._executor_manager_thread.start()
    crew = Processes(1)
    crew._pool = Pool()  # type: ignore[assignment]
    crew.close(kill=kill)
    assert let_go.is_set() == kill
    let_go.set()
