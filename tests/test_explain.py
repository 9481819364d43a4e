"""The strip of pictures that shows what every stage did."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import vde_nb as vde
from vde_nb.errors import SettingError, WeightsError
from vde_nb.explain import explain
from vde_nb.features import choosing
from vde_nb.features.embedded import Embedded
from vde_nb.methods import METHODS
from vde_nb.settings import CALIBRATED

PIXEL = ["aligned", "levelled", "absolute", "ssim", "heat", "cleaned", "mask", "outlines"]


@pytest.fixture(scope="module")
def model() -> vde.Normality:
    """What is normal on the board, from two pictures of it."""
    pair = vde.samples.load("board")
    return vde.Normality.fit([pair.reference, pair.reference], model="variation")


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_shows_its_stages_with_a_sentence_each(
    method: str, model: vde.Normality
) -> None:
    pair = vde.samples.load("board", shift=(3, 2))
    given = {"model": model} if method == "normality" else {}
    steps = explain(vde.compare(pair.reference, pair.current, method=method, **given))
    pixels = method not in CALIBRATED  # and not registered, unless asked to be
    assert [one.key for one in steps] == [key for key in PIXEL if pixels or key != "ssim"]
    for step in steps:
        assert step.picture.dtype == np.uint8 and step.picture.ndim == 3
        assert step.picture.shape == steps[0].picture.shape
        assert max(step.picture.shape[:2]) <= 360
        assert step.title and step.sentence.endswith(".") and step.sentence.count(". ") == 0
    moved = "moved by 3.6 pixels" in steps[0].sentence
    assert moved != pixels


def test_the_mask_of_the_strip_is_the_mask_and_one_pixel_stays_seen() -> None:
    rng = np.random.default_rng(2)
    reference = rng.integers(90, 94, (900, 1200, 3), np.uint8)
    current = reference.copy()
    current[500:502, 700:702] = 255
    found = vde.compare(
        reference, current, method="hybrid", open_iterations=0, close_iterations=0, ssim_weight=0
    )
    steps = {one.key: one for one in found.explain()}
    assert np.count_nonzero(found.mask) == 4
    white = steps["mask"].picture[..., 0] > 0
    assert white[125, 175] and np.count_nonzero(white) == 1
    assert steps["absolute"].picture[125, 175].sum() > 300 > steps["absolute"].picture[0, 0].sum()


def test_the_sentences_tell_what_was_done_and_what_was_not() -> None:
    pair = vde.samples.load("board")
    found = vde.compare(pair.reference, pair.current, method="hybrid", segmenter="none")
    said = {one.key: one.sentence for one in found.explain()}
    assert "no registration was asked for" in said["aligned"]
    assert "no levelling was asked for" in said["levelled"]
    assert "threshold 50" in said["mask"] and "as detected" in said["outlines"]
    said = {one.key: one.sentence for one in found.again(threshold=90, nudge=(2, 0)).explain()}
    assert "threshold 90" in said["mask"] and "moved by 2.0 pixels" in said["aligned"]
    lit = vde.compare(pair.reference, (pair.current * 0.8).astype(np.uint8))
    assert "light of the reference" in {s.key: s.sentence for s in lit.explain()}["levelled"]


@pytest.mark.parametrize("size", [(7, 7), (9, 4000), (30, 500)])
def test_pictures_of_any_shape_are_explained(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    reference = rng.integers(0, 255, (*size, 3), np.uint8)
    current = reference.copy()
    current[2:5, 2:5] ^= 255
    for method in ("robust", "hybrid"):
        steps = explain(vde.compare(reference, current, method=method), side=64)
        assert max(steps[0].picture.shape) <= 64 and min(steps[0].picture.shape[:2]) >= 1


def test_a_strip_too_small_to_see_is_refused() -> None:
    pair = vde.samples.load("tyre")
    with pytest.raises(SettingError, match="side=3"):
        vde.compare(pair.reference, pair.current).explain(3)


def test_what_only_one_of_two_methods_saw_is_told_apart() -> None:
    pair = vde.samples.load("tyre")
    found = vde.compare(pair.reference, pair.current, segmenter="none")
    first = replace(found.anomalies[0], type="environmental")
    shaded = replace(found, anomalies=(first, *found.anomalies[1:]))
    said = {one.key: one.sentence for one in explain(shaded)}["outlines"]
    assert "1 found by one of two methods only is hatched" in said
    assert "hatched" not in {one.key: one.sentence for one in explain(found)}["outlines"]


def test_the_sentence_of_a_semantic_comparison_names_what_described_the_pictures() -> None:
    pair = vde.samples.load("tyre")
    found = vde.compare(pair.reference, pair.current, method="semantic", segmenter="none")
    said = {one.key: one.sentence for one in explain(found)}["heat"]
    assert "colours, texture and directions" in said


def test_the_sentence_names_what_described_the_pictures_and_not_what_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pair = vde.samples.load("tyre")

    def averages(image: np.ndarray) -> np.ndarray:
        return image[::8, ::8]

    found = vde.compare(
        pair.reference, pair.current, method="semantic", segmenter="none", features=averages
    )
    said = {one.key: one.sentence for one in explain(found)}
    assert "described by the function averages" in said["heat"]
    assert said["cleaned"].startswith("Places with enough evidence grow into what is hot")
    settings = replace(
        found.settings, difference=replace(found.settings.difference, features="dinov2_small")
    )
    model = replace(found, settings=settings)
    assert "the model DINOv2 small" in {one.key: one.sentence for one in explain(model)}["heat"]
    without = WeightsError("DINOv2 small cannot be downloaded.")

    def refuse(name: str, *_: object) -> Embedded:
        if name != "embedded":
            raise without
        return Embedded()

    monkeypatch.setattr(choosing, "open_features", refuse)
    monkeypatch.setattr(choosing, "not_installed", lambda *names: [])
    instead = vde.compare(
        pair.reference,
        pair.current,
        method="semantic",
        segmenter="none",
        features="dinov2_small",
        cache=None,
    )
    said = {one.key: one.sentence for one in explain(instead)}
    assert "described by its colours, texture and directions" in said["heat"]


def test_the_cleaning_is_told_as_it_was_done() -> None:
    pair = vde.samples.load("tyre")
    for how, told in (
        ({}, "Places with enough evidence grow into what is hot around them, and closing joins"),
        ({"open_iterations": 1}, "hot around them, opening removes specks, and closing joins"),
        ({"close_iterations": 0}, "grow into what is hot around them."),
        ({"method": "hybrid", "open_iterations": 0, "close_iterations": 0}, "so specks stay."),
        ({"method": "hybrid", "open_iterations": 1}, "Opening removes specks"),
    ):
        found = vde.compare(pair.reference, pair.current, segmenter="none", **how)
        assert told in {one.key: one.sentence for one in explain(found)}["cleaned"]


def test_a_method_that_says_nothing_of_its_heat_is_explained_by_its_summary(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = replace(METHODS["hybrid"], name="own", summary="Mine.", heat_title="Heat", heat_said="")
    monkeypatch.setitem(METHODS, "own", own)
    pair = vde.samples.load("board")
    steps = {
        one.key: one for one in explain(vde.compare(pair.reference, pair.current, method="own"))
    }
    assert (steps["heat"].title, steps["heat"].sentence) == ("Heat", "Mine.")
