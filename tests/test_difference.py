"""Difference maps against scikit-image, against each other, and at the edges."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from vde_nb.compare import compare
from vde_nb.difference import (
    _implementation,
    absolute,
    fuse,
    pixel_maps,
    prepare_kernel,
    ssim,
    ssim_heat,
)
from vde_nb.errors import ImageError, MissingExtraError, SettingError

IMPLEMENTATIONS = ["opencv", "numba"] if prepare_kernel() else ["opencv"]


def picture(height: int, width: int, seed: int = 0, channels: int = 0) -> np.ndarray:
    """Smooth structure with grain: high and low variance, dark and bright."""
    rng = np.random.default_rng(seed)
    shape = (height, width, channels) if channels else (height, width)
    coarse = rng.integers(0, 256, (-(-height // 16), -(-width // 16), *shape[2:])).astype(np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(int)
    return np.clip(smooth + rng.integers(-4, 5, shape), 0, 255).astype(np.uint8)


def changed(image: np.ndarray, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    other = image.copy()
    h, w = image.shape[0] // 3 + 1, image.shape[1] // 3 + 1
    other[h : 2 * h, w : 2 * w] = 255 - other[h : 2 * h, w : 2 * w]
    noise = rng.integers(-2, 3, image.shape)
    return np.clip(other.astype(int) + noise, 0, 255).astype(np.uint8)


def skimage_map(a: np.ndarray, b: np.ndarray) -> tuple[float, np.ndarray]:
    with np.errstate(all="ignore"):
        score, full = structural_similarity(a, b, full=True)
    return float(score), full


# 128 is the height of a band, 1024 the width of a tile of the kernel
@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize(
    "shape",
    [
        (7, 7),
        (7, 300),
        (300, 7),
        (8, 1031),
        (127, 90),
        (128, 90),
        (129, 90),
        (131, 1030),
        (700, 900),
    ],
)
def test_score_and_map_are_those_of_scikit_image(
    shape: tuple[int, int], implementation: str
) -> None:
    a = picture(*shape)
    b = changed(a)
    score, full = skimage_map(a, b)
    ours = ssim(a, b, implementation=implementation)
    assert ours.score == pytest.approx(score, abs=1e-9)
    assert np.abs(ours.difference - (1 - full)).max() < 1e-6
    assert ours.difference.dtype == np.float32


@pytest.mark.skipif("numba" not in IMPLEMENTATIONS, reason="numba is not installed")
@given(st.integers(7, 300), st.integers(7, 300), st.integers(0, 2**32 - 1), st.sampled_from([0, 3]))
@settings(max_examples=40, deadline=None)
def test_both_implementations_give_the_same_bits(
    height: int, width: int, seed: int, channels: int
) -> None:
    rng = np.random.default_rng(seed)
    shape = (height, width, channels) if channels else (height, width)
    a = rng.integers(0, 256, shape).astype(np.uint8)
    b = a if seed % 7 == 0 else rng.integers(0, 256, shape).astype(np.uint8)
    for overflow in ("saturate", "wrap"):
        results = [
            pixel_maps(
                a,
                b,
                ssim=True,
                exact=True,
                absolute=True,
                overflow=overflow,
                colour=("grey", "absolute", "channels")[seed % 3],
                implementation=implementation,
            )
            for implementation in ("opencv", "numba")
        ]
        assert results[0].score == results[1].score
        for name in ("ssim", "exact", "absolute"):
            np.testing.assert_array_equal(getattr(results[0], name), getattr(results[1], name))


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("value", [None, 0, 7, 255])
def test_identical_pictures_differ_by_exactly_nothing(
    value: int | None, implementation: str
) -> None:
    a = picture(200, 300) if value is None else np.full((200, 300), value, np.uint8)
    with np.errstate(all="raise"):
        same = ssim(a, a.copy(), implementation=implementation)
    assert same.score == 1.0
    assert same.difference.max() == 0.0
    assert not absolute(a, a.copy()).any()


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_the_published_cast_is_reproduced_bit_for_bit(implementation: str) -> None:
    a = picture(400, 500)
    b = changed(a)
    _, full = skimage_map(a, b)
    published = ((1 - full) * 255).astype("uint8")
    assert ((1 - full) * 255 > 256).any(), "the pair must have inverted structure to prove this"
    _, wrapped = ssim_heat(a, b, overflow="wrap", implementation=implementation)
    np.testing.assert_array_equal(wrapped, published)
    _, saturated = ssim_heat(a, b, implementation=implementation)
    np.testing.assert_array_equal(saturated, np.minimum((1 - full) * 255, 255).astype("uint8"))
    assert saturated[wrapped != saturated].min() == 255


def test_inverted_structure_is_as_different_as_can_be() -> None:
    board = np.kron(np.indices((20, 20)).sum(0) % 2, np.ones((3, 3))).astype(np.uint8) * 255
    _, heat = ssim_heat(board, 255 - board)
    assert heat.min() == 255


def test_colour_differences_are_seen_per_channel_and_not_in_grey() -> None:
    a = np.full((40, 40, 3), 100, np.uint8)
    b = a.copy()
    b[10:30, 10:30] = (130, 85, 98)  # the same luma
    assert absolute(a, b).max() <= 1
    assert absolute(a, b, colour="channels").max() == 30
    mixed = pixel_maps(a, b, absolute=True, ssim=True, colour="absolute")
    np.testing.assert_array_equal(mixed.absolute, absolute(a, b, colour="channels"))
    np.testing.assert_array_equal(mixed.ssim, ssim_heat(a, b)[1])
    assert ssim(a, b, colour="channels").difference.max() > ssim(a, b).difference.max()


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_the_score_of_channels_is_scikit_images(implementation: str) -> None:
    a = picture(150, 200, channels=3)
    b = changed(a)
    score, full = structural_similarity(a, b, full=True, channel_axis=2)
    ours = ssim(a, b, colour="channels", implementation=implementation)
    assert ours.score == pytest.approx(float(score), abs=1e-9)
    assert np.abs(ours.difference - (1 - full).max(axis=2)).max() < 1e-6


def test_grey_is_opencvs_luma() -> None:
    a, b = picture(300, 200, channels=3), picture(300, 200, seed=5, channels=3)
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (a, b)]
    np.testing.assert_array_equal(absolute(a, b), cv2.absdiff(*grey))
    assert ssim(a, b).score == ssim(*grey).score


def test_many_threads_get_the_same_answer() -> None:
    a = picture(900, 700)
    b = changed(a)
    expected = ssim(a, b, implementation="opencv")
    with ThreadPoolExecutor(8) as pool:
        for result in pool.map(lambda _: ssim(a, b, implementation="opencv"), range(16)):
            assert result.score == expected.score
            np.testing.assert_array_equal(result.difference, expected.difference)


def test_inputs_may_be_views_and_read_only() -> None:
    whole = picture(300, 400, channels=3)
    a, b = whole[10:200, 20:300], changed(whole)[10:200, 20:300]
    for image in (a, b):
        image.flags.writeable = False
    assert ssim(a, b).score == ssim(a.copy(), b.copy()).score


@given(st.integers(0, 255), st.integers(0, 255), st.floats(0, 1))
def test_fusion_is_the_weighted_mean(first: int, second: int, weight: float) -> None:
    a, b = np.full((2, 3), first, np.uint8), np.full((2, 3), second, np.uint8)
    fused = fuse(a, b, weight)
    assert abs(float(fused[0, 0]) - (weight * second + (1 - weight) * first)) <= 0.51


def test_fusion_of_a_large_map_is_opencvs_bit_for_bit() -> None:
    a, b = picture(1100, 900), picture(1100, 900, seed=3)
    np.testing.assert_array_equal(fuse(a, b, 0.3), cv2.addWeighted(a, 0.7, b, 0.3, 0))


@pytest.mark.parametrize("shape", [(1, 1), (6, 6), (6, 100), (100, 3)])
def test_pictures_smaller_than_the_window_are_refused_in_words(shape: tuple[int, int]) -> None:
    a = np.zeros(shape, np.uint8)
    with pytest.raises(ImageError, match=rf"{shape[1]}\u00d7{shape[0]} pixels, smaller than"):
        ssim(a, a)
    assert absolute(a, a).shape == shape  # needs no window


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (np.zeros((9, 9)), np.zeros((9, 9), np.uint8), "reference has .*float64"),
        (np.zeros((9, 9), np.uint8), np.zeros((9, 9, 4), np.uint8), r"current .* \(9, 9, 4\)"),
        (np.zeros((9, 9), np.uint8), np.zeros((9, 8), np.uint8), "same shape"),
    ],
)
def test_wrong_arrays_are_refused_in_words(a: np.ndarray, b: np.ndarray, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        ssim(a, b)


def test_wrong_options_are_refused() -> None:
    a = picture(9, 9)
    with pytest.raises(SettingError, match=r"colour='sepia'"):
        absolute(a, a, colour="sepia")
    with pytest.raises(SettingError, match="implementation='fortran'"):
        ssim(a, a, implementation="fortran")
    with pytest.raises(SettingError, match="overflow='bend'"):
        ssim_heat(a, a, overflow="bend")
    with pytest.raises(SettingError, match=r"weight=1\.5"):
        fuse(a, a, 1.5)
    with pytest.raises(ImageError, match="differ in shape"):
        fuse(a, a[:5])


def run_python(code: str) -> str:
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


PAIR = """
import sys, numpy as np
rng = np.random.default_rng(0)
a = rng.integers(0, 256, (1100, 1000)).astype(np.uint8); b = 255 - a
from vde_nb.difference import ssim, kernel_state, _implementation
first = ssim(a, b)
"""


def test_a_first_call_never_waits_for_the_compiler() -> None:
    out = run_python(PAIR + "print('numba' in sys.modules, _implementation._thread)")
    assert out == "False None"


@pytest.mark.skipif("numba" not in IMPLEMENTATIONS, reason="numba is not installed")
def test_the_kernel_comes_in_behind_a_second_large_call() -> None:
    code = PAIR + (
        "second = ssim(a, b); _implementation._thread.join(); third = ssim(a, b)\n"
        "print(kernel_state(), _implementation.choose('auto', 1).__module__)\n"
        "assert first.score == second.score == third.score\n"
        "assert (first.difference == third.difference).all()"
    )
    assert run_python(code) == "ready vde_nb.difference._kernel"


def test_ending_while_the_kernel_loads_is_clean() -> None:
    assert run_python(PAIR + "ssim(a, b); print('over')") == "over"


def test_without_numba_the_words_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_implementation, "_kernel", None)
    monkeypatch.setattr(_implementation.importlib.util, "find_spec", lambda name: None)
    assert prepare_kernel() is False
    assert "pip install 'vde-nb[fast]'" in _implementation.kernel_state()
    a = picture(9, 9)
    with pytest.raises(MissingExtraError, match=r"vde-nb\[fast\]"):
        ssim(a, a, implementation="numba")


def test_a_kernel_that_fails_to_load_is_said_and_done_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_implementation, "_kernel", None)
    monkeypatch.setattr(_implementation, "_thread", None)
    monkeypatch.setattr(_implementation, "_failure", None)
    monkeypatch.setitem(sys.modules, "vde_nb.difference._kernel", None)  # importing it fails
    assert prepare_kernel() is False
    assert "failed to load" in _implementation.kernel_state()
    a = picture(9, 9)
    assert ssim(a, a).score == 1.0
    assert any("kernel failed to load" in note for note in compare(a, a).notes)


def test_the_tyre_has_its_published_score(data: Path) -> None:
    colour = [
        cv2.imread(str(data / "tyre" / name))[:, :, ::-1]
        for name in ("race_car_tire_1.jpeg", "race_car_tire_1_anomaly.jpeg")
    ]
    for implementation in IMPLEMENTATIONS:
        assert ssim(*colour, implementation=implementation).score == pytest.approx(
            0.9942320849813889, abs=1e-12
        )
