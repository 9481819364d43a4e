"""A region is recognised by everything it was measured on, and by nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vde_nb.classify import Region, classify, recall, remember
from vde_nb.stages import StageCache


def region() -> Region:
    rng = np.random.default_rng(0)
    reference = rng.integers(90, 110, (80, 100, 3), np.uint8)
    current = reference.copy()
    current[30:50, 40:60] = 200
    mask = np.ones((20, 20), bool)
    whole = np.zeros((80, 100), bool)
    whole[30:50, 40:60] = True
    heat = np.zeros((80, 100), np.uint8)
    return Region(
        (40, 30, 20, 20), mask, reference, current, heat, current.copy(), ~whole | True, whole
    )


def touched(name: str) -> Region:
    """The region with one pixel of its surroundings, or of its outline, changed."""
    one = region()
    array = getattr(one, name).copy()
    array[(5, 5) if name == "mask" else (28, 45)] ^= True if array.dtype == bool else 1
    return replace(one, **{name: array})


def test_what_looks_the_same_is_recognised_and_told_the_same() -> None:
    cache = StageCache()
    first = region()
    key = recall(first, cache)
    label = classify(first)
    remember(first, key, cache)
    other = region()
    assert recall(other, cache) == key
    assert dict(other.measured()) == dict(first.measured()) != {}
    assert "view" not in vars(other)
    again = classify(other)
    assert again == label and "view" not in vars(other)


@pytest.mark.parametrize("name", ["mask", "reference", "current", "levelled", "valid", "changed"])
def test_what_differs_in_one_pixel_is_measured_anew(name: str) -> None:
    cache = StageCache()
    first = region()
    key = recall(first, cache)
    classify(first)
    remember(first, key, cache)
    other = touched(name)
    assert recall(other, cache) != key and not other.measured()


def test_the_same_thing_elsewhere_is_recognised_but_not_at_the_border() -> None:
    cache = StageCache()
    first = region()
    key = recall(first, cache)
    moved = {
        name: np.roll(getattr(first, name), 8, axis=1)
        for name in ("reference", "current", "heatmap", "levelled", "valid", "changed")
    }
    assert recall(replace(first, box=(48, 30, 20, 20), **moved), cache) == key
    cut = {name: array[20:] for name, array in moved.items()}
    assert recall(replace(first, box=(48, 10, 20, 20), **cut), cache) != key


def test_without_a_cache_nothing_is_remembered() -> None:
    one = region()
    key = recall(one, None)
    classify(one)
    remember(one, key, None)
    assert key is None
