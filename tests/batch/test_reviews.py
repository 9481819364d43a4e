"""What people said about the pairs of a run: on the disk at once, shared, checked, exported."""

from __future__ import annotations

import csv
import io
import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vde_nb.batch._review_file import FILE
from vde_nb.batch._reviews import PairReview, RegionReview, Reviews
from vde_nb.errors import OutputError, SettingError
from vde_nb.reviewing import Review

ONE, TWO, THREE = ("1" * 32, "2" * 32, "3" * 32)
KNOWN = RegionReview(
    Review((3, 4, 50, 60), "rejected", "stain", "wet\n=1+1"), "crack", "major", "detected"
)


def rows() -> list[dict[str, Any]]:
    about = {"reference": "a.png", "current": "b.png", "score": None, "verdict": "fail"}
    return [
        {"id": ONE, "number": 1, "name": "=HYPERLINK()", "status": "changed", "anomalies": 2}
        | {"change": 1.25, "error": None, **about},
        {"id": TWO, "number": 2, "name": "two", "status": "error", "anomalies": None}
        | {"change": None, "error": "gone", **about},
    ]


def said(**given: Any) -> PairReview:
    return PairReview(**{"reviewed": True, "comment": "looks fine", **given})


def document(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / FILE).read_text("utf-8"))
    return found


def test_a_review_is_on_the_disk_when_it_was_made_and_found_again(tmp_path: Path) -> None:
    review = said(regions=(KNOWN,), edits={"prompts": [{"box": [1, 2, 3, 4], "points": []}]})
    reviews = Reviews(tmp_path)
    reviews.put(ONE, review)
    assert reviews.is_saved
    assert dict(Reviews(tmp_path)) == {ONE: review}
    assert repr(Reviews(tmp_path)) == "Reviews(1 pair reviewed)"
    assert list(tmp_path.iterdir()) == [tmp_path / FILE], "nothing else is left behind"


def test_a_review_that_says_nothing_is_none(tmp_path: Path) -> None:
    reviews = Reviews(tmp_path)
    reviews.put(ONE, said())
    reviews.put(ONE, PairReview())
    assert document(tmp_path)["pairs"] == {}
    assert len(reviews) == 0


def test_two_panels_review_one_run_and_keep_what_the_other_said(tmp_path: Path) -> None:
    mine, yours = Reviews(tmp_path), Reviews(tmp_path)
    mine.put(ONE, said())
    yours.put(TWO, said(comment="mine"))
    mine.put(THREE, said())
    assert set(Reviews(tmp_path)) == {ONE, TWO, THREE} == set(mine)
    yours.put(ONE, said(comment="no"))
    assert Reviews(tmp_path)[ONE].comment == "no", "the last word counts"


def test_a_change_knows_what_is_on_the_disk(tmp_path: Path) -> None:
    mine, yours = Reviews(tmp_path), Reviews(tmp_path)
    mine.put(ONE, said(comment="mine"))
    assert yours.change(ONE, lambda one: replace(one, marked=True)) == said(
        comment="mine", marked=True
    )
    assert Reviews(tmp_path)[ONE].comment == "mine"
    stamp = (tmp_path / FILE).stat().st_ino
    yours.change(ONE, lambda one: one)
    assert (tmp_path / FILE).stat().st_ino == stamp, "nothing is written for nothing"


def test_a_change_that_had_to_wait_keeps_what_others_said_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, yours = Reviews(tmp_path), Reviews(tmp_path)

    def full(*_: Any, **__: Any) -> None:
        raise OutputError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("vde_nb.batch._reviews.write_atomically", full)
        with pytest.raises(OutputError, match="no space"):
            mine.change(ONE, lambda one: replace(one, reviewed=True))
    yours.put(ONE, PairReview(comment="yours"))
    mine.put(TWO, said())
    assert Reviews(tmp_path)[ONE] == PairReview(reviewed=True, comment="yours")


