"""Photometric normalisation: the light is evened out, and what changed stays changed."""

from __future__ import annotations

import functools

import cv2
import numpy as np
import pytest

from tests.test_difference import picture
from vde_nb import samples
from vde_nb.align import Light, apply_light, estimate_light

NAMES = ("board", "wall", "shelf")


@functools.cache
def sample(name: str) -> samples.SamplePair:
    return samples.load(name)


def shadowed(image: np.ndarray, depth: float = 0.35) -> np.ndarray:
    """A wide shadow from the left; bands of a few hundred pixels."""
    height, width = image.shape[:2]
    x = np.linspace(-1, 1, width)[None, :] + 0.4 * np.linspace(-1, 1, height)[:, None]
    gain = 1 - depth / (1 + np.exp(5 * (x + 0.3)))
    return rounded(image * gain[..., None])


def rounded(levels: np.ndarray) -> np.ndarray:
    return np.clip(levels, 0, 255).round().astype(np.uint8)


def gamma(image: np.ndarray, power: float) -> np.ndarray:
    return rounded(255 * (image / 255) ** power)


LIGHTS = {
    "darker": lambda image: rounded(image * 0.8),
    "brighter": lambda image: rounded(image * 1.2),
    "gamma 0.8": lambda image: gamma(image, 0.8),
    "gamma 1.25": lambda image: gamma(image, 1.25),
    "cast": lambda image: rounded(image * np.array([1.12, 0.98, 0.82]) + np.array([0, 4, 6])),
    "bias": lambda image: rounded(image * 0.9 + 18.0),
    "shadow": shadowed,
    "shadow and cast": lambda image: shadowed(rounded(image * np.array([0.95, 0.9, 1.05])), 0.25),
}


def levelled(reference: np.ndarray, current: np.ndarray, **options: object) -> np.ndarray:
    light = estimate_light(reference, current, **options)  # type: ignore[arg-type]
    return apply_light(current, light, reference)


def gap(one: np.ndarray, other: np.ndarray, where: np.ndarray) -> float:
    return float(np.abs(one.astype(int) - other)[where].mean())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("light", LIGHTS)
def test_the_light_goes_and_the_defects_stay(name: str, light: str) -> None:
    pair = sample(name)
    truth = pair.truth.mask
    near = cv2.dilate(truth.view(np.uint8), np.ones((9, 9), np.uint8)) > 0
    current = LIGHTS[light](pair.current)
    result = levelled(pair.reference, current)
    before, after = gap(pair.reference, current, ~near), gap(pair.reference, result, ~near)
    assert before > 3 and after < before / 3
    kept = gap(pair.reference, result, truth) / gap(pair.reference, pair.current, truth)
    assert kept > 0.7


@pytest.mark.parametrize("name", NAMES)
def test_under_the_same_light_the_very_same_array_comes_back(name: str) -> None:
    pair = sample(name)
    for current in (pair.reference.copy(), pair.reference):
        light = estimate_light(pair.reference, current)
        assert not light.changed and light.note == ""
        assert apply_light(current, light, pair.reference) is current


@pytest.mark.parametrize("name", NAMES)
def test_noise_is_no_light(name: str) -> None:
    reference = sample(name).reference
    grain = np.random.default_rng(0).normal(0, 4, reference.shape)
    current = rounded(reference + grain)
    result = levelled(reference, current)
    everywhere = np.ones(reference.shape[:2], bool)
    assert gap(result, current, everywhere) < 1.0
    assert gap(reference, result, everywhere) < 1.05 * gap(reference, current, everywhere)


def test_a_global_curve_alone_leaves_a_shadow_where_it_is() -> None:
    pair = sample("wall")
    near = cv2.dilate(pair.truth.mask.view(np.uint8), np.ones((9, 9), np.uint8)) > 0
    current = shadowed(pair.current)
    plain = estimate_light(pair.reference, current, local=False)
    assert plain.gain is None
    rest = gap(pair.reference, apply_light(current, plain), ~near)
    assert rest > 2 * gap(pair.reference, levelled(pair.reference, current), ~near)


def test_clipped_highlights_do_not_become_differences() -> None:
    reference = gamma(picture(240, 320, channels=3), 0.7)
    current = rounded(reference * 1.3)
    clipped = (current == 255).any(axis=2) & (reference < 250).any(axis=2)
    assert clipped.mean() > 0.1
    result = levelled(reference, current)
    assert gap(reference, result, clipped) < 8
    assert gap(reference, result, ~clipped) < 4


