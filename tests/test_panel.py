"""The panel as Python sees it: traits, edits, pairs, errors, and an end without remains."""

from __future__ import annotations

import gc
import io
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from traitlets import TraitError

import vde_nb as vde
from tests.panel_tools import QUICK, quick_panel
from vde_nb import samples
from vde_nb.panel import Panel


@pytest.fixture
def panel() -> Iterator[Panel]:
    made = quick_panel()
    yield made
    made.close()


def write(path: Path, array: Any) -> Path:
    assert cv2.imwrite(str(path), np.ascontiguousarray(array[..., ::-1]))
    return path


# Two ways


def test_reading_the_comparison_waits_for_it(panel: Panel) -> None:
    assert panel.status == "running"
    found = panel.comparison
    assert panel.status == "ready"
    pair = samples.load("wall")
    again = vde.compare(pair.reference, pair.current, **QUICK)
    assert [one.box for one in found.anomalies] == [one.box for one in again.anomalies]
    assert found.settings == again.settings


def test_assigning_a_trait_moves_the_comparison(panel: Panel) -> None:
    panel.threshold = 90
    assert panel.comparison.threshold == 90
    assert panel.settings == {"segmenter": "none", "threshold": 90}
    panel.method = "robust"
    assert panel.comparison.method == "robust"
    panel.preset = "strict"
    assert panel.threshold == 80
    assert panel.comparison.settings.preset == "strict"
    panel.segmenter = "graphcut"
    assert panel.comparison.settings.segment.segmenter == "graphcut"


def test_observers_are_told_once_and_can_read_without_waiting(panel: Panel) -> None:
    panel.wait()
    seen: list[tuple[str, Any]] = []
    panel.observe(
        lambda change: seen.append((change["name"], panel.comparison.threshold)), "threshold"
    )
    panel.observe(lambda change: seen.append(("comparison", panel.comparison)), "comparison")
    panel.threshold = 70
    panel.wait()
    assert seen[0] == ("threshold", 50), "an observer is never made to wait"
    assert seen[1][1].threshold == 70
    assert len(seen) == 2


def test_an_observer_that_fails_is_shown_in_the_panel_and_stops_nothing(panel: Panel) -> None:
    panel.wait()
    panel.observe(lambda change: 1 / 0, "comparison")
    panel.threshold = 70
    assert panel.comparison.threshold == 70
    assert "division by zero" in panel.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threshold", 300),
        ("threshold", "high"),
        ("method", "magic"),
        ("preset", "bold"),
        ("segmenter", "sam9"),
        ("settings", {"threshold": -1}),
        ("view", {"mode": "sideways"}),
        ("view", {"opacity": float("nan")}),
        ("selected", 99),
        ("prompts", [{"box": [0, 0, 0, 0]}]),
        ("ignore", [(1, 2, 3)]),
        ("nudge", (1, float("inf"))),
        ("reviews", [{"box": [1, 2, 3, 4], "verdict": "maybe"}]),
        ("index", 3),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_and_changes_nothing(
    panel: Panel, name: str, value: Any
) -> None:
    before = panel.comparison, getattr(panel, name)
    with pytest.raises((vde.SettingError, TraitError)):
        setattr(panel, name, value)
    assert getattr(panel, name) == before[1]
    assert panel.comparison is before[0]
    panel.threshold = 61
    assert panel.comparison.threshold == 61


def test_an_unknown_setting_is_the_error_compare_gives() -> None:
    with pytest.raises(TypeError, match="threshold") as ours:
        Panel(tresholdd=3)
    with pytest.raises(TypeError) as theirs:
        vde.compare(b"", b"", tresholdd=3)
    assert str(ours.value) == str(theirs.value)
    with pytest.raises(vde.SettingError, match="threshold=256"):
        Panel(threshold=256)


def test_what_cannot_be_assigned_says_so(panel: Panel) -> None:
    with pytest.raises(TraitError):
        panel.status = "ready"
    with pytest.raises(TraitError):
        panel.comparison = None


def test_several_thresholds_move_together_and_keep_their_distances() -> None:
    pair = samples.load("wall")
    panel = Panel(pair.reference, pair.current, method="multi_fusion", segmenter="none")
    assert panel.threshold == 30
    panel.threshold = 50
    assert panel.comparison.settings.detect.thresholds == (50, 70, 90)
    panel.threshold = 240
    assert panel.comparison.settings.detect.thresholds == (240, 255, 255)
    panel.threshold = 30
    assert panel.settings == {"segmenter": "none"}
    panel.close()


