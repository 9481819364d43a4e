"""A real cluster of Dask: the same rows, workers that are killed, resources, a model per worker."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import vde_nb as vde
from tests.batch.small import (
    FAST,
    all_files,
    journal_of,
    lines_in,
    rows_of,
    small_pair,
    wait_for,
    write_pairs,
)
from tests.sam_models import tiny_sam
from vde_nb.batch import compare_many
from vde_nb.errors import SettingError, VdeError
from vde_nb.segment import neural

distributed = pytest.importorskip("distributed")

#: What Dask says of itself while its clusters come and go.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:tornado"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]

_QUIET: dict[str, Any] = {"dashboard_address": ":0", "silence_logs": 50}


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Two processes with a thread each, the second of which has a GPU to speak of."""
    import dask

    with (
        dask.config.set(
            {
                "distributed.scheduler.allowed-failures": 1,
                # Asking a dead worker for its results ends after this long: 30 s by default.
                "distributed.comm.timeouts.connect": "2s",
            }
        ),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, resources={"GPU": 1}, **_QUIET
        ) as cluster,
        distributed.Client(cluster) as made,
    ):
        yield made


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Path]:
    """A plugin that makes pairs slow, and kills a worker as long as a file is there."""
    plugin = tmp_path / "slow.py"
    plugin.write_text(
        "import os, signal, time, vde_nb\n"
        "from pathlib import Path\n"
        "@vde_nb.anomaly_type('slow')\n"
        "def slow(region):\n"
        f"    if region.area > 1000 and Path({str(tmp_path / 'kill')!r}).exists():\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    time.sleep(0.05)\n"
        "    return 0.0\n"
    )
    yield plugin
    vde.reset_anomaly_types()


@pytest.fixture(autouse=True)
def as_it_was(client: Any) -> Iterator[None]:
    """Workers forget the plugins of the test."""
    yield
    client.wait_for_workers(2, timeout=20)
    client.run(vde.reset_anomaly_types)


def test_a_cluster_writes_the_same_bytes_as_this_process(tmp_path: Path, client: Any) -> None:
    pairs: list[Any] = write_pairs(tmp_path / "in", 8)
    pairs += [pairs[0], ("missing.png", pairs[0][1]), (*small_pair(70), "in memory")]
    compare_many(pairs, workers=0, out=tmp_path / "here", **FAST)
    executor = client.get_executor()
    compare_many(pairs, executor=executor, out=tmp_path / "dask", **FAST)
    assert all_files(tmp_path / "dask") == all_files(tmp_path / "here")
    lines = (tmp_path / "dask" / "timings.ndjson").read_text().splitlines()
    assert len(lines) == 11


def test_a_client_will_do_for_its_executor(tmp_path: Path, client: Any) -> None:
    compare_many([small_pair(0)], executor=client, out=tmp_path / "run", **FAST)
    assert len(rows_of(tmp_path / "run")) == 1


def test_pairs_go_to_workers_that_have_what_they_need(tmp_path: Path, client: Any) -> None:
    executor = client.get_executor(resources={"GPU": 1})
    pairs = write_pairs(tmp_path / "in", 4)
    compare_many(pairs, executor=executor, out=tmp_path / "run", **FAST)
    assert len(rows_of(tmp_path / "run")) == 4


