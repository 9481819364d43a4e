"""compare(): stages, memory of what was done, bad input, and real pictures."""

from __future__ import annotations

import itertools
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

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
    assert [row["name"] for row in vde.methods()] == [
        "robust",
        "hybrid",
        "multi_fusion",
        "ensemble",
        "semantic",
        "normality",
    ]
    ready = {row["name"]: row["ready"] for row in vde.segmenters()}
    assert ready["graphcut"] and ready["none"] and ready["auto"]
    assert next(iter(ready)) == "graphcut"


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"method": "hybrid"}, ("difference", "fusion", "cleaning")),
        (
            {"method": "hybrid", "align": True, "normalise": True},
            ("registration", "light", "difference", "fusion", "cleaning"),
        ),
        ({}, ("registration", "light", "difference", "ssim", "decision", "cleaning")),
    ],
    ids=["hybrid", "hybrid aligned", "robust"],
)
def test_a_moved_threshold_computes_only_what_lies_behind_it(
    pair: tuple[np.ndarray, np.ndarray], options: dict[str, Any], kept: tuple[str, ...]
) -> None:
    cache = StageCache()
    first = compare(*pair, cache=cache, **options)
    assert all(first.timings[name] > 0 for name in kept)
    other = compare(*pair, threshold=90, cache=cache, **options)
    for second in (other, first.again(threshold=90)):
        assert {name: second.timings[name] for name in kept} == dict.fromkeys(kept, 0.0)
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


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        ("hybrid", {"colour": "channels"}),
        ("robust", {"tolerance": 2}),
        ("robust", {"align": "translation"}),
        ("robust", {"normalise": "global"}),
    ],
)
def test_again_on_a_changed_array_poisons_nothing(
    pair: tuple[np.ndarray, np.ndarray], method: str, changes: dict[str, Any]
) -> None:
    reference, current = pair
    cache = StageCache()
    mine = current.copy()
    first = compare(reference, mine, cache=cache, method=method)
    mine[:] = reference
    first.again(**changes)
    other = compare(reference, current, cache=cache, method=method, **changes)
    fresh = compare(reference, current, cache=None, method=method, **changes)
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
    assert "clusters is not used by robust." in compare(*pair).again(clusters=3).notes
    assert "colour is not used by robust." in compare(*pair, colour="grey").notes
    first = compare(*pair, method="hybrid")
    assert "clusters is not used by hybrid." in first.again(clusters=3).notes
    assert "tolerance is not used by hybrid." in first.again(tolerance=3).notes
    assert not any("not used" in note for note in compare(*pair, threshold=60).notes)
    with pytest.raises(SettingError, match="how files are read"):
        compare(load_pair(*pair), fit="crop")


def test_guessed_types_and_a_moved_camera_are_said(pair: tuple[np.ndarray, np.ndarray]) -> None:
    guessed = "guessed from the shape"
    result = compare(*pair, method="hybrid", classifier="rules")
    assert any(guessed in note for note in result.notes)
    assert not any(guessed in note for note in compare(*pair).notes), "measured, not guessed"
    assert not compare(*pair, preset="published").notes
    assert not any("Much has changed" in note for note in result.notes)
    moved = np.roll(pair[0], 9, axis=1)
    hybrid = compare(pair[0], moved, method="hybrid")
    (much,) = (note for note in hybrid.notes if "Much has changed" in note)
    assert "align=True" in much and "robust" in much
    robust = compare(pair[0], moved)
    assert any("was moved by 9.0 pixels" in note for note in robust.notes)
    assert not any("Much has changed" in note for note in robust.notes)


def test_padding_is_not_counted_as_compared() -> None:
    reference = picture(100, 200, channels=3)
    current = 255 - cv2.resize(reference, (100, 100))
    result = compare(reference, current, method="hybrid", fit="pad", min_area=0)
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
    for method in ("robust", "hybrid"):
        with pytest.raises(SettingError, match=f"{method} makes one mask"):
            compare(*pair, method=method).masks()


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