@pytest.mark.parametrize(("name", "most"), [("_MOST_BYTES", 700), ("_MOST_PAIRS", 2)])
def test_more_than_can_be_read_back_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    monkeypatch.setattr(f"vde_nb.batch._review_file.{name}", most)
    reviews = Reviews(tmp_path)
    reviews.put(ONE, said(comment="x" * 100))
    reviews.put(TWO, said(comment="x" * 100))
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(OutputError, match="could not be read again"):
        reviews.put(THREE, said(comment="x" * 400))
    assert (tmp_path / FILE).read_bytes() == before and not reviews.is_saved
    assert set(Reviews(tmp_path)) == {ONE, TWO} and THREE in reviews
    with pytest.raises(OutputError):
        reviews.put(TWO, said(comment="short"))
    reviews.put(THREE, PairReview())
    assert reviews.is_saved and Reviews(tmp_path)[TWO].comment == "short"


def test_many_at_once_lose_nothing(tmp_path: Path) -> None:
    def work(start: int) -> None:
        own = Reviews(tmp_path)
        for number in range(start, start + 8):
            own.put(f"{number:032x}", said())

    threads = [threading.Thread(target=work, args=(100 * at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Reviews(tmp_path)) == 32


def test_a_folder_that_cannot_be_written_keeps_the_review_for_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reviews = Reviews(tmp_path)

    def full(*_: Any, **__: Any) -> None:
        raise OutputError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("vde_nb.batch._reviews.write_atomically", full)
        with pytest.raises(OutputError, match="no space"):
            reviews.put(ONE, said())
    assert not reviews.is_saved and reviews[ONE] == said()
    assert not (tmp_path / FILE).exists()
    reviews.put(TWO, said())
    assert reviews.is_saved
    assert set(Reviews(tmp_path)) == {ONE, TWO}


def test_a_run_that_is_gone_is_told(tmp_path: Path) -> None:
    reviews = Reviews(tmp_path / "gone")
    with pytest.raises(OutputError, match="there is no folder"):
        reviews.put(ONE, said())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "holds no reviews of a run"),
        ('{"format":"vde-nb-session"}', "holds no reviews of a run"),
        ('{"format":"vde-nb-reviews","version":2}', "version is not known"),
        ('{"format":"vde-nb-reviews","version":1,"pairs":[]}', "no object of a usual size"),
        ("PAIR {}", "no id of a row"),
        ('GOOD {"regions": [{"box": [1, 2, 3]}]}', "four whole numbers"),
        ('GOOD {"regions": [{"box": [1, 2, 3, 4], "verdict": "maybe"}]}', "is not allowed"),
        ('GOOD {"reviewed": "yes"}', "true or false"),
        ('GOOD {"comment": 5}', "comment is no text"),
        ('GOOD {"edits": {"settings": []}}', "edits are prompts"),
        ('GOOD {"edits": {"nudge": [1e999, 0]}}', "no review"),
        ('GOOD {"edits": {"nudge": [NaN, 0]}}', "NaN"),
        ('GOOD {"folder": "/etc"}', "is no review"),
        (f'GOOD {{"comment": "{"x" * 10_001}"}}', "usual length"),
    ],
)
def test_a_file_that_is_none_of_ours_is_not_used_and_not_written_over(
    tmp_path: Path, content: str, words: str
) -> None:
    head = '{"format":"vde-nb-reviews","version":1,"pairs":{"%s":%s}}'
    kind, _, rest = content.partition(" ")
    content = {"PAIR": head % ("../../x", rest), "GOOD": head % (ONE, rest)}.get(kind, content)
    (tmp_path / FILE).write_text(content)
    reviews = Reviews(tmp_path)
    assert len(reviews) == 0 and words in reviews.trouble and "Move it away" in reviews.trouble
    with pytest.raises(OutputError, match="cannot be used"):
        reviews.put(TWO, said())
    assert (tmp_path / FILE).read_text() == content
    (tmp_path / FILE).unlink()
    reviews.put(THREE, said())
    assert set(Reviews(tmp_path)) == {TWO, THREE}
    assert reviews.trouble == ""


def test_a_link_is_not_followed_and_a_pipe_not_waited_for(tmp_path: Path) -> None:
    folder, other = tmp_path / "run", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    Reviews(other).put(ONE, said())
    before = (other / FILE).read_bytes()
    (folder / FILE).symlink_to(other / FILE)
    assert len(Reviews(folder)) == 0 and Reviews(folder).trouble
    (folder / FILE).unlink()
    os.mkfifo(folder / FILE)
    assert "no regular file" in Reviews(folder).trouble
    assert (other / FILE).read_bytes() == before


