"""A run in its folder, opened again: what it says, and what it does with a folder of a stranger."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vde_nb as vde
from vde_nb import OutputError, SettingError
from vde_nb.batch import Run, open_run
from vde_nb.batch._journal import hold
from vde_nb.batch._reviews import PairReview
from vde_nb.batch._row import KEYS, folder_of
from vde_nb.batch._stored import plain_file

from .run_folder import HOSTILE, identity, row, thumbnail, write_run

ROWS = [row(number) for number in range(1, 51)]


@pytest.fixture
def run(tmp_path) -> Run:
    return open_run(write_run(tmp_path / "today", ROWS, pictures=True))


# ------------------------------------------------------------------------------------ what it says


def test_rows_come_back_as_they_were_written(run):
    assert len(run) == 50 and list(run.rows()) == ROWS
    assert run.row(7) == ROWS[6] == run.row(identity(7))
    assert run.state == "finished" and run.rule == "major>0 or change>2"


def test_a_pair_that_is_not_there_is_told(run):
    for which in (0, 51, True, "x", "0" * 31, ".." * 16):
        with pytest.raises(SettingError, match="has no pair"):
            run.row(which)


def test_a_pair_is_found_by_its_name_where_only_one_has_it(tmp_path):
    rows = [{**row(n), "name": "twin" if n > 3 else f"board_{n}"} for n in range(1, 12)]
    run = open_run(write_run(tmp_path / "named", rows))
    assert run.row("board_2") == rows[1]
    with pytest.raises(
        SettingError, match=rf"8 pairs .* 'twin': give an id, {identity(4)}, .*\u2026"
    ):
        run.row("twin")
    with pytest.raises(SettingError, match=r"no pair 'bord_2'\. Did you mean 'board_2'"):
        run.row("bord_2")


def test_counts_are_those_of_the_rows(run):
    states = [one["status"] for one in ROWS]
    assert run.counts == {
        "total": 50,
        "clean": states.count("clean"),
        "changed": states.count("changed"),
        "error": states.count("error"),
        "pass": sum(one["verdict"] == "pass" for one in ROWS),
        "fail": sum(one["verdict"] == "fail" for one in ROWS),
        "copies": 0,
        "anomalies": sum(one["anomalies"] or 0 for one in ROWS),
    }
    assert run.counts["error"] == 2 and run.failed
    assert list(run.types) == ["stain", "missing_part", "crack"]
    assert run.severities["major"] == sum(one["severities"]["major"] for one in ROWS)


def test_a_run_of_clean_pairs_has_not_failed(tmp_path):
    clean = [one for one in ROWS if one["status"] == "clean"]
    run = open_run(write_run(tmp_path / "run", clean))
    assert not run.failed and "every pair passes the rule" in run._repr_html_()
    assert repr(run) == f"Run({len(clean)} pairs, {len(clean)} clean, 0 fail by {run.rule!r})"


def test_a_pair_that_could_not_be_compared_is_counted_once(run):
    by_rule = sum(one["verdict"] == "fail" and one["status"] != "error" for one in ROWS)
    assert by_rule and f", 2 errors, {by_rule} fail by" in repr(run)


def test_the_worst_come_first(run):
    worst = run.worst(50)
    assert [one["status"] for one in worst[:3]] == ["error", "error", "changed"]
    fails = [one["verdict"] == "fail" for one in worst[2:]]
    assert fails == sorted(fails, reverse=True)
    rest = [one for one in worst if one["verdict"] == "pass"]
    grades = [(one["severities"]["moderate"], one["severities"]["minor"]) for one in rest]
    assert grades == sorted(grades, reverse=True)
    assert run.worst(3) == worst[:3]


def test_another_rule_is_tried_afterwards(run):
    passed, failed = run.check("crack > 0")
    cracked = [one["id"] for one in ROWS if "crack" in one["types"] or one["status"] == "error"]
    assert not passed and failed == cracked
    assert run.check("not (change >= 0)") == (False, [identity(3), identity(44)]), "errors fail"
    with pytest.raises(SettingError, match="mayor"):
        run.check("mayor>0")


def test_types_of_the_run_are_known_to_a_rule(tmp_path):
    run = open_run(write_run(tmp_path / "run", [row(1, types={"of_a_plugin": 1})]))
    assert run.check("of_a_plugin > 0") == (False, [identity(1)])


def test_it_says_how_long_it_took(run):
    took = run.timings()
    assert took["pairs"] == 50 and took["workers"] == 2 and took["elapsed"] == 100
    assert took["pairs_per_second"] == 0.5
    assert took["seconds"]["p50"] == pytest.approx(0.32) and took["seconds"]["max"] == 0.44
    assert took["stages_ms"]["difference"] == pytest.approx(6500)


def test_the_summary_is_plain_data(run):
    summary = run.summary()
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert summary["failed"] and summary["counts"]["total"] == 50 and len(summary["worst"]) == 10


def test_the_frame_has_the_columns_of_the_table(run):
    frame = run.to_frame()
    assert len(frame) == 50 and frame["major"].sum() == run.severities["major"]
    assert frame.columns[:3].tolist() == ["id", "number", "name"]


def test_a_run_of_compare_many_opens(tmp_path):
    pair = vde.samples.load("tyre")
    run = vde.compare_many(
        [pair, (pair.reference, pair.reference)], workers=0, out=tmp_path / "run", progress=False
    )
    again = vde.open_run(tmp_path / "run")
    assert list(again.rows()) == list(run.rows()) and again.counts["changed"] == 1
    assert (tmp_path / "run" / "index.html").read_text("utf-8") == again.to_html()
    assert again.thumbnail(again.row(1)).startswith(b"\xff\xd8\xff")
    assert again.delete() == () and not (tmp_path / "run").exists()


# ---------------------------------------------------------------------------- what is not finished


def test_an_unfinished_run_shows_what_its_journal_has(tmp_path):
    folder = write_run(tmp_path / "run", ROWS[:20], journal=True, state="running", total=50)
    with (folder / "journal.ndjson").open("ab") as file:
        file.write(b'{"row": {"id": "12')  # killed just then
    run = open_run(folder)
    assert len(run) == 20 and list(run.rows()) == ROWS[:20] and run.state == "running"
    assert run.timings()["pairs"] == 20
    assert len(run.notes) == 1 and "not finished" in run.notes[0]
    assert "running" in repr(run)


def test_of_a_pair_that_was_tried_again_the_last_attempt_counts(tmp_path):
    lost = row(3, error_kind="WorkerLost", error="a worker was lost", retry=True)
    found = {**row(4), "id": identity(3), "folder": folder_of(identity(3)), "number": 3}
    run = open_run(
        write_run(tmp_path / "run", [lost, row(1), found], journal=True, state="running")
    )
    assert [one["status"] for one in run.rows()] == ["changed", "clean"]
    assert run.counts["error"] == 0 and run.row(3)["status"] == "clean"


def test_an_empty_run_opens(tmp_path):
    run = open_run(write_run(tmp_path / "run", [], state="interrupted"))
    assert len(run) == 0 and run.worst() == [] and not run.failed
    assert run.timings()["seconds"] == {} and "interrupted" in repr(run)
    assert "No pair" in run.to_html() and run._repr_html_()


# ----------------------------------------------------------------------------- a folder of anybody


@pytest.mark.parametrize("name", ["nothing", "file", "empty"])
def test_what_is_no_run_is_told(tmp_path, name):
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SettingError, match="holds no run"):
        open_run(tmp_path / name)
    with pytest.raises(SettingError, match="no folder of a run"):
        open_run(None)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "null", '{"schema_version": "2.0"}', '{"schema_version": "1.0"}', "[" * 9999],
)
def test_a_manifest_of_another_kind_is_an_error_for_people(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(OutputError):
        open_run(tmp_path)


BAD = [
    b"not json\n",
    b"[1, 2]\n",
    b"{}\n",
    b'{"id": NaN}\n',
    b"[" * 5000 + b"\n",
    b'"' + b"x" * (1 << 20) + b'"\n',
    b"\xff\xfe\n",
    b'{"number": ' + b"9" * 5000 + b"}\n",
]


def test_lines_that_are_no_rows_are_left_out_and_told(tmp_path):
    folder = write_run(tmp_path / "run", ROWS[:3])
    path = folder / "results.ndjson"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"".join(BAD) + lines[1] + lines[2])
    run = open_run(folder)
    assert list(run.rows()) == ROWS[:3]
    told = " ".join(run.notes)
    assert "left out: it is too long" in told and "it is no JSON" in told
    assert "id is not one of a row" in told


@pytest.mark.parametrize(
    "change",
    [
        {"folder": "../../etc"},
        {"folder": "/etc"},
        {"folder": folder_of(identity(1))},
        {"files": ["../../../../etc/passwd"]},
        {"files": ["javascript:alert(1)"]},
        {"files": ['a" onerror="alert(1)']},
        {"id": "<script>"},
        {"status": "<b>"},
        {"verdict": "<b>"},
        {"anomalies": "<b>"},
        {"change": "<b>"},
        {"change": 1e999},
        {"size": ["<b>", 1]},
        {"severities": {"minor": "<b>"}},
        {"types": {"crack": "<b>"}},
        {"number": -1},
        {"name": ["x"]},
        {"name": "x" * 100_000},
        {"name": "\ud800"},
        {"same_as": "../.."},
    ],
)
def test_a_row_that_no_run_writes_is_left_out(tmp_path, change):
    folder = write_run(tmp_path / "run", [row(1)])
    with (folder / "results.ndjson").open("a") as file:
        file.write(json.dumps({**row(2), **change}) + "\n")
    run = open_run(folder)
    assert [one["number"] for one in run.rows()] == [1] and len(run.notes) == 1


def test_links_are_not_followed(tmp_path):
    outside = tmp_path / "outside"
    folder = write_run(tmp_path / "run", [row(1)], pictures=True)
    (folder / "results.ndjson").rename(outside)
    (folder / "results.ndjson").symlink_to(outside)
    assert len(open_run(folder)) == 1, "of the journal"
    (folder / "journal.ndjson").unlink()
    assert len(open_run(folder)) == 0
    (folder / "run.json").rename(tmp_path / "manifest")
    (folder / "run.json").symlink_to(tmp_path / "manifest")
    with pytest.raises(SettingError):
        open_run(folder)


def test_thumbnails_are_small_pictures_inside_the_folder(tmp_path):
    run = open_run(write_run(tmp_path / "run", [row(1)], pictures=True))
    one = run.row(1)
    place = run.folder / one["folder"] / "thumbnail.jpg"
    assert run.thumbnail(one) == thumbnail(1)
    wide = cv2.imencode(".jpg", np.zeros((1500, 1500, 3), np.uint8))[1].tobytes()
    long = thumbnail(1) + b"\0" * 300_000
    for content in (b"<svg>", b"\xff\xd8\xff" + b"\0" * 50, long, wide):
        place.write_bytes(content)
        assert run.thumbnail(one) is None
    place.unlink()
    (tmp_path / "secret.jpg").write_bytes(thumbnail(1))
    place.symlink_to(tmp_path / "secret.jpg")
    assert run.thumbnail(one) is None
    place.unlink()
    os.mkfifo(place)
    assert run.thumbnail(one) is None, "and does not wait for it"
    place.unlink()
    shelf = place.parents[1]
    place.parent.rmdir() if not list(place.parent.iterdir()) else None
    shelf.rename(tmp_path / "shelf")
    (tmp_path / "shelf" / place.parent.name).mkdir(exist_ok=True)
    (tmp_path / "shelf" / place.parent.name / "thumbnail.jpg").write_bytes(thumbnail(1))
    shelf.symlink_to(tmp_path / "shelf")
    assert run.thumbnail(one) is None, "nor through a folder that is a link"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/../b", "/etc/passwd", "a//b", "C:x", "a\\b", "a\0b"]
)
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    assert plain_file(tmp_path, name) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=5,
)
told = ["settings", "machine", "seconds", "notes", "fail_if", "method", "started", "source"]


@settings(
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    changes=st.dictionaries(st.sampled_from(KEYS), json_values, max_size=3),
    about=st.dictionaries(st.sampled_from(told), json_values, max_size=4),
)
def test_no_folder_whatever_breaks_the_page(tmp_path, changes, about):
    folder = write_run(tmp_path / "run", [row(1), {**row(2), **changes}], **about)
    run = open_run(folder)
    assert 1 <= len(run) <= 2
    assert repr(run) and run._repr_html_() and run.to_html() and run.summary()


def test_hostile_text_is_only_text(tmp_path):
    run = open_run(write_run(tmp_path / "run", [row(1, name=HOSTILE)], fail_if=HOSTILE))
    assert run.row(1)["name"] == HOSTILE


# ---------------------------------------------------------------------------------------- deletion


def test_a_run_is_deleted_and_nothing_else(tmp_path):
    folder = write_run(tmp_path / "run", ROWS, pictures=True)
    run = open_run(folder)
    run.to_html(folder / "index.html")
    place = folder / ROWS[0]["folder"]
    (place / "masks").mkdir()
    (place / "masks" / "001_crack.png").write_bytes(b"x")
    (place.with_name(f"{place.name}.tmp-00ff")).mkdir()
    own = (folder / "pairs" / "mine.txt", place / "notes.docx", folder / "photo.jpg")
    for path in own:
        path.write_text("mine")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "results.json").write_text("mine")
    (folder / "pairs" / "ff").mkdir(exist_ok=True)
    (folder / "pairs" / "ff" / ("f" * 32)).symlink_to(outside)
    (folder / "results.parquet").symlink_to(outside / "results.json")
    left = run.delete()
    assert {path.name for path in left} == {"pairs", "photo.jpg", "results.parquet"}
    assert all(path.read_text() == "mine" for path in own)
    assert (outside / "results.json").read_text() == "mine"
    assert not (folder / "run.json").exists() and not (place / "thumbnail.jpg").exists()
    with pytest.raises(OutputError, match="holds no run"):
        run.delete()


def test_a_run_that_is_being_written_is_not_deleted(tmp_path):
    run = open_run(write_run(tmp_path / "run", ROWS[:3]))
    with hold(run.folder), pytest.raises(OutputError, match="being written"):
        run.delete()
    assert run.delete() == () and not Path(run.folder).exists()


def test_reviews_are_not_deleted_by_the_way(run):
    run.reviews.put(identity(1), PairReview(reviewed=True, comment="seen"))
    with pytest.raises(OutputError, match="reviewed"):
        run.delete()
    assert (run.folder / "reviews.json").exists()
    run.delete(reviews=True)
    assert not (run.folder / "reviews.json").exists()