def test_black_that_was_lifted_does_not_become_a_difference() -> None:
    reference = rounded(picture(240, 320, channels=3).astype(float) * 0.8)
    current = rounded(reference * 1.0 - 25.0)
    crushed = (current == 0).any(axis=2) & (reference > 4).all(axis=2)
    assert crushed.mean() > 0.01
    result = levelled(reference, current)
    assert gap(reference, result, crushed) < 8


def test_a_clipped_defect_stays() -> None:
    reference = gamma(picture(240, 320, channels=3), 0.7)
    current = rounded(reference * 1.3)
    dark = np.zeros(reference.shape[:2], bool)
    dark[100:112, 150:164] = True
    current[dark] = 10
    result = levelled(reference, current)
    assert gap(reference, result, dark) > 0.7 * np.abs(reference[dark].astype(int) - 8).mean()


@pytest.mark.parametrize("name", NAMES)
def test_a_recoloured_object_does_not_bend_the_curve(name: str) -> None:
    reference = sample(name).reference
    height, width = reference.shape[:2]
    current = reference.copy()
    side = round((0.05 * height * width) ** 0.5)
    there = np.zeros((height, width), bool)
    there[100 : 100 + side, 200 : 200 + side] = True
    current[there] = np.clip(current[there] + np.array([70, -30, -50]), 0, 255)
    light = estimate_light(reference, current, local=False)
    result = apply_light(current, light, reference)
    assert gap(reference, result, ~there) < 1.5
    assert gap(reference, result, there) > 0.8 * gap(reference, current, there)


@pytest.mark.parametrize(("ground", "object_"), [(20, 250), (90, 150), (128, 5), (235, 60)])
def test_an_object_on_even_ground_is_no_light(ground: int, object_: int) -> None:
    reference = np.full((200, 300, 3), ground, np.uint8)
    current = reference.copy()
    there = np.zeros((200, 300), bool)
    there[80:120, 100:150] = True  # three per cent
    current[there] = object_
    result = levelled(reference, current)
    assert gap(reference, result, ~there) <= 1.5
    assert gap(reference, result, there) >= 0.7 * gap(reference, current, there)


def test_only_what_is_valid_tells_the_light_and_the_rest_is_the_reference() -> None:
    reference = picture(240, 320, channels=3)
    current = rounded(reference * 0.8)
    current[:, 200:] = 255
    valid = np.zeros((240, 320), bool)
    valid[:, :200] = True
    light = estimate_light(reference, current, valid)
    result = apply_light(current, light, reference, valid)
    assert gap(reference, result, valid) < 2
    np.testing.assert_array_equal(result[~valid], reference[~valid])


@pytest.mark.parametrize("local", [True, False])
@pytest.mark.parametrize("size", [(1, 1), (7, 7), (7, 500), (500, 7), (40, 40)])
def test_tiny_and_even_pictures_are_borne(size: tuple[int, int], local: bool) -> None:
    shape = (*size, 3)
    levels = [np.full(shape, level, np.uint8) for level in (0, 1, 128, 254, 255)]
    levels += [picture(*size, channels=3), np.full(shape, (255, 0, 9), np.uint8)]
    for reference in levels:
        for current in levels:
            with np.errstate(all="raise", under="ignore"):
                for valid in (None, np.zeros(size, bool), np.ones(size, bool)):
                    light = estimate_light(reference, current, valid, local=local)
                    result = apply_light(current, light, reference, valid)
            assert result.shape == shape and result.dtype == np.uint8
            if reference is current or (valid is not None and not valid.any()):
                assert result is current


def test_nothing_valid_tells_nothing() -> None:
    reference = picture(60, 80, channels=3)
    light = estimate_light(reference, rounded(reference * 0.5), np.zeros((60, 80), bool))
    assert not light.changed


def test_bands_and_memory_layout_change_nothing() -> None:
    reference = picture(401, 333, channels=3)
    current = shadowed(rounded(reference * 0.9 + 5.0))
    light = estimate_light(reference, current)
    assert light.curve is not None and light.gain is not None
    whole = apply_light(current, light)
    tall = apply_light(np.ascontiguousarray(np.tile(current, (1, 8, 1))), Light(light.curve))
    np.testing.assert_array_equal(tall[:, :333], apply_light(current, Light(light.curve)))
    np.testing.assert_array_equal(whole, apply_light(current[:, ::-1][:, ::-1], light))
    again = estimate_light(reference, current)
    assert again.gain is not None and again.gain.tobytes() == light.gain.tobytes()


def test_what_was_done_is_told_in_words() -> None:
    reference = picture(240, 320, channels=3)
    darker = estimate_light(reference, rounded(reference * 0.8), local=False)
    assert darker.note == "light: mid-greys are multiplied by 1.25"
    uneven = estimate_light(reference, shadowed(reference))
    assert "uneven light is evened out" in uneven.note