def test_changing_settings_at_once_compares_once(panel: Panel) -> None:
    panel.wait()
    seen: list[Any] = []
    panel.observe(lambda change: seen.append(change["new"]), "comparison")
    panel.change(threshold=70, min_area=10, ignore=[(0, 0, 50, 50)])
    assert panel.comparison.settings.detect.min_area == 10
    assert len(seen) == 1
    panel.reset("min_area", "ignore")
    assert panel.settings == {"segmenter": "none", "threshold": 70}
    assert panel.ignore == []
    panel.reset()
    assert panel.settings == {}


def test_nothing_is_changed_when_one_of_several_values_is_wrong(panel: Panel) -> None:
    before = panel.comparison
    with pytest.raises(vde.SettingError):
        panel.change(ignore=[(0, 0, 5, 5)], threshold=999)
    assert panel.comparison is before
    assert panel.ignore == []


def test_published_takes_a_published_method_and_back(panel: Panel) -> None:
    panel.method = "robust"
    panel.preset = "published"
    assert panel.method == "hybrid"
    panel.method = "robust"
    assert panel.preset == "default"
    assert panel.comparison.method == "robust"


def test_the_view_is_merged_and_never_compares(panel: Panel) -> None:
    before = panel.comparison
    panel.view = {"mode": "wipe", "layers": {"label": False}}
    assert panel.view["opacity"] == 0.45
    assert panel.view["layers"]["mask"] is True
    assert panel.view["layers"]["label"] is False
    assert panel.comparison is before
    assert panel.status == "ready"


def test_repr_is_the_same_every_time() -> None:
    panel = quick_panel()
    assert repr(panel) == "Panel(hybrid, running)"
    panel.wait()
    count = len(panel.comparison.anomalies)
    assert repr(panel) == f"Panel(hybrid, 800×600, {count} anomalies)"
    panel.close()
    assert repr(panel) == "Panel(closed)"
    empty = Panel()
    assert repr(empty) == "Panel(robust, no pictures)"
    assert empty.comparison is None
    empty.close()


# Threads


