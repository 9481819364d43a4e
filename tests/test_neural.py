"""A model as segmenter: outlines from the picture that shows the thing, and what that tells."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from tests.fake_sam import FakeBackend, FakeWeights, fake_predictor
from vde_nb.compare import compare
from vde_nb.errors import SettingError
from vde_nb.segment import Outline, Prompt, Scene, _seen, neural
from vde_nb.segment._views import View, best_view, views_evidence
from vde_nb.segment.neural import SamOptions, SamSegmenter, predictor_for
from vde_nb.segment.predictor import Predictor

RED, GREY = (200, 40, 30), 100


def disc(height: int, width: int, x: float, y: float, radius: float) -> np.ndarray:
    rows, columns = np.ogrid[:height, :width]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def painted(*masks: np.ndarray, shape: tuple[int, int] = (300, 400)) -> np.ndarray:
    image = np.full((*shape, 3), GREY, np.uint8)
    for mask in masks:
        image[mask] = RED
    return image


def scene_of(reference: np.ndarray, current: np.ndarray) -> Scene:
    return Scene(reference, current, cv2.absdiff(reference, current).max(axis=2))


def fat(truth: np.ndarray, by: int = 3, reach: int = 20) -> Prompt:
    """The prompt detection would make: box and mask too large by `by` pixels on each side."""
    grown = cv2.dilate(truth.view(np.uint8), np.ones((2 * by + 1, 2 * by + 1), np.uint8))
    x, y, w, h = cv2.boundingRect(grown)
    return Prompt((x, y, w, h), (), grown[y : y + h, x : x + w] > 0, reach)


def whole(outline: Outline, shape: tuple[int, ...] = (300, 400)) -> np.ndarray:
    x, y, w, h = outline.box
    assert outline.mask.shape == (h, w) and outline.mask.dtype == np.bool_
    assert x >= 0 and y >= 0 and x + w <= shape[1] and y + h <= shape[0]
    assert 0 <= outline.score <= 1
    full = np.zeros(shape[:2], bool)
    full[y : y + h, x : x + w] = outline.mask
    return full


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.count_nonzero(one & other) / np.count_nonzero(one | other))


def prepared(scene: Scene, predictor: Predictor | None = None, **options):
    return SamSegmenter("sam_vit_b", SamOptions(**options), predictor or fake_predictor()).prepare(
        scene
    )


def segment(scene: Scene, *prompts: Prompt, **options) -> list[Outline]:
    return prepared(scene, **options).segment(prompts)


PLAIN = painted()
ROUND = disc(300, 400, 150, 120, 40)
MOVED = disc(300, 400, 162, 120, 40)


def test_what_was_added_is_outlined_in_the_current_picture() -> None:
    outline = segment(scene_of(PLAIN, painted(ROUND)), fat(ROUND))[0]
    assert iou(whole(outline), ROUND) > 0.97
    assert outline.note == "" and outline.score == pytest.approx(0.9)
    evidence = outline.evidence
    assert evidence["in_current"] > 0.6 > 0.4 > evidence["in_reference"]
    assert evidence["predicted_iou"] == pytest.approx(0.9) and evidence["stability"] > 0.8


def test_what_is_missing_is_outlined_where_it_was() -> None:
    outline = segment(scene_of(painted(ROUND), PLAIN), fat(ROUND))[0]
    assert iou(whole(outline), ROUND) > 0.97
    assert outline.evidence["in_reference"] > 0.6 > 0.4 > outline.evidence["in_current"]
    assert outline.evidence["mask_iou"] < 0.8


def test_what_changed_on_the_spot_is_in_both_pictures() -> None:
    other = painted(ROUND)
    other[ROUND] = (30, 60, 220)
    evidence = segment(scene_of(painted(ROUND), other), fat(ROUND))[0].evidence
    assert evidence["mask_iou"] > 0.97 and evidence["mask_shift"] < 0.5
    assert evidence["in_reference"] > 0.6 and evidence["in_current"] > 0.6


def test_what_moved_has_a_shift() -> None:
    scene = scene_of(painted(ROUND), painted(MOVED))
    outline = segment(scene, fat(ROUND | MOVED))[0]
    assert outline.evidence["mask_shift"] == pytest.approx(12, abs=1)
    assert 0.5 < outline.evidence["mask_iou"] < 0.9


def test_with_views_current_the_reference_is_not_looked_at() -> None:
    predictor = fake_predictor()
    outline = prepared(scene_of(PLAIN, painted(ROUND)), predictor, views="current").segment(
        [fat(ROUND)]
    )[0]
    assert predictor.backend.encoded == ["the current picture"]
    assert set(outline.evidence) == {"predicted_iou", "stability", "in_current"}


def test_nothing_is_outlined_outside_of_the_box_and_its_reach() -> None:
    bar = np.zeros((300, 400), bool)
    bar[100:120, 20:380] = True
    scene = scene_of(PLAIN, painted(bar))
    prompt = Prompt((150, 90, 60, 40), reach=10)
    clipped = segment(scene, prompt)[0]
    assert clipped.box == (140, 100, 80, 20)
    assert segment(scene, prompt, clip=False)[0].box == (20, 100, 360, 20)
    by_click = segment(scene, Prompt(None, ((180, 110, 1),)))[0]
    assert by_click.box == (20, 100, 360, 20), "a click has no box to stay in"


def test_islands_and_holes_go_by_a_setting() -> None:
    speckled = ROUND.copy()
    speckled[115:121, 148:154] = False
    speckled[60:66, 100:106] = True
    scene = scene_of(PLAIN, painted(speckled))
    prompt = replace_box(fat(ROUND), reach=40)
    assert iou(whole(segment(scene, prompt)[0]), ROUND) > 0.97
    kept = whole(segment(scene, prompt, min_island=0.0)[0])
    assert kept[62, 102] and not kept[118, 151]
    assert (200, 200) not in {segment(scene, prompt)[0].box[2:]}


def replace_box(prompt: Prompt, reach: int) -> Prompt:
    return Prompt(prompt.box, prompt.points, prompt.mask, reach)


def test_a_click_on_an_island_keeps_it_and_a_negative_click_takes_its_thing_out() -> None:
    other = disc(300, 400, 300, 200, 30)
    image = painted(ROUND)
    image[other] = (60, 200, 60)
    scene = scene_of(PLAIN, image)
    both = Prompt((100, 70, 240, 170), ((150, 120, 1),), None, 0)
    click = Prompt(None, ((150, 120, 1), (300, 200, 0)))
    assert iou(whole(segment(scene, click)[0]), ROUND) > 0.95
    assert segment(scene, both)[0].mask.any()


def test_of_several_masks_the_one_that_was_detected_is_taken() -> None:
    # Soft: the loose one of three masks is larger by pixels, and it is what detection saw.
    soft = np.clip(1.5 - np.hypot(*np.ogrid[-120:180, -150:250]) / 60, 0, 1)
    image = (GREY + (np.array(RED) - GREY) * soft[..., None]).astype(np.uint8)
    small, large = soft > 0.8, soft > 0.2
    scene = scene_of(PLAIN, image)
    areas = []
    for truth in (small, large):
        outline = segment(scene, fat(truth, by=0, reach=60), multimask=True)[0]
        areas.append(np.count_nonzero(outline.mask))
        assert iou(whole(outline), truth) > 0.8
    assert areas[0] < areas[1] / 2


def test_in_doubt_three_masks_are_asked_for_and_only_then() -> None:
    soft = np.clip(1.5 - np.hypot(*np.ogrid[-120:180, -150:250]) / 60, 0, 1)
    image = (GREY + (np.array(RED) - GREY) * soft[..., None]).astype(np.uint8)
    loose = soft > 0.02
    for truth, calls in ((loose, [False, False, True, True]), (soft > 0.5, [False, False])):
        predictor = fake_predictor()
        prepared(scene_of(PLAIN, image), predictor).segment([fat(truth, by=0, reach=60)])
        assert [call["multimask"] for call in predictor.backend.decoded] == calls
    predictor = fake_predictor()
    prepared(scene_of(PLAIN, image), predictor, multimask=False).segment([fat(loose, by=0)])
    assert not any(call["multimask"] for call in predictor.backend.decoded)


def test_where_the_model_sees_nothing_the_detected_mask_is_kept_and_this_is_said() -> None:
    prompt = fat(ROUND)
    silent = fake_predictor()
    silent.backend.decode = lambda loaded, boxes, *_: (
        np.full((len(boxes), 1, 256, 256), np.nan, np.float32),
        np.full((len(boxes), 1), np.nan, np.float32),
    )
    outline = prepared(scene_of(PLAIN, PLAIN), silent).segment([prompt])[0]
    assert outline.box == prompt.box and outline.score == 0
    np.testing.assert_array_equal(outline.mask, prompt.mask)
    assert "kept the detected mask" in outline.note
    assert "mask_shift" not in outline.evidence


def test_an_outline_that_floods_its_neighbourhood_is_no_outline() -> None:
    patch = np.zeros((300, 400), bool)
    patch[100:140, 100:160] = True
    image = np.full((300, 400, 3), RED, np.uint8)
    image[:20] = GREY
    flooded = fake_predictor()
    flooded.backend.decode = lambda loaded, boxes, *_: (
        np.full((len(boxes), 1, 256, 256), 5, np.float32),
        np.full((len(boxes), 1), 0.9, np.float32),
    )
    prompt = fat(patch, reach=40)
    outline = prepared(scene_of(image, image), flooded).segment([prompt])[0]
    assert outline.box == prompt.box and "no border" in outline.note


def test_nothing_at_a_persons_prompt_is_an_empty_outline() -> None:
    silent = fake_predictor()
    silent.backend.decode = lambda loaded, boxes, points, *_: (
        np.full((1, 1, 256, 256), -1, np.float32),
        np.full((1, 1), 0.5, np.float32),
    )
    scene = scene_of(PLAIN, PLAIN)
    for prompt in (Prompt((10, 20, 30, 40)), Prompt(None, ((50, 60, 1),))):
        outline = prepared(scene, silent).segment([prompt])[0]
        assert not outline.mask.any() and outline.score == 0
        assert outline.mask.shape == outline.box[:1:-1]


def test_boxes_are_cut_to_the_picture() -> None:
    corner = disc(300, 400, 0, 0, 40)
    scene = scene_of(PLAIN, painted(corner))
    outline = segment(scene, Prompt((-20, -30, 65, 75), mask=np.ones((75, 65), bool)))[0]
    assert iou(whole(outline), corner) > 0.95


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (Prompt((500, 20, 10, 10)), "outside the 400 x 300 picture"),
        (Prompt((10, 20, 0, 10)), "empty box"),
        (Prompt((float("nan"), 20, 10, 10)), "four numbers"),
        (Prompt(None, ((400, 20, 1),)), "outside the 400 x 300 picture"),
        (Prompt((10, 20, 10, 10), ((90, 25, 1),), reach=5), "farther than 5 pixels"),
        (Prompt(), "needs a box or a positive point"),
        (Prompt((10, 20, 10, 10), mask=np.ones((3, 3), bool)), "does not fit its box"),
    ],
)
def test_prompts_that_make_no_sense_are_told(prompt: Prompt, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        segment(scene_of(PLAIN, PLAIN), prompt)


@pytest.mark.parametrize(
    "wrong", [{"zoom": "yes"}, {"views": "one"}, {"multimask": "three"}, {"min_island": 2}]
)
def test_options_out_of_range_are_told(wrong: dict) -> None:
    with pytest.raises(SettingError, match=next(iter(wrong))):
        SamOptions(**wrong)


def test_no_prompts_need_no_encoding() -> None:
    predictor = fake_predictor()
    assert prepared(scene_of(PLAIN, PLAIN), predictor).segment([]) == []
    assert predictor.backend.encoded == []


@pytest.mark.parametrize("size", [(8, 8), (7, 300), (300, 7)])
def test_the_smallest_pictures_work(size: tuple[int, int]) -> None:
    current = np.full((*size, 3), GREY, np.uint8)
    current[2:5, 2:5] = RED
    outline = segment(
        scene_of(np.full_like(current, GREY), current),
        Prompt((2, 2, 3, 3), mask=np.ones((3, 3), bool), reach=1),
        zoom="on",
    )[0]
    assert iou(whole(outline, size), current[..., 0] == RED[0]) > 0.6


# -- zoom -----------------------------------------------------------------------------------


def big_scene(*discs: tuple[int, int, float]) -> tuple[Scene, list[np.ndarray]]:
    """4000 x 3000 with small discs, their borders antialiased."""
    current = np.full((3000, 4000, 3), GREY, np.uint8)
    truths = []
    for x, y, radius in discs:
        size = 6 * int(radius)
        rows, columns = np.ogrid[:size, :size]
        cover = np.clip(radius + 0.5 - np.hypot(columns - size // 2, rows - size // 2), 0, 1)
        part = current[y - size // 2 :, x - size // 2 :][:size, :size]
        part[:] = GREY + (np.array(RED) - GREY) * cover[..., None]
        truth = np.zeros((3000, 4000), bool)
        truth[y - size // 2 :, x - size // 2 :][:size, :size] = cover > 0.5
        truths.append(truth)
    return scene_of(np.full_like(current, GREY), current), truths


def boundary_error(outline: Outline, x: int, y: int, radius: float) -> float:
    """Largest distance of the outline's border from the circle, in pixels."""
    padded = np.pad(outline.mask, 1).view(np.uint8)
    contours, _ = cv2.findContours(padded, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = np.concatenate(contours)[:, 0] + outline.box[:2] - 1
    return float(np.abs(np.hypot(points[:, 0] - x, points[:, 1] - y) - radius).max())


def test_a_30_pixel_disc_in_a_4000_pixel_picture_is_no_staircase_with_zoom() -> None:
    x, y, radius = 2010, 1337, 15.0
    scene, (truth,) = big_scene((x, y, radius))
    prompt = fat(truth, by=4, reach=15)
    zoomed = segment(scene, prompt, zoom="on")[0]
    assert boundary_error(zoomed, x, y, radius) <= 1.0
    assert iou(whole(zoomed, truth.shape), truth) > 0.95
    coarse = segment(scene, prompt, zoom="off")[0]
    assert boundary_error(coarse, x, y, radius) > 2.0, "or else the zoom does nothing"


def test_a_click_on_a_small_thing_is_looked_at_more_closely_too() -> None:
    x, y, radius = 2010, 1337, 24.0
    scene, _ = big_scene((x, y, radius))
    predictor = fake_predictor()
    click = Prompt(None, ((x + 6, y, 1),))
    outline = prepared(scene, predictor, zoom="on").segment([click])[0]
    assert boundary_error(outline, x, y, radius) <= 1.0
    assert predictor.backend.encoded[-1] == "part 1 of 1 of the reference"


def test_neighbours_share_a_crop_and_its_encoding_is_kept() -> None:
    places = [(1000, 1000), (1060, 1010), (1020, 1060)]
    scene, truths = big_scene(*[(x, y, 12.0) for x, y in places])
    predictor = fake_predictor()
    ready = prepared(scene, predictor, zoom="on")
    outlines = ready.segment([fat(truth, by=2, reach=8) for truth in truths])
    for (x, y), outline in zip(places, outlines, strict=True):
        assert boundary_error(outline, x, y, 12.0) <= 1.0
    assert predictor.backend.encoded == [
        "part 1 of 1 of the current picture",
        "part 1 of 1 of the reference",
    ]
    ready.segment([fat(truths[0], by=1, reach=8)])
    assert len(predictor.backend.encoded) == 2


def test_zoom_is_automatic_on_a_gpu_and_off_on_a_cpu() -> None:
    scene, (truth,) = big_scene((2010, 1337, 15.0))
    for device, encoded in (("cuda", "part 1 of 1 of the current"), ("cpu", "the current")):
        predictor = Predictor(FakeBackend(device), chunk=8)
        prepared(scene, predictor).segment([fat(truth)])
        assert predictor.backend.encoded[0].startswith(encoded)


def test_too_many_small_regions_are_said_to_be_coarser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neural, "plan_crops", partial(neural.plan_crops, limit=1))
    scene, truths = big_scene((500, 500, 15.0), (3500, 2500, 15.0), (3520, 2560, 15.0))
    ready = prepared(scene, zoom="on", views="current")
    outlines = ready.segment([fat(truth) for truth in truths])
    assert [np.count_nonzero(one.mask) for one in outlines] == pytest.approx([700] * 3, rel=0.3)
    assert ready.notes[0].startswith("1 small regions have coarser outlines")


