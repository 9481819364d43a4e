"""What a person says about an anomaly stays with its place."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vde_nb as vde
from vde_nb._boxes import iou
from vde_nb.errors import SettingError
from vde_nb.reviewing import apply_reviews, checked_reviews


@pytest.fixture(scope="module")
def board() -> vde.Comparison:
    pair = vde.samples.load("board")
    return vde.compare(pair.reference, pair.current)


def test_a_review_is_put_on_its_anomaly_and_on_no_other(board: vde.Comparison) -> None:
    second = board.anomalies[1]
    found = board.reviewed([vde.Review(second.box, "rejected", "solder", "a reflection")])
    new = found.anomalies[1]
    assert (new.verdict, new.type, new.comment) == ("rejected", "solder", "a reflection")
    assert new.type_found == second.type and new.severity == second.severity and new.reviewed
    for one in (*found.anomalies[:1], *found.anomalies[2:], *board.anomalies):
        assert (one.verdict, one.comment, one.reviewed) == (None, "", False)
        assert one.type == one.type_found
    assert found.notes == board.notes and repr(found) == repr(board)


def test_reviews_take_the_place_of_earlier_ones(board: vde.Comparison) -> None:
    first, second = (one.box for one in board.anomalies[:2])
    found = board.reviewed([vde.Review(first, "accepted", "solder")])
    other = found.reviewed([vde.Review(second, "rejected")])
    assert [one.verdict for one in other.anomalies[:2]] == [None, "rejected"]
    assert other.anomalies[0].type == board.anomalies[0].type
    none = other.reviewed([])
    assert none.reviews == () and not any(one.reviewed for one in none.anomalies)


def test_reviews_stay_when_the_threshold_changes_and_come_back_with_their_anomaly(
    board: vde.Comparison,
) -> None:
    reviews = [vde.Review(one.box, "accepted") for one in board.anomalies]
    found = board.reviewed(reviews)
    assert all(one.verdict == "accepted" for one in found.anomalies)
    blind = found.again(threshold=254)
    lost = len(reviews) - sum(one.reviewed for one in blind.anomalies)
    assert lost and len(blind.reviews) == len(reviews)
    assert any(f"{lost} review" in note and "kept" in note for note in blind.notes)
    back = blind.again(threshold=50)
    assert all(one.verdict == "accepted" for one in back.anomalies)
    assert not any("review" in note for note in back.notes)
    assert not any(one.reviewed for one in back.again(reviews=[]).anomalies)


def test_a_review_may_be_given_at_once_and_as_a_dictionary() -> None:
    pair = vde.samples.load("board")
    box = vde.compare(pair.reference, pair.current).anomalies[0].box
    found = vde.compare(
        pair.reference, pair.current, reviews=[{"box": list(box), "verdict": "accepted"}]
    )
    assert found.anomalies[0].verdict == "accepted"
    assert found.reviews == (vde.Review(box, "accepted"),)
    written = json.loads(json.dumps([one.to_dict() for one in found.reviews]))
    assert checked_reviews(written) == found.reviews


def test_a_prompted_anomaly_can_be_reviewed_and_keeps_its_review(board: vde.Comparison) -> None:
    prompts = [vde.Prompt(box=(100, 100, 30, 30))]
    base = board.again(segmenter="none", prompts=prompts)
    found = base.reviewed([vde.Review((100, 100, 30, 30), "accepted", "burr")])
    again = found.again(threshold=80)
    for one in (found, again, found.prompted(prompts)):
        new = next(a for a in one.anomalies if a.origin == "prompted")
        assert (new.verdict, new.type, new.origin) == ("accepted", "burr", "prompted")
    assert found.prompted([]).reviews == found.reviews
    assert any("fits no anomaly" in note for note in found.prompted([]).notes)


def test_the_best_overlap_wins_and_everything_is_used_once(board: vde.Comparison) -> None:
    x, y, w, h = board.anomalies[0].box
    near, exact = (x, y, w + w // 3, h), (x, y, w, h)
    found, notes = apply_reviews(
        board.anomalies, [vde.Review(near, "rejected"), vde.Review(exact, "accepted")]
    )
    assert found[0].verdict == "accepted"
    assert sum(one.reviewed for one in found) == 1 and "1 review fits no anomaly" in notes[0]


def test_one_review_is_put_on_one_of_two_that_overlap(board: vde.Comparison) -> None:
    first = board.anomalies[0]
    x, y, w, h = first.box
    both = [replace(first, box=(x + 2, y, w, h)), replace(first, number=2)]
    found, notes = apply_reviews(both, [vde.Review(first.box, "accepted")])
    assert [one.verdict for one in found] == [None, "accepted"] and not notes


def test_less_than_half_an_overlap_is_another_place(board: vde.Comparison) -> None:
    x, y, w, h = board.anomalies[0].box
    found, _ = apply_reviews(board.anomalies, [vde.Review((x, y, 2 * w + 1, h), "accepted")])
    assert not found[0].reviewed
    found, _ = apply_reviews(board.anomalies, [vde.Review((x, y, 2 * w, h), "accepted")])
    assert found[0].reviewed


@pytest.mark.parametrize(
    ("review", "words"),
    [
        ({"box": (1, 2, 3)}, "Review 1: .*four whole numbers"),
        ({"box": (1, 2, 3, 0)}, "Review 1: .*empty"),
        ({"box": None}, "Review 1: .*four whole numbers"),
        ({"verdict": "accepted"}, "Review 1 has no 'box'"),
        ({"box": (1, 2, 3, 4), "verdct": 1}, "Review 1 has an unknown 'verdct'"),
        ({"box": (1, 2, 3, 4), "verdict": "acepted"}, "Did you mean 'accepted'"),
        ({"box": (1, 2, 3, 4), "verdict": True}, "verdict=True is not allowed"),
        ({"box": (1, 2, 3, 4), "type": "a b"}, "type='a b' is not allowed"),
        ({"box": (1, 2, 3, 4), "type": ""}, "type='' is not allowed"),
        ({"box": (1, 2, 3, 4), "type": 3}, "type=3 is not allowed"),
        ({"box": (1, 2, 3, 4), "comment": None}, "comment=None is not allowed"),
        ({"box": (1, 2, 3, 4), "comment": "x" * 10_001}, "at most 10000 characters"),
        ((1, 2, 3, 4), "Review 1 is .*needed is a vde.Review"),
    ],
)
def test_what_is_no_review_is_refused_in_words(
    board: vde.Comparison, review: Any, words: str
) -> None:
    with pytest.raises(SettingError, match=words):
        board.reviewed([review])


@pytest.mark.parametrize("reviews", [vde.Review((1, 2, 3, 4)), {"box": (1, 2, 3, 4)}, "x", 3])
def test_one_review_is_no_list_of_reviews(board: vde.Comparison, reviews: Any) -> None:
    with pytest.raises(SettingError, match=r"reviews must be a list of vde\.Review"):
        board.reviewed(reviews)


boxes = st.tuples(*[st.integers(0, 40)] * 2, *[st.integers(1, 40)] * 2)


@given(boxes, st.lists(boxes, max_size=5))
def test_overlaps_are_shares_and_of_the_same_box_all(box: Any, others: Any) -> None:
    found = iou([box], [*others, box])[0]
    assert ((found >= 0) & (found <= 1)).all() and found[-1] == 1
    assert [iou([other], [box])[0, 0] for other in others] == list(found[:-1])
