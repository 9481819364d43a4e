"""compare(): stages, memory of what was done, bad input, and real pictures."""

from __future__ import annotations

import itertools
import os
import pickle
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import vde_nb as vde
from tests.test_difference import changed, picture
from vde_nb import _bands
from vde_nb.compare import compare
from vde_nb.errors import ImageError, SettingError
from vde_nb.images import load_pair
from vde_nb.stages import StageCache, shared_cache

UI = [
    ("1a", "1b"),
    ("3a", "3b"),
    ("4a", "4b"),
    ("5a", "5b"),
    ("6a", "6b"),
    ("7a", "7b"),
    ("antialiasing-off", "antialiasing-on"),
    ("extreme-alpha", "extreme-alpha-1"),
    ("orange", "orange_changed"),
    ("tiger", "tiger-2"),
    ("www.cypress.io", "www.cypress.io-1"),
]


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    reference = picture(300, 400, channels=3)
    current = reference.copy()
    cv2.circle(current, (100, 80), 12, (250, 30, 20), -1)
    current[200:240, 300:380] = 255 - current[200:240, 300:380]
    return reference, current


def test_the_package_shows_the_functions_and_not_the_modules() -> None:
    assert vde.compare is compare
    import vde_nb.compare
    import vde_nb.methods  # noqa: F401

    assert callable(vde.compare) and callable(vde.methods)
    assert set(dir(vde)) == set(vde.__all__)
    assert [row["name"] for row in vde.methods()] == ["hybrid", "multi_fusion", "ensemble"]
    assert {row["name"]: row["ready"] for row in vde.segmenters()} == {
        "graphcut": True,
        "none": True,
    }


