"""A session comes back as it was, or not at all, and says in words why."""

from __future__ import annotations

import contextlib
import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.panel_stand_in import StandIn, picture
from vde_nb import OutputError, SettingError, VdeError
from vde_nb._png import png
from vde_nb.panel._origin import Sample, Upload
from vde_nb.panel._session import load_session, parsed, restore, save_session, session_of, to_text

VIEW = {
    "mode": "wipe",
    "scale": 2.5,
    "cx": 10.5,
    "cy": -3,
    "opacity": 0.3,
    "colour_by": "type",
    "hatch": True,
    "layers": {"mask": True, "outline": True, "label": False, "prompts": True, "ignore": False},
    "wipe": 0.25,
    "wipe_across": False,
    "blink_ms": 500,
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: Any) -> Path:
    folder = tmp_path_factory.mktemp("sessions") / "root"
    (folder / "sub").mkdir(parents=True)
    changed = picture()
    changed[20:40, 30:60] = 200
    (folder / "a.png").write_bytes(png(picture()))
    (folder / "sub" / "b ü'\".png").write_bytes(png(changed))
    (folder.parent / "above.png").write_bytes(png(changed))
    return folder


def full(root: Path) -> StandIn:
    panel = StandIn(
        root=root,
        method="hybrid",
        preset="sensitive",
        segmenter="none",
        threshold=44,
        settings={"ssim_weight": 0.35, "min_area": 64},
        view=VIEW,
    )
    panel.open(str(root / "a.png"), str(root / "sub" / "b ü'\".png"))
    panel.prompts = [{"box": [5, 6, 20, 20], "points": [[8, 9, 1], [6, 7, 0]]}]
    panel.ignore = [[0, 0, 5, 6]]
    panel.nudge = (1.5, -2.0)
    panel.reviews = [
        {"box": [30, 20, 30, 20], "verdict": "accepted", "type": "stain", "comment": 'wet\n"x"'}
    ]
    return panel


def document(root: Path) -> dict[str, Any]:
    return session_of(full(root))


def test_a_session_is_plain_json_and_comes_back_as_it_was(root: Path) -> None:
    before = full(root)
    text = to_text(session_of(before))
    panel = StandIn(root=root)
    restore(panel, parsed(text.encode()))
    assert to_text(session_of(panel)) == text
    one, two = before.comparison, panel.comparison
    assert one.heatmap.tobytes() == two.heatmap.tobytes()
    assert [a.box for a in one.anomalies] == [b.box for b in two.anomalies]
    assert not panel.errors


def test_files_are_named_below_the_root_only(root: Path) -> None:
    text = to_text(document(root))
    assert str(root) not in text
    assert document(root)["pairs"][0]["reference"] == {"file": "a.png"}
    panel = StandIn(root=root)
    panel.open(str(root / "a.png"), str(root.parent / "above.png"))
    session = session_of(panel)
    assert session["pairs"][0]["current"] == {"outside": "above.png"}
    with pytest.raises(SettingError, match=r"pairs\[0\].current was 'above.png', a file outside"):
        restore(StandIn(root=root), session)


def test_samples_are_named(root: Path) -> None:
    panel = StandIn(root=root)
    panel.open(Sample("tyre", "reference"), Sample("tyre", "current"))
    session = session_of(panel)
    assert session["pairs"][0]["reference"] == {"sample": "tyre", "side": "reference"}
    other = StandIn(root=root)
    restore(other, session)
    assert other.sources == panel.sources


def test_arrays_are_recognised_but_not_restored(root: Path) -> None:
    panel = StandIn(root=root)
    panel.open(picture(), Upload("b.png", png(picture(value=100))))
    session = json.loads(to_text(session_of(panel)))
    panel.threshold = 99
    restore(panel, session)
    assert panel.threshold == 50
    assert isinstance(panel.sources[1], Upload)
    other = StandIn(root=root)
    other.open(picture(value=91), picture(value=92))
    with pytest.raises(SettingError, match=r"\(80 × 60\) was an array or an upload.*open the same"):
        restore(other, session)


def test_pairs_and_the_one_shown_come_back(root: Path) -> None:
    panel = StandIn(root=root)
    a, b = str(root / "a.png"), str(root / "sub" / "b ü'\".png")
    panel.open_pairs([(a, b), (b, a), ([a, a], b)])
    panel.index = 1
    session = json.loads(to_text(session_of(panel)))
    assert len(session["pairs"]) == 3 and session["index"] == 1
    other = StandIn(root=root)
    restore(other, session)
    assert other.index == 1 and [tuple(pair) for pair in other.pairs] == list(panel.pairs)


def test_an_empty_panel_has_a_session_too(root: Path) -> None:
    panel = StandIn(root=root, method="ensemble", settings={"thresholds": (20, 30)})
    session = json.loads(to_text(session_of(panel)))
    other = StandIn(root=root)
    restore(other, session)
    assert other.method == "ensemble" and other.settings == {"thresholds": (20, 30)}