def test_many_boxes_on_an_8000_pixel_picture_need_little_memory() -> None:
    import tracemalloc

    image = np.full((6000, 8000, 3), GREY, np.uint8)
    scene = Scene(image, image, image[..., 0])
    rng = np.random.default_rng(0)
    prompts = [
        Prompt((int(x), int(y), 60, 40), mask=np.ones((40, 60), bool), reach=20)
        for x, y in zip(rng.integers(0, 7900, 150), rng.integers(0, 5900, 150), strict=True)
    ]
    predictor = fake_predictor(grid=128, side=128)
    ready = prepared(scene, predictor)
    ready.segment(prompts[:1])  # both pictures are encoded
    tracemalloc.start()
    outlines = ready.segment(prompts)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(outlines) == 150
    # All logits would be 150 * 2 * 4 * 64 KB = 79 MB, all masks of picture size 14 GB.
    assert peak < 20e6
    assert max(call["count"] for call in predictor.backend.decoded) == 8


# -- in the engine --------------------------------------------------------------------------


def test_regions_that_were_really_detected_get_a_models_outlines() -> None:
    gone, come = disc(300, 400, 100, 100, 40), disc(300, 400, 300, 200, 30)
    scene = scene_of(painted(gone), painted(come))
    result = compare(scene.reference, scene.current, method="hybrid", segmenter="none")
    prompts = [Prompt(a.box, (), a.outline, 20) for a in result.anomalies]
    assert len(prompts) == 2
    found = np.zeros((300, 400), bool)
    for outline in segment(scene, *prompts):
        found |= whole(outline)
    assert iou(found, gone | come) > 0.97