def test_what_could_not_be_read_back_is_not_written(tmp_path: Path) -> None:
    reviews = Reviews(tmp_path)
    with pytest.raises(SettingError, match="usual length"):
        reviews.put(ONE, said(comment="x" * 10_001))
    with pytest.raises(SettingError, match="32 hexadecimal digits"):
        reviews.put("../../../x", said())
    assert not (tmp_path / FILE).exists()


_texts = st.text(max_size=40)
_regions = st.builds(
    RegionReview,
    st.builds(
        Review,
        st.tuples(st.integers(0, 999), st.integers(0, 999), st.integers(1, 99), st.integers(1, 99)),
        st.sampled_from([None, "accepted", "rejected"]),
        st.sampled_from([None, "crack", "stain"]),
        _texts,
    ),
    st.sampled_from(["", "crack"]),
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.differing_executors])
@given(st.lists(_regions, max_size=4), _texts, st.booleans())
def test_whatever_is_said_comes_back(
    regions: list[RegionReview], comment: str, marked: bool
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        review = PairReview(marked, marked, comment, tuple(regions))
        reviews = Reviews(folder)
        reviews.put(ONE, review)
        assert Reviews(folder).get(ONE, PairReview()) == review


def table(text: str) -> list[dict[str, str]]:
    assert text.endswith("\r\n")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_table_has_a_line_for_each_region_and_for_each_pair_without(tmp_path: Path) -> None:
    reviews = Reviews(tmp_path, rows)
    reviews.put(ONE, said(regions=(KNOWN, RegionReview(Review((1, 1, 2, 2), "accepted")))))
    first, second, last = table(reviews.to_csv())
    assert [first[name] for name in ("number", "reviewed", "pair_comment", "run_verdict")] == [
        *("1", "yes", "looks fine", "fail")
    ]
    assert [first[name] for name in ("x", "y", "w", "h")] == ["3", "4", "50", "60"]
    assert [first[name] for name in ("type_found", "type", "verdict", "comment")] == [
        *("crack", "stain", "rejected", "wet\n=1+1")
    ]
    assert second["verdict"] == "accepted" and second["type"] == ""
    assert last["reviewed"] == "no" and last["x"] == "" and last["error"] == "gone"


def test_no_text_of_a_stranger_is_a_formula(tmp_path: Path) -> None:
    reviews = Reviews(tmp_path, rows)
    evil = RegionReview(Review((1, 1, 2, 2), None, None, "@SUM(1)"), "-1", "+x")
    reviews.put(ONE, said(comment="=cmd|'/c calc'!A1", regions=(evil,)))
    first = table(reviews.to_csv())[0]
    for name in ("name", "pair_comment", "type_found", "severity", "comment"):
        assert first[name].startswith("'"), name


@pytest.mark.parametrize("form", ["csv", "json"])
def test_an_export_is_written_once(tmp_path: Path, form: str) -> None:
    reviews = Reviews(tmp_path, rows)
    reviews.put(ONE, said())
    write: Callable[..., str] = getattr(reviews, f"to_{form}")
    path = tmp_path / f"out.{form}"
    assert write(path).encode() == path.read_bytes()
    with pytest.raises(OutputError, match="exists"):
        write(path)
    write(path, overwrite=True)


def test_json_has_every_row_with_what_was_said(tmp_path: Path) -> None:
    reviews = Reviews(tmp_path, rows)
    reviews.put(ONE, said(regions=(KNOWN,)))
    pairs = json.loads(reviews.to_json())["pairs"]
    assert [one["number"] for one in pairs] == [1, 2]
    assert pairs[0]["review"]["regions"][0]["type"] == "stain"
    assert pairs[0]["review"]["regions"][0]["found"] == "crack"
    assert pairs[1]["review"] is None


def test_reviews_of_no_run_cannot_be_exported(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="open_run"):
        Reviews(tmp_path).to_csv()
