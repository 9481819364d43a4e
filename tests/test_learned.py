"""What a method has to say about its regions, and models of normality in compare()."""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from vde_nb import Normality, compare, methods, samples
from vde_nb.errors import ImageError, SettingError
from vde_nb.methods import METHODS, Finding
from vde_nb.methods.hybrid import METHOD as HYBRID
from vde_nb.settings import resolve


class Measured:
    """A difference method's own measure of an outline, as picklable as any."""

    def __call__(self, box, mask):
        return {"area_pixels": float(mask.sum()), "left": float(box[0])}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch):
    """Hybrid that measures its regions and calls the first of them by name."""

    def find(images, settings, stage) -> Finding:
        found = HYBRID.find(images, settings, stage)
        count = len(found.candidates.value)
        return replace(
            found, measure=Measured(), labels=("environmental", *[""] * (count - 1))[:count]
        )

    monkeypatch.setitem(METHODS, "hybrid", replace(HYBRID, find=find))
    pair = samples.load("tyre")
    return compare(pair.reference, pair.current, method="hybrid", segmenter="none", cache=None)


def test_a_methods_own_measures_join_the_evidence_of_every_anomaly(told):
    assert told.anomalies
    for one in told.anomalies:
        assert one.evidence["area_pixels"] == one.area
        assert one.evidence["left"] == one.x
        assert len(one.evidence) > 2  # and those of the classifier stay


def test_a_type_that_the_method_tells_stands_and_is_minor(told):
    named = [one for one in told.anomalies if one.type == "environmental"]
    assert len(named) == 1
    assert (named[0].severity, named[0].confidence) == ("minor", 1.0)
    assert 0 <= named[0].severity_score < 0.33
    assert len(told.anomalies) > 1


def test_what_a_person_points_at_is_measured_like_what_was_found(told):
    again = told.prompted([{"box": (40, 40, 30, 20)}])
    prompted = next(one for one in again.anomalies if one.origin == "prompted")
    assert prompted.evidence["area_pixels"] == prompted.area


def test_both_methods_are_listed_with_settings_of_their_own():
    assert [row["name"] for row in methods()][-2:] == ["semantic", "normality"]
    semantic, normality = resolve("semantic").to_dict(), resolve("normality").to_dict()
    assert "features" in semantic and "model" not in semantic
    assert "model" in normality and "features" not in normality
    assert "fuse" not in resolve("robust").to_dict()
    assert normality["false_alarms"] == 0.02


def test_normality_without_a_model_says_how_to_get_one():
    picture = np.full((60, 80, 3), 90, np.uint8)
    with pytest.raises(SettingError, match=r"Normality\.fit"):
        compare(picture, picture, method="normality")


@pytest.fixture(scope="module")
def learned():
    rng = np.random.default_rng(3)
    scene = samples.load("wall").reference[:240, :320]
    normals = [
        np.clip(scene + rng.normal(0, 3, scene.shape), 0, 255).astype(np.uint8) for _ in range(6)
    ]
    return Normality.fit(normals, model="variation", align=False), scene, normals


def test_a_model_brings_its_own_reference_and_how_pictures_were_prepared(learned):
    model, scene, _ = learned
    changed = scene.copy()
    changed[100:130, 150:190] = (200, 40, 40)
    alone = compare(changed, method="normality", model=model, segmenter="none")
    assert np.array_equal(alone.reference, model.reference)
    assert not any("takes the place" in note for note in alone.notes)
    assert alone.settings.align.align == "off"  # as it was fitted
    assert len(alone.anomalies) == 1
    other = np.roll(scene, 3, axis=1)
    pair = compare(other, changed, method="normality", model=model, segmenter="none")
    assert np.array_equal(pair.reference, model.reference)
    assert any("takes the place" in note for note in pair.notes)
    assert [one.box for one in pair.anomalies] == [one.box for one in alone.anomalies]


def test_a_comparison_can_be_made_again_with_a_model(learned):
    model, scene, _ = learned
    changed = scene.copy()
    changed[100:130, 150:190] = (200, 40, 40)
    first = compare(scene, changed, segmenter="none")
    again = first.again(method="normality", model=model)
    assert np.array_equal(again.reference, model.reference)
    assert len(again.anomalies) == 1
    assert again.settings.difference.model