# -- the two pictures' views ----------------------------------------------------------------


def view(x: int, y: int, w: int, h: int, score: float = 0.8) -> View:
    return View((x, y, w, h), np.ones((h, w), bool), score, 0.9)


NOTHING = View((5, 5, 0, 0), np.zeros((0, 0), bool))


def test_the_picture_that_agrees_with_detection_gives_the_outline() -> None:
    detected = view(10, 10, 20, 20)
    assert best_view([view(10, 10, 20, 19), view(0, 0, 40, 40)], detected) == 0
    assert best_view([view(0, 0, 40, 40), view(10, 10, 20, 19)], detected) == 1
    assert best_view([detected, detected], detected) == 0
    assert best_view([view(0, 0, 5, 5), view(10, 10, 20, 20)], None) == 0
    assert best_view([NOTHING, view(10, 10, 20, 20)], None) == 1
    assert best_view([NOTHING, NOTHING], None) == 0


def test_the_evidence_of_two_views_is_what_it_says() -> None:
    found = views_evidence([view(10, 10, 20, 20), view(16, 18, 20, 20, 0.5)], view(10, 10, 20, 20))
    shared = 14 * 12
    assert found == {
        "predicted_iou": 0.8,
        "stability": 0.9,
        "in_current": 0.8,
        "in_reference": pytest.approx(0.5 * shared / (800 - shared)),
        "mask_iou": pytest.approx(shared / (800 - shared)),
        "mask_shift": 10.0,
        "appeared": pytest.approx(0.8 - 0.5 * shared / (800 - shared)),
        "vanished": 0.0,
        "moved": pytest.approx(
            0.5 * shared / (800 - shared) * (1 - shared / (800 - shared)),
        ),
    }
    appeared = views_evidence([view(10, 10, 20, 20), NOTHING], None)
    assert appeared["mask_iou"] == appeared["in_reference"] == 0 and "mask_shift" not in appeared
    assert appeared["appeared"] == appeared["in_current"] and appeared["vanished"] == 0
    vanished = views_evidence([NOTHING, view(10, 10, 20, 20)], None)
    assert vanished["vanished"] == vanished["in_reference"] > 0 and vanished["appeared"] == 0