def test_a_moved_threshold_computes_only_what_lies_behind_it(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    cache = StageCache()
    first = compare(*pair, cache=cache)
    assert all(first.timings[name] > 0 for name in ("difference", "fusion", "cleaning"))
    for second in (compare(*pair, threshold=90, cache=cache), first.again(threshold=90)):
        for name in ("difference", "fusion", "cleaning"):
            assert second.timings[name] == 0.0
        assert second.settings.detect.threshold == 90
        assert second.change_score_percent < first.change_score_percent
    assert first.again(threshold=50).timings["segmentation"] == 0.0


def test_every_path_through_the_cache_gives_what_a_fresh_run_gives(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    cache = StageCache()
    for method, threshold, weight, colour in itertools.product(
        ("hybrid", "multi_fusion"), (40, 90), (0.2, 0.8), ("grey", "absolute")
    ):
        options = {
            "method": method,
            "threshold": threshold,
            "ssim_weight": weight,
            "colour": colour,
        }
        warm, cold = compare(*pair, cache=cache, **options), compare(*pair, cache=None, **options)
        np.testing.assert_array_equal(warm.heatmap, cold.heatmap)
        assert [one.box for one in warm.anomalies] == [one.box for one in cold.anomalies]


def test_an_array_changed_in_place_is_seen(pair: tuple[np.ndarray, np.ndarray]) -> None:
    reference, current = pair
    cache = StageCache()
    before = compare(reference, current, cache=cache)
    current[:] = reference
    assert before.anomalies and not compare(reference, current, cache=cache).anomalies


def test_a_file_changed_on_disk_is_read_again_and_an_unchanged_one_is_not(
    pair: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    cache = StageCache()
    paths = tmp_path / "reference.png", tmp_path / "current.png"
    for path, image in zip(paths, pair, strict=True):
        cv2.imwrite(str(path), image[:, :, ::-1])
    assert compare(*paths, cache=cache).timings["images"] > 0
    assert compare(*paths, cache=cache).timings["images"] > 0, "too young to be trusted"
    for path in paths:
        os.utime(path, (1e9, 1e9))
    assert compare(*paths, cache=cache).timings["images"] > 0
    assert compare(*paths, threshold=60, cache=cache).timings["images"] == 0.0
    cv2.imwrite(str(paths[1]), pair[0][:, :, ::-1])
    assert not compare(*paths, cache=cache).anomalies


def test_results_are_read_only_because_others_may_share_them(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    for cache in (StageCache(), None):
        result = compare(*pair, cache=cache)
        for array in (result.heatmap, result.clean_heatmap, result.mask, result.reference):
            with pytest.raises(ValueError, match="read-only"):
                array[0, 0] = 1
        with pytest.raises(ValueError, match="read-only"):
            result.anomalies[0].outline[0, 0] = True
    assert pair[0].flags.writeable, "the user's own array stays as it was"


def test_again_on_a_changed_array_poisons_nothing(pair: tuple[np.ndarray, np.ndarray]) -> None:
    reference, current = pair
    cache = StageCache()
    mine = current.copy()
    first = compare(reference, mine, cache=cache)
    mine[:] = reference
    first.again(colour="channels")
    other = compare(reference, current, cache=cache, colour="channels")
    fresh = compare(reference, current, cache=None, colour="channels")
    assert [one.box for one in other.anomalies] == [one.box for one in fresh.anomalies] != []


def test_what_one_pair_keeps_for_itself_no_later_pair_finds() -> None:
    reference = picture(100, 120, channels=3)
    pairs = [load_pair(reference, reference) for _ in range(3)]
    assert len({pair.token for pair in pairs}) == 3
    tokens = [load_pair(reference, reference).token for _ in range(50)]  # the pairs are gone
    assert len(set(tokens)) == 50


def test_a_result_can_be_sent_to_another_process(pair: tuple[np.ndarray, np.ndarray]) -> None:
    for cache in (StageCache(), shared_cache):
        result = compare(*pair, cache=cache)
        back = pickle.loads(pickle.dumps(result))
        assert repr(back) == repr(result)
        np.testing.assert_array_equal(back.heatmap, result.heatmap)
        assert len(back.again(threshold=60).anomalies) == len(result.again(threshold=60).anomalies)


def test_settings_without_effect_are_noted(pair: tuple[np.ndarray, np.ndarray]) -> None:
    result = compare(*pair, method="multi_fusion", threshold=60)
    assert "threshold is not used by multi_fusion." in result.notes
    assert "clusters is not used by hybrid." in compare(*pair).again(clusters=3).notes
    assert not any("not used" in note for note in compare(*pair, threshold=60).notes)
    with pytest.raises(SettingError, match="how files are read"):
        compare(load_pair(*pair), fit="crop")


def test_guessed_types_and_a_moved_camera_are_said(pair: tuple[np.ndarray, np.ndarray]) -> None:
    result = compare(*pair)
    assert any("guessed from the shape" in note for note in result.notes)
    assert not compare(*pair, preset="published").notes
    assert not any("Much has changed" in note for note in result.notes)
    moved = np.roll(pair[0], 9, axis=1)
    assert any("Much has changed" in note for note in compare(pair[0], moved).notes)


def test_padding_is_not_counted_as_compared() -> None:
    reference = picture(100, 200, channels=3)
    current = 255 - cv2.resize(reference, (100, 100))
    result = compare(reference, current, fit="pad", min_area=0)
    _, _, w, h = result.pair.valid
    assert (w, h) == (100, 100)
    assert result.change_score_percent == pytest.approx(result.mask.sum() / (w * h) * 100)


@pytest.mark.parametrize("path", ["~nosuchuser/a.png", "a\0b.png", b"bytes-that-are-no-picture"])
def test_odd_paths_are_told_in_words(path: object) -> None:
    with pytest.raises(ImageError):
        compare(path, path)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(1, 1), (6, 6)])
def test_a_tiny_current_picture_is_not_blown_up(size: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match="side under 7 pixels"):
        compare(picture(120, 120, channels=3), np.zeros((*size, 3), np.uint8))


def test_single_masks_stay_inspectable(pair: tuple[np.ndarray, np.ndarray]) -> None:
    result = compare(*pair, method="multi_fusion")
    masks = list(result.masks())
    assert len(masks) == 30 and masks[0][:2] == (0.1, 30)
    np.testing.assert_array_equal(np.logical_or.reduce([one for _, _, one in masks]), result.mask)
    with pytest.raises(SettingError, match="hybrid makes one mask"):
        compare(*pair).masks()


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = ("torch", "skimage", "matplotlib", "numba", "transformers", "dask", "sklearn", "PIL")
    code = f"import sys, vde_nb; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_again_keeps_what_was_given_and_changes_method_with_its_preset(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    first = compare(*pair, preset="published", min_area=50)
    assert first.settings.detect.close_iterations == 3
    other = first.again(method="multi_fusion")
    assert (other.method, other.settings.preset) == ("multi_fusion", "published")
    assert other.settings.detect.close_iterations == 2
    assert other.settings.detect.min_area == 50
    with pytest.raises(SettingError, match="how files are read"):
        first.again(fit="crop")
    with pytest.raises(TypeError, match="thresold"):
        first.again(thresold=3)


def test_a_result_says_what_it_holds(pair: tuple[np.ndarray, np.ndarray]) -> None:
    result = compare(*pair, cache=None)
    assert result.heatmap.dtype == np.uint8 and result.mask.dtype == bool
    assert result.heatmap.shape == result.mask.shape == pair[0].shape[:2]
    assert [one.number for one in result.anomalies] == [1, 2]
    assert result.anomalies[0].area >= result.anomalies[1].area, "the worst comes first"
    for one in result.anomalies:
        assert (one.x, one.y, one.w, one.h) == one.box
        assert one.mask.sum() == one.area == one.outline.sum() > 0
        assert one.mask[one.y : one.y + one.h, one.x : one.x + one.w].sum() == one.area
        assert 0 < one.score <= 1
        x, y = one.centroid
        assert one.x <= x < one.x + one.w and one.y <= y < one.y + one.h
    text = repr(result)
    assert text.startswith("Comparison(hybrid, 400\u00d7300, 2 anomalies, SSIM 0.")
    assert "0x" not in text


def test_regions_beyond_the_limit_keep_their_mask_and_it_is_said(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    plain = compare(*pair, segmenter="none")
    limited = compare(*pair, segment_limit=1)
    assert any("1 of 2 regions keep the detected mask" in note for note in limited.notes)
    smallest = min(plain.anomalies, key=lambda one: one.w * one.h)
    assert smallest.box in [one.box for one in limited.anomalies]


def test_a_pair_may_be_loaded_once_and_compared_often(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    loaded = load_pair(*pair)
    assert compare(loaded).ssim_score == compare(*pair).ssim_score
    with pytest.raises(SettingError, match="either an ImagePair"):
        compare(loaded, pair[1])
    with pytest.raises(SettingError, match="needs two pictures"):
        compare(pair[0])


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"treshold": 5}, TypeError, "Did you mean .*'threshold'"),
        ({"threshold": 300}, SettingError, "threshold=300"),
        ({"preset": "best"}, SettingError, "no preset 'best'"),
        ({"segmenter": "grafcut"}, SettingError, "Did you mean 'graphcut'"),
        ({"method": None}, SettingError, "no method None"),
    ],
)
def test_a_wrong_option_is_told_before_any_file_is_read(
    options: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        compare("no such file.png", "nor this.png", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(1, 1), (6, 6), (6, 400)])
