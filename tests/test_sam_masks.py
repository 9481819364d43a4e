"""Masks of models: upsampled as upstream does it, inside a frame only, and without crumbs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vde_nb.segment._backend import Fit
from vde_nb.segment._masks import Grid, stability_scores, tidied, tight_mask, upsampled


def logits_of(cells: int, seed: int = 0, smooth: int = 6) -> np.ndarray:
    """Blobs of logits between about -20 and 20."""
    rng = np.random.default_rng(seed)
    small = rng.normal(0, 10, (cells // smooth + 1, cells // smooth + 1)).astype(np.float32)
    return np.kron(small, np.ones((smooth, smooth), np.float32))[:cells, :cells]


def longest(height: int, width: int, cells: int = 256, side: int = 1024) -> Grid:
    scale = side / max(height, width)
    inner_h, inner_w = max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))
    return Grid(cells, width, height, side, inner_w, inner_h)


def upstream(logits: np.ndarray, grid: Grid) -> np.ndarray:
    """What segment-anything and transformers compute, for the whole picture."""
    torch = pytest.importorskip("torch")
    interpolate = torch.nn.functional.interpolate
    tensor = torch.from_numpy(logits)[None, None]
    if grid.side:
        size = (grid.side, grid.side)
        tensor = interpolate(tensor, size, mode="bilinear", align_corners=False)
        tensor = tensor[..., : grid.inner_height, : grid.inner_width]
    size = (grid.height, grid.width)
    return interpolate(tensor, size, mode="bilinear", align_corners=False)[0, 0].numpy()


GRIDS = [
    longest(8, 8),
    longest(1, 700),
    longest(457, 301),
    longest(333, 1999),
    longest(1500, 1111),
    longest(1024, 1024),
    longest(97, 61, 64, 256),
    Grid(256, 8, 9),
    Grid(256, 1111, 457),
    Grid(256, 1999, 333),
    Grid(288, 733, 1009),
]


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_the_two_matrices_interpolate_exactly_as_upstream_does(grid: Grid) -> None:
    logits = logits_of(grid.cells, 1)
    expected = upstream(logits, grid)
    found = upsampled(logits, grid, (0, 0, grid.width, grid.height))
    assert np.abs(found - expected).max() < 1e-4
    disagree = np.count_nonzero((found > 0) != (expected > 0))
    assert disagree <= 1e-5 * expected.size


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_frame_of_the_mask_is_that_part_of_the_whole_mask(data: st.DataObject) -> None:
    grid = data.draw(st.sampled_from([longest(97, 61, 64, 256), Grid(64, 61, 97), longest(9, 120)]))
    logits = logits_of(grid.cells, data.draw(st.integers(0, 5)), 8)
    values = upsampled(logits, grid, (0, 0, grid.width, grid.height))
    whole = values > 0
    # A product of matrices is rounded differently where it is a part of a larger one.
    is_rounding = np.abs(values) < 1e-5
    x, y = data.draw(st.integers(-9, grid.width)), data.draw(st.integers(-9, grid.height))
    w, h = data.draw(st.integers(1, grid.width + 9)), data.draw(st.integers(1, grid.height + 9))
    (left, top, wide, high), mask = tight_mask(logits, grid, (x, y, w, h))
    expected = np.zeros_like(whole)
    part = np.s_[max(0, y) : max(0, y + h), max(0, x) : max(0, x + w)]
    expected[part] = whole[part]
    found = np.zeros_like(whole)
    found[top : top + high, left : left + wide] = mask
    np.testing.assert_array_equal(found | is_rounding, expected | is_rounding)
    assert mask.shape == (high, wide)
    if mask.any():
        assert mask[[0, -1]].any(axis=1).all() and mask[:, [0, -1]].any(axis=0).all(), "not tight"
    else:
        assert wide * high == 0


def test_a_screw_on_a_48_megapixel_picture_costs_no_picture_sized_array(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import tracemalloc

    grid = longest(6000, 8000)
    logits = np.full((256, 256), -5, np.float32)
    logits[100:103, 60:62] = 5
    tight_mask(logits, grid, (0, 0, 8000, 6000))
    tracemalloc.start()
    box, mask = tight_mask(logits, grid, (0, 0, 8000, 6000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert mask.size < 20_000 and box[2] < 100
    assert peak < 40e6  # the two matrices of weights; the picture's logits would be 192 MB


def test_a_mask_all_over_a_large_picture_is_made_in_bands() -> None:
    logits = np.ones((256, 256), np.float32)
    box, mask = tight_mask(logits, longest(3000, 4000), (0, 0, 4000, 3000))
    assert box == (0, 0, 4000, 3000) and mask.all()


def test_logits_that_are_not_numbers_make_no_mask() -> None:
    logits = np.full((64, 64), np.nan, np.float32)
    box, mask = tight_mask(logits, Grid(64, 100, 80), (10, 10, 50, 50))
    assert box[2:] == (0, 0) and mask.size == 0
    assert stability_scores(logits[None], Grid(64, 100, 80))[0] == 0


def test_the_stability_score_is_metas_and_ignores_the_padding() -> None:
    logits = np.zeros((1, 64, 64), np.float32) - 5
    logits[0, 10:20, 10:20] = 0.5
    logits[0, 12:18, 12:18] = 3
    logits[0, 40:] = 9  # below a picture twice as wide as high there is padding
    score = stability_scores(logits, longest(50, 100, 64, 256))
    assert score == pytest.approx([36 / 100])
    torch = pytest.importorskip("torch")
    amg = pytest.importorskip("segment_anything.utils.amg")
    theirs = amg.calculate_stability_score(torch.from_numpy(logits[:, :32]), 0.0, 1.0)
    assert score == pytest.approx(theirs.numpy())


def ring_with_crumbs() -> np.ndarray:
    mask = np.zeros((60, 80), bool)
    mask[5:45, 5:45] = True
    mask[10:12, 10:12] = False  # a pinhole
    mask[20:35, 20:35] = False  # a hole that is meant
    mask[50:53, 60:63] = True  # a crumb
    mask[50:58, 5:30] = True  # a second piece
    return mask


def test_crumbs_and_pinholes_go_and_what_is_meant_stays() -> None:
    mask = ring_with_crumbs()
    expected = mask.copy()
    expected[10:12, 10:12] = True
    expected[50:53, 60:63] = False
    np.testing.assert_array_equal(tidied(mask, 0.02), expected)


def test_a_crumb_with_a_positive_point_stays_and_a_hole_with_a_negative_one_stays_open() -> None:
    mask = ring_with_crumbs()
    np.testing.assert_array_equal(tidied(mask, 0.02, [(61, 51)], [(10, 10)]), mask)
    # Points elsewhere, or outside of the mask, change nothing.
    np.testing.assert_array_equal(
        tidied(mask, 0.02, [(70, 5), (-3, 200)], [(61, 51)]), tidied(mask, 0.02)
    )


def test_the_largest_piece_always_stays_and_a_bay_at_the_frame_is_no_hole() -> None:
    mask = ring_with_crumbs()
    only = tidied(mask, 1.0)
    assert only[5:45, 5:45].all() and not only[50:].any()
    bay = np.ones((20, 20), bool)
    bay[0:2, 8:10] = False
    np.testing.assert_array_equal(tidied(bay, 0.5), bay)
    assert tidied(mask, 0.0) is mask
    assert not tidied(np.zeros((5, 5), bool), 0.1).any()


def test_pieces_that_touch_over_a_corner_are_one_and_their_gap_is_no_hole() -> None:
    mask = np.zeros((40, 40), bool)
    mask[:20, :20] = True
    mask[20:22, 20:22] = True
    np.testing.assert_array_equal(tidied(mask, 0.5), mask)


def test_the_grid_of_a_fit_is_the_one_of_its_family() -> None:
    from tests.fake_sam import FakeBackend
    from vde_nb.segment._embedded import Embedded, grid_of

    embedded = Embedded("k", (5, 6, 300, 200), Fit(1, 1, 1024, 683), {}, "encoded")
    assert grid_of(FakeBackend(), embedded) == Grid(256, 300, 200, 1024, 1024, 683)
    assert grid_of(FakeBackend(squash=True), embedded) == Grid(256, 300, 200)