# -- models that stay loaded ----------------------------------------------------------------


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch):
    """Weights that are always there, and backends that count how often they are opened."""
    opened: list[tuple] = []
    weights = {}

    def open_fake(given, *, device, precision, compile):
        opened.append((given.digest, device, precision, compile))
        return FakeBackend(weights=given)

    fake = SimpleNamespace(
        obtain=lambda model: weights.setdefault(model.name, FakeWeights(f"{model.name}"))
    )
    monkeypatch.setitem(sys.modules, "vde_nb.segment.weights", fake)
    monkeypatch.setattr(neural, "open_backend", open_fake)
    neural.release()
    yield SimpleNamespace(opened=opened, weights=weights)
    neural.release()


def test_a_model_is_loaded_once_for_the_process(registry) -> None:
    options = SamOptions(disk=False)
    one = predictor_for("sam_vit_b", options)
    assert predictor_for("sam_vit_b", SamOptions(disk=False, clip=False)) is one
    assert predictor_for("sam_vit_b", SamOptions(disk=False, precision="fp32")) is not one
    assert len(registry.opened) == 2


def test_two_models_stay_loaded_and_the_one_used_longest_ago_goes(registry) -> None:
    options = SamOptions(disk=False)
    for name in ("sam_vit_b", "sam_vit_l", "sam_vit_b", "sam_vit_h", "sam_vit_b"):
        predictor_for(name, options)
    assert [digest for digest, *_ in registry.opened] == ["sam_vit_b", "sam_vit_l", "sam_vit_h"]
    predictor_for("sam_vit_l", options)
    assert len(registry.opened) == 4, "it had gone"
    neural.release()
    predictor_for("sam_vit_l", options)
    assert len(registry.opened) == 5


