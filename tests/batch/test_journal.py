"""The journal holds whole lines, whatever happens to it."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vde_nb.batch import _journal
from vde_nb.batch._journal import JOURNAL, Journal, hold, line_of
from vde_nb.batch._row import LONGEST_LINE, checked_row, error_row
from vde_nb.errors import OutputError


def row(number: int, *, retry: bool = False, note: str = "") -> dict[str, Any]:
    about = {"id": f"{number:032x}", "number": number, "name": f"n{number}"}
    made = error_row({**about, "reference": "r", "current": "c"}, "bad", "ImageError", retry=retry)
    return {**made, "notes": [note] if note else []}


def filled(folder: Path, count: int) -> None:
    journal = Journal(folder)
    for number in range(1, count + 1):
        journal.append(row(number), {"seconds": number})
    journal.close()


def test_what_was_added_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    journal = Journal(tmp_path)
    assert len(journal) == 3
    slot = journal.find(f"{2:032x}")
    assert slot is not None
    assert journal.entry(slot) == (row(2), {"seconds": 2})
    assert journal.is_done(slot)
    assert journal.find(f"{9:032x}") is None
    assert journal.notes == []
    journal.close()


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(0, 10_000))
def test_torn_anywhere_it_loses_the_torn_line_and_no_other(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    filled(folder, 4)
    path = folder / JOURNAL
    data = path.read_bytes()
    cut = cut % (len(data) + 1)
    path.write_bytes(data[:cut])
    whole = data[:cut].count(b"\n")
    journal = Journal(folder)
    assert len(journal) == whole
    assert bool(journal.notes) == (cut > 0 and data[cut - 1 : cut] != b"\n")
    journal.append(row(77), {})
    journal.close()
    assert path.read_bytes().count(b"\n") == whole + 1
    for line in path.read_bytes().splitlines():
        checked_row(json.loads(line)["row"])


def test_lines_that_are_no_rows_are_passed_over_and_told(tmp_path: Path) -> None:
    wrong = [b"{}\n", b"\xff\xfe\n", b"[1]\n", b'{"row": 5}\n', b"\n", b"x" * (LONGEST_LINE + 9)]
    good = line_of({"row": row(1), "timings": {}}), line_of({"row": row(2), "timings": {}})
    (tmp_path / JOURNAL).write_bytes(good[0] + b"".join(wrong) + b"\n" + good[1])
    journal = Journal(tmp_path)
    assert [one["number"] for one, _ in journal.entries(unseen=True)] == [1, 2]
    assert journal.notes == ["Lines of the journal that are no rows and do not count: 6."]
    journal.close()


def test_a_row_that_is_tried_again_takes_the_place_of_the_failed_one(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    slot = journal.append(row(1, retry=True), {})
    assert not journal.is_done(slot)
    assert journal.append(row(1, note="second"), {}) == slot
    assert journal.is_done(slot)
    assert [one["notes"] for one, _ in journal.entries(unseen=False)] == [["second"]]
    journal.close()


def test_rows_come_by_number_and_only_those_of_this_run(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    journal = Journal(tmp_path)
    for identity, number in ((3, 1), (1, 5)):
        slot = journal.find(f"{identity:032x}")
        assert slot is not None
        journal.see(slot, number)
    seen = [(one["name"], one["number"]) for one, _ in journal.entries(unseen=False)]
    assert seen == [("n3", 1), ("n1", 5)]
    assert journal.unseen == 1
    assert len(list(journal.entries(unseen=True))) == 3
    journal.close()


def test_a_row_whose_folder_has_gone_is_not_done(tmp_path: Path) -> None:
    made = {**row(1), "status": "clean", "error": None, "anomalies": 0}
    made["folder"] = f"pairs/{made['id'][:2]}/{made['id']}"
    (tmp_path / made["folder"]).mkdir(parents=True)
    journal = Journal(tmp_path)
    slot = journal.append(made, {})
    assert journal.is_done(slot)
    (tmp_path / made["folder"]).rmdir()
    journal.reload()
    assert not journal.is_done(slot)
    journal.close()


def test_a_full_disk_leaves_the_journal_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    journal.append(row(1), {})
    before = (tmp_path / JOURNAL).read_bytes()
    write = os.write

    def full(file: int, data: bytes) -> int:
        if len(data) > 20:  # takes a part first, as disks do
            return write(file, data[:20])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(
        _journal.os, "write", lambda file, data: full(file, data if len(data) > 400 else b"x")
    )
    with pytest.raises(OutputError, match=r"no space left.*run the same again"):
        journal.append(row(2), {})
    assert (tmp_path / JOURNAL).read_bytes() == before
    monkeypatch.undo()
    journal.append(row(2), {})
    assert [one["number"] for one, _ in journal.entries(unseen=False)] == [1, 2]
    journal.close()


def test_a_row_that_is_too_long_loses_its_notes_and_stays_readable(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    made = {**row(1), "notes": ["ä" * 4000] * 100, "given": {"x": "y" * 4000}}
    made["given"] = {str(n): "y" * 4000 for n in range(100)}
    slot = journal.append(made, {})
    assert journal.row(slot)["notes"] == ["Notes and names of files were too long to keep."]
    journal.close()


def test_two_runs_cannot_write_one_folder(tmp_path: Path) -> None:
    lock = hold(tmp_path)
    with pytest.raises(OutputError, match="being written by another run"):
        hold(tmp_path)
    lock.close()
    hold(tmp_path).close()


def test_a_link_in_the_place_of_the_journal_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("mine")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / JOURNAL).symlink_to(other)
    with pytest.raises(OutputError):
        Journal(folder)
    (folder / ".lock").symlink_to(other)
    with pytest.raises(OutputError):
        hold(folder)
    assert other.read_text() == "mine"


def other(number: int, name: str, *, retry: bool = False) -> dict[str, Any]:
    """A row with another identity, of pictures that are called as one of the others is."""
    return {**row(number, retry=retry), "id": f"{100 + number:032x}", "name": name}


@pytest.mark.parametrize("retry", [True, False])
def test_a_pair_whose_pictures_came_or_changed_stands_once_in_an_interrupted_run(
    tmp_path: Path, retry: bool
) -> None:
    journal = Journal(tmp_path)
    journal.append(row(1, retry=retry), {})
    journal.append(row(2, retry=True), {})
    journal.append(row(3), {})
    journal.close()
    journal = Journal(tmp_path)
    journal.append(other(1, "n1"), {})
    journal.reload()  # as an interruption does
    found = [(one["id"], one["name"]) for one, _ in journal.entries(unseen=True)]
    assert found == [(f"{101:032x}", "n1"), (f"{2:032x}", "n2"), (f"{3:032x}", "n3")]
    journal.close()


def test_of_pairs_of_one_name_only_as_many_are_replaced_as_there_are_new_ones(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path)
    for made in (row(1), {**row(2, retry=True), "name": "n1"}, {**row(3), "name": "n1"}):
        journal.append(made, {})
    journal.close()
    journal = Journal(tmp_path)
    journal.append(other(2, "n1"), {})
    found = [one["id"] for one, _ in journal.entries(unseen=True)]
    assert found == [f"{1:032x}", f"{102:032x}", f"{3:032x}"]  # the one that failed has gone
    journal.close()


def test_read_again_it_knows_what_was_seen_and_what_is_new(tmp_path: Path) -> None:
    filled(tmp_path, 2)
    journal = Journal(tmp_path)
    journal.see(1, 7)
    slot = journal.append(row(3, retry=True), {})
    journal.reload()
    seen = [(one["name"], one["number"]) for one, _ in journal.entries(unseen=False)]
    assert seen == [("n3", 3), ("n2", 7)]
    assert [journal.is_new(one) for one in range(3)] == [False, False, True]
    assert slot == 2
    journal.close()
