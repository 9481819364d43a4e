"""Embedded features: what they answer to, what they leave alone, and where they put it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vde_nb import samples
from vde_nb.features.embedded import Embedded

LOCAL = slice(0, 23)  # of the cell itself; the rest is of its surroundings


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    return samples.load("wall").reference[:240, :320]


def apart(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    extract = Embedded()
    return np.linalg.norm(extract(one).values - extract(two).values, axis=2)


def noisy(image: np.ndarray, sigma: float) -> np.ndarray:
    grain = np.random.default_rng(3).normal(0, sigma, image.shape)
    return np.clip(image + grain, 0, 255).round().astype(np.uint8)


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 90))
def test_every_size_has_cells_that_cover_it(height: int, width: int) -> None:
    image = np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)
    found = Embedded()(image)
    rows, columns, size = found.values.shape
    assert (rows, columns, size) == (-(-height // 4), -(-width // 4), 46)
    assert found.shape == (height, width)
    assert found.values.flags.c_contiguous and found.values.dtype == np.float32
    assert np.isfinite(found.values).all()
    assert not found.positional


@pytest.mark.parametrize("side", [1500, 3000])
def test_large_pictures_have_larger_cells(side: int) -> None:
    found = Embedded()(np.zeros((side, side, 3), np.uint8))
    rows, columns, _ = found.values.shape
    assert rows * columns <= 135_000
    assert found.cell == (8.0, 8.0) if side == 1500 else found.cell == (16.0, 16.0)
    assert columns * found.cell[0] >= side


def test_a_changed_place_changes_its_own_cells_and_none_far_away(scene: np.ndarray) -> None:
    changed = scene.copy()
    changed[100:112, 200:216] = (250, 20, 30)
    off = apart(scene, changed)
    row, column = np.unravel_index(off.argmax(), off.shape)
    assert 25 <= row < 28 and 50 <= column < 54
    assert off[25:28, 50:54].min() > 2
    far = np.ones(off.shape, bool)
    far[17:36, 42:62] = False  # filters and surroundings reach 7 cells
    assert off[far].max() == 0


def test_noise_is_little_and_a_change_is_much(scene: np.ndarray) -> None:
    for sigma, most in ((2, 0.45), (5, 1.0)):
        assert np.median(apart(scene, noisy(scene, sigma))) < most
    changed = scene.copy()
    changed[100:140, 200:240] = np.roll(scene, 70, axis=1)[100:140, 200:240] // 2 + 30
    assert np.median(apart(scene, changed)[26:34, 51:59]) > 3


def test_a_line_one_pixel_wide_counts() -> None:
    plain = np.full((120, 160, 3), 140, np.uint8)
    scratched = plain.copy()
    scratched[60, 20:140] = 90
    off = apart(plain, scratched)
    assert off[15, 8:32].min() > 1.5
    assert off[2].max() == 0


def test_light_and_dark_edges_are_different_directions() -> None:
    rising = np.zeros((64, 64, 3), np.uint8)
    rising[:, 32:] = 200
    falling = np.ascontiguousarray(rising[:, ::-1])
    first = 7  # directions follow three colours and four energies
    one, two = (Embedded()(image).values[8, 8, first : first + 8] for image in (rising, falling))
    assert one.argmax() == 0  # towards the right
    assert two.argmax() == 4  # towards the left
    np.testing.assert_allclose(one, np.roll(two, 4), atol=1e-4)


def test_turning_a_picture_turns_its_directions(scene: np.ndarray) -> None:
    turned = np.ascontiguousarray(np.rot90(scene, -1))  # clockwise: right becomes down
    one, two = Embedded()(scene).values, Embedded()(turned).values
    back = np.rot90(two, 1)
    np.testing.assert_allclose(one[8:-8, 8:-8, :7], back[8:-8, 8:-8, :7], atol=0.02)
    np.testing.assert_allclose(
        one[8:-8, 8:-8, 7:15], np.roll(back[8:-8, 8:-8, 7:15], -2, axis=2), atol=0.02
    )


def test_half_the_light_is_much_unless_light_is_left_out(scene: np.ndarray) -> None:
    extract = Embedded()
    dark = (scene * 0.6).astype(np.uint8)
    one, two = extract(scene), extract(dark)
    plain = np.linalg.norm(one.values - two.values, axis=2)
    without = np.linalg.norm(
        extract.without_light(one).values - extract.without_light(two).values, axis=2
    )
    assert np.median(plain) > 5
    assert np.median(without) < 0.12 * np.median(plain)


def test_without_light_another_colour_still_counts(scene: np.ndarray) -> None:
    extract = Embedded()
    changed = scene.copy()
    changed[100:140, 200:240, 0] //= 3
    one, two = (extract.without_light(extract(image)) for image in (scene, changed))
    off = np.linalg.norm(one.values - two.values, axis=2)
    assert off[27:33, 52:58].min() > 1
    assert one.cell == (4.0, 4.0) and one.shape == scene.shape[:2]


def test_pictures_can_be_compared_whatever_else_they_show(scene: np.ndarray) -> None:
    other = scene.copy()
    other[:, 160:] = 255 - other[:, 160:]
    same = slice(0, 30)  # columns that no filter of the other half reaches
    one, two = (Embedded()(image).values[:, same] for image in (scene, other))
    np.testing.assert_array_equal(one, two)


def test_threads_change_nothing(scene: np.ndarray) -> None:
    large = cv2.resize(scene, (1280, 960))  # large enough to be cut in bands on several threads
    tile = np.ascontiguousarray(large[:384])  # and small enough not to be
    np.testing.assert_array_equal(Embedded()(large).values[:80], Embedded()(tile).values[:80])