def test_replaced_weights_are_loaded_anew(registry) -> None:
    options = SamOptions(disk=False)
    one = predictor_for("sam_vit_b", options)
    registry.weights["sam_vit_b"] = FakeWeights("fine-tuned")
    assert predictor_for("sam_vit_b", options) is not one


def test_threads_that_want_the_same_model_load_it_once(registry) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        found = set(
            pool.map(lambda _: id(predictor_for("sam_vit_b", SamOptions(disk=False))), range(8))
        )
    assert len(found) == 1 and len(registry.opened) == 1


def test_a_segmenter_finds_its_model_by_itself(registry) -> None:
    segmenter = SamSegmenter("sam_vit_b", SamOptions(disk=False))
    outline = segmenter.prepare(scene_of(PLAIN, painted(ROUND))).segment([fat(ROUND)])[0]
    assert segmenter.name == "sam_vit_b"
    assert iou(whole(outline), ROUND) > 0.97
    with pytest.raises(SettingError, match="sam_vit_x"):
        SamSegmenter("sam_vit_x").prepare(scene_of(PLAIN, PLAIN))


def test_importing_the_segmenter_imports_no_library_of_models() -> None:
    import subprocess

    code = (
        "import sys, vde_nb.segment.neural\n"
        "bad = {'torch', 'transformers', 'segment_anything', 'safetensors', 'huggingface_hub'}\n"
        "assert not bad & set(sys.modules), bad & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# -- what was answered before ---------------------------------------------------------------


def test_a_moved_threshold_asks_the_model_only_about_what_changed() -> None:
    predictor, scene = fake_predictor(), scene_of(PLAIN, painted(ROUND))
    other = Prompt((300, 200, 30, 30), reach=5)
    first = prepared(scene, predictor).segment([fat(ROUND), other])
    asked = len(predictor.backend.decoded)
    again = prepared(scene, predictor).segment([other, fat(ROUND)])
    assert len(predictor.backend.decoded) == asked
    for one, two in zip(first, reversed(again), strict=True):
        assert (one.box, one.score, one.evidence) == (two.box, two.score, two.evidence)
        assert (one.mask == two.mask).all()
    prepared(scene, predictor).segment([fat(ROUND, by=5), other])
    new = predictor.backend.decoded[asked:]
    assert new and all(call["count"] == 1 for call in new)


def test_another_hint_picture_or_setting_is_not_taken_for_the_one_before() -> None:
    predictor, scene = fake_predictor(), scene_of(PLAIN, painted(ROUND))
    prepared(scene, predictor).segment([fat(ROUND)])
    for change in (
        lambda: prepared(scene, predictor).segment([replace(fat(ROUND), mask=None)]),
        lambda: prepared(scene, predictor, min_island=0.3).segment([fat(ROUND)]),
        lambda: prepared(scene, predictor, multimask=True).segment([fat(ROUND)]),
        lambda: prepared(scene, predictor, clip=False).segment([fat(ROUND)]),
        lambda: prepared(scene_of(painted(ROUND), PLAIN[:, ::-1] + 1), predictor).segment(
            [fat(ROUND)]
        ),
    ):
        asked = len(predictor.backend.decoded)
        change()
        assert len(predictor.backend.decoded) > asked


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_seen, "_BYTES", 1000)
    seen = _seen.Seen()
    for i in range(20):
        seen.put(i, View((0, 0, 10, 10), np.ones((10, 10), bool)))
        seen.get(0)
    assert [i for i in range(20) if seen.get(i) is not None] == [0, *range(11, 20)]
    seen.put(0, View((0, 0, 10, 10), np.ones((10, 10), bool)))
    assert seen._bytes == 1000
