"""Large pictures: whatever memory they may take, the result is the same."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import vde_nb as vde
from vde_nb import describe, detect
from vde_nb._buffers import empty, limited
from vde_nb.classify import Region
from vde_nb.classify._region import _ARRAYS
from vde_nb.difference import tolerant
from vde_nb.difference._lines import line_samples, line_sums
from vde_nb.difference._opponent import Opponent, noise_of
from vde_nb.difference._radius import radius_between, tolerant_radius
from vde_nb.methods.robust import _three_heats, _wide_heat, evidence_heat

SHAPE = (1003, 1301)  # every map is a megabyte at least, and no side is a multiple of two


def scene(seed: int = 0) -> np.ndarray:
    """Something with edges and texture, ``(1003, 1301, 3)`` RGB uint8."""
    rng = np.random.default_rng(seed)
    image = cv2.resize(rng.integers(40, 216, (40, 52, 3), dtype=np.uint8), SHAPE[::-1])
    for _ in range(60):
        x, y, w, h = (int(v) for v in rng.integers(10, [1250, 950, 120, 120]))
        colour = rng.integers(0, 256, 3).tolist()
        cv2.rectangle(image, (x, y), (x + w, y + h), colour, -1)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.8), np.uint8)


def noisy(image: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    """A pair with a wide stain, a part too much, a crack, and one across the whole picture."""
    reference = scene()
    current = reference.copy()
    soft = np.zeros(SHAPE, np.float32)
    cv2.circle(soft, (900, 600), 150, 1.0, -1)
    soft = cv2.GaussianBlur(soft, (0, 0), 8)[..., None]
    current = np.clip(current * (1 - 0.35 * soft), 0, 255).astype(np.uint8)
    cv2.rectangle(current, (200, 200), (260, 240), (230, 20, 30), -1)
    cv2.line(current, (500, 100), (580, 190), (15, 15, 15), 2)
    cv2.line(current, (15, 980), (1280, 20), (250, 250, 240), 5)
    return noisy(reference, 1), noisy(current, 2)


def alike(one: vde.Comparison, two: vde.Comparison) -> None:
    for name in ("heatmap", "clean_heatmap", "mask", "current", "levelled", "valid"):
        first, second = getattr(one, name), getattr(two, name)
        assert (first is None) == (second is None), name
        if first is not None:
            np.testing.assert_array_equal(first, second, name)
    assert one.ssim_score == two.ssim_score
    assert one.change_score_percent == two.change_score_percent
    assert [a.box for a in one.anomalies] == [a.box for a in two.anomalies]
    for first, second in zip(one.anomalies, two.anomalies, strict=True):
        assert (first.type, first.severity_score, first.score, first.evidence, first.points) == (
            second.type,
            second.severity_score,
            second.score,
            second.evidence,
            second.points,
        )
        np.testing.assert_array_equal(first.outline, second.outline)
    assert one.notes == two.notes


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("robust", {}),
        ("robust", {"align": "auto", "normalise": True}),
        ("robust", {"antialiasing": True, "ignore": [(100, 300, 400, 200)]}),
        ("robust", {"tolerance": 2, "segmenter": "none"}),
        ("hybrid", {"ignore": [(100, 300, 400, 200)]}),
        ("multi_fusion", {"colour": "channels", "fusion_weights": (0.2, 0.9)}),
        ("ensemble", {"fusion_weights": (0.2, 0.9)}),
        ("semantic", {"ignore": [(100, 300, 400, 200)]}),
    ],
)
def test_a_result_does_not_depend_on_the_memory(
    pair: tuple[np.ndarray, np.ndarray], method: str, settings: dict[str, Any]
) -> None:
    plenty = vde.compare(*pair, method=method, cache=None, **settings)
    with limited(2) as budget:
        scarce = vde.compare(*pair, method=method, cache=None, **settings)
    assert budget.mapped > 4 << 20, "the maps of the result"
    assert plenty.anomalies
    alike(plenty, scarce)


def test_more_references_need_no_more_memory(pair: tuple[np.ndarray, np.ndarray]) -> None:
    references = [pair[0], noisy(scene(), 3), noisy(scene(), 4)]
    plenty = vde.compare(references, pair[1], cache=None)
    with limited(2):
        alike(plenty, vde.compare(references, pair[1], cache=None))


def test_another_threshold_and_a_prompt_come_to_the_same(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    plenty = vde.compare(*pair).again(threshold=80).prompted([{"box": (10, 10, 1200, 900)}])
    with limited(2):
        scarce = vde.compare(*pair, cache=None).again(threshold=80)
        alike(plenty, scarce.prompted([{"box": (10, 10, 1200, 900)}]))


def test_arrays_stay_within_the_limit(pair: tuple[np.ndarray, np.ndarray]) -> None:
    held: list[int] = []
    with limited(24) as budget:
        vde.compare(*pair, cache=None, progress=lambda _: held.append(budget.held))
    assert 0 < max(held) <= budget.limit < 24 << 20


def test_the_setting_is_the_limit(pair: tuple[np.ndarray, np.ndarray]) -> None:
    usual = vde.compare(*pair, cache=None)
    large = tuple(cv2.resize(one, (2600, 2000)) for one in pair)
    scarce = vde.compare(*large, method="hybrid", cache=None, memory_limit=64)
    assert scarce.settings.images.memory_limit == 64
    assert any("5.2 megapixels take more memory than memory_limit=64 MB" in n for n in scarce.notes)
    assert not any("scratch" in note for note in usual.notes)
    # It says nothing about how pictures are read, so it may change later, and with a pair.
    assert scarce.again(memory_limit=500).settings.images.memory_limit == 500
    assert not any("scratch" in note for note in scarce.again(memory_limit=500).notes)
    vde.compare(usual.pair, method="hybrid", memory_limit=100)
    with pytest.raises(vde.SettingError, match="from 64 to"):
        vde.compare(*pair, memory_limit=10)


def test_a_full_disk_is_an_error_for_people(
    pair: tuple[np.ndarray, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("VDE_NB_SCRATCH", str(tmp_path))
    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with limited(2), pytest.raises(vde.OutputError, match="memory_limit"):
        vde.compare(*pair, cache=None)
    assert not list(tmp_path.iterdir())


def test_planes_computed_anew_are_those_kept() -> None:
    images = scene(5), noisy(scene(5), 6)
    kept, anew = (
        [Opponent(one, i, keep) for i, one in enumerate(images)] for keep in (True, False)
    )
    for first, end in ((0, 16), (100, 230), (990, 1003)):
        for one, two in zip(kept, anew, strict=True):
            for before, now in zip(one.rows(first, end), two.rows(first, end), strict=True):
                np.testing.assert_array_equal(before, now)
    valid = np.ones(SHAPE, np.bool_)
    valid[:400, 700:] = False
    assert noise_of(*kept, valid) == noise_of(*anew, valid)
    assert radius_between(*anew, valid) == tolerant_radius(
        kept[0].rows(0, 1003)[0], kept[1].rows(0, 1003)[0], valid
    )


def test_evidence_by_rows_is_that_of_the_whole(pair: tuple[np.ndarray, np.ndarray]) -> None:
    found = tolerant(*pair)
    assert found.shape == SHAPE
    whole, local = found.evidence, found.local
    for first in range(0, SHAPE[0], found.band):
        rows = found.rows(first, min(first + found.band, SHAPE[0]))
        np.testing.assert_array_equal(whole[first : first + found.band], rows[0])
        np.testing.assert_array_equal(local[first : first + found.band], rows[1])


def test_means_across_the_borders_of_bands_are_those_of_the_whole(
    pair: tuple[np.ndarray, np.ndarray],
) -> None:
    found = tolerant(*pair)
    own, around, core = _three_heats(found, 12.0)
    mean = cv2.blur(found.evidence, (3, 3))
    np.testing.assert_array_equal(core, evidence_heat(np.asarray(mean, np.float32), 12.0))
    np.testing.assert_array_equal(own, evidence_heat(found.local, 12.0))
    assert (around >= own).all()


@pytest.mark.parametrize("shape", [(60, 70), (9, 300), (3, 5), (133, 257)])
@pytest.mark.parametrize("step", [1, 3, 7])
def test_samples_of_lines_are_those_of_all_lines(shape: tuple[int, int], step: int) -> None:
    values = np.random.default_rng(0).integers(0, 8192, shape).astype(np.uint16)
    expected = line_sums(values)[::step, ::step]
    np.testing.assert_array_equal(line_samples(values, step), expected)


def test_contours_of_strips_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    mask = np.zeros((900, 200), np.uint8)
    for x, y in rng.integers(0, (200, 900), (60, 2)).tolist():
        cv2.ellipse(mask, (x, y), (12, 4), x, 0, 360, 1, 1 if x % 2 else -1)
    whole = detect.candidates(mask.view(np.bool_), 10)
    monkeypatch.setattr(detect, "_STRIP", 200 * 50)
    assert len(detect._strips(mask.view(np.bool_))) > 5
    parts = detect.candidates(mask.view(np.bool_), 10)
    assert [one.box for one in parts] == [one.box for one in whole]
    for one, two in zip(parts, whole, strict=True):
        np.testing.assert_array_equal(one.contours[0], two.contours[0])
        np.testing.assert_array_equal(one.mask, two.mask)


def test_a_wide_stain_is_drawn_as_opencv_would_enlarge_it() -> None:
    for shape in ((333, 517), (400, 640), (97, 801)):
        stains = np.zeros((shape[0] // 8, shape[1] // 8), np.float32)
        cv2.circle(stains, (30, 6), 5, 2.0, -1)
        cells = np.float32(stains > 0)
        expected = cv2.resize(cells, shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
        heat = _wide_heat(stains, np.zeros(shape, np.uint8))
        np.testing.assert_array_equal(heat > 0, expected)
        assert not _wide_heat(stains, np.full(shape, 99, np.uint8)).any(), "it is shown already"


def test_a_region_forgets_its_pictures_and_keeps_its_measures() -> None:
    image = scene(7)
    mask = np.ones((50, 60), np.bool_)
    region = Region((100, 100, 60, 50), mask, image, noisy(image, 8), np.zeros(SHAPE, np.uint8))
    before = region.evidence()
    assert "view" in vars(region)
    region.forget()
    assert not any(
        isinstance(value, np.ndarray)
        for name, value in vars(region).items()
        if name not in ("mask", "reference", "current", "heatmap")
    )
    assert "view" not in vars(region)
    assert region.evidence() == before


@pytest.mark.parametrize("classifier", ["evidence", "rules"])
def test_regions_that_are_described_hold_no_pictures(
    pair: tuple[np.ndarray, np.ndarray], classifier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Region] = []
    made = describe._region

    def kept(*args: Any) -> Region:
        seen.append(made(*args))
        return seen[-1]

    monkeypatch.setattr(describe, "_region", kept)
    found = vde.compare(*pair, cache=None, classifier=classifier)
    assert len(seen) >= len(found.anomalies) > 2
    assert not any(_ARRAYS & vars(region).keys() for region in seen)


def test_planes_are_kept_while_there_is_room_and_computed_anew_beyond() -> None:
    images = [scene(5), scene(6)]
    with limited(2):
        assert [one._planes for one in Opponent.of(images)] == [None, None]
    with limited(200):
        assert all(one._planes is not None for one in Opponent.of(images))
    assert all(one._planes is not None for one in Opponent.of(images)), "without a limit"


def test_a_picture_wider_than_opencv_warps_is_compared() -> None:
    reference = np.tile(scene()[:60], (1, 30, 1))[:, :34_000]
    current = reference.copy()
    cv2.rectangle(current, (33_000, 20), (33_060, 45), (250, 10, 20), -1)
    found = vde.compare(reference, current, cache=None)
    assert [one.box for one in found.anomalies] == [(33_000, 20, 61, 26)]


def test_an_empty_array_is_no_matter() -> None:
    with limited(1):
        assert empty((0, 5), np.uint8).shape == (0, 5)
