"""The folder of a run before its first pair: what it may hold, and what is not followed there."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.batch.small import FAST, manifest_of, small_pair, write_pairs
from vde_nb.batch import compare_many
from vde_nb.batch._files import clear_attempts
from vde_nb.errors import OutputError, SettingError

posix = pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX")
PAIRS = [small_pair(0), small_pair(1)]


@pytest.fixture
def alarm() -> Iterator[None]:
    """Ends a test that waits for ever."""

    def rung(*_: Any) -> None:
        raise TimeoutError("it waits")

    before = signal.signal(signal.SIGALRM, rung)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


# ------------------------------------------------------------------------------- what it may hold


def test_a_run_that_was_killed_before_its_first_pair_is_taken_up(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / ".lock").touch()
    (run / ".vde-nb-0123456789abcdef.tmp").write_bytes(b"half")
    (run / "ignore.png").write_bytes(b"half")
    ignore = np.zeros((60, 80), bool)
    assert len(compare_many(PAIRS, workers=0, out=run, ignore=ignore, **FAST)) == 2


@pytest.mark.parametrize("names", [["model.safetensors"], [".lock", "mine.txt"]])
def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("mine")
    with pytest.raises(OutputError, match="other things than a run"):
        compare_many(PAIRS, workers=0, out=tmp_path, **FAST)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(
        names, "mine"
    )


def test_no_folder_is_made_where_there_is_nothing_to_compare(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with pytest.raises(SettingError):
        compare_many((tmp_path / "a", tmp_path / "b"), workers=0, out=tmp_path / "run", **FAST)
    assert not (tmp_path / "run").exists()


def test_what_runs_left_that_were_killed_while_they_wrote_goes(tmp_path: Path) -> None:
    page = tmp_path / ".vde-nb-0123456789abcdef.tmp"
    for path in (page, tmp_path / ".results.csv.00ff.tmp", tmp_path / ".timings.ndjson.0a.tmp"):
        path.write_text("half")
    (tmp_path / "mine.tmp").write_text("mine")
    clear_attempts(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {page.name, "mine.tmp"}
    os.utime(page, (1, 1))  # until now somebody might have been writing it
    clear_attempts(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.tmp"]


def test_what_workers_left_that_were_killed_on_the_way_goes(tmp_path: Path) -> None:
    left = tmp_path / "run" / "pairs" / "ab" / f"{'ab' * 16}.tmp-0123"

    def kill(*_: Any) -> None:
        left.mkdir(parents=True, exist_ok=True)
        (left / "results.json").write_text("half")

    compare_many(PAIRS, workers=0, out=tmp_path / "run", **{**FAST, "progress": kill})
    assert not left.exists()


# --------------------------------------------------------------------------- what is not followed


@posix
def test_nothing_is_written_or_deleted_through_a_link(tmp_path: Path) -> None:
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    compare_many(PAIRS[:1], workers=0, out=run, **FAST)
    (run / "pairs").rename(elsewhere)
    mine = elsewhere / "ab" / "mine.tmp-01"
    mine.mkdir(parents=True)
    before = sorted(elsewhere.rglob("*"))
    (run / "pairs").symlink_to(elsewhere)
    with pytest.raises(OutputError, match=r"pairs is a link"):
        compare_many(PAIRS, workers=0, out=run, **FAST)
    clear_attempts(run)
    assert sorted(elsewhere.rglob("*")) == before


@posix
def test_a_link_among_the_folders_of_pairs_is_not_followed_either(tmp_path: Path) -> None:
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    compare_many(PAIRS[:1], workers=0, out=run, **FAST)
    mine = elsewhere / "mine.tmp-01"
    mine.mkdir(parents=True)
    free = next(f"{n:02x}" for n in range(256) if not (run / "pairs" / f"{n:02x}").exists())
    (run / "pairs" / free).symlink_to(elsewhere)
    with pytest.raises(OutputError, match=rf"{free} is a link"):
        compare_many(PAIRS, workers=0, out=run, **FAST)
    clear_attempts(run)
    assert mine.exists()


@posix
def test_a_link_that_appears_during_a_run_is_the_error_of_its_pair(tmp_path: Path) -> None:
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    elsewhere.mkdir()

    def link(*_: Any) -> None:
        if not (run / "pairs").is_symlink():
            (run / "pairs").rename(tmp_path / "moved")
            (run / "pairs").symlink_to(elsewhere)

    made = compare_many(PAIRS, workers=0, out=run, **{**FAST, "progress": link})
    assert [row["status"] for row in made.rows()] == ["changed", "error"]
    assert not any(elsewhere.iterdir())


@posix
@pytest.mark.parametrize("name", ["run.json", "journal.ndjson"])
def test_a_pipe_in_a_folder_that_is_taken_up_is_not_waited_for(
    tmp_path: Path, alarm: None, name: str
) -> None:
    run = tmp_path / "run"
    compare_many(PAIRS[:1], workers=0, out=run, **FAST)
    (run / name).unlink()
    os.mkfifo(run / name)
    with pytest.raises(OutputError, match="a link, a pipe"):
        compare_many(PAIRS, workers=0, out=run, **FAST)


@posix
def test_a_link_in_the_place_of_the_manifest_is_not_followed(tmp_path: Path) -> None:
    run, other = tmp_path / "run", tmp_path / "other.json"
    compare_many(PAIRS[:1], workers=0, out=run, **FAST)
    assert manifest_of(run)["state"] == "finished"
    (run / "run.json").rename(other)
    (run / "run.json").symlink_to(other)
    with pytest.raises(OutputError, match="a link, a pipe"):
        compare_many(PAIRS, workers=0, out=run, **FAST)


def test_a_run_that_goes_on_keeps_its_rule(tmp_path: Path) -> None:
    pairs, run = write_pairs(tmp_path / "in", 3), tmp_path / "run"
    first = compare_many(pairs, out=run, workers=0, fail_if="anomalies>0", **FAST)
    again = compare_many(pairs, out=run, workers=0, **FAST)
    assert again.rule == first.rule == "anomalies>0" and again.failed
    other = compare_many(pairs, out=run, workers=0, fail_if="", **FAST)
    assert not other.rule and {row["verdict"] for row in other.rows()} == {None}


def test_pictures_of_two_scenes_are_told_apart(tmp_path: Path) -> None:
    import vde_nb as vde

    wall, tyre = vde.samples.load("wall"), vde.samples.load("tyre")
    current = cv2.resize(tyre.current, wall.reference.shape[1::-1])
    run = compare_many(
        [(wall.reference, wall.current, "right"), (wall.reference, current, "wrong")],
        workers=0,
        progress=False,
        fail_if="unlike>0",
    )
    assert [(row["name"], row["unlike"]) for row in run.rows()] == [
        ("right", False),
        ("wrong", True),
    ]
    assert [row["name"] for row in run.worst(1)] == ["wrong"] and run.failed
