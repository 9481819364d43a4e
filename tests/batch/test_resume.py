"""A run that was stopped, however that was, goes on; no pair is lost and none is doubled."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.batch.small import (
    FAST,
    all_files,
    journal_of,
    lines_in,
    manifest_of,
    rows_of,
    small_pair,
    start_script,
    wait_for,
    write_pairs,
)
from vde_nb.batch import _job, _journal, compare_many
from vde_nb.batch._journal import hold
from vde_nb.batch._loop import Loop
from vde_nb.errors import OutputError, SettingError

#: Compares the pairs of a folder with slow workers.
_SCRIPT = """
from pathlib import Path
from vde_nb.batch import compare_many
pairs = sorted((str(p), str(p).replace("_ref", "_cur")) for p in Path("in").glob("*_ref.png"))
compare_many(
    pairs, out="run", workers={workers}, method="hybrid", segmenter="none", progress=False,
    plugins="slow.py",
)
"""
_SLOW = """
import time
import vde_nb

@vde_nb.anomaly_type("slow")
def slow(region):
    time.sleep({seconds})
    return 0.0
"""


@pytest.fixture
def undisturbed(tmp_path: Path) -> Iterator[Path]:
    """A folder with 24 pairs, and the same run as it is when nobody disturbs it, in ``whole``."""
    import vde_nb as vde

    write_pairs(tmp_path / "in", 24)
    (tmp_path / "slow.py").write_text(_SLOW.format(seconds=0.02))
    process = start_script(tmp_path, _SCRIPT.format(workers=0).replace('"run"', '"whole"'))
    assert process.communicate()[1] == b""
    yield tmp_path
    vde.reset_anomaly_types()


def finish(folder: Path, workers: int = 2) -> None:
    """Run the script to its end."""
    process = start_script(folder, _SCRIPT.format(workers=workers))
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (0, b"")


def check_whole(folder: Path) -> None:
    """Every pair is there, once, with the bytes of the run that nobody disturbed."""
    assert all_files(folder / "run") == all_files(folder / "whole")
    ids = [row["id"] for row in journal_of(folder / "run")]
    assert len(ids) == len(set(ids)) == 24
    assert manifest_of(folder / "run")["state"] == "finished"
    assert not list((folder / "run").rglob("*.tmp*"))


def test_killed_at_any_moment_it_goes_on_where_it_was(undisturbed: Path) -> None:
    journal = undisturbed / "run" / "journal.ndjson"
    for least in (0, 8):
        shutil.rmtree(undisturbed / "run", ignore_errors=True)
        process = start_script(undisturbed, _SCRIPT.format(workers=2))
        wait_for(lambda least=least: lines_in(journal) > least)
        time.sleep(random.random() * 0.05)
        children = _children(process.pid)
        process.kill()
        process.communicate()
        wait_for(lambda pids=children: not any(map(_is_alive, pids)))
        before = lines_in(undisturbed / "run" / "journal.ndjson")
        assert before < 24
        finish(undisturbed)
        check_whole(undisturbed)


def test_ctrl_c_writes_what_is_being_computed_and_what_a_run_ends_with(undisturbed: Path) -> None:
    process = start_script(undisturbed, _SCRIPT.format(workers=2))
    run = undisturbed / "run"
    wait_for(lambda: lines_in(run / "journal.ndjson") > 2)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    _, told = process.communicate(timeout=20)
    assert told.rstrip().endswith(b"KeyboardInterrupt")
    assert told.count(b"Traceback") == 1  # that of the one that runs; workers say nothing
    assert manifest_of(run)["state"] == "interrupted"
    rows = rows_of(run)
    assert 2 < len(rows) < 24
    assert {row["id"] for row in rows} == {row["id"] for row in journal_of(run)}
    assert (run / "index.html").exists()
    folders = {path.name for path in (run / "pairs").glob("*/*")}
    assert folders == {row["id"] for row in rows}  # nothing that was computed is thrown away
    finish(undisturbed)
    check_whole(undisturbed)


def test_a_full_disk_stops_the_run_which_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = write_pairs(tmp_path / "in", 8)
    compare_many(pairs, workers=0, out=tmp_path / "whole", **FAST)
    write = os.write
    taken = 0

    def full(file: int, data: bytes) -> int:
        nonlocal taken
        taken += 1
        if taken > 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, data)

    with monkeypatch.context() as patch:
        patch.setattr(_journal.os, "write", full)
        with pytest.raises(OutputError, match="no space left"):
            compare_many(pairs, workers=0, out=tmp_path / "run", **FAST)
    assert len(journal_of(tmp_path / "run")) == 3
    compare_many(pairs, workers=0, out=tmp_path / "run", **FAST)
    assert all_files(tmp_path / "run") == all_files(tmp_path / "whole")


def test_a_disk_that_is_full_for_a_worker_stops_the_run_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = _job.write_files

    def full(*args: Any) -> Any:
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise OutputError("thumbnail.jpg cannot be written: no space left.") from error

    pairs = write_pairs(tmp_path / "in", 4)
    with monkeypatch.context() as patch:
        patch.setattr(_job, "write_files", full)
        with pytest.raises(OutputError, match=r"no space left.*run the same again"):
            compare_many(pairs, workers=0, out=tmp_path / "run", **FAST)
    assert journal_of(tmp_path / "run") == []
    monkeypatch.setattr(_job, "write_files", usual)
    compare_many(pairs, workers=0, out=tmp_path / "run", **FAST)
    assert len(rows_of(tmp_path / "run")) == 4


def test_on_a_disk_that_is_really_full(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        pairs = write_pairs(tmp_path / "in", 40)
        with pytest.raises(OutputError, match="no space left"):
            compare_many(pairs, workers=0, out=small / "run", **FAST)
        done = len(journal_of(small / "run"))
        assert 0 < done < 40
        subprocess.run(["mount", "-o", "remount,size=16m", str(small)], check=True)
        compare_many(pairs, workers=0, out=small / "run", **FAST)
        ids = [row["id"] for row in journal_of(small / "run")]
        assert len(ids) == len(set(ids)) == 40
        compare_many(pairs, workers=0, out=tmp_path / "whole", **FAST)
        assert all_files(small / "run") == all_files(tmp_path / "whole")
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_what_is_finished_is_not_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = write_pairs(tmp_path / "in", 4)
    run = tmp_path / "run"
    compare_many(pairs, workers=0, out=run, **FAST)
    before = (run / "results.ndjson").read_bytes()
    monkeypatch.setattr(_job, "compare", None)
    compare_many(pairs, workers=0, out=run, **FAST)
    assert (run / "results.ndjson").read_bytes() == before
    assert "Compared before, and not again: 4 pairs." in manifest_of(run)["notes"]


def test_a_list_that_has_grown_or_changed_is_what_the_results_show(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "in", 4)
    run = tmp_path / "run"
    compare_many(pairs[:2], workers=0, out=run, **FAST)
    compare_many([pairs[3], *pairs[:3]], workers=0, out=run, **FAST)
    compare_many([pairs[3], *pairs[:3]], workers=0, out=tmp_path / "whole", **FAST)
    assert all_files(run)["results.ndjson"] == all_files(tmp_path / "whole")["results.ndjson"]
    compare_many(pairs[1:3], workers=0, out=run, **FAST)
    assert [row["current"] for row in rows_of(run)] == [pair[1] for pair in pairs[1:3]]
    assert any("stay in the journal only: 2" in note for note in manifest_of(run)["notes"])


def test_a_picture_that_was_missing_is_tried_again_and_a_damaged_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = write_pairs(tmp_path / "in", 2)
    Path(pairs[0][1]).rename(tmp_path / "aside.png")
    Path(pairs[1][1]).write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    run = tmp_path / "run"
    compare_many(pairs, workers=0, out=run, **FAST)
    assert [row["status"] for row in rows_of(run)] == ["error", "error"]
    (tmp_path / "aside.png").rename(pairs[0][1])
    made: list[Any] = []
    usual = _job.compare
    monkeypatch.setattr(_job, "compare", lambda *a, **o: made.append(a) or usual(*a, **o))
    compare_many(pairs, workers=0, out=run, **FAST)
    assert [row["status"] for row in rows_of(run)] == ["changed", "error"]
    assert len(made) == 1


def test_a_pair_whose_files_are_gone_is_compared_again(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "in", 2)
    run = tmp_path / "run"
    compare_many(pairs, workers=0, out=run, **FAST)
    folder = run / rows_of(run)[0]["folder"]
    shutil.rmtree(folder)
    compare_many(pairs, workers=0, out=run, **FAST)
    assert (folder / "thumbnail.jpg").exists()
    assert len(rows_of(run)) == 2


def test_another_setting_is_another_run(tmp_path: Path) -> None:
    pairs = [small_pair(0)]
    run = tmp_path / "run"
    compare_many(pairs, workers=0, out=run, **FAST)
    before = all_files(run)
    with pytest.raises(SettingError, match="other settings: threshold was 50, is 60"):
        compare_many(pairs, workers=0, out=run, threshold=60, **FAST)
    with pytest.raises(SettingError, match="save was"):
        compare_many(pairs, workers=0, out=run, save="html", **FAST)
    with pytest.raises(SettingError, match="resume=False begins a new one"):
        compare_many(pairs, workers=0, out=run, resume=False, **FAST)
    assert all_files(run) == before
    document = manifest_of(run)
    (run / "run.json").write_text(json.dumps({**document, "settings_key": "", "vde_nb": "0.0.1"}))
    with pytest.raises(SettingError, match=r"vde_nb was '0.0.1'"):
        compare_many(pairs, workers=0, out=run, **FAST)
    compare_many(pairs, workers=0, out=tmp_path / "new", resume=False, **FAST)


def test_a_folder_that_is_being_written_is_not_written_by_another(tmp_path: Path) -> None:
    pairs = [small_pair(0)]
    compare_many(pairs, workers=0, out=tmp_path / "run", **FAST)
    lock = hold(tmp_path / "run")
    try:
        with pytest.raises(OutputError, match="being written by another run"):
            compare_many(pairs, workers=0, out=tmp_path / "run", **FAST)
    finally:
        lock.close()


def test_pairs_that_fail_in_the_middle_end_the_run_with_what_there_is(tmp_path: Path) -> None:
    def make() -> Iterator[Any]:
        yield small_pair(0)
        yield small_pair(1)
        raise ZeroDivisionError("the camera has gone")

    with pytest.raises(ZeroDivisionError):
        compare_many(make(), workers=0, out=tmp_path / "run", **FAST)
    assert len(rows_of(tmp_path / "run")) == 2
    assert manifest_of(tmp_path / "run")["state"] == "interrupted"


def test_what_killed_workers_left_behind_is_taken_away(tmp_path: Path) -> None:
    run = tmp_path / "run"
    compare_many([small_pair(0)], workers=0, out=run, **FAST)
    left = run / "pairs" / "ab" / ("ab" * 16 + ".tmp-0123456789ab")
    left.mkdir(parents=True)
    (left / "results.json").write_text("half")
    outside = tmp_path / "outside"
    outside.mkdir()
    (run / "pairs" / "ab" / "cd.tmp-0").symlink_to(outside)
    compare_many([small_pair(0)], workers=0, out=run, **FAST)
    assert not left.exists()
    assert outside.is_dir()


def _children(pid: int) -> list[int]:
    psutil = pytest.importorskip("psutil")
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def _is_alive(pid: int) -> bool:
    psutil = pytest.importorskip("psutil")
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("moment", ["before", "after"])
def test_ctrl_c_while_a_row_is_written_throws_nothing_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    written, write = [], Loop._write

    def interrupted(self: Loop, row: Any, timings: Any) -> Any:
        written.append(row["id"])
        now = len(written) == 3
        if now and moment == "before":
            raise KeyboardInterrupt
        kept = write(self, row, timings)
        if now:
            raise KeyboardInterrupt
        return kept

    monkeypatch.setattr(Loop, "_write", interrupted)
    run = tmp_path / "run"
    with ThreadPoolExecutor(2) as threads, pytest.raises(KeyboardInterrupt):
        compare_many(write_pairs(tmp_path / "in", 8), out=run, executor=threads, **FAST)
    names = [row["id"] for row in journal_of(run)]
    assert len(names) == len(set(names)), "nothing is written twice"
    assert set(names) == {path.name for path in (run / "pairs").glob("*/*")}


def test_ctrl_c_doubles_no_row_that_is_to_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Loop._write

    def interrupted(self: Loop, row: Any, timings: Any) -> Any:
        write(self, row, timings)
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(Loop, "_write", interrupted)
    pairs = [("missing.png", "missing.png"), *write_pairs(tmp_path / "in", 1)]
    run = tmp_path / "run"
    with ThreadPoolExecutor(1) as threads, pytest.raises(KeyboardInterrupt):
        compare_many(pairs, out=run, executor=threads, **FAST)
    names = [row["id"] for row in journal_of(run)]
    assert len(names) == len(set(names))


def test_a_pair_stands_once_when_its_picture_came_and_the_run_was_interrupted(
    tmp_path: Path,
) -> None:
    pairs = write_pairs(tmp_path / "in", 3)
    run = tmp_path / "run"
    Path(pairs[0][1]).rename(tmp_path / "aside.png")
    compare_many(pairs, workers=0, out=run, **FAST)
    (tmp_path / "aside.png").rename(pairs[0][1])

    def enough(done: int, total: int | None, row: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare_many(pairs, workers=0, out=run, **{**FAST, "progress": enough})
    assert [row["status"] for row in rows_of(run)] == ["changed", "changed", "clean"]
    assert manifest_of(run)["state"] == "interrupted"


def test_further_columns_are_those_of_the_last_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((one, two),) = write_pairs(tmp_path / "in", 1)
    run = tmp_path / "run"
    compare_many([{"reference": one, "current": two, "lot": 7}], workers=0, out=run, **FAST)
    monkeypatch.setattr(_job, "compare", None)  # nothing is computed for that
    for _ in range(2):
        compare_many([{"reference": one, "current": two, "lot": 8}], workers=0, out=run, **FAST)
    assert [row["given"] for row in rows_of(run)] == [{"lot": 8}]
    assert len(journal_of(run)) == 2
