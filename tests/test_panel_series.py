"""A series in the panel: scores fill in, all frames are compared in the background, or not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import vde_nb as vde
from tests.panel_tools import FakeViewer
from vde_nb.panel import Panel
from vde_nb.panel._files import MOST
from vde_nb.panel._scores import level_of
from vde_nb.panel._series import frame_pairs
from vde_nb.panel._session import restore

QUIET: dict[str, Any] = {
    "method": "robust",
    "segmenter": "none",
    "align": "off",
    "normalise": "off",
}


def scene(seed: int, spot: int = 0) -> Any:
    """A grey wall with noise, and a brighter square of `spot` pixels."""
    picture = np.random.default_rng(seed).normal(120, 3, (90, 120, 3))
    picture[20 : 20 + spot, 30 : 30 + spot] += 70
    return np.clip(picture, 0, 255).astype(np.uint8)


def frames(count: int = 6) -> list[Any]:
    return [scene(at + 1, 14 if at in (2, 3) else 0) for at in range(count)]


@pytest.fixture
def panel() -> Iterator[Panel]:
    made = Panel(pairs=frame_pairs(scene(0), frames()), **QUIET)
    made.wait()
    yield made
    made.close()


def watched(panel: Panel) -> FakeViewer:
    viewer = FakeViewer(panel)
    viewer.say("hello")
    viewer.settle()
    return viewer


def items(viewer: FakeViewer) -> list[dict[str, Any]]:
    """The filmstrip as the viewer has it: its last whole one, with what changed in it since."""
    shown: list[dict[str, Any]] = []
    for content, _ in viewer.messages:
        if content["kind"] == "state" and "filmstrip" in content["patch"]:
            shown = list(content["patch"]["filmstrip"]["items"])
        elif content["kind"] == "frame":
            shown[content["index"]] = content["item"]
    return shown


def test_frames_are_scored_when_they_are_looked_at(panel: Panel) -> None:
    assert [one["score"] is None for one in panel.frames] == [False] + 5 * [True]
    panel.index = 2
    panel.wait()
    first, third = panel.frames[0]["score"], panel.frames[2]["score"]
    assert first < 1 < third


def test_comparing_all_fills_in_scores_and_leaves_the_shown_frame_alone(panel: Panel) -> None:
    before = panel.comparison
    viewer = watched(panel)
    panel.compare_all()
    panel.wait()
    scores = [one["score"] for one in panel.frames]
    assert [score > 1 for score in scores] == [False, False, True, True, False, False]
    assert [one["count"] for one in panel.frames] == [0, 0, 1, 1, 0, 0]
    assert panel.comparison is before and panel.index == 0
    assert [one["score"] > 1 for one in items(viewer)] == [score > 1 for score in scores]
    strip = viewer.state("filmstrip")
    assert strip["sweep"] is None and strip["missing"] == 0 and strip["curve"]["level"] == 1
    assert "All 6 pairs" in viewer.last("announce")["text"]


def test_a_frame_that_arrives_is_told_alone(panel: Panel) -> None:
    viewer = watched(panel)
    whole = len([one for one in viewer.all("state") if "filmstrip" in one["patch"]])
    panel.compare_all()
    panel.wait()
    told = viewer.all("frame")
    assert [one["index"] for one in told] == [1, 2, 3, 4, 5]
    assert [one["sweep"]["done"] for one in told] == [2, 3, 4, 5, 6]
    again = len([one for one in viewer.all("state") if "filmstrip" in one["patch"]])
    assert again - whole <= 3, "the whole strip is sent at the start and the end only"


def test_swept_frames_let_go_of_their_pictures(panel: Panel) -> None:
    panel.compare_all()
    panel.wait()
    assert [pair.loaded is None for pair in panel._pairs] == [False] + 5 * [True]
    assert all(pair.comparison is None for pair in panel._pairs[1:])


def test_what_is_found_in_the_background_is_what_looking_finds(panel: Panel) -> None:
    panel.compare_all()
    panel.wait()
    swept = [dict(one) for one in panel.frames]
    for at in range(6):
        panel.index = at
        panel.wait()
    assert [dict(one) for one in panel.frames] == swept


def test_a_moved_threshold_keeps_scores_and_marks_counts_as_old(panel: Panel) -> None:
    viewer = watched(panel)
    panel.compare_all()
    panel.wait()
    scores = [one["score"] for one in panel.frames]
    panel.threshold = 120
    panel.wait()
    assert [one["score"] for one in panel.frames] == scores
    assert [one["count"] for one in panel.frames][1:] == [None] * 5
    assert [one.get("outdated", False) for one in items(viewer)] == [False] + [True] * 5
    strip = viewer.state("filmstrip")
    assert strip["missing"] == 5 and strip["curve"]["level"] > 1
    panel.compare_all()
    panel.wait()
    assert [one["count"] for one in panel.frames] == [0, 0, 1, 1, 0, 0]


def test_another_difference_makes_gaps_of_the_scores(panel: Panel) -> None:
    panel.compare_all()
    panel.wait()
    panel.change(tolerance=3)
    panel.wait()
    assert [one["score"] is None for one in panel.frames] == [False] + 5 * [True]
    panel.reset("tolerance")
    panel.wait()
    assert None not in [one["score"] for one in panel.frames], "the old ones hold again"


def test_methods_without_a_level_have_no_curve(panel: Panel) -> None:
    viewer = watched(panel)
    panel.method = "hybrid"
    panel.compare_all()
    panel.wait()
    assert viewer.state("filmstrip")["curve"] is None
    assert [one["score"] for one in panel.frames] == [None] * 6
    assert None not in [one["count"] for one in panel.frames]
    assert panel.comparison.score is None and level_of(panel._choice) is None


def test_two_pairs_need_no_curve() -> None:
    panel = Panel(pairs=frame_pairs(scene(0), frames(2)), **QUIET)
    viewer = watched(panel)
    assert viewer.state("filmstrip")["curve"] is None
    assert viewer.state("filmstrip")["missing"] == 1
    panel.close()


def test_cancelling_keeps_what_is_compared(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    real, done = vde.panel._comparing.compared, []

    def one_more(*arguments: Any) -> Any:
        done.append(1)
        if len(done) == 2:
            panel._dispatcher.post(lambda: panel.compare_all(False))
        return real(*arguments)

    monkeypatch.setattr(vde.panel._comparing, "compared", one_more)
    panel.compare_all()
    panel.wait()
    known = [one["score"] is not None for one in panel.frames]
    assert known[0] and known[1] and not all(known)
    assert panel.status == "ready"
    panel.compare_all()
    panel.wait()
    assert None not in [one["score"] for one in panel.frames]


def test_looking_at_a_frame_goes_first_and_the_rest_goes_on(panel: Panel) -> None:
    panel.compare_all()
    panel.index = 4
    panel.threshold = 60
    assert panel.comparison.threshold == 60
    panel.wait()
    assert None not in [one["count"] for one in panel.frames]
    assert panel.index == 4


def test_a_frame_that_cannot_be_read_is_told_and_passed_over(tmp_path: Path) -> None:
    paths = []
    for at, frame in enumerate(frames(4)):
        paths.append(tmp_path / f"{at}.png")
        cv2.imwrite(str(paths[-1]), frame)
    paths[2].write_bytes(b"no picture")
    panel = Panel(pairs=frame_pairs(scene(0), paths), **QUIET)
    viewer = watched(panel)
    panel.compare_all()
    panel.wait(20)
    assert [one["status"] for one in panel.frames] == ["clean", "clean", "error", "changed"]
    assert "2.png" in items(viewer)[2]["note"]
    assert panel.status == "ready" and panel.message == ""
    panel.close()


def test_another_strip_ends_the_comparing_of_the_old_one(panel: Panel) -> None:
    panel.compare_all()
    panel.open_pairs(frame_pairs(scene(0), frames(2)))
    panel.wait()
    assert not panel._sweep.is_on
    assert [one["score"] is None for one in panel.frames] == [False, True]


def test_closing_in_the_midst_of_it_ends_it(panel: Panel) -> None:
    panel.compare_all()
    panel.close()
    panel.wait()


def test_a_viewer_can_ask_for_it_and_call_it_off(panel: Panel) -> None:
    viewer = watched(panel)
    viewer.say("compare_all", on=True)
    viewer.say("compare_all", on=False)
    viewer.until(lambda: viewer.state("filmstrip")["sweep"] is None)
    viewer.say("compare_all", on=True)
    viewer.until(lambda: None not in [one["score"] for one in panel.frames])
    viewer.say("compare_all", on="yes")
    viewer.until(lambda: "neither true nor false" in panel.message)


def test_ignoring_a_place_concerns_that_frame_only(panel: Panel) -> None:
    panel.index = 2
    panel.wait()
    panel.compare_all()
    panel.wait()
    panel.ignore = [(20, 10, 40, 40)]
    panel.wait()
    scores = [one["score"] for one in panel.frames]
    assert scores[2] < 1 < scores[3] and None not in scores


# Frames of a series


def test_frames_have_names_and_times_and_share_one_reference(tmp_path: Path) -> None:
    start = datetime(2026, 11, 23, 14, 30)
    times = [start + timedelta(minutes=30 * at) for at in range(3)]
    pairs = frame_pairs(scene(0), frames(3), times)
    assert [one.name for one in pairs] == ["frame 1", "frame 2", "frame 3"]
    assert pairs[0].reference is pairs[2].reference
    panel = Panel(pairs=pairs, **QUIET)
    viewer = watched(panel)
    assert [one["time"] for one in items(viewer)][1] == "2026-11-23T15:00:00"
    assert panel.frames[2]["time"] == times[2]
    panel.close()


def test_what_a_table_knows_is_shown_until_settings_change() -> None:
    rows = [
        {"score": 0.4, "count": 0, "change": 0.0},
        {"score": 7.5, "count": 2, "change": 1.25},
        {"score": None, "count": None, "note": "It cannot be read."},
        {},
    ]
    panel = Panel(pairs=frame_pairs(scene(0), frames(4), rows=rows), **QUIET)
    panel.wait()
    known = panel.frames
    assert known[0]["score"] != 0.4, "the frame that is shown was compared itself"
    assert (known[1]["score"], known[1]["count"], known[1]["changed"]) == (7.5, 2, 1.25)
    assert (known[2]["status"], known[2]["score"]) == ("error", None)
    assert (known[3]["status"], known[3]["score"]) == ("todo", None)
    panel.change(tolerance=2)
    panel.wait()
    assert panel.frames[1]["score"] is None
    panel.close()


@pytest.mark.parametrize("bad", ["nothing.png", b"", 3, []])
def test_what_is_no_series_is_refused(bad: Any) -> None:
    with pytest.raises(vde.SettingError, match=r"series|picture"):
        frame_pairs(scene(0), bad)


def test_times_of_another_number_are_refused() -> None:
    with pytest.raises(vde.SettingError, match="1 for 3 pictures"):
        frame_pairs(scene(0), frames(3), [datetime(2026, 1, 1)])
    with pytest.raises(vde.SettingError, match="3 frames but 1 names"):
        frame_pairs(scene(0), frames(3), names=["a"])


def test_file_names_tell_times_and_order(tmp_path: Path) -> None:
    for name in ("x_20261123T150000.png", "y_20261123T143000.png"):
        cv2.imwrite(str(tmp_path / name), scene(1))
    pairs = frame_pairs(scene(0), tmp_path)
    assert [one.name[0] for one in pairs] == ["y", "x"]
    assert [one.time for one in pairs] == [
        datetime(2026, 11, 23, 14, 30),
        datetime(2026, 11, 23, 15),
    ]


def test_a_folder_is_a_series(tmp_path: Path) -> None:
    for name in ("b10.png", "b9.png"):
        cv2.imwrite(str(tmp_path / name), scene(1))
    assert [one.name for one in frame_pairs(scene(0), tmp_path)] == ["b9.png", "b10.png"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(vde.SettingError, match="no picture"):
        frame_pairs(scene(0), tmp_path / "empty")


def test_no_frame_of_a_large_folder_is_left_out(tmp_path: Path) -> None:
    count = MOST + 10
    for number in range(count):
        (tmp_path / f"frame {number}.png").touch()
    (tmp_path / "._frame 3.png").touch()
    found = [one.name for one in frame_pairs(scene(0), tmp_path)]
    assert found == [f"frame {number}.png" for number in range(count)]


def test_a_session_says_that_the_model_stands_outside_of_its_settings(panel: Panel) -> None:
    for name, where in (("model", "beside them"), ("nudge", "with each pair")):
        session = panel.session()
        session["settings"][name] = "x"
        with pytest.raises(
            vde.SettingError, match=f"{name}'.* stands outside of settings, {where}"
        ):
            restore(panel, session)