@pytest.mark.parametrize("method", ["robust", "hybrid"])
def test_a_result_says_what_it_holds(pair: tuple[np.ndarray, np.ndarray], method: str) -> None:
    result = compare(*pair, method=method, cache=None)
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
    assert text.startswith(f"Comparison({method}, 400\u00d7300, 2 anomalies, SSIM 0.")
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
        ({"method": "robustt"}, SettingError, "Did you mean 'robust'"),
        ({"method": 3}, SettingError, "no method 3"),
        ({"method": "robust", "preset": "published"}, SettingError, "no method 'robust'"),
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
    with np.errstate(all="raise", under="ignore"):  # weights of outliers may well vanish
        result = compare(*files, fit="crop", cache=None)
        assert 0 <= result.change_score_percent <= 100
        same = compare(files[0], files[0], cache=None)
    assert same.anomalies == [] and same.ssim_score == 1.0


def test_every_sample_is_found_by_a_method(capsys: pytest.CaptureFixture[str]) -> None:
    lines = []
    for name in vde.samples.list():
        sample = vde.samples.load(name)
        missed = set(range(len(sample.truth.regions)))
        for method in ("robust", "hybrid", "multi_fusion", "ensemble"):
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


# --------------------------------------------------------------------------- place, light, ignoring

METHODS = ("robust", "hybrid", "multi_fusion", "ensemble")


def scene(seed: int = 3) -> np.ndarray:
    """A picture with a margin of 40 pixels to move in."""
    return picture(320, 420, seed, channels=3)


def moved_pair(dx: int, dy: int, *marks: tuple[int, int, int, int]) -> tuple[np.ndarray, ...]:
    """A pair whose content moved right and down, with marks at boxes of the current picture."""
    whole = scene()
    reference = whole[40:280, 40:380].copy()
    current = whole[40 - dy : 280 - dy, 40 - dx : 380 - dx].copy()
    for x, y, w, h in marks:
        current[y : y + h, x : x + w] = 255 - current[y : y + h, x : x + w]
    return reference, current


def edges(box: Any) -> tuple[float, ...]:
    x, y, w, h = box
    return x, y, x + w, y + h


def mean_of(box: tuple[int, ...]) -> tuple[float, float]:
    x, y, w, h = box
    return x + w / 2, y + h / 2


@pytest.mark.parametrize("method", METHODS)
def test_what_is_ignored_is_not_found_and_the_rest_is(
    pair: tuple[np.ndarray, np.ndarray], method: str
) -> None:
    everything = compare(*pair, method=method)
    assert len(everything.anomalies) == 2 and everything.ignored is None
    circle = np.zeros(pair[0].shape[:2], bool)
    circle[60:101, 80:121] = True
    for ignore in ([(80, 60, 41, 41)], circle, ((80.0, 60, np.int64(41), 41),)):
        result = compare(*pair, method=method, ignore=ignore)
        (one,) = result.anomalies
        x, y = one.centroid
        assert 300 < x < 380 and 200 < y < 240
        assert not (result.mask & circle).any() and not (one.mask & circle).any()
        np.testing.assert_array_equal(result.ignored, circle)
        np.testing.assert_array_equal(result.valid, ~circle)
        np.testing.assert_array_equal(result.current[circle], pair[0][circle])
    assert not compare(*pair, method=method, ignore=np.ones_like(circle)).anomalies


@pytest.mark.parametrize("method", METHODS)
def test_a_strip_that_is_ignored_is_bridged_by_nothing(
    pair: tuple[np.ndarray, np.ndarray], method: str
) -> None:
    strip = np.zeros(pair[0].shape[:2], bool)
    strip[:, 338:341] = True  # through the middle of what changed, thinner than the closing
    result = compare(*pair, method=method, ignore=strip)
    assert any(
        one.x < 338 < one.x + one.w or one.x + one.w in (338, 337) for one in result.anomalies
    )
    for marked in (result.mask, result.clean_heatmap > 0):
        assert not (marked & strip).any()
    for one in result.anomalies:
        assert not (one.mask & strip).any()


@pytest.mark.parametrize(
    "method",
    [
        *METHODS,
    ],
)
def test_what_is_ignored_holds_no_heat(pair: tuple[np.ndarray, np.ndarray], method: str) -> None:
    strip = np.zeros(pair[0].shape[:2], bool)
    strip[:, 338:341] = True
    assert not compare(*pair, method=method, ignore=strip).heatmap[strip].any()


