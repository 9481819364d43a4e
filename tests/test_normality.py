"""Normality: learning from normal pictures, judging others, and everything odd handed over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

import vde_nb as vde
from vde_nb import samples
from vde_nb.align import Prepared
from vde_nb.errors import ImageError, SettingError
from vde_nb.methods.normality import METHOD
from vde_nb.normality import Normality, find_model, known_models, named_model
from vde_nb.settings import resolve
from vde_nb.stages import Staged, Stages

STEADY = {"shift": (0.0, 0.0), "noise": 3.0}


@pytest.fixture(scope="module")
def wall() -> np.ndarray:
    return np.ascontiguousarray(samples.load("wall").reference[100:340, 200:520])


@pytest.fixture(scope="module")
def normals(wall: np.ndarray) -> list[np.ndarray]:
    return [samples.stress(wall, seed, defects=()).current for seed in range(100, 112)]


@pytest.fixture(scope="module")
def model(normals: list[np.ndarray]) -> Normality:
    return Normality.fit(normals)


@pytest.fixture(scope="module")
def pixels(normals: list[np.ndarray]) -> Normality:
    return Normality.fit(normals, model="variation")


def spoilt(picture: np.ndarray) -> np.ndarray:
    """With something on it that does not belong there."""
    out = picture.copy()
    cv2.circle(out, (160, 120), 14, (20, 20, 200), -1, cv2.LINE_AA)
    return out


def test_normal_pictures_stay_below_the_level_and_defects_exceed_it(
    model: Normality, wall: np.ndarray
) -> None:
    sound = [model.score(samples.stress(wall, seed).current) for seed in range(0, 12, 2)]
    broken = [model.score(samples.stress(wall, seed).current) for seed in range(1, 12, 2)]
    assert max(sound) < 1 < min(broken)


def test_an_anomaly_is_found_where_it_is(model: Normality, normals: list[np.ndarray]) -> None:
    result = model.compare(spoilt(normals[0]))
    assert len(result.anomalies) == 1
    x, y, w, h = result.anomalies[0].box
    assert abs(x + w / 2 - 160) < 4 and abs(y + h / 2 - 120) < 4
    assert 20 < w < 40 and 20 < h < 40
    evidence = result.anomalies[0].evidence
    assert evidence["normality_peak"] >= evidence["normality_distance"] > 1


def test_comparing_by_name_is_the_same(model: Normality, normals: list[np.ndarray]) -> None:
    picture = spoilt(normals[0])
    direct = model.compare(picture)
    named = vde.compare(model.reference, picture, method="normality", model=named_model(model))
    assert np.array_equal(direct.heatmap, named.heatmap)
    assert [one.box for one in direct.anomalies] == [one.box for one in named.anomalies]


def test_more_false_alarms_allowed_means_more_heat(
    model: Normality, normals: list[np.ndarray]
) -> None:
    frame = model.frame(spoilt(normals[0]))
    strict, usual = model.evidence(frame, 0.001), model.evidence(frame)
    assert np.all(strict <= usual) and strict.max() < usual.max()
    score = model.score(spoilt(normals[0]))  # of places, which are means of 3 x 3 pixels
    assert 0.8 * usual.max() < score <= usual.max()
    assert score == pytest.approx(model.compare(spoilt(normals[0])).score, rel=0.03)


def test_what_varies_in_the_normal_pictures_may_vary(wall: np.ndarray) -> None:
    def with_lamp(seed: int, level: int) -> np.ndarray:
        out = wall.copy()
        cv2.rectangle(out, (40, 40), (70, 60), (level, level, level), -1)
        return samples.stress(out, seed, defects=(), nuisances=STEADY).current

    blinking = [with_lamp(seed, 20 + 200 * (seed % 2)) for seed in range(12)]
    model = Normality.fit(blinking, model="variation")
    assert not model.compare(with_lamp(50, 20)).anomalies
    assert not model.compare(with_lamp(51, 220)).anomalies
    assert model.compare(spoilt(with_lamp(51, 220))).anomalies


def test_the_same_pictures_give_the_same_model(
    normals: list[np.ndarray], pixels: Normality
) -> None:
    again = Normality.fit(normals, model="variation")
    assert again.signature == pixels.signature
    assert Normality.fit(normals[:-1], model="variation").signature != pixels.signature


@pytest.mark.parametrize("kind", ["variation", "subspace", "memory"])
def test_every_kind_tells_a_spoilt_picture(
    kind: str, normals: list[np.ndarray], wall: np.ndarray
) -> None:
    model = Normality.fit(normals, model=kind)
    assert model.kind == kind and not model.table()
    fresh = samples.stress(wall, 200, defects=()).current
    assert model.score(fresh) < 1 < model.score(spoilt(fresh))


def test_auto_says_what_it_compared_and_chose(model: Normality) -> None:
    table = model.table()
    assert [one.kind for one in table] == ["variation", "subspace", "memory"]
    chosen = next(one for one in table if one.kind == model.kind)
    assert chosen.found >= max(one.found for one in table) - 0.1
    assert any("Chosen by the normal pictures" in note for note in model.notes)


def test_one_normal_picture_works_as_a_pair_and_says_so(wall: np.ndarray) -> None:
    first, second = (
        samples.stress(wall, seed, defects=(), nuisances=STEADY).current for seed in (1, 2)
    )
    model = Normality.fit([first])
    assert any("one normal picture only" in note for note in model.notes)
    assert not model.compare(second).anomalies
    assert len(model.compare(spoilt(second)).anomalies) == 1


def test_identical_normal_pictures_leave_room_for_noise(wall: np.ndarray) -> None:
    model = Normality.fit([wall] * 5)
    assert model.score(wall) < 1
    grain = np.random.default_rng(1).normal(0, 1, wall.shape)
    noisy = np.clip(wall + grain, 0, 255).astype(np.uint8)
    assert not model.compare(noisy).anomalies
    assert model.compare(spoilt(wall)).anomalies


def test_a_flat_picture_is_learnt_too() -> None:
    flat = np.full((120, 160, 3), 90, np.uint8)
    model = Normality.fit([flat, flat, flat])
    spot = flat.copy()
    spot[50:70, 60:90] = 140
    assert model.score(flat) < 1 < model.score(spot)


def test_a_corrupt_picture_in_the_middle_is_skipped_and_named(
    tmp_path: Path, normals: list[np.ndarray]
) -> None:
    for number, picture in enumerate(normals[:5]):
        cv2.imwrite(str(tmp_path / f"frame_{number}.png"), picture[..., ::-1])
    (tmp_path / "frame_2.png").write_bytes(b"\x89PNG\r\n\x1a\n but then nothing")
    (tmp_path / "notes.txt").write_text("not a picture")
    model = Normality.fit(tmp_path, model="variation")
    assert len(model.names) == 4
    assert [Path(name).name for name, _ in model.skipped] == ["frame_2.png"]
    assert any("frame_2.png" in note for note in model.notes)


def test_pictures_of_a_folder_come_in_the_order_people_expect(
    tmp_path: Path, normals: list[np.ndarray]
) -> None:
    for at, number in enumerate((10, 9, 100)):
        cv2.imwrite(str(tmp_path / f"frame_{number}.png"), normals[at][..., ::-1])
    model = Normality.fit(tmp_path, model="variation")
    names = [Path(name).name for name in model.names]
    assert names == ["frame_9.png", "frame_10.png", "frame_100.png"]


def test_copies_of_a_picture_count_once_and_are_named(normals: list[np.ndarray]) -> None:
    model = Normality.fit([normals[0]] * 5, model="variation")
    assert len(model.names) == 1
    said = " ".join(model.notes)
    assert "identical" in said and "picture 2" in said and "one normal picture only" in said
    alone = Normality.fit(normals[:1], model="variation")
    assert model.score(normals[3]) == pytest.approx(alone.score(normals[3]))


def test_learning_what_was_far_from_normal_is_said_for_good(normals: list[np.ndarray]) -> None:
    model = Normality.fit(normals[:8], model="variation")
    model.update(normals[9])
    assert not any("before it was learned" in note for note in model.notes)
    model.update(spoilt(normals[0]))
    model.update(normals[10])
    assert any("before it was learned" in note for note in model.notes)


@pytest.mark.parametrize("wrong", ["30", 0, -1, float("nan"), float("inf")])
def test_a_half_life_that_is_none_is_refused_in_words(
    normals: list[np.ndarray], wrong: object
) -> None:
    model = Normality.fit(normals[:2], model="variation")
    with pytest.raises(SettingError, match="half_life must be a number above 0"):
        model.update(normals[3], half_life=wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"Normality\.fit"):
        Normality("good/")  # type: ignore[arg-type]


def test_few_normal_pictures_are_said(normals: list[np.ndarray]) -> None:
    model = Normality.fit(normals[:10], model="variation")
    assert any("10 normal pictures are few" in note for note in model.notes)


def test_another_size_is_resized_and_other_proportions_are_skipped(
    normals: list[np.ndarray],
) -> None:
    larger = cv2.resize(normals[1], None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    model = Normality.fit([*normals[:4], larger, normals[2][:, :200]], model="variation")
    assert len(model.names) == 5
    assert any("picture 5: resized" in note for note in model.notes)
    assert [name for name, _ in model.skipped] == ["picture 6"]
    assert "proportions" in model.skipped[0][1]


def test_a_picture_of_something_else_is_no_normal_picture(normals: list[np.ndarray]) -> None:
    stranger = np.random.default_rng(0).integers(0, 255, normals[0].shape, np.uint8)
    stranger = cv2.GaussianBlur(stranger, (0, 0), 3)
    model = Normality.fit([*normals[:5], stranger], model="variation")
    assert [name for name, _ in model.skipped] == ["picture 6"]
    with pytest.raises(ImageError, match="does not show the scene"):
        model.update(stranger)
    assert model.score(stranger) > 1  # as a picture to be judged, it is far from normal


def test_a_first_picture_unlike_the_others_is_not_the_reference(
    normals: list[np.ndarray],
) -> None:
    odd = np.ascontiguousarray(normals[0][::-1, ::-1])
    model = Normality.fit([odd, *normals[1:6]], model="variation")
    assert any("is unlike the others" in note for note in model.notes)
    assert not np.array_equal(model.reference, odd)


def test_a_reference_of_ones_own_is_used(normals: list[np.ndarray], wall: np.ndarray) -> None:
    model = Normality.fit(normals[:4], wall, model="variation")
    assert np.array_equal(model.reference, wall)


def test_a_contaminated_normal_picture_is_pointed_out_and_hides_nothing(
    normals: list[np.ndarray], wall: np.ndarray
) -> None:
    pictures = [*normals[:6], spoilt(normals[6]), *normals[7:]]
    for kind in ("variation", "subspace", "memory"):
        model = Normality.fit(pictures, model=kind)
        assert any("Stands out" in note and "picture 7" in note for note in model.notes), kind
        fresh = samples.stress(wall, 300, defects=()).current
        assert model.score(fresh) < 1 < model.score(spoilt(fresh)), kind


def test_sound_normals_are_not_suspected(model: Normality) -> None:
    assert not any("Stands out" in note for note in model.notes)


def test_a_generator_is_read_once_and_memory_is_bounded(wall: np.ndarray) -> None:
    drawn = 0

    def endless() -> Iterator[np.ndarray]:
        nonlocal drawn
        for seed in range(60):
            drawn += 1
            rng = np.random.default_rng(seed)
            yield np.clip(wall + rng.normal(0, 3, wall.shape), 0, 255).astype(np.uint8)

    model = Normality.fit(endless(), model="variation", align=False, cache_bytes=10 * wall.nbytes)
    assert drawn == 60
    assert len(model.names) == 10
    assert len(set(model.names)) == 10
    assert any("10 of 60 normal pictures are kept" in note for note in model.notes)
    assert "picture 60" in model.names or max(int(n.split()[1]) for n in model.names) > 20


@pytest.mark.parametrize("kind", ["variation", "subspace", "memory"])
def test_what_no_normal_picture_showed_is_not_judged(kind: str, wall: np.ndarray) -> None:
    def moved(seed: int, dx: float) -> np.ndarray:
        amounts = {"shift": (dx, 0.0), "noise": 3.0}
        return samples.stress(wall, seed, defects=(), nuisances=amounts).current

    # All normal pictures lack the left border; this one shows it.
    model = Normality.fit([moved(seed, -9.0) for seed in range(6)], wall, model=kind)
    seen = moved(20, 9.0).copy()
    seen[:, 9:15] = 255 - seen[:, 9:15]
    assert model.evidence(model.frame(seen))[:, :4].max() < 1


def test_update_learns_what_is_normal_now(wall: np.ndarray) -> None:
    normals = [
        samples.stress(wall, seed, defects=(), nuisances=STEADY).current for seed in range(6)
    ]
    model = Normality.fit(normals, model="variation")
    before, signature = model.score(spoilt(normals[0])), model.signature
    for seed in range(20, 26):
        new = spoilt(samples.stress(wall, seed, defects=(), nuisances=STEADY).current)
        assert model.update(new, half_life=2) is model
    assert before > 1 > model.score(spoilt(normals[0]))
    assert model.signature != signature
    assert len(model.names) == 12


def test_a_picture_that_cannot_be_learnt_leaves_the_model_as_it_was(
    normals: list[np.ndarray],
) -> None:
    model = Normality.fit(normals[:4], model="variation")
    signature = model.signature
    with pytest.raises(ImageError):
        model.update(normals[0][:, :100])
    with pytest.raises(SettingError, match="half_life"):
        model.update(normals[0], half_life=0)
    assert model.signature == signature and len(model.names) == 4


def test_cancelling_leaves_nothing(normals: list[np.ndarray]) -> None:
    class StopHere(Exception):
        pass

    said = []

    def progress(text: str) -> None:
        said.append(text)
        if "fitting" in text:
            raise StopHere

    with pytest.raises(StopHere):
        Normality.fit(normals[:4], progress=progress)
    assert said


def test_arrays_may_be_written_into_afterwards(normals: list[np.ndarray]) -> None:
    mine = [picture.copy() for picture in normals[:4]]
    model = Normality.fit(mine, model="variation", align=False, normalise="off")
    kept = model.reference.copy()
    for picture in mine:
        picture[:] = 0
    assert np.array_equal(model.reference, kept)
    assert model._parts.bank[2].levelled.any()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"model": "varation"}, "variation"),
        ({"features": "embeded"}, "embedded"),
        ({"cache_bytes": 0}, "cache_bytes"),
    ],
)
def test_what_cannot_be_is_said(
    given: dict[str, object], words: str, normals: list[np.ndarray]
) -> None:
    with pytest.raises(SettingError, match=words):
        Normality.fit(normals[:2], **given)


def test_a_setting_that_does_not_exist_names_the_nearest(normals: list[np.ndarray]) -> None:
    with pytest.raises(TypeError, match="normalise"):
        Normality.fit(normals[:2], normalize=True)


def test_no_pictures_no_model(tmp_path: Path, wall: np.ndarray) -> None:
    with pytest.raises(ImageError, match="empty"):
        Normality.fit([])
    with pytest.raises(SettingError, match="no picture in the folder"):
        Normality.fit(tmp_path)
    with pytest.raises(SettingError, match="no folder"):
        Normality.fit(tmp_path / "nowhere")
    with pytest.raises(SettingError, match="one picture"):
        Normality.fit(wall)
    (tmp_path / "a.png").write_bytes(b"nothing")
    with pytest.raises(ImageError, match=r"a\.png"):
        Normality.fit(tmp_path)


def test_a_folder_without_pictures_tells_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"no picture in the folder .*, it is empty\."):
        Normality.fit(tmp_path)
    for name in "edcba":
        (tmp_path / f"{name}.txt").touch()
    (tmp_path / "_good").mkdir()
    with pytest.raises(SettingError, match=r"only _good/, a\.txt, b\.txt and 3 more\."):
        Normality.fit(tmp_path)


def test_models_are_found_by_name_and_wrong_names_are_explained(pixels: Normality) -> None:
    name = named_model(pixels)
    assert name in known_models()
    assert find_model(name).signature == pixels.signature
    assert named_model(name) == name
    with pytest.raises(SettingError, match="Did you mean"):
        find_model(name[:-1])
    with pytest.raises(SettingError, match="needs a model"):
        find_model("")
    with pytest.raises(SettingError, match="not int"):
        named_model(3)  # type: ignore[arg-type]


def test_a_model_of_another_size_is_said(pixels: Normality, wall: np.ndarray) -> None:
    narrow = Staged(np.ascontiguousarray(wall[:, :200]), None)
    images = Prepared(narrow, narrow, narrow, Staged(None, None))
    settings = resolve("normality", model=named_model(pixels))
    with pytest.raises(SettingError, match="320 \u00d7 240 pixels"):
        METHOD.find(images, settings, Stages(None))


def test_the_repr_is_short(pixels: Normality) -> None:
    assert repr(pixels) == "Normality(variation, 320\u00d7240, 12 pictures)"
