"""Crops for small regions: every one lies in its crop, neighbours share, there are few."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from vde_nb.segment._zoom import FEW_CELLS, Plan, plan_crops

CELLS = 256


def planned(boxes, size, reaches=None, limit=10_000) -> Plan:
    per = CELLS / max(size)
    return plan_crops(boxes, reaches or [0] * len(boxes), size, CELLS, (per, per), limit)


@st.composite
def pictures(draw):
    width, height = draw(st.integers(8, 9000)), draw(st.integers(8, 9000))
    boxes, reaches = [], []
    for _ in range(draw(st.integers(1, 25))):
        w = draw(st.integers(1, min(width, 600)))
        h = draw(st.integers(1, min(height, 600)))
        boxes.append((draw(st.integers(0, width - w)), draw(st.integers(0, height - h)), w, h))
        reaches.append(draw(st.integers(0, max(w, h))))
    return boxes, reaches, (width, height)


@settings(max_examples=150, deadline=None)
@given(pictures())
def test_every_small_box_lies_in_its_crop_with_margin_and_every_crop_in_the_picture(given) -> None:
    boxes, reaches, size = given
    plan = planned(boxes, size, reaches)
    assert len(plan.crops) <= len(boxes) and len(plan.of) == len(boxes)
    assert set(plan.of) - {-1} == set(range(len(plan.crops)))
    for x, y, w, h in plan.crops:
        assert x >= 0 and y >= 0 and x + w <= size[0] and y + h <= size[1]
    for (x, y, w, h), reach, which in zip(boxes, reaches, plan.of, strict=True):
        cells = max(w, h) * CELLS / max(size)
        if which < 0:
            continue
        assert cells < FEW_CELLS
        left, top, wide, high = plan.crops[which]
        side = max(wide, high)
        around = max(reach, side // 8)
        assert left <= max(0, x - around) and top <= max(0, y - around)
        assert left + wide >= min(size[0], x + w + around)
        assert top + high >= min(size[1], y + h + around)
        assert max(w, h) * CELLS / side >= 1.5 * cells * 0.999, "an encoding for nothing"


@settings(max_examples=60, deadline=None)
@given(pictures(), st.randoms(use_true_random=False))
def test_the_order_of_the_regions_makes_no_difference(given, rng: random.Random) -> None:
    boxes, reaches, size = given
    order = list(range(len(boxes)))
    rng.shuffle(order)
    plan = planned(boxes, size, reaches)
    other = planned([boxes[i] for i in order], size, [reaches[i] for i in order])
    assert other.crops == plan.crops
    assert list(other.of) == [plan.of[i] for i in order]


@settings(max_examples=60, deadline=None)
@given(pictures(), st.integers(0, 5))
def test_there_are_never_more_crops_than_the_limit(given, limit: int) -> None:
    boxes, reaches, size = given
    free, bound = planned(boxes, size, reaches), planned(boxes, size, reaches, limit)
    assert len(bound.crops) <= limit
    zoomed = sum(one >= 0 for one in free.of)
    assert sum(one >= 0 for one in bound.of) == zoomed - bound.left_out
    if bound.crops:
        assert min(bound.of) >= -1 and max(bound.of) == len(bound.crops) - 1


def test_neighbours_share_a_crop_and_distant_ones_do_not() -> None:
    boxes = [(1000 + 30 * i, 1000 + 25 * i, 20, 20) for i in range(4)] + [(3500, 2000, 25, 25)]
    plan = planned(boxes, (4000, 3000))
    assert plan.of[:4] == (plan.of[0],) * 4
    assert plan.of[4] != plan.of[0]
    assert len(plan.crops) == 2


def test_a_hundred_neighbours_need_few_crops() -> None:
    rng = random.Random(1)
    boxes = [(2000 + rng.randrange(400), 1500 + rng.randrange(400), 30, 24) for _ in range(100)]
    plan = planned(boxes, (4000, 3000))
    assert min(plan.of) >= 0
    assert len(plan.crops) <= 16


def test_a_small_region_joins_the_crop_of_a_larger_neighbour_if_it_is_not_too_small_there() -> None:
    boxes = [(2000, 1500, 200, 180), (2050, 1690, 150, 80), (2100, 1690, 20, 20)]
    plan = planned(boxes, (4000, 3000))
    assert plan.of[0] == plan.of[1] != plan.of[2]


def test_when_there_would_be_too_many_crops_they_grow_and_nobody_is_left_out() -> None:
    rng = random.Random(1)
    boxes = [(rng.randrange(3900), rng.randrange(2900), 60, 40) for _ in range(200)]
    assert len(planned(boxes, (4000, 3000)).crops) > 100
    plan = planned(boxes, (4000, 3000), limit=24)
    assert len(plan.crops) <= 24 and plan.left_out == 0 and min(plan.of) == 0
    # Each still covers more cells than on the whole picture.
    assert all(60 * CELLS / crop[2] > 1.5 * 60 * CELLS / 4000 for crop in plan.crops)


def test_a_box_that_moves_by_pixels_keeps_its_crop() -> None:
    crops = {planned([(2000 + d, 1500 - d, 30 + d, 30)], (4000, 3000)).crops for d in range(4)}
    assert len(crops) == 1


def test_large_regions_and_small_pictures_are_not_zoomed() -> None:
    assert planned([(0, 0, 500, 20)], (4000, 3000)) == Plan((), (-1,))
    assert planned([(100, 100, 8, 8)], (300, 200)) == Plan((), (-1,))
    assert planned([(1, 1, 3, 3)], (8, 8)) == Plan((), (-1,))
    assert planned([], (4000, 3000)) == Plan((), ())


def test_thousands_of_regions_are_planned_in_a_moment() -> None:
    import time

    rng = random.Random(0)
    boxes = [(rng.randrange(7900), rng.randrange(5900), 20, 20) for _ in range(4000)]
    start = time.thread_time()
    plan = planned(boxes, (8000, 6000), limit=24)
    assert time.thread_time() - start < 3
    assert len(plan.crops) <= 24
