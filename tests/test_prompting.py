"""What a person points at becomes an anomaly like any other, and nothing else changes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vde_nb as vde
from vde_nb.errors import SettingError
from vde_nb.prompting import checked_prompts, prompt_dict

METHODS = ["robust", "hybrid", "multi_fusion", "ensemble"]


@pytest.fixture(scope="module")
def board() -> vde.Comparison:
    pair = vde.samples.load("board")
    return vde.compare(pair.reference, pair.current)


@pytest.fixture(scope="module")
def marks() -> tuple[np.ndarray, np.ndarray]:
    """Three marks on grey, the last too faint for the default threshold."""
    rng = np.random.default_rng(0)
    reference = rng.normal(110, 2, (160, 240, 3)).clip(0, 255).astype(np.uint8)
    current = reference.copy()
    current[20:40, 20:50] = 220
    current[100:120, 30:50] = 30
    current[60:90, 150:190] += 12
    return reference, current


def same(one: vde.Comparison, other: vde.Comparison) -> bool:
    """Whether two comparisons tell the same, to the byte, but for the time they took."""
    told = [json.loads(c.to_json()) for c in (one, other)]
    for document in told:
        document.pop("timings_ms")
    return bool(told[0] == told[1])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("segmenter", ["graphcut", "none"])
def test_what_is_too_faint_to_be_detected_is_found_where_somebody_points(
    marks: tuple[np.ndarray, np.ndarray], method: str, segmenter: str
) -> None:
    before = vde.compare(
        *marks,
        method=method,
        segmenter=segmenter,
        align="off",
        normalise="off",
        thresholds=90,
        threshold=120,
    )
    found = before.prompted([vde.Prompt(box=(148, 58, 44, 34))])
    assert len(found.anomalies) == len(before.anomalies) + 1
    new = [one for one in found.anomalies if one.origin == "prompted"]
    assert len(new) == 1 and new[0].type and new[0].severity in ("minor", "moderate", "major")
    if segmenter == "none":
        assert new[0].box == (148, 58, 44, 34) and new[0].outline.all()
    else:
        truth = np.zeros((160, 240), bool)
        truth[60:90, 150:190] = True
        mask = new[0].mask
        assert np.count_nonzero(mask & truth) > 0.9 * np.count_nonzero(mask | truth)
    assert [one.number for one in found.anomalies] == list(range(1, len(found.anomalies) + 1))


def test_mask_heatmap_and_scores_stay_those_of_detection(board: vde.Comparison) -> None:
    found = board.prompted([{"points": [(100, 100)]}])
    assert found.mask is board.mask and found.heatmap is board.heatmap
    assert found.change_score_percent == board.change_score_percent
    assert found.ssim_score == board.ssim_score
    assert len(board.anomalies) == len(found.anomalies) - 1  # and the first one is left alone
    kept = [one for one in found.anomalies if one.origin == "detected"]
    assert [one.box for one in kept] == [one.box for one in board.anomalies]


def test_a_prompt_with_the_box_of_an_anomaly_refines_it(board: vde.Comparison) -> None:
    for anomaly in board.anomalies:
        found = board.prompted([vde.Prompt(box=anomaly.box)])
        assert len(found.anomalies) == len(board.anomalies)
        assert sum(one.origin == "prompted" for one in found.anomalies) == 1
        left = {one.box for one in found.anomalies if one.origin == "detected"}
        assert left == {one.box for one in board.anomalies} - {anomaly.box}


def test_a_box_around_several_takes_the_place_of_those_it_outlines_and_loses_no_other() -> None:
    reference = np.full((120, 200, 3), 90, np.uint8)
    current = reference.copy()
    current[40:60, 40:60] = current[40:60, 80:100] = 200
    current[70:90, 150:170] = 200  # half inside the box: the outline holds a part of it
    before = vde.compare(reference, current, method="hybrid")
    assert len(before.anomalies) == 3
    prompts = [vde.Prompt(box=(35, 30, 122, 62))]
    for segmenter in ("graphcut", "none"):
        found = before.again(segmenter=segmenter).prompted(prompts)
        assert sorted(one.origin for one in found.anomalies) == ["detected", "prompted"]
        left = next(one for one in found.anomalies if one.origin == "detected")
        assert left.x > 140


def test_a_negative_point_takes_out_what_it_lies_on() -> None:
    reference = np.full((120, 200, 3), 90, np.uint8)
    current = reference.copy()
    current[40:60, 40:60] = current[40:60, 90:110] = 200
    before = vde.compare(reference, current, method="hybrid")
    both = before.prompted([vde.Prompt(box=(35, 35, 80, 30))]).anomalies
    one = before.prompted([vde.Prompt(box=(35, 35, 80, 30), points=((100, 50, 0),))]).anomalies
    assert len(both) == 1 and both[0].w > 60
    assert any(a.origin == "prompted" and a.w < 30 for a in one)


def test_of_two_prompts_that_mean_the_same_the_later_one_stays(board: vde.Comparison) -> None:
    x, y, w, h = board.anomalies[0].box
    twice = board.prompted([{"box": (x - 1, y, w + 2, h)}, {"box": (x, y, w, h)}])
    assert len(twice.anomalies) == len(board.anomalies) and len(twice.prompts) == 2
    assert same(twice.prompted([{"box": (x, y, w, h)}]), board.prompted([vde.Prompt((x, y, w, h))]))


def test_a_point_outside_of_its_box_belongs_to_it_all_the_same(board: vde.Comparison) -> None:
    found = board.prompted([vde.Prompt(box=(300, 300, 20, 20), points=((340, 310, 1),))])
    assert any(one.mask[310, 340] for one in found.anomalies if one.origin == "prompted")


@pytest.mark.parametrize("order", ["worst_first", "found"])
def test_numbers_follow_the_order_asked_for(board: vde.Comparison, order: str) -> None:
    base = board.again(order=order)
    second = base.anomalies[1].box
    found = base.prompted([vde.Prompt(points=((100, 100, 1),)), vde.Prompt(box=second)])
    origins = [one.origin for one in found.anomalies]
    if order == "found":  # in the place of what it replaced; new ones at the end
        assert origins == ["detected", "prompted", "detected", "detected", "detected", "prompted"]
    else:
        ranks = ["minor", "moderate", "major"]
        keys = [(ranks.index(a.severity), a.severity_score, a.area) for a in found.anomalies]
        assert keys == sorted(keys, reverse=True)


PROMPTS: list[Any] = [
    {"box": [316, 394, 88, 56]},
    vde.Prompt(points=((100, 100, 1), (130, 100, 0))),
    {"box": None, "points": [[690, 250]]},
]


@pytest.mark.parametrize("method", METHODS)
def test_the_same_prompts_give_the_same_bytes_by_every_way(method: str) -> None:
    pair = vde.samples.load("board")
    base = vde.compare(pair.reference, pair.current, method=method)
    found = base.prompted(PROMPTS)
    fresh = vde.compare(pair.reference, pair.current, method=method, prompts=PROMPTS, cache=None)
    written = json.loads(json.dumps([prompt_dict(one) for one in found.prompts]))
    for other in (fresh, base.again(prompts=PROMPTS), base.prompted(written), found.again()):
        assert same(found, other)
    assert same(found.prompted([]), base) and same(found.again(prompts=[]), base)


def test_prompts_stay_when_settings_change(board: vde.Comparison) -> None:
    found = board.prompted(PROMPTS)
    for changes in ({"threshold": 120}, {"segmenter": "none"}, {"nudge": (1, 0)}):
        again = found.again(**changes)
        assert len(again.prompts) == 3
        assert same(again, board.again(**changes).prompted(PROMPTS))
        assert sum(one.origin == "prompted" for one in again.anomalies) == 3


def test_a_prompt_is_told_where_it_lies_in_the_current_picture() -> None:
    pair = vde.samples.load("board", shift=(6, -4))
    found = vde.compare(pair.reference, pair.current, segmenter="none").prompted(
        [vde.Prompt(box=(100, 100, 30, 20))]
    )
    new = next(one for one in found.anomalies if one.origin == "prompted")
    assert new.box_current == (106, 96, 30, 20)


def test_where_nothing_is_compared_a_prompt_makes_no_anomaly_and_it_is_said(
    marks: tuple[np.ndarray, np.ndarray],
) -> None:
    base = vde.compare(*marks, method="hybrid", ignore=[(140, 50, 60, 60)])
    found = base.prompted([vde.Prompt(box=(150, 60, 20, 20)), vde.Prompt(box=(195, 60, 20, 20))])
    assert "Prompt 1 lies where nothing is compared: it makes no anomaly." in found.notes
    new = [one for one in found.anomalies if one.origin == "prompted"]
    assert len(new) == 1 and new[0].x >= 200  # without what is ignored
    assert len(found.prompts) == 2
    back = found.again(ignore=None)
    assert sum(one.origin == "prompted" for one in back.anomalies) == 2
    assert not any("Prompt 1" in note for note in back.notes)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ({"box": (900, 10, 5, 5)}, r"Prompt 2: the box \(900, 10, 5, 5\) lies outside"),
        ({"box": (-5, 10, 5, 5)}, "Prompt 2: the box .* lies outside the 800 × 600 picture"),
        ({"box": (10, 10, 0, 5)}, "box of prompt 2 is .* empty"),
        ({"box": (10, 10, -4, 5)}, "box of prompt 2 is .* empty"),
        ({"box": (10, 10, 5)}, "box of prompt 2 .*four whole numbers"),
        ({"box": (10.5, 10, 5, 5)}, "box of prompt 2 .*four whole numbers"),
        ({"box": (float("nan"), 10, 5, 5)}, "box of prompt 2 .*four whole numbers"),
        ({"box": "1234"}, "box of prompt 2 .*four whole numbers"),
        ({"points": [(5, 5, 0)]}, "Prompt 2 has only negative points"),
        ({}, "Prompt 2 has neither a box nor a point"),
        ({"points": [(800, 5)]}, r"Prompt 2: the point \(800, 5\) lies outside"),
        ({"points": [(5, -1)]}, r"Prompt 2: the point \(5, -1\) lies outside"),
        ({"points": [(5, 5, 2)]}, "Prompt 2 has the point .* label 1"),
        ({"points": [(5, float("inf"))]}, "Prompt 2 has the point"),
        ({"points": [5, 5]}, "Prompt 2 has the point 5"),
        ({"bx": (1, 2, 3, 4)}, "Prompt 2 has an unknown 'bx'"),
        ({"box": (1, 2, 3, 4), "reach": -1}, "Prompt 2 has reach=-1"),
        (vde.Prompt(box=(1, 2, 3, 4), mask=np.ones((9, 9), bool)), "Prompt 2 has a mask"),
        ((1, 2, 3, 4), r"Prompt 2 is \(1, 2, 3, 4\): needed is a vde.Prompt"),
        (None, "Prompt 2 is None"),
    ],
)
def test_a_bad_prompt_is_refused_in_words_that_say_which(
    board: vde.Comparison, prompt: Any, words: str
) -> None:
    for use in (board.prompted, lambda listed: board.again(prompts=listed)):
        with pytest.raises(SettingError, match=words):
            use([{"box": (1, 1, 5, 5)}, prompt])


@pytest.mark.parametrize("prompts", [vde.Prompt(box=(1, 1, 5, 5)), {"box": (1, 1, 5, 5)}, "x", 3])
def test_one_prompt_is_no_list_of_prompts(board: vde.Comparison, prompts: Any) -> None:
    with pytest.raises(SettingError, match=r"prompts must be a list of vde\.Prompt, not "):
        board.prompted(prompts)


def test_a_wrong_prompt_is_told_before_any_file_is_read() -> None:
    with pytest.raises(SettingError, match="Prompt 1 has neither"):
        vde.compare("no such file.png", "nor this.png", prompts=[{}])


numbers = st.integers(-30, 90)


@given(
    st.one_of(st.none(), st.tuples(numbers, numbers, st.integers(1, 80), st.integers(1, 80))),
    st.lists(st.tuples(st.integers(0, 79), st.integers(0, 59), st.integers(0, 1)), max_size=4),
)
@settings(deadline=None, max_examples=60)
def test_any_prompt_is_refused_in_words_or_makes_one_anomaly_inside(box: Any, points: Any) -> None:
    rng = np.random.default_rng(1)
    reference = rng.integers(80, 90, (60, 80, 3), np.uint8)
    current = reference.copy()
    current[20:40, 30:60] = 200
    base = vde.compare(reference, current, method="hybrid")
    try:
        checked = checked_prompts([{"box": box, "points": points}], (60, 80))
    except SettingError as error:
        assert "rompt 1" in str(error)
        return
    assert checked_prompts([prompt_dict(checked[0])], (60, 80))[0].box == checked[0].box
    for segmenter in ("graphcut", "none"):
        found = base.again(segmenter=segmenter, prompts=checked)
        new = [one for one in found.anomalies if one.origin == "prompted"]
        assert len(new) == 1 and new[0].mask.shape == (60, 80) and new[0].outline.any()


def test_progress_names_the_prompts_and_their_time_is_told(board: vde.Comparison) -> None:
    stages: list[str] = []
    found = board.prompted(PROMPTS, progress=stages.append)
    assert stages == ["prompts"] and found.timings["prompts"] > 0


def test_a_click_on_the_whole_part_loses_nothing_that_was_detected() -> None:
    reference = np.full((200, 300, 3), 90, np.uint8)
    current = reference.copy()
    current[20:30, 20:30] = 200
    current[150:158, 240:250] = 200
    found = vde.compare(reference, current, method="hybrid", segmenter="none")
    assert len(found.anomalies) == 2
    whole = found.prompted([{"box": (0, 0, 300, 200)}])
    assert sorted(one.origin for one in whole.anomalies) == ["detected", "detected", "prompted"]