def spotted(scene, colour=(200, 40, 40)):
    """The scene with a square that does not belong."""
    picture = scene.copy()
    picture[100:130, 150:190] = colour
    return picture


def fitted(normals, **settings):
    return Normality.fit(normals, model="variation", **{"align": False, **settings})


def test_a_picture_that_could_not_be_read_is_never_judged_as_normal(learned):
    model, _, _ = learned
    for wrong in (None, b"no picture"):
        with pytest.raises(ImageError):
            model.compare(wrong)
        with pytest.raises(ImageError):
            compare(wrong, method="normality", model=model)
    with pytest.raises(SettingError, match="two pictures"):
        compare(model.reference, None, method="normality", model=model)


def test_what_a_model_learns_later_leaves_finished_comparisons_alone(learned):
    _, scene, normals = learned
    model = fitted(normals)
    odd = spotted(scene)
    before = model.compare(odd, segmenter="none")
    name = before.settings.difference.model
    for _ in range(6):
        model.update(odd)
    again = before.again(threshold=51)
    assert again.score == before.score > 1
    assert again.settings.difference.model == name
    assert model.compare(odd, segmenter="none").score < before.score


def test_a_comparison_keeps_its_model_whatever_happens_to_the_others(learned):
    _, scene, normals = learned
    first = fitted(normals[:4]).compare(spotted(scene), segmenter="none")
    for number in range(3):
        fitted(normals[: 3 + number], seed=number).compare(scene, segmenter="none")
    gc.collect()
    assert len(first.again(threshold=60).anomalies) == 1


def test_a_file_that_is_written_again_does_not_change_what_was_compared(learned, tmp_path):
    _, scene, normals = learned
    path = tmp_path / "m.normality.safetensors"
    fitted(normals).save(path)
    odd = spotted(scene)
    before = compare(odd, method="normality", model=path, segmenter="none")
    blind = fitted(normals)
    for _ in range(6):
        blind.update(odd)
    blind.save(path, overwrite=True)
    assert before.again(threshold=51).score == before.score
    assert compare(odd, method="normality", model=path, segmenter="none").score < before.score


def test_another_model_or_method_takes_nothing_from_the_last_model(learned):
    model, scene, normals = learned
    aligned = fitted(normals, align=True)
    first = model.compare(spotted(scene), segmenter="none")
    assert first.settings.align.align == "off"
    assert first.again(model=aligned).settings.align.align == "auto"
    assert first.again(method="robust").settings.align.align == "auto"
    chosen = model.compare(spotted(scene), segmenter="none", align="translation")
    assert chosen.again(model=aligned).settings.align.align == "translation"


def test_the_own_reference_comes_back_with_a_method_of_two_pictures(learned):
    model, scene, _ = learned
    own = np.roll(scene, 2, axis=1)
    first = compare(own, spotted(scene), segmenter="none")
    there = first.again(method="normality", model=model)
    assert np.array_equal(there.reference, model.reference)
    back = there.again(method="robust")
    assert np.array_equal(back.reference, own)
    assert [one.box for one in back.anomalies] == [one.box for one in first.anomalies]


def test_a_small_reference_does_not_cost_the_picture_its_resolution(learned):
    model, scene, _ = learned
    small = scene[::8, ::8].copy()
    alone = model.compare(spotted(scene), segmenter="none")
    pair = compare(small, spotted(scene), method="normality", model=model, segmenter="none")
    assert pair.score == alone.score
    assert np.array_equal(pair.current, alone.current)


def test_a_comparison_with_a_model_can_be_sent_to_another_process(learned):
    model, scene, _ = learned
    first = model.compare(spotted(scene), segmenter="none")
    sent = pickle.loads(pickle.dumps(first))
    assert [one.box for one in sent.anomalies] == [one.box for one in first.anomalies]
    assert sent.again(threshold=60).score == first.score