def put(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of `document` with one place changed."""
    made = copy.deepcopy(document)
    *way, last = [int(one) if one.isdigit() else one for one in path.split("/")]
    here: Any = made
    for step in way:
        here = here[step]
    here[last] = value
    return made


RUBBISH = [
    ("format", "zip", "format is not"),
    ("version", 2, "version=2"),
    ("version", True, "version=True"),
    ("method", "hybird", "method is 'hybird'.*Did you mean 'hybrid'"),
    ("method", None, "method is None"),
    ("preset", "bold", "preset is 'bold'"),
    ("preset", ["default"], "preset is"),
    ("segmenter", "sam9", "segmenter: There is no segmenter 'sam9'"),
    ("threshold", 300, "threshold is 300: whole number from 0 to 255"),
    ("threshold", 50.0, "threshold is 50.0"),
    ("threshold", True, "threshold is True"),
    ("index", 7, "index is 7"),
    ("index", -1, "index is -1"),
    ("settings", [], "settings must be an object"),
    ("settings/min_area", -4, "settings.min_area: min_area=-4 is not allowed"),
    ("settings/min_area", float("nan"), "settings.min_area"),
    ("settings/min_area", {"a": 1}, "settings.min_area"),
    ("settings/thresholds", "30", "settings.thresholds"),
    ("settings/mni_area", 4, "'mni_area', which is no setting. Did you mean 'min_area'"),
    ("settings/nudge", [1, 2], "'nudge', which is no setting"),
    ("view/mode", "sideways", "view: .*mode='sideways'|view: .*sideways"),
    ("view/opacity", 1.5, "view: .*opacity"),
    ("view/opacity", float("inf"), "view: .*opacity"),
    ("view/layers", {"secret": True}, "view: .*secret"),
    ("view/hatch", 1, "view: .*hatch"),
    ("view/onclick", "x", "view: .*onclick"),
    ("extra", 1, "The session has an unknown 'extra'"),
    ("pairs", {}, "pairs must be a list"),
    ("pairs/0/extra", 1, r"pairs\[0\] has an unknown 'extra'"),
    ("pairs/0/reference", {}, "needed is a sample, a file or an array"),
    ("pairs/0/reference", [], "one picture or a list of some"),
    ("pairs/0/reference", {"file": "/etc/passwd"}, r"reference.file: .* is not a path below"),
    ("pairs/0/reference", {"file": "../above.png"}, "leads out of"),
    ("pairs/0/reference", {"file": "gone.png"}, "there is no file 'gone.png'"),
    ("pairs/0/reference", {"file": "sub"}, "there is no file 'sub'"),
    ("pairs/0/reference", {"file": 5}, "file must be text"),
    ("pairs/0/reference", {"file": "a.png", "url": "http://x"}, "unknown 'url'"),
    ("pairs/0/reference", {"sample": "tyer", "side": "current"}, "Did you mean 'tyre'"),
    ("pairs/0/reference", {"sample": "tyre", "side": "left"}, "side is 'left'"),
    ("pairs/0/reference", {"array": {"shape": [60, 80, 3], "xxh128": "0"}}, "was an array"),
    ("pairs/0/reference", {"array": {"shape": 5, "xxh128": "0"}}, "shape|list"),
    ("pairs/0/prompts", [{"box": None, "points": []}], r"pairs\[0\]: Prompt 1 has neither"),
    ("pairs/0/prompts", [{"box": [0, 0, 1e400, 1], "points": []}], "no pixel"),
    ("pairs/0/prompts", "x", r"pairs\[0\].prompts must be a list"),
    ("pairs/0/ignore", [[1, 2, 0, 4]], r"pairs\[0\]: ignore= holds"),
    ("pairs/0/ignore", [{"x": 1}], "ignore"),
    ("pairs/0/nudge", [1, float("nan")], r"pairs\[0\]: nudge="),
    ("pairs/0/nudge", [1], "nudge="),
    ("pairs/0/reviews", [{"box": [1, 2, 3, 4], "verdict": "maybe"}], "Review 1: verdict='maybe'"),
    ("pairs/0/reviews", [{"verdict": "accepted"}], "no 'box'"),
]


@pytest.mark.parametrize(("path", "value", "said"), RUBBISH)
def test_what_was_edited_by_hand_is_refused_in_a_sentence_and_changes_nothing(
    root: Path, path: str, value: Any, said: str
) -> None:
    panel = full(root)
    before = to_text(session_of(panel))
    panel.calls.clear()
    with pytest.raises(SettingError, match=said) as caught:
        restore(panel, put(document(root), path, value))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    assert to_text(session_of(panel)) == before
    assert panel.calls == []


def test_a_picture_that_cannot_be_read_changes_nothing(root: Path) -> None:
    (root / "broken.png").write_bytes(b"nothing")
    panel = full(root)
    before = to_text(session_of(panel))
    session = put(document(root), "pairs/0/current", {"file": "broken.png"})
    with pytest.raises(VdeError, match="does not look like a picture"):
        restore(panel, put(session, "threshold", 7))
    assert to_text(session_of(panel)) == before


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no JSON.*line 1"),
        (b"{", "no JSON"),
        (b"[1, 2]", "must be an object"),
        (b'{"a": NaN}', "NaN, which is no number"),
        (b'{"a": -Infinity}', "no number"),
        (b'{"a": 1, "a": 2}', "'a' twice"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"[" * 100_000, "too deep|no JSON"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "too deep|digits|unknown|format"),
        (b" " * (5 * 2**20 + 1), "larger than 5 MB"),
    ],
    ids=str,
)
def test_files_that_are_no_session_say_so(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "session.json"
    path.write_bytes(data)
    with pytest.raises(SettingError, match=said):
        load_session(StandIn(root=tmp_path), path)


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    for path, said in [("gone.json", "does not exist"), (".", "is a folder")]:
        with pytest.raises(SettingError, match=said):
            load_session(StandIn(), tmp_path / path)


def test_saving_overwrites_only_when_asked_to(root: Path, tmp_path: Path) -> None:
    path = save_session(full(root), tmp_path / "s.json")
    with pytest.raises(OutputError, match="exists"):
        save_session(full(root), path)
    save_session(StandIn(root=root), path, overwrite=True)
    panel = full(root)
    load_session(panel, path)
    assert panel.method == "robust"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["a.png", "..", "tyre", "overlay", "hybrid"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=6) | st.sampled_from(["file", "box"]), inner, max_size=4)
    ),
    max_leaves=12,
)
places = st.sampled_from(
    [path for path, _, _ in RUBBISH if path.count("/") < 3]
    + ["pairs/0", "pairs/0/current", "view", "view/scale", "settings/ssim_weight"]
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(places, json_values)
def test_whatever_stands_in_a_session_is_restored_or_refused(
    root: Path, path: str, value: Any
) -> None:
    panel = StandIn(root=root)
    before = to_text(session_of(panel))
    try:
        restore(panel, put(document(root), path, value))
    except VdeError:
        assert to_text(session_of(panel)) == before
    else:
        again = StandIn(root=root)
        restore(again, parsed(to_text(session_of(panel)).encode()))
        assert session_of(again) == session_of(panel)


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace"))
)
def test_bytes_of_any_kind_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(SettingError):
        parsed(data)


boxes = st.tuples(
    st.integers(-5, 70), st.integers(-5, 50), st.integers(1, 60), st.integers(1, 60)
).map(list)
points = st.tuples(st.integers(0, 79), st.integers(0, 59), st.sampled_from([0, 1])).map(list)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(boxes, max_size=4),
    st.lists(points, max_size=4).map(lambda some: [*some, [3, 4, 1]]),
    st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
    st.text(max_size=30).filter(lambda text: text.encode("utf-8", "ignore").decode() == text),
    st.sampled_from(["accepted", "rejected", None]),
)
def test_edits_of_any_kind_come_back(
    root: Path, ignore: Any, points: Any, nudge: Any, comment: str, verdict: Any
) -> None:
    panel = StandIn(root=root)
    panel.open(str(root / "a.png"), str(root / "a.png"))
    panel.ignore, panel.nudge = ignore, nudge
    panel.prompts = [{"box": None, "points": points}]
    panel.reviews = [{"box": [1, 2, 3, 4], "verdict": verdict, "type": None, "comment": comment}]
    session = session_of(panel)
    other = StandIn(root=root)
    restore(other, parsed(to_text(session).encode()))
    assert session_of(other) == session


def test_the_hash_is_that_of_pictures() -> None:
    from vde_nb.images import load
    from vde_nb.panel._origin import digest

    array = np.random.default_rng(0).integers(0, 255, (9, 11, 3), np.uint8)
    assert digest(array) == load(array).key


def test_a_real_panel_comes_back_with_all_its_pairs(root: Path, tmp_path: Path) -> None:
    import vde_nb as vde

    a, b = str(root / "a.png"), str(root / "sub" / "b ü'\".png")
    panel = vde.Panel(pairs=[(a, b), (b, a)], root=root, method="hybrid", segmenter="none")
    panel.change(threshold=33, min_area=64)
    panel.ignore = [[0, 0, 5, 6]]
    panel.index = 1
    panel.nudge = (1.0, 0.5)
    panel.view = {**panel.view, "mode": "wipe"}
    path = panel.save_session(tmp_path / "s.json")
    other = vde.Panel(root=root)
    other.load_session(path)
    other.wait()
    assert other.session() == panel.session()
    assert other.comparison.heatmap.tobytes() == panel.comparison.heatmap.tobytes()
    before = other.session()
    with pytest.raises(SettingError):
        restore(other, put(before, "pairs/1/ignore", [[1, 2, 3]]))
    assert other.session() == before
    panel.close()
    other.close()
