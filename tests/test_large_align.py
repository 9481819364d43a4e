"""Large pictures are registered and levelled in bands, within the memory that is allowed.

What counts as large is made small here, so that ordinary pictures go the way of large ones.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vde_nb import samples
from vde_nb._buffers import limited
from vde_nb.align import (
    Prepared,
    Registration,
    _levels,
    _search,
    apply_light,
    estimate_light,
    prepare,
    register,
    registration,
)
from vde_nb.align._warp import shifted, warp
from vde_nb.settings import AlignSettings
from vde_nb.stages import Staged, Stages

WIDE, HIGH = 800, 600


@pytest.fixture
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it, and pictures of a few rows are large."""

    def begin() -> None:
        monkeypatch.setattr(_levels, "LARGE", 1000)
        monkeypatch.setattr(_levels, "_BAND", 20 * WIDE)
        monkeypatch.setattr(_search, "_BAND", 50 * WIDE)
        monkeypatch.setattr(registration, "_MOST_PLACES", 13 * WIDE)

    return begin


def moved(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """The board, and the board as another photograph shows it."""
    pair = samples.load("board")
    reference, current = pair.reference, pair.current
    rng = np.random.default_rng(3)
    grain = rng.integers(0, 6, current.shape, dtype=np.uint8)
    if kind == "same pixels":
        return reference, current
    if kind == "nothing":
        return reference, reference.copy()
    if kind == "whole pixels":
        return reference, np.roll(cv2.add(current, grain), (5, -7), (0, 1))
    if kind == "affine":
        matrix = cv2.getRotationMatrix2D((WIDE / 2, HIGH / 2), 0.8, 1.004)
        matrix[:, 2] += 3.3, -2.6
        turned = cv2.warpAffine(
            current, matrix, (WIDE, HIGH), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )
        return reference, cv2.add(cv2.convertScaleAbs(turned, alpha=0.9, beta=9), grain)
    assert kind == "strangers"
    return reference, samples.load("wall").reference[:HIGH, :WIDE]


KINDS = ("same pixels", "nothing", "whole pixels", "affine", "strangers")


def alike(one: Registration, other: Registration) -> bool:
    flows = (one.flow, other.flow)
    return (
        np.array_equal(one.current, other.current)
        and np.array_equal(one.valid, other.valid)
        and np.array_equal(one.matrix, other.matrix)
        and (flows == (None, None) or np.array_equal(*flows))
        and (one.model, one.notes, one.confidence) == (other.model, other.notes, other.confidence)
        and one.residual_after == other.residual_after
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_picture_is_registered_as_a_small_one_is(
    kind: str, small_is_large: Callable[[], None]
) -> None:
    reference, current = moved(kind)
    if current.shape != reference.shape:
        current = cv2.resize(current, (WIDE, HIGH))
    small = register(reference, current)
    small_is_large()
    large = register(reference, current)
    assert alike(small, large)
    assert small.moved == (kind in ("whole pixels", "affine"))


def test_a_padded_large_picture_is_registered_as_a_small_one_is(
    small_is_large: Callable[[], None],
) -> None:
    reference, current = moved("affine")
    box = (37, 0, WIDE - 80, HIGH)
    small = register(reference, current, valid=box)
    small_is_large()
    assert alike(small, register(reference, current, valid=box))


def test_the_valid_part_of_a_large_picture_that_did_not_move_takes_no_memory(
    small_is_large: Callable[[], None],
) -> None:
    reference, current = moved("same pixels")
    small_is_large()
    valid = register(reference, current).valid
    assert valid.shape == (HIGH, WIDE)
    assert valid.strides == (0, 0)
    assert valid.all()


@settings(max_examples=20, deadline=None)
@given(
    high=st.integers(20, 90),
    wide=st.integers(20, 90),
    factor=st.integers(1, 9),
    band=st.integers(1, 900),
)
def test_greys_are_reduced_in_bands_to_the_last_bit(
    high: int, wide: int, factor: int, band: int
) -> None:
    picture = np.random.default_rng(high * wide).integers(0, 256, (high, wide, 3), dtype=np.uint8)
    whole = _levels.Greys(picture).reduced(factor)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_levels, "LARGE", 1)
        patch.setattr(_levels, "_BAND", band)
        in_bands = _levels.Greys(picture).reduced(factor)
    assert np.array_equal(whole, in_bands)


@pytest.mark.parametrize("kind", ["affine", "whole pixels"])
def test_a_mask_goes_to_the_current_picture_in_bands(
    kind: str, small_is_large: Callable[[], None]
) -> None:
    reference, current = moved(kind)
    found = register(reference, current)
    mask = np.random.default_rng(1).random((HIGH, WIDE)) > 0.5
    whole = found.to_current(mask)
    small_is_large()
    assert np.array_equal(whole, found.to_current(mask))


def test_light_is_estimated_alike_where_much_is_not_valid(
    small_is_large: Callable[[], None],
) -> None:
    reference, current = moved("affine")
    valid = np.ones((HIGH, WIDE), np.bool_)
    valid[:, :200] = valid[100:140] = False
    current = current.copy()
    current[~valid] = reference[~valid] // 3  # says the opposite, and has no say
    small = estimate_light(reference, current, valid)
    levelled = apply_light(current, small, reference, valid)
    small_is_large()
    large = estimate_light(reference, current, valid)
    assert small.curve is not None and large.curve is not None
    # Which pixels of the small copy are wholly valid may differ at the border of what is not.
    assert np.abs(small.curve.astype(int) - large.curve).max() <= 1
    apart = cv2.absdiff(levelled, apply_light(current, large, reference, valid))
    assert apart.max() <= 2


# Longer than OpenCV takes -------------------------------------------------------------------------


def test_a_panorama_longer_than_32767_pixels_is_interpolated_like_any_other() -> None:
    rng = np.random.default_rng(0)
    reference = rng.integers(0, 256, (48, 41_000, 3), dtype=np.uint8)
    current = rng.integers(0, 256, (48, 41_000, 3), dtype=np.uint8)
    matrix = np.array([[1, 0, 5.5], [0, 1, -2.25], [0, 0, 1.0]])
    whole, shown = warp(reference, current, matrix, None, 1, (0, 0, 41_000, 48))
    # the same in parts of a size that is taken
    for left in (0, 17_000, 29_000):
        part = np.s_[:, left : left + 12_000]
        expected, where = warp(reference[part], current[part], matrix, None, 1, (0, 0, 12_000, 48))
        inner = np.s_[:, 10:-10]
        assert np.array_equal(whole[part][inner], expected[inner])
        assert np.array_equal(shown[part][inner], where[inner])


def test_a_long_picture_is_turned_in_pieces_as_it_is_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reference, current = moved("affine")
    matrix = np.array([[0.99, 0.03, -12.4], [-0.03, 1.01, 20.7], [1e-6, 0, 1.0]])
    box = (0, 0, WIDE, HIGH)
    whole = warp(reference, current, matrix, None, 1, box)
    monkeypatch.setattr("vde_nb.align._warp._LONGEST", 500)
    monkeypatch.setattr("vde_nb.align._warp._PIECE", 100)
    pieces = warp(reference, current, matrix, None, 1, box)
    assert all(np.array_equal(one, other) for one, other in zip(whole, pieces, strict=True))


@pytest.mark.parametrize("by", [(0, 0), (5, -3), (-900, 0), (0, 700), (-3, 599)])
def test_whole_pixels_are_copied_in_bands(by: tuple[int, int]) -> None:
    reference, current = moved("whole pixels")
    box = (10, 20, 700, 500)
    picture, valid = shifted(reference, current, *by, box)
    y, x = np.mgrid[:HIGH, :WIDE]
    across, down = x + by[0], y + by[1]
    inside = (across >= 10) & (across < 710) & (down >= 20) & (down < 520)
    assert np.array_equal(valid, inside)
    expected = reference.copy()
    expected[inside] = current[down[inside], across[inside]]
    assert np.array_equal(picture, expected)


# Memory -------------------------------------------------------------------------------------------


def prepared(reference: np.ndarray, current: np.ndarray, ignore: bool) -> Prepared:
    left_out = np.zeros(reference.shape[:2], np.bool_)
    left_out[100:300, 100:700] = True
    return prepare(
        Staged(reference, None),
        Staged(current, None),
        (0, 0, reference.shape[1] - 30, reference.shape[0]),
        Staged(left_out, None) if ignore else None,
        AlignSettings(align="auto", normalise="local"),
        Stages(None),
    )


@pytest.mark.parametrize("ignore", [False, True])
def test_under_a_small_limit_of_memory_everything_is_the_same(ignore: bool) -> None:
    reference, current = (cv2.resize(one, (1700, 1300)) for one in moved("affine"))
    usual = prepared(reference, current, ignore)
    with limited(8) as budget:
        tight = prepared(reference, current, ignore)
        assert budget.mapped > 6_000_000
        assert budget.used <= 6 * 2**20
        for name in ("current", "levelled", "valid"):
            one, other = getattr(usual, name).value, getattr(tight, name).value
            assert np.array_equal(one, other)
    assert usual.notes == tight.notes


def test_what_is_ignored_is_filled_in_the_only_copy_of_a_large_picture(
    small_is_large: Callable[[], None],
) -> None:
    reference, current = moved("affine")
    usual = prepared(reference, current, ignore=True)
    small_is_large()
    large = prepared(reference, current, ignore=True)
    assert np.array_equal(usual.current.value, large.current.value)
    assert large.registration is not None
    assert large.registration.current is large.current.value