def test_pictures_smaller_than_the_window_are_refused(size: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), np.uint8)
    with pytest.raises(ImageError, match="smaller than the 7\u00d77 window"):
        compare(image, image)


@pytest.mark.parametrize("method", ["hybrid", "multi_fusion", "ensemble"])
@pytest.mark.parametrize("size", [(7, 7), (7, 500), (500, 7)])
def test_the_smallest_pictures_work(size: tuple[int, int], method: str) -> None:
    image = np.zeros((*size, 3), np.uint8)
    assert compare(image, image, method=method).anomalies == []
    whole = compare(image, 255 - image, method=method, min_area=0)
    assert whole.change_score_percent == 100.0 and len(whole.anomalies) == 1


def test_notes_of_the_pictures_reach_the_result(tmp_path: Path) -> None:
    image = picture(60, 80, channels=3)
    half = cv2.resize(image, (40, 30), interpolation=cv2.INTER_AREA)
    result = compare(image, half)
    assert any("resized from 40 \u00d7 30 to 80 \u00d7 60" in note for note in result.notes)


@pytest.mark.parametrize("names", UI, ids=[one[0] for one in UI])
def test_screens_and_graphics_run(
    names: tuple[str, str], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_bands, "_workers", lambda: 1)  # errstate does not reach other threads
    files = [next((data / "ui").glob(f"{name}.*g")) for name in names]
    with np.errstate(all="raise"):
        result = compare(*files, fit="crop", cache=None)
        assert 0 <= result.change_score_percent <= 100
        same = compare(files[0], files[0], cache=None)
    assert same.anomalies == [] and same.ssim_score == 1.0


def test_every_sample_is_found_by_a_method(capsys: pytest.CaptureFixture[str]) -> None:
    lines = []
    for name in vde.samples.list():
        sample = vde.samples.load(name)
        missed = set(range(len(sample.truth.regions)))
        for method in ("hybrid", "multi_fusion", "ensemble"):
            result = compare(sample.reference, sample.current, method=method)
            hit = {
                index
                for index, region in enumerate(sample.truth.regions)
                if any((region.mask & one.mask).any() for one in result.anomalies)
            }
            false = [a for a in result.anomalies if not (a.mask & sample.truth.mask).any()]
            missed -= hit
            lines.append(
                f"{name:8} {method:12} {len(hit)} of {len(sample.truth.regions)} found, "
                f"{len(false)} false"
            )
        assert not missed, f"{name}: region {missed} was found by no method"
    with capsys.disabled():
        print("\n" + "\n".join(lines))


def test_changed_helper_changes() -> None:  # the tests above lean on it
    image = picture(50, 50)
    assert (changed(image) != image).any()