def test_a_saved_model_is_named_by_its_file_until_it_learns_more(learned, tmp_path):
    _, scene, normals = learned
    path = tmp_path / "m.normality.safetensors"
    model = fitted(normals)
    assert model.file == ""
    model.save(path)
    for one in (model, Normality.load(path)):
        found = one.compare(spotted(scene), segmenter="none")
        assert found.settings.difference.model == one.file == str(path)
    model.update(normals[0])
    later = model.compare(spotted(scene), segmenter="none")
    assert model.file == "" and later.settings.difference.model.startswith("variation-")


def test_what_described_the_pictures_is_told(learned):
    model, scene, _ = learned
    semantic = compare(scene, spotted(scene), method="semantic", segmenter="none")
    assert semantic.described_by == "Embedded descriptors"
    assert model.compare(scene).described_by == ""  # it looks at pixels only
    assert '"described_by": "Embedded descriptors"' in semantic.to_json()


def test_a_panel_with_a_model_needs_one_picture(learned, tmp_path):
    from vde_nb import Panel

    model, scene, normals = learned
    panel = Panel(spotted(scene), method="normality", model=model, segmenter="none")
    assert len(panel.comparison.anomalies) == 1
    panel.close()
    panel = Panel(normals[:3], method="normality", model=model, segmenter="none")
    assert len(panel.pairs) == 3 and not panel.comparison.anomalies
    panel.close()
    with pytest.raises(SettingError, match="no model"):
        Panel(scene, method="normality", model=str(tmp_path / "nothing.safetensors"))


def test_a_series_shown_with_other_settings_is_compared_anew(learned):
    model, scene, normals = learned
    watch = model.series([normals[0], spotted(scene), normals[1]], segmenter="none")
    same, strict = watch.panel(), watch.panel(threshold=255)
    assert [row["status"] for row in same.frames][1:] == ["changed", "clean"]
    assert {row["status"] for row in list(strict.frames)[1:]} == {"todo"}
    same.close(), strict.close()


def test_a_picture_of_another_scene_is_no_part_of_a_story(learned):
    _, scene, normals = learned
    model = fitted(normals, align=True)
    other = samples.load("tyre").reference[:240, :320]
    watch = model.series([normals[0], spotted(scene), other, spotted(scene)])
    assert "another scene" in watch.rows[2].remark and not watch.rows[2].tracks
    assert [track.frames for track in watch.tracks] == [2]


def test_a_function_without_a_version_is_not_saved(learned, tmp_path):
    from vde_nb import add_features, remove_features
    from vde_nb.features import named_features

    def blocks(image):
        return image[::8, ::8].astype(np.float32)

    _, _, normals = learned
    model = Normality.fit(normals, model="subspace", features=blocks, align=False)
    with pytest.raises(SettingError, match="version"):
        model.save(tmp_path / "m")
    assert not list(tmp_path.iterdir())
    remove_features(named_features(blocks))
    add_features("blocks", blocks, version="1")
    Normality.fit(normals, model="subspace", features="blocks", align=False).save(tmp_path / "m")
    remove_features("blocks")


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda image: np.moveaxis(image[::8, ::8], 2, 0).astype(float), "returns (rows"),
        (lambda image: np.ones((image.shape[0] // 8, image.shape[1] // 8, 4)), "nothing is told"),
    ],
)
def test_descriptions_that_are_hardly_meant_are_noted(learned, function, told):
    _, scene, _ = learned
    found = compare(scene, spotted(scene), method="semantic", features=function, cache=None)
    assert any(told in note for note in found.notes)


@pytest.mark.parametrize("seed", [-1, 1.5, True, "x"])
def test_a_seed_that_is_none_is_refused(learned, seed):
    with pytest.raises(SettingError, match="seed"):
        fitted(learned[2], seed=seed)


def test_pictures_nothing_can_be_compared_in_are_refused_before_they_are_learned():
    with pytest.raises(ImageError, match="7"):
        fitted([np.zeros((6, 40, 3), np.uint8)] * 3)


def test_comparing_two_pictures_does_without_what_learns():
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, numpy, vde_nb\n"
            "vde_nb.compare(*[numpy.zeros((40, 40, 3), 'uint8')] * 2)\n"
            "print([name for name in sys.modules if name.startswith('vde_nb.normality')])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "[]"
