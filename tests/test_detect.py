"""Morphology, thresholds and contours."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vde_nb.detect import candidates, clean, threshold_mask


def published_mask(heat: np.ndarray, threshold: int, opening: int, closing: int) -> np.ndarray:
    """Threshold first, clean the binary mask afterwards: the published order."""
    _, mask = cv2.threshold(heat, threshold, 255, cv2.THRESH_BINARY)
    kernel = np.ones((3, 3), np.uint8)
    if opening:
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel, iterations=opening)
    if closing:
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel, iterations=closing)
    return mask > 0


def heat(height: int, width: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (height, width)).astype(np.uint8)
    return cv2.blur(noise, (1 + 2 * (seed % 3), 1 + 2 * (seed % 2)))


@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.integers(0, 10**6),
    st.integers(0, 4),
    st.integers(0, 4),
)
@settings(max_examples=40, deadline=None)
def test_cleaning_commutes_with_every_threshold(
    height: int, width: int, seed: int, opening: int, closing: int
) -> None:
    image = heat(height, width, seed)
    cleaned = clean(image, opening, closing)
    for threshold in range(0, 256, 5):
        np.testing.assert_array_equal(
            threshold_mask(cleaned, threshold), published_mask(image, threshold, opening, closing)
        )


def test_cleaning_in_bands_leaves_no_seams() -> None:
    image = heat(1500, 600, 1)  # several bands, on threads
    np.testing.assert_array_equal(
        threshold_mask(clean(image, 2, 3), 130), published_mask(image, 130, 2, 3)
    )


def test_cleaning_with_large_squares_is_right_too() -> None:
    image = heat(900, 700, 2)
    np.testing.assert_array_equal(
        threshold_mask(clean(image, 20, 40), 120), published_mask(image, 120, 20, 40)
    )


def test_cleaning_does_not_touch_its_input() -> None:
    image = heat(50, 50, 3)
    before = image.copy()
    for passes in ((0, 0), (2, 3)):
        cleaned = clean(image, *passes)
        assert not np.shares_memory(cleaned, image)
    np.testing.assert_array_equal(image, before)


def test_a_threshold_is_exclusive() -> None:
    mask = threshold_mask(np.uint8([[49, 50, 51]]), 50)
    assert mask.tolist() == [[False, False, True]]
    assert mask.dtype == bool


def test_a_candidate_has_its_own_mask_with_its_holes() -> None:
    mask = np.zeros((60, 80), bool)
    mask[10:40, 20:60] = True
    mask[20:30, 30:50] = False
    mask[23:27, 38:42] = True  # an island in the hole belongs to the region around it
    mask[50:58, 2:30] = True
    found = candidates(mask, 1)
    assert sorted(one.box for one in found) == [(2, 50, 28, 8), (20, 10, 40, 30)]
    ring = next(one for one in found if one.box[0] == 20)
    np.testing.assert_array_equal(ring.mask, mask[10:40, 20:60])


def test_neighbours_in_one_box_stay_apart() -> None:
    mask = np.zeros((40, 40), bool)
    mask[0:40, 0:2] = mask[38:40, 0:40] = True  # an L whose box holds everything
    mask[5:20, 15:30] = True
    found = {one.box: one.mask for one in candidates(mask, 1)}
    assert set(found) == {(0, 0, 40, 40), (15, 5, 15, 15)}
    assert not found[(0, 0, 40, 40)][5:20, 15:30].any()


def test_small_boxes_are_dropped() -> None:
    mask = np.zeros((40, 40), bool)
    mask[0:10, 0:10] = True  # 100 px
    mask[20:31, 20:29] = True  # 99 px
    assert [one.box for one in candidates(mask, 100)] == [(0, 0, 10, 10)]


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1)])
def test_the_smallest_masks_work(shape: tuple[int, int]) -> None:
    assert [one.box for one in candidates(np.ones(shape, bool), 0)] == [(0, 0, shape[1], shape[0])]
    assert candidates(np.zeros(shape, bool), 0) == []


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_candidates_cover_the_mask_exactly(seed: int) -> None:
    mask = heat(60, 70, seed) > 140
    rebuilt = np.zeros_like(mask)
    for one in candidates(mask, 0):
        x, y, w, h = one.box
        for edge in (one.mask[0], one.mask[-1], one.mask[:, 0], one.mask[:, -1]):
            assert edge.any(), "boxes are tight"
        rebuilt[y : y + h, x : x + w] |= one.mask
    np.testing.assert_array_equal(rebuilt, mask)