def test_a_worker_that_is_killed_loses_and_doubles_nothing(
    tmp_path: Path, client: Any, slow: Path
) -> None:
    pairs = write_pairs(tmp_path / "in", 24)
    pids = list(client.run(os.getpid).values())
    run = tmp_path / "run"

    def kill() -> None:
        wait_for(lambda: lines_in(run / "journal.ndjson") > 3)
        os.kill(pids[0], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    compare_many(pairs, executor=client.get_executor(), out=run, plugins=slow, **FAST)
    thread.join()
    ids = [row["id"] for row in journal_of(run)]
    assert len(ids) == len(set(ids)) == 24
    compare_many(pairs, workers=0, out=tmp_path / "whole", plugins=slow, **FAST)
    assert all_files(run) == all_files(tmp_path / "whole")


def test_a_pair_that_kills_every_worker_is_a_row(tmp_path: Path, client: Any, slow: Path) -> None:
    pairs: list[Any] = [(*small_pair(n), f"n{n}") for n in range(4)]
    reference, current = small_pair(50)
    current[5:55, 5:70] = (20, 220, 40)
    pairs[2] = (reference, current, "large")
    (tmp_path / "kill").touch()
    executor = client.get_executor()
    compare_many(pairs, executor=executor, out=tmp_path / "run", plugins=slow, **FAST)
    rows = {row["name"]: row for row in rows_of(tmp_path / "run")}
    assert (rows["large"]["error_kind"], rows["large"]["retry"]) == ("WorkerLost", True)
    (tmp_path / "kill").unlink()
    compare_many(pairs, executor=executor, out=tmp_path / "run", plugins=slow, **FAST)
    assert {row["status"] for row in rows_of(tmp_path / "run")} == {"changed"}


def test_what_only_this_process_knows_ends_the_run_with_what_to_do(
    tmp_path: Path, client: Any
) -> None:
    @vde.anomaly_type("mine")
    def mine(region: Any) -> float:
        return 1.0

    try:
        with pytest.raises(SettingError, match=r"anomaly types.*mine.*plugins="):
            executor = client.get_executor()
            compare_many([small_pair(0)], executor=executor, out=tmp_path / "run", **FAST)
    finally:
        vde.reset_anomaly_types()


def test_ctrl_c_lets_go_of_what_the_cluster_has_not_begun(
    tmp_path: Path, client: Any, slow: Path
) -> None:
    def stop(done: int, total: int | None, row: Any) -> None:
        if done == 3:
            raise KeyboardInterrupt

    pairs = write_pairs(tmp_path / "in", 24)
    options = {**FAST, "progress": stop, "plugins": slow, "executor": client.get_executor()}
    with pytest.raises(KeyboardInterrupt):
        compare_many(pairs, out=tmp_path / "run", **options)
    assert 3 <= len(rows_of(tmp_path / "run")) < 12
    compare_many(pairs, out=tmp_path / "run", **{**options, "progress": False})
    ids = [row["id"] for row in journal_of(tmp_path / "run")]
    assert len(ids) == len(set(ids)) == 24


def test_a_scheduler_that_has_gone_ends_the_run_which_goes_on(tmp_path: Path, slow: Path) -> None:
    pairs = write_pairs(tmp_path / "in", 12)
    run = tmp_path / "run"
    with (
        distributed.LocalCluster(n_workers=1, processes=False, **_QUIET) as cluster,
        distributed.Client(cluster) as own,
    ):
        executor = own.get_executor()

        def stop(done: int, total: int | None, row: Any) -> None:
            if done == 3:
                own.close()

        with pytest.raises(VdeError, match="run the same again"):
            compare_many(
                pairs, executor=executor, out=run, plugins=slow, **{**FAST, "progress": stop}
            )
    assert len(journal_of(run)) >= 3
    compare_many(pairs, workers=0, out=run, plugins=slow, **FAST)
    ids = [row["id"] for row in journal_of(run)]
    assert len(ids) == len(set(ids)) == 12


def test_each_worker_loads_a_model_once_and_they_share_what_it_saw(
    tmp_path: Path, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("segment_anything")
    checkpoint = tiny_sam(tmp_path / "model")
    plugin = tmp_path / "own_model.py"
    plugin.write_text(
        "import os\n"
        f"os.environ['VDE_NB_CACHE'] = {str(tmp_path / 'cache')!r}\n"
        "import vde_nb\n"
        "from pathlib import Path\n"
        "from vde_nb.segment import _device, neural\n"
        f"here = Path({str(tmp_path)!r})\n"
        "def noting(function, name):\n"
        "    def noted(*args, **options):\n"
        "        with (here / name).open('a') as file:\n"
        "            file.write(f'{os.getpid()}\\n')\n"
        "        return function(*args, **options)\n"
        "    return noted\n"
        "def opened(*args, **options):\n"
        "    backend = usual(*args, **options)\n"
        "    backend.encode = noting(backend.encode, 'seen')\n"
        "    return backend\n"
        "usual = noting(neural.open_backend, 'opened')\n"
        "neural.open_backend = opened\n"
        f"vde_nb.add_model('tiny_for_runs', {str(checkpoint)!r}, 'Tiny')\n"
    )
    monkeypatch.setenv("VDE_NB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(neural, "open_backend", neural.open_backend)  # the plugin runs here, too
    pairs: list[Any] = [(*small_pair(n), f"n{n}") for n in range(6)]
    options = {**FAST, "segmenter": "tiny_for_runs", "plugins": plugin}
    executor = client.get_executor(resources={"GPU": 1})
    try:
        compare_many(pairs, executor=executor, out=tmp_path / "run", **options)
        seen = len((tmp_path / "seen").read_text().split())
        # Other settings, in another folder: what was seen comes from the disk, whoever saw it.
        compare_many(pairs, executor=executor, out=tmp_path / "other", threshold=45, **options)
    finally:
        vde.remove_model("tiny_for_runs")
    for name in ("run", "other"):
        assert {row["outlined_by"] for row in rows_of(tmp_path / name)} == {"Tiny"}
    opened = (tmp_path / "opened").read_text().split()
    assert len(opened) == len(set(opened)) == 2
    assert len((tmp_path / "seen").read_text().split()) == seen