def test_what_is_ignored_is_so_in_a_picture_that_moved_too() -> None:
    reference, current = moved_pair(9, -6, (200, 90, 30, 20), (80, 150, 30, 20))
    both = compare(reference, current, segmenter="none")
    assert len(both.anomalies) == 2
    (one,) = compare(reference, current, segmenter="none", ignore=[(185, 90, 45, 35)]).anomalies
    assert one.box[0] < 110
    hidden = both.again(ignore=[(185, 90, 45, 35)])
    assert hidden.valid is not None and both.valid is not None
    assert not hidden.valid[90:125, 185:230].any() and not hidden.valid[:, -5:].any()
    assert hidden.timings["registration"] == 0.0


def test_ignoring_everything_is_said_and_ignoring_nothing_is_nothing(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    result = compare(*pair, ignore=[(-10, -10, 1000, 1000)])
    assert any("Nothing was compared" in note for note in result.notes)
    assert result.change_score_percent == 0.0
    for nothing in ([], (), np.zeros(pair[0].shape[:2], bool), [(900, 900, 5, 5)]):
        assert compare(*pair, ignore=nothing).ignored is None


@pytest.mark.parametrize(
    ("ignore", "words"),
    [
        ([(1, 2, 3)], r"\(1, 2, 3\)"),
        ([(1, 2, 0, 5)], r"\(1, 2, 0, 5\)"),
        ([(1, 2, 5, -1)], r"\(1, 2, 5, -1\)"),
        ([(1, 2, "a", 5)], r"'a'"),
        ([(1, 2, float("nan"), 5)], "nan"),
        ([(1, 2, float("inf"), 5)], "inf"),
        ((1, 2, 3, 4), "holds 1"),
        ([None], "None"),
        (np.zeros((3, 4), bool), "4 × 3 pixels, the reference 400 × 300"),
    ],
)
def test_what_is_no_box_and_no_mask_of_this_size_is_refused_with_its_value(
    pair: tuple[np.ndarray, np.ndarray], ignore: Any, words: str
) -> None:
    with pytest.raises(SettingError, match=words):
        compare(*pair, ignore=ignore)
    assert len(compare(*pair).anomalies) == 2, "the cache is as good as before"


@pytest.mark.parametrize(
    "ignore",
    [
        7,
        "all",
        np.zeros((300, 400), np.uint8),
    ],
    ids=["number", "text", "mask of numbers"],
)
def test_what_is_no_list_of_boxes_is_refused_in_words(
    pair: tuple[np.ndarray, np.ndarray], ignore: Any
) -> None:
    with pytest.raises(SettingError, match="ignore="):
        compare(*pair, ignore=ignore)


def test_again_keeps_ignores_anew_and_ignores_no_more(pair: tuple[np.ndarray, np.ndarray]) -> None:
    first = compare(*pair, ignore=[(80, 60, 41, 41)])
    moved = first.again(threshold=60)
    assert len(moved.anomalies) == 1 and moved.timings["difference"] == 0.0
    other = first.again(ignore=[(290, 190, 100, 60)])
    (one,) = other.anomalies
    assert one.centroid[0] < 130 and other.timings["registration"] == 0.0
    free = other.again(ignore=None)
    assert len(free.anomalies) == 2 and free.ignored is None
    assert [one.box for one in free.anomalies] == [one.box for one in compare(*pair).anomalies]


def test_the_mask_of_the_user_may_change_afterwards(pair: tuple[np.ndarray, np.ndarray]) -> None:
    mask = np.zeros(pair[0].shape[:2], bool)
    mask[:150] = True
    result = compare(*pair, ignore=mask)
    mask[:] = True
    assert not result.ignored[200:].any() and len(result.again(threshold=60).anomalies) == 1


@pytest.mark.parametrize("method", METHODS)
def test_progress_names_the_stages_in_their_order(
    pair: tuple[np.ndarray, np.ndarray], method: str
) -> None:
    told: list[str] = []
    result = compare(*pair, method=method, align=True, normalise=True, progress=told.append)
    order = ["images", "registration", "light", "difference", "cleaning", "segmentation"]
    assert [name for name in told if name in order] == order
    assert told[-1] == "classification" and set(result.timings) <= set(told)
    told.clear()
    result.again(threshold=61, progress=told.append)
    assert told[0] == "registration" and told[-1] == "classification"


def test_a_cancelled_comparison_leaves_the_cache_as_good_as_before(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    class Cancelled(Exception):
        pass

    names: list[str] = []
    fresh = compare(*pair, cache=None, progress=names.append)
    for last in dict.fromkeys(names):
        cache = StageCache()

        def cancel(name: str, last: str = last) -> None:
            if name == last:
                raise Cancelled(name)

        with pytest.raises(Cancelled, match=last):
            compare(*pair, cache=cache, progress=cancel)
        result = compare(*pair, cache=cache)
        np.testing.assert_array_equal(result.heatmap, fresh.heatmap)
        assert [one.box for one in result.anomalies] == [one.box for one in fresh.anomalies]
        with pytest.raises(Cancelled):
            result.again(progress=cancel) if last != "images" else cancel("images")


@pytest.mark.parametrize("method", METHODS)
def test_every_method_takes_registration_and_light_and_is_better_for_it(method: str) -> None:
    reference, current = moved_pair(7, -4, (120, 100, 30, 20))
    current = np.clip(current * 0.85 + 4, 0, 255).astype(np.uint8)
    truth = np.zeros(reference.shape[:2], bool)
    truth[104:124, 113:143] = True

    def false(**options: Any) -> tuple[int, int]:
        result = compare(reference, current, method=method, **options)
        wrong = sum(not (one.mask & truth).any() for one in result.anomalies)
        return wrong, int(np.count_nonzero(result.mask & ~truth))

    without, beyond = false(align=False, normalise=False)
    wrong, rest = false(align=True, normalise=True)
    assert wrong == 0
    assert rest < max(beyond / 10, 500)
    result = compare(reference, current, method=method, align=True, normalise=True)
    assert any((one.mask & truth).any() for one in result.anomalies)
    if method != "robust":
        assert beyond > 0.3 * truth.size and without + beyond > 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shift", [(12, 9), (-12, 5)])
def test_nothing_outside_of_what_both_pictures_show_is_ever_reported(
    method: str, shift: tuple[int, int]
) -> None:
    dx, dy = shift
    reference, current = moved_pair(dx, dy, (0, 60, 24, 30), (316, 120, 24, 30), (150, 0, 30, 24))
    result = compare(reference, current, method=method, align=True, normalise=True)
    valid = result.valid
    assert valid is not None
    assert not valid[:, 3 if dx < 0 else -3].any(), "columns that left the picture"
    assert 0.85 < valid.mean() < 0.99
    for marked in (result.mask, result.heatmap > 0, result.clean_heatmap > 0):
        assert not (marked & ~valid).any()
    assert result.anomalies
    for one in result.anomalies:
        assert not (one.mask & ~valid).any()
    np.testing.assert_array_equal(result.current[~valid], reference[~valid])
    np.testing.assert_array_equal(result.levelled[~valid], reference[~valid])
    compared = result.mask.sum() / valid.sum() * 100
    assert result.change_score_percent == pytest.approx(compared)


def test_a_mark_is_told_where_it_lies_in_the_current_picture() -> None:
    mark = (200, 90, 30, 20)
    reference, current = moved_pair(9, -6, mark)
    result = compare(reference, current, segmenter="none")
    (one,) = result.anomalies
    assert np.abs(np.subtract(one.box, (191, 96, 30, 20))).max() <= 4
    assert np.subtract(one.box_current, one.box)[:2] == pytest.approx((9, -6), abs=1)
    assert np.abs(np.subtract(one.box_current, mark)).max() <= 4
    there = result.to_current(one.mask)
    assert there.shape == current.shape[:2] and there.dtype == bool
    x, y, w, h = cv2.boundingRect(there.view(np.uint8))
    assert np.abs(np.subtract((x, y, w, h), one.box_current)).max() <= 1
    assert there[90:110, 200:230].mean() > 0.95


@pytest.mark.parametrize("method", ["robust", "hybrid"])
@pytest.mark.parametrize("scale", [0.5, 2, 2.5])
def test_a_mark_in_a_resized_picture_is_told_in_its_own_pixels(scale: float, method: str) -> None:
    mark = np.array((200, 90, 30, 20))
    reference, current = moved_pair(0, 0, tuple(mark))
    current = cv2.resize(current, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    result = compare(reference, current, method=method, segmenter="none")
    one = max(result.anomalies, key=lambda one: one.area)
    assert np.abs(np.subtract(edges(one.box_current), edges(mark * scale))).max() <= 6 * scale + 1
    there = result.to_current(one.mask)
    assert there.shape == current.shape[:2]
    middle_x, middle_y = mean_of(tuple(mark * scale))
    rows, columns = np.nonzero(there)
    assert columns.mean() == pytest.approx(middle_x, abs=1.5 * max(scale, 1))
    assert rows.mean() == pytest.approx(middle_y, abs=1.5 * max(scale, 1))


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("wider", [True, False])
def test_a_mark_is_told_right_in_a_picture_of_another_shape(fit: str, wider: bool) -> None:
    whole = picture(320, 420, 5, channels=3)
    if (fit == "crop") == wider:  # crop cuts a wider picture, pad surrounds a lower one
        reference, current = whole[40:280, 80:340].copy(), whole[40:280, 50:370].copy()
        if fit == "pad":
            current = whole[60:260, 80:340].copy()
    else:
        reference, current = whole[40:280, 80:340].copy(), whole[10:310, 80:340].copy()
        if fit == "pad":
            current = whole[40:280, 110:310].copy()
    mark = (95, 80, 28, 24)
    x, y, w, h = mark
    current[y : y + h, x : x + w] = 255 - current[y : y + h, x : x + w]
    result = compare(reference, current, fit=fit, segmenter="none")
    assert result.pair.placement is not None
    one = max(result.anomalies, key=lambda one: one.area)
    assert np.abs(np.subtract(one.box_current, mark)).max() <= 5
    there = result.to_current(one.mask)
    assert there.shape == current.shape[:2]
    rows, columns = np.nonzero(there)
    assert (columns.mean(), rows.mean()) == pytest.approx(mean_of(mark), abs=2.5)


def test_to_current_refuses_what_is_no_mask_of_the_reference(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    result = compare(*pair)
    for wrong in (result.mask[1:], result.heatmap, result.mask[..., None]):
        with pytest.raises(SettingError, match=r"needed is a boolean mask .*\(300, 400\)"):
            result.to_current(wrong)
    there = result.to_current(result.mask)
    assert not np.shares_memory(there, result.mask), "the caller may write into it"


def test_different_scenes_are_said_to_be_different() -> None:
    samples = [vde.samples.load(name) for name in ("board", "wall")]
    result = compare(samples[0].reference, samples[1].reference)
    assert any("same scene" in note for note in result.notes)
    assert result.registration is not None and result.registration.confidence < 0.2


def test_a_padded_and_a_whole_picture_of_the_same_pixels_share_no_result() -> None:
    reference = picture(100, 200, channels=3)
    cache = StageCache()
    padded = load_pair(reference, np.ascontiguousarray(reference[:, 50:150]), fit="pad")
    assert padded.current.key == padded.reference.key
    for method in METHODS:
        inside = compare(padded, method=method, cache=cache)
        assert inside.valid is not None and inside.valid.sum() == 100 * 100
        assert compare(reference, reference, method=method, cache=cache).valid is None


def grey_of(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


@pytest.mark.parametrize("method", METHODS)
def test_a_grey_and_a_coloured_picture_can_be_compared(method: str) -> None:
    reference = cv2.cvtColor(picture(120, 160), cv2.COLOR_GRAY2RGB)
    assert not compare(reference, grey_of(reference), method=method).anomalies
    marked = grey_of(reference).copy()
    marked[40:60, 50:80] = 255 - marked[40:60, 50:80]
    assert compare(reference, marked, method=method).anomalies


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("size", [(60, 80), (7, 7), (9, 400), (400, 9), (16, 17)])
def test_pictures_without_any_texture_are_compared(
    size: tuple[int, int], level: int, method: str
) -> None:
    flat = np.full((*size, 3), level, np.uint8)
    result = compare(flat, flat.copy(), method=method, align=True, normalise=True)
    assert not result.anomalies and not result.mask.any() and result.ssim_score == 1.0
    noisy = np.abs(flat.astype(int) - np.arange(flat.size).reshape(flat.shape) % 2)
    compare(flat, noisy.astype(np.uint8), method=method, align=True, normalise=True)


@pytest.mark.parametrize("method", METHODS)
def test_long_and_saturated_pictures_are_compared(method: str) -> None:
    strip = picture(40, 1200, channels=3)
    marked = strip.copy()
    marked[10:30, 600:640] = 255 - marked[10:30, 600:640]
    for one, two in ((strip, marked), (strip.transpose(1, 0, 2), marked.transpose(1, 0, 2))):
        result = compare(one, two, method=method)
        assert len(result.anomalies) == 1 and result.change_score_percent < 8
    bright = np.clip(picture(120, 160, channels=3).astype(int) + 150, 0, 255).astype(np.uint8)
    assert (bright == 255).mean() > 0.3
    dark = bright.copy()
    dark[40:70, 50:90] = 40
    assert compare(bright, dark, method=method).anomalies
    assert not compare(bright, bright.copy(), method=method).anomalies


# --- nudged by hand ----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["robust", "hybrid", "multi_fusion", "ensemble"])
def test_a_nudge_brings_back_a_picture_that_was_moved(method: str) -> None:
    sample = vde.samples.load("board", shift=(4, -3))
    found = vde.compare(
        sample.reference, sample.current, method=method, align="off", segmenter="none"
    )
    right = found.again(nudge=(-4, 3))
    assert right.registration is not None and found.registration is None
    assert right.registration.residual_after < 0.3 < right.registration.residual_before
    assert right.mask.sum() < 0.2 * found.mask.sum() or method == "robust"
    assert right.settings.align.nudge == (-4.0, 3.0)
    assert right.again(nudge=(0, 0)).registration is None
    box = right.anomalies[0].box
    x, y, w, h = right.anomalies[0].box_current or box
    assert (x - box[0], y - box[1], w, h) == (4, -3, box[2], box[3])


def test_a_nudge_searches_no_second_time_and_every_way_gives_the_same() -> None:
    sample = vde.samples.load("label", shift=(2.3, -1.4))
    found = vde.compare(sample.reference, sample.current, cache=StageCache())
    one = found.again(nudge=(1, 0.5))
    assert one.timings["registration"] == 0 and one.timings["nudge"] > 0
    two = found.again(nudge=(0, 2)).again(nudge=(1, 0.5))
    fresh = vde.compare(sample.reference, sample.current, nudge=(1, 0.5), cache=None)
    for other in (two, fresh):
        assert np.array_equal(one.current, other.current)
        assert np.array_equal(one.heatmap, other.heatmap)
        assert [a.box for a in one.anomalies] == [a.box for a in other.anomalies]
        assert one.registration is not None and other.registration is not None
        assert one.registration.residual_after == other.registration.residual_after
        assert one.notes == other.notes
    back = one.again(nudge=(0, 0))
    assert np.array_equal(back.current, found.current) and back.notes == found.notes


def test_a_nudge_out_of_the_picture_compares_nothing_and_says_so() -> None:
    sample = vde.samples.load("tyre")
    for method in ("robust", "hybrid"):
        found = vde.compare(sample.reference, sample.current, method=method, nudge=(1000, 0))
        assert not found.anomalies and not found.mask.any()
        assert any("Nothing was compared" in note for note in found.notes)


def test_only_the_current_picture_is_nudged_not_the_other_references() -> None:
    sample = vde.samples.load("board", shift=(4, -3))
    references = [sample.reference, sample.reference.copy()]
    found = vde.compare(references, sample.current, align="off", nudge=(-4, 3))
    alone = vde.compare(sample.reference, sample.current, align="off", nudge=(-4, 3))
    assert [a.box for a in found.anomalies] == [a.box for a in alone.anomalies]


# --- what was measured is remembered -----------------------------------------------------------


@pytest.mark.parametrize("method", ["robust", "hybrid"])
def test_what_is_remembered_of_regions_changes_no_result(method: str) -> None:
    sample = vde.samples.load("aerial")
    found = vde.compare(sample.reference, sample.current, method=method, cache=StageCache())
    for threshold in (30, 50, 51, 90, 51):
        one = found.again(threshold=threshold)
        fresh = vde.compare(
            sample.reference, sample.current, method=method, threshold=threshold, cache=None
        )
        for a, b in zip(one.anomalies, fresh.anomalies, strict=True):
            assert (a.box, a.type, a.severity_score) == (b.box, b.type, b.severity_score)
            assert (a.confidence, dict(a.evidence)) == (b.confidence, dict(b.evidence))


def test_a_rule_registered_in_between_is_asked_about_what_is_remembered(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    found = vde.compare(*pair, cache=StageCache())
    asked: list[int] = []
    vde.anomaly_type("burr")(lambda region: asked.append(region.view.inside.size) or 1.0)
    try:
        assert {one.type for one in found.again().anomalies} == {"burr"}
    finally:
        vde.remove_anomaly_type("burr")
    assert asked and all(asked)