def test_a_running_comparison_gives_way_to_newer_settings(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel.wait()
    real = vde.panel._comparing.compared
    begun: list[int] = []

    def slow(images: Any, request: Any, cache: Any, progress: Any, *rest: Any) -> Any:
        begun.append(request.choice.threshold)
        for _ in range(200):
            progress("waiting")
            if request.choice.threshold == 99:
                break
            time.sleep(0.01)
        return real(images, request, cache, progress, *rest)

    monkeypatch.setattr(vde.panel._comparing, "compared", slow)
    clock = time.monotonic()
    for value in (60, 61, 62, 63, 99):
        panel.threshold = value
        time.sleep(0.02)
    assert panel.comparison.threshold == 99
    assert time.monotonic() - clock < 1.5, "the older ones were not cancelled"
    assert begun[-1] == 99


def test_cancelling_keeps_the_last_result(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    before = panel.comparison

    def endless(images: Any, request: Any, cache: Any, progress: Any, *rest: Any) -> Any:
        while True:
            progress("waiting")
            time.sleep(0.005)

    with monkeypatch.context() as patch:
        patch.setattr(vde.panel._comparing, "compared", endless)
        panel.threshold = 77
        panel.wait(0.1)
        assert panel.status == "running"
        panel.cancel()
    assert panel.status == "cancelled"
    assert panel.comparison is before
    panel.threshold = 78
    assert panel.comparison.threshold == 78


def test_a_method_that_raises_is_told_in_words_with_details(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel.wait()

    def broken(*_: Any) -> Any:
        raise RuntimeError("the lamp went out")

    with monkeypatch.context() as patch:
        patch.setattr(vde.panel._comparing, "compared", broken)
        panel.threshold = 77
        assert panel.comparison is None
    assert panel.status == "error"
    assert "the lamp went out" in panel.message
    assert "Traceback" not in panel.message
    assert "Traceback" in panel._trouble.details
    panel.threshold = 78
    assert panel.comparison.threshold == 78
    assert (panel.status, panel.message) == ("ready", "")


def test_a_trait_set_from_another_thread_is_followed_by_the_panel(panel: Panel) -> None:
    panel.wait()
    thread = threading.Thread(target=lambda: setattr(panel, "threshold", 83))
    thread.start()
    thread.join()
    panel.wait()
    panel._dispatcher.drain()
    assert panel.comparison.threshold == 83


def test_methods_called_from_another_thread_refuse_at_once_and_act_soon(panel: Panel) -> None:
    panel.wait()
    errors: list[BaseException] = []

    def other() -> None:
        try:
            panel.change(threshold=999)
        except vde.SettingError as error:
            errors.append(error)
        panel.change(threshold=84)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert len(errors) == 1
    panel._dispatcher.drain()
    assert panel.comparison.threshold == 84


def test_two_panels_do_not_mix() -> None:
    one, two = quick_panel(), quick_panel(threshold=120)
    one.threshold = 30
    assert (one.comparison.threshold, two.comparison.threshold) == (30, 120)
    one.close()
    two.threshold = 121
    assert two.comparison.threshold == 121
    two.close()


# Pictures


def test_files_arrays_and_bytes_are_all_pictures(tmp_path: Path) -> None:
    pair = samples.load("wall")
    one = write(tmp_path / "one.png", pair.reference)
    two = write(tmp_path / "two.png", pair.current)
    panel = Panel(one, two.read_bytes(), **QUICK)
    assert len(panel.comparison.anomalies) > 0
    assert panel.names == ("one.png", "current")
    with two.open("rb") as file:
        panel.open(current=file)
    assert len(panel.comparison.anomalies) > 0
    assert panel.names[0] == "one.png"
    panel.close()


def test_writing_into_an_array_later_changes_nothing_on_the_screen() -> None:
    pair = samples.load("wall")
    current = pair.current.copy()
    panel = Panel(pair.reference, current, **QUICK)
    before = len(panel.comparison.anomalies)
    current[:] = 0
    panel.threshold = 51
    assert len(panel.comparison.anomalies) == before
    panel.close()


def test_a_picture_that_cannot_be_read_leaves_the_old_one(panel: Panel, tmp_path: Path) -> None:
    before, sources = panel.comparison, panel.sources
    panel.open(current=tmp_path / "gone.png")
    panel.wait()
    assert "gone.png" in panel.message
    assert panel.status == "ready"
    assert panel.comparison is before
    assert panel.sources == sources
    panel.open(current=b"no picture")
    panel.wait()
    assert panel.comparison is before
    panel.open(current=samples.load("wall").reference)
    assert panel.comparison.anomalies == []
    assert panel.message == ""


def test_a_picture_that_is_missing_from_the_start_is_told() -> None:
    panel = Panel("nowhere.png", "neither.png", **QUICK)
    assert panel.comparison is None
    assert panel.status == "error"
    assert "nowhere.png" in panel.message
    pair = samples.load("wall")
    panel.open(pair.reference, pair.current)
    assert panel.comparison is not None
    panel.close()


def test_one_side_waits_for_the_other() -> None:
    pair = samples.load("wall")
    panel = Panel(pair.reference, **QUICK)
    assert panel.status == "empty"
    panel.open(current=pair.current)
    assert panel.comparison is not None
    panel.close()


def test_swapping_exchanges_pictures_and_names(panel: Panel) -> None:
    panel.open(names=("before", "after"))
    before = panel.comparison
    panel.swap()
    assert np.array_equal(panel.comparison.reference, before.pair.current.array)
    assert panel.names == ("after", "before")


def test_other_ways_to_read_files_read_them_again(panel: Panel) -> None:
    pair = samples.load("wall")
    panel.open(current=pair.current[:500])
    panel.wait()
    assert "fit=" in panel.message
    panel.change(fit="crop")
    panel.open(current=pair.current[:500])
    found = panel.comparison
    assert found.settings.images.fit == "crop"
    panel.change(fit="pad")
    assert panel.comparison.valid is not None


# Edits


def test_undo_and_redo_without_limit(panel: Panel) -> None:
    panel.wait()
    for number in range(60):
        panel.ignore = [(number, 0, 10, 10)]
    panel.nudge = (1, 0)
    panel.prompts = [{"box": (10, 10, 20, 20)}]
    for _ in range(62):
        panel.undo()
    assert (panel.ignore, panel.nudge, panel.prompts) == ([], (0.0, 0.0), [])
    panel.undo()
    for _ in range(100):
        panel.redo()
    assert panel.prompts == [{"box": [10, 10, 20, 20], "points": []}]
    assert panel.ignore == [[59, 0, 10, 10]]
    found = panel.comparison
    assert len(found.prompts) == 1
    assert found.ignored is not None
    assert found.settings.align.nudge == (1.0, 0.0)


def test_a_new_edit_forgets_what_was_undone(panel: Panel) -> None:
    panel.ignore = [(0, 0, 10, 10)]
    panel.undo()
    panel.ignore = [(0, 0, 20, 20)]
    panel.redo()
    assert panel.ignore == [[0, 0, 20, 20]]


def test_refining_prompts_with_the_box_of_an_anomaly(panel: Panel) -> None:
    anomaly = panel.comparison.anomalies[0]
    panel.refine(anomaly.number)
    panel.refine(anomaly.number)
    assert [tuple(one["box"]) for one in panel.prompts] == [anomaly.box]
    assert any(one.origin == "prompted" for one in panel.comparison.anomalies)
    with pytest.raises(vde.SettingError, match="no anomaly 99"):
        panel.refine(99)


def test_reviews_stay_with_their_places_and_reach_the_results(panel: Panel) -> None:
    first = panel.comparison.anomalies[0]
    panel.review(first.number, verdict="rejected", comment="a shadow")
    panel.review(first.number, type="stain")
    again = next(one for one in panel.comparison.anomalies if one.box == first.box)
    assert (again.verdict, again.comment, again.type) == ("rejected", "a shadow", "stain")
    panel.threshold = 55
    assert sum(one.reviewed for one in panel.comparison.anomalies) == 1
    assert len(panel.reviews) == 1
    number = next(one.number for one in panel.comparison.anomalies if one.reviewed)
    panel.review(number, verdict=None, type=None, comment="")
    assert panel.reviews == []


def test_a_prompt_or_review_computes_nothing_else(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel.wait()
    monkeypatch.setattr(vde.panel._run, "compare", None)
    panel.refine(1)
    panel.review(1, verdict="accepted")
    assert len(panel.comparison.prompts) == 1
    assert len(panel.comparison.reviews) == 1


def test_the_selected_anomaly_stays_selected_where_it_is(panel: Panel) -> None:
    boxes = [one.box for one in panel.comparison.anomalies]
    panel.selected = len(boxes)
    panel.threshold = 55
    found = panel.comparison.anomalies[panel.selected - 1]
    x, y, w, h = boxes[-1]
    assert x - 20 <= found.x <= x + w + 20
    assert y - 20 <= found.y <= y + h + 20
    panel.threshold = 255
    assert panel.comparison.anomalies == []
    assert panel.selected == 0


def test_aligning_by_itself_takes_back_the_nudge(panel: Panel) -> None:
    panel.nudge = (5, 0)
    panel.auto_align()
    found = panel.comparison
    assert panel.nudge == (0.0, 0.0)
    assert found.settings.align.align == "auto"
    assert found.registration.residual_after <= found.registration.residual_before + 1e-6


# Pairs


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name in ("wall", "tyre", "label"):
        pair = samples.load(name)
        for side in ("reference", "current"):
            (tmp_path / side).mkdir(exist_ok=True)
            write(tmp_path / side / f"{name}.png", getattr(pair, side)[::2, ::2])
    write(tmp_path / "reference" / "alone.png", samples.load("wall").reference)
    return tmp_path


def test_folders_are_matched_by_name(folders: Path) -> None:
    panel = Panel(folders / "reference", folders / "current", root=folders, **QUICK)
    assert [pair.name for pair in panel._pairs] == ["label.png", "tyre.png", "wall.png"]
    assert panel.comparison is not None
    panel.close()
    with pytest.raises(vde.ImageError, match="matched by name"):
        Panel(folders / "reference", folders, **QUICK)
    with pytest.raises(vde.ImageError, match="elsewhere is no folder: give two folders"):
        Panel(folders / "reference", folders / "elsewhere", **QUICK)


def test_moving_away_and_back_keeps_everything(folders: Path) -> None:
    panel = Panel(folders / "reference", folders / "current", **QUICK)
    first = panel.comparison
    panel.ignore = [(0, 0, 30, 30)]
    panel.review(1, verdict="accepted")
    first = panel.comparison
    panel.index = 1
    assert (panel.ignore, panel.reviews) == ([], [])
    second = panel.comparison
    assert second is not first
    panel.undo()  # nothing to undo here
    assert panel.comparison is second
    panel.index = 0
    assert panel.ignore == [[0, 0, 30, 30]]
    assert panel.comparison is first
    assert [pair.status for pair in panel._pairs][2] == "todo"
    panel.threshold = 90
    assert panel.comparison.threshold == 90
    panel.index = 1
    assert panel.comparison.threshold == 90, "settings hold for all pairs"
    panel.close()


def test_only_a_few_pairs_stay_in_memory() -> None:
    pair = samples.load("wall")
    panel = Panel(pairs=[(pair.reference, pair.current)] * 6, **QUICK)
    for index in range(6):
        panel.index = index
        panel.wait()
    held = [one.comparison is not None for one in panel._pairs]
    assert held == [False, False, False, True, True, True]
    assert all(one.count is not None for one in panel._pairs)
    panel.index = 0
    assert panel.comparison is not None
    panel.close()


def test_one_bad_pair_does_not_stop_the_others(folders: Path) -> None:
    (folders / "current" / "tyre.png").write_bytes(b"broken")
    panel = Panel(folders / "reference", folders / "current", **QUICK)
    panel.wait()
    panel.index = 1
    panel.wait()
    assert (panel.status, panel.comparison) == ("error", None)
    assert "tyre.png" in panel.message
    panel.index = 2
    assert panel.comparison is not None
    assert panel.message == ""
    assert [pair.status for pair in panel._pairs] == ["changed", "error", "changed"]
    panel.close()


@pytest.mark.parametrize("pairs", [[], "ab", [1], [("a",)], 5])
def test_what_is_no_list_of_pairs_is_refused(pairs: Any) -> None:
    with pytest.raises(vde.SettingError):
        Panel(pairs=pairs)


# Sessions and code


def test_a_session_brings_everything_back(folders: Path, tmp_path: Path) -> None:
    panel = Panel(folders / "reference", folders / "current", root=folders, **QUICK)
    panel.wait()
    panel.index = 2
    panel.threshold = 66
    panel.ignore = [(0, 0, 30, 30)]
    panel.view = {"mode": "wipe"}
    before = panel.comparison
    panel.save_session(tmp_path / "session.json")
    other = Panel(root=folders)
    other.load_session(tmp_path / "session.json")
    found = other.comparison
    assert (other.index, other.threshold, other.view["mode"]) == (2, 66, "wipe")
    assert [one.box for one in found.anomalies] == [one.box for one in before.anomalies]
    other.close()
    panel.close()


def test_the_code_makes_what_is_shown(panel: Panel) -> None:
    panel.change(threshold=62, ignore=[(0, 0, 40, 40)])
    panel.review(1, verdict="accepted")
    names: dict[str, Any] = {}
    exec(panel.code(), names)
    shown = panel.comparison
    assert [one.box for one in names["result"].anomalies] == [one.box for one in shown.anomalies]
    assert names["result"].settings == shown.settings
    assert names["result"].anomalies[0].verdict == shown.anomalies[0].verdict


# The end


def freed(gone: weakref.ref[Any]) -> bool:
    """Whether something is freed soon: a thread may be about to let go of it."""
    deadline = time.monotonic() + 5
    while gone() is not None and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.02)
    return gone() is None


def test_closing_frees_pictures_and_the_panel_itself() -> None:
    panel = quick_panel()
    panel.wait()
    found = panel.comparison
    held = weakref.ref(panel._pairs[0].loaded)
    panel.observe(lambda change: change["owner"].threshold, "comparison")
    panel.close()
    panel.close()
    assert len(found.anomalies) > 0, "what was read stays valid"
    gone = weakref.ref(panel)
    del panel, found
    assert freed(gone)
    assert freed(held)


def test_a_closed_panel_says_so(panel: Panel) -> None:
    panel.wait()
    panel.close()
    assert panel.comparison is None
    with pytest.raises(vde.SettingError, match="closed"):
        panel.change(threshold=5)
    panel.wait()


def test_in_plain_python_it_is_only_its_repr(panel: Panel) -> None:
    with pytest.raises(NotImplementedError):
        panel._ipython_display_()


def test_a_file_object_is_read_once(panel: Panel) -> None:
    ok, data = cv2.imencode(".png", samples.load("wall").current[..., ::-1])
    assert ok
    file = io.BytesIO(data.tobytes())
    panel.open(current=file)
    panel.wait()
    panel.change(max_megapixels=100)  # reads again
    assert panel.comparison is not None
    assert panel.message == ""


def test_a_panel_that_is_forgotten_is_freed_once_its_thread_has_nothing_to_do() -> None:
    panel = quick_panel()
    panel.wait()
    gone = weakref.ref(panel)
    del panel
    assert freed(gone)


def test_edits_given_at_the_start_are_there_at_once() -> None:
    panel = quick_panel(ignore=[(0, 0, 40, 40)], prompts=[{"box": (50, 50, 80, 60)}], nudge=(1, 0))
    assert panel.ignore == [[0, 0, 40, 40]]
    assert len(panel.comparison.prompts) == 1
    assert panel.comparison.settings.align.nudge == (1.0, 0.0)
    panel.undo()
    assert panel.ignore == [[0, 0, 40, 40]]
    panel.close()
