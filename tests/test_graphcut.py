"""The embedded segmenter: its outlines hug the change, stay bounded and never get lost."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from vde_nb.compare import compare
from vde_nb.errors import SettingError
from vde_nb.segment import Outline, Prompt, Scene
from vde_nb.segment.graphcut import GraphCut
from vde_nb.segment.none import KeepMask

Bool = npt.NDArray[np.bool_]
UInt8 = npt.NDArray[np.uint8]


def picture(height: int, width: int, seed: int = 0) -> UInt8:
    """A cloudy, grainy RGB picture, as of a concrete wall."""
    rng = np.random.default_rng(seed)
    clouds = cv2.GaussianBlur(rng.normal(0, 1, (height, width, 3)).astype(np.float32), (0, 0), 6)
    grain = rng.normal(0, 4, (height, width, 1))
    return np.clip(120 + 250 * clouds + grain, 0, 255).astype(np.uint8)


def painted(image: UInt8, cover: npt.NDArray[Any], colour: Any = (190, 40, 30)) -> UInt8:
    """`image` with a colour laid over it, `cover` being its opacity."""
    alpha = np.asarray(cover, np.float32)[..., None]
    return np.rint(image * (1 - alpha) + np.float32(colour) * alpha).astype(np.uint8)


def disc(height: int, width: int, x: int, y: int, radius: int) -> Bool:
    rows, columns = np.ogrid[:height, :width]
    return np.asarray((columns - x) ** 2 + (rows - y) ** 2 <= radius**2)


def scene_of(reference: UInt8, current: UInt8) -> Scene:
    return Scene(reference, current, cv2.absdiff(reference, current).max(axis=2))


def fat(truth: Bool, by: int = 3, reach: int = 20) -> Prompt:
    """The prompt detection would make: box and mask too large by `by` pixels on each side."""
    grown = cv2.dilate(truth.view(np.uint8), np.ones((2 * by + 1, 2 * by + 1), np.uint8))
    x, y, w, h = cv2.boundingRect(grown)
    return Prompt((x, y, w, h), (), grown[y : y + h, x : x + w] > 0, reach)


def whole(outline: Outline, shape: tuple[int, ...]) -> Bool:
    """An outline as a mask of the whole picture, after checking that it is well-formed."""
    x, y, w, h = outline.box
    assert outline.mask.shape == (h, w)
    assert outline.mask.dtype == np.bool_
    assert x >= 0 and y >= 0 and x + w <= shape[1] and y + h <= shape[0]
    tight = outline.mask.any(axis=0)[[0, -1]].all() and outline.mask.any(axis=1)[[0, -1]].all()
    assert tight, "the box is not the mask's own"
    assert 0 <= outline.score <= 1
    full = np.zeros(shape[:2], np.bool_)
    full[y : y + h, x : x + w] = outline.mask
    return full


def iou(one: Bool, other: Bool) -> float:
    return float(np.count_nonzero(one & other) / np.count_nonzero(one | other))


def segment(scene: Scene, *prompts: Prompt) -> list[Outline]:
    return GraphCut().prepare(scene).segment(prompts)


def outlined(scene: Scene, prompt: Prompt) -> Bool:
    return whole(segment(scene, prompt)[0], scene.heatmap.shape)


def test_the_outline_of_an_added_spot_is_its_edge_and_not_the_fat_mask() -> None:
    reference = picture(120, 160)
    truth = disc(120, 160, 80, 60, 20)
    soft = cv2.GaussianBlur(truth.astype(np.float32), (0, 0), 1.0)
    scene = scene_of(reference, painted(reference, soft))
    prompt = fat(truth)
    assert iou(whole(KeepMask().prepare(scene).segment([prompt])[0], (120, 160)), truth) < 0.75
    assert iou(outlined(scene, prompt), truth) > 0.95


def test_a_missing_part_is_outlined_by_its_edge_in_the_reference() -> None:
    empty = picture(120, 160)
    truth = np.zeros((120, 160), np.bool_)
    truth[40:80, 50:110] = True
    scene = scene_of(painted(empty, truth), empty)
    assert iou(outlined(scene, fat(truth)), truth) > 0.97


def test_noise_in_both_pictures_moves_the_outline_hardly() -> None:
    rng = np.random.default_rng(3)
    clean = picture(120, 160)
    truth = disc(120, 160, 80, 60, 22)
    noisy = [
        np.clip(image + rng.normal(0, 8, image.shape), 0, 255).astype(np.uint8)
        for image in (clean, painted(clean, truth))
    ]
    assert iou(outlined(scene_of(*noisy), fat(truth)), truth) > 0.9


def test_a_change_of_light_all_around_is_not_outlined() -> None:
    reference = np.clip(picture(120, 160), 0, 200)
    truth = disc(120, 160, 80, 60, 20)
    current = painted(reference, truth) // 4 * 4 + 30 * np.uint8(1)
    assert iou(outlined(scene_of(reference, current), fat(truth)), truth) > 0.9


def test_the_ringing_of_jpeg_is_not_outlined() -> None:
    reference = np.full((120, 160, 3), 40, np.uint8)
    truth = disc(120, 160, 80, 60, 17)
    scene = scene_of(
        *(
            cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])[1], 1)
            for image in (reference, painted(reference, truth, (250, 250, 250)))
        )
    )
    assert iou(outlined(scene, fat(truth, by=6)), truth) > 0.93


@pytest.mark.parametrize("thickness", [1, 2, 3])
def test_a_thin_crack_neither_vanishes_nor_becomes_a_sausage(thickness: int) -> None:
    reference = picture(160, 200)
    line = np.zeros((160, 200), np.uint8)
    bends = np.array([[20, 30], [70, 60], [90, 110], [170, 140]], np.int32)
    cv2.polylines(line, [bends], False, 1, thickness)
    truth = line > 0
    found = outlined(scene_of(reference, painted(reference, truth, (15, 15, 15))), fat(truth))
    assert np.count_nonzero(found & truth) > 0.95 * np.count_nonzero(truth)
    assert np.count_nonzero(found) < 1.35 * np.count_nonzero(truth)


def test_a_thin_crack_over_half_a_large_picture_survives_the_reduced_resolution() -> None:
    reference = picture(900, 1200)
    line = cv2.line(np.zeros((900, 1200), np.uint8), (60, 80), (1100, 820), 1, 3)
    truth = line > 0
    found = outlined(scene_of(reference, painted(reference, truth, (5, 5, 5))), fat(truth))
    assert np.count_nonzero(found & truth) > 0.9 * np.count_nonzero(truth)
    assert np.count_nonzero(found) < 2.5 * np.count_nonzero(truth)


def test_a_huge_region_is_outlined_closely_and_in_bounded_time() -> None:
    reference = picture(1500, 2000)
    truth = disc(1500, 2000, 1000, 750, 650)
    scene = scene_of(reference, painted(reference, truth))
    start = time.thread_time()
    found = outlined(scene, fat(truth))
    assert iou(found, truth) > 0.98
    assert time.thread_time() - start < 0.5


@pytest.mark.parametrize(("x", "y"), [(0, 0), (159, 0), (0, 119), (159, 119), (80, 0), (159, 60)])
def test_a_change_at_the_border_or_corner_is_outlined_like_any_other(x: int, y: int) -> None:
    reference = picture(120, 160)
    truth = disc(120, 160, x, y, 18)
    assert iou(outlined(scene_of(reference, painted(reference, truth)), fat(truth)), truth) > 0.93


@pytest.mark.parametrize("box", [(40, 10, 1, 60), (10, 40, 60, 1), (30, 30, 1, 1)])
def test_a_change_one_pixel_wide_is_kept(box: tuple[int, int, int, int]) -> None:
    x, y, w, h = box
    truth = np.zeros((80, 100), np.bool_)
    truth[y : y + h, x : x + w] = True
    reference = picture(80, 100)
    scene = scene_of(reference, painted(reference, truth, (255, 255, 255)))
    for reach in (0, 30):
        found = outlined(scene, Prompt(box, (), np.ones((h, w), np.bool_), reach))
        assert (found & truth).sum() >= 0.9 * truth.sum()
        assert found.sum() <= 1.2 * truth.sum()


def test_the_smallest_picture_there_is_works() -> None:
    reference = np.full((7, 7, 3), 50, np.uint8)
    truth = disc(7, 7, 3, 3, 1)
    scene = scene_of(reference, painted(reference, truth, (250, 250, 250)))
    found = outlined(scene, Prompt((0, 0, 7, 7), (), np.ones((7, 7), np.bool_), 4))
    np.testing.assert_array_equal(found, truth)


def test_a_picture_changed_all_over_is_outlined_all_over() -> None:
    reference, current = picture(60, 80), 255 - picture(60, 80, seed=1) // 3
    outline = segment(
        scene_of(reference, current), Prompt((0, 0, 80, 60), (), np.ones((60, 80), np.bool_), 40)
    )[0]
    assert outline.box == (0, 0, 80, 60)
    assert outline.mask.mean() > 0.95
    assert outline.note == ""


def test_where_the_pictures_do_not_differ_the_detected_mask_is_kept_and_this_is_said() -> None:
    reference = picture(80, 100)
    mask = np.zeros((30, 40), np.bool_)
    mask[3:25, 6:30] = True
    scene = Scene(reference, reference.copy(), np.full((80, 100), 90, np.uint8))
    sure, kept = (
        segment(
            scene_of(reference, painted(reference, disc(80, 100, 50, 40, 10))),
            fat(disc(80, 100, 50, 40, 10)),
        )[0],
        segment(scene, Prompt((20, 20, 40, 30), (), mask, 20))[0],
    )
    assert kept.box == (26, 23, 24, 22)
    assert kept.mask.all()
    assert "kept the detected mask" in kept.note
    assert not any(letter.isdigit() for letter in kept.note)
    assert kept.score < 0.1 < 0.8 < sure.score


def test_an_outline_does_not_flood_a_neighbourhood_that_differs_everywhere() -> None:
    reference = picture(100, 100)
    current = cv2.add(reference, np.full_like(reference, 0))
    current[:, :] = 255 - reference
    mask = np.ones((10, 10), np.bool_)
    outline = segment(scene_of(reference, current), Prompt((45, 45, 10, 10), (), mask, 3))[0]
    assert outline.box == (45, 45, 10, 10)


@pytest.mark.parametrize("reach", [0, 4, 40])
def test_an_outline_stays_in_the_neighbourhood(reach: int) -> None:
    reference = picture(120, 160)
    stripe = np.zeros((120, 160), np.bool_)
    stripe[50:70] = True
    scene = scene_of(reference, painted(reference, stripe))
    outline = segment(scene, Prompt((70, 45, 20, 30), (), np.ones((30, 20), np.bool_), reach))[0]
    x, _, w, _ = outline.box
    assert x >= 70 - reach and x + w <= 90 + reach
    if reach == 4:
        assert x < 70 and x + w > 90, "the stripe goes on, and so may the outline"


def test_two_changes_a_few_pixels_apart_do_not_swallow_each_other() -> None:
    reference = picture(100, 160)
    left, right = disc(100, 160, 60, 50, 15), disc(100, 160, 94, 50, 15)
    scene = scene_of(reference, painted(reference, left | right))
    split = Prompt((42, 32, 35, 37), (), np.ones((37, 35), np.bool_), 30)
    other = Prompt((77, 32, 36, 37), (), np.ones((37, 36), np.bool_), 30)
    one, two = (whole(outline, (100, 160)) for outline in segment(scene, split, other))
    assert not (one & two).any()
    assert iou(one, left) > 0.93
    assert iou(two, right) > 0.93


def test_touching_regions_share_the_gap_and_never_a_pixel() -> None:
    reference = picture(60, 120)
    bar = np.zeros((60, 120), np.bool_)
    bar[20:40, 20:100] = True
    scene = scene_of(reference, painted(reference, bar))
    ones = np.ones((20, 30), np.bool_)
    prompts = [Prompt((20, 20, 30, 20), (), ones, 30), Prompt((70, 20, 30, 20), (), ones, 30)]
    left, right = (whole(outline, (60, 120)) for outline in segment(scene, *prompts))
    assert not (left & right).any()
    assert left[30, 56] and not left[30, 63]
    assert right[30, 63] and not right[30, 56]
    assert outlined(scene, prompts[0])[30, 62], "without the other prompt, it does reach over"


def test_large_neighbours_at_reduced_resolution_keep_to_themselves_to_the_pixel() -> None:
    reference = picture(700, 1300)
    bar = np.zeros((700, 1300), np.bool_)
    bar[40:660, 31:1263] = True
    scene = scene_of(reference, painted(reference, bar))
    rows, columns = np.ogrid[:700, :1300]
    halves = bar & (columns < 500 + rows // 3), bar & (columns >= 500 + rows // 3)
    prompts = [fat(half, by=0, reach=30) for half in halves]
    answers = segment(scene, *prompts)
    assert [answer.note for answer in answers] == ["", ""], "the neighbour is not the light"
    left, right = (whole(answer, (700, 1300)) for answer in answers)
    assert not (left & right).any()
    assert iou(left | right, bar) > 0.97


def test_what_happens_to_look_alike_inside_a_change_belongs_to_it() -> None:
    reference = picture(120, 160)
    truth = disc(120, 160, 80, 60, 26)
    scene = scene_of(reference, painted(reference, truth & ~disc(120, 160, 84, 58, 8)))
    assert iou(outlined(scene, fat(truth)), truth) > 0.95


def test_the_answer_depends_neither_on_order_nor_on_threads_nor_on_opencvs_random_numbers() -> None:
    reference = picture(300, 300)
    spots = [
        disc(300, 300, 40 + 70 * i, 40 + 70 * j, 12 + i + j) for i in range(4) for j in range(4)
    ]
    current = painted(reference, np.logical_or.reduce(spots))
    rng = np.random.default_rng(0)
    current = np.clip(current + rng.normal(0, 12, current.shape), 0, 255).astype(np.uint8)
    scene = scene_of(reference, current)
    prompts = [fat(spot) for spot in spots]

    def answer(seed: int) -> list[tuple[object, bytes, float]]:
        cv2.setRNGSeed(seed)
        order = np.random.default_rng(seed).permutation(len(prompts))
        outlines = dict(zip(order, segment(scene, *(prompts[i] for i in order)), strict=True))
        return [(o.box, o.mask.tobytes(), o.score) for _, o in sorted(outlines.items())]

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(answer, range(8)))
    assert all(one == answers[0] for one in answers)


def test_a_box_alone_finds_what_is_hot_in_it() -> None:
    reference = picture(120, 160)
    truth = disc(120, 160, 80, 60, 15)
    scene = scene_of(reference, painted(reference, truth))
    assert iou(outlined(scene, Prompt((50, 35, 60, 50), reach=5)), truth) > 0.95


def test_a_point_alone_finds_the_one_region_it_lies_on() -> None:
    reference = picture(120, 160)
    left, right = disc(120, 160, 60, 60, 12), disc(120, 160, 100, 60, 12)
    scene = scene_of(reference, painted(reference, left | right))
    assert iou(outlined(scene, Prompt(points=((63, 58, 1),))), left) > 0.95
    assert iou(outlined(scene, Prompt(points=((97, 62, 1),), reach=20)), right) > 0.95


def test_without_any_change_the_box_or_the_point_is_kept_and_this_is_said() -> None:
    same = picture(60, 80)
    box, point = segment(
        scene_of(same, same.copy()), Prompt((10, 12, 20, 15)), Prompt(points=((70, 50, 1),))
    )
    assert box.box == (10, 12, 20, 15) and box.mask.all()
    assert point.box == (67, 47, 7, 7)
    assert box.note == point.note != ""
    assert box.score == point.score == 0


def test_an_empty_mask_counts_as_none() -> None:
    reference = picture(120, 160)
    truth = disc(120, 160, 80, 60, 15)
    scene = scene_of(reference, painted(reference, truth))
    prompt = Prompt((50, 35, 60, 50), (), np.zeros((50, 60), np.bool_), 5)
    assert iou(outlined(scene, prompt), truth) > 0.95


def test_a_positive_point_is_on_the_outline_even_where_nothing_differs() -> None:
    reference = picture(120, 160)
    truth = disc(120, 160, 80, 60, 15)
    scene = scene_of(reference, painted(reference, truth))
    prompt = fat(truth, reach=40)
    x, y, w, h = prompt.box or (0, 0, 0, 0)
    for point in ((x + w + 2, 60), (x - 30, y + h + 30)):
        found = outlined(scene, Prompt(prompt.box, ((*point, 1),), prompt.mask, 40))
        assert found[point[1], point[0]]
        assert iou(found, truth) > 0.95


def test_a_negative_point_takes_the_piece_it_lies_on_out() -> None:
    reference = picture(120, 160)
    left, right = disc(120, 160, 60, 60, 12), disc(120, 160, 97, 60, 7)
    scene = scene_of(reference, painted(reference, left | right))
    joined = fat(left | right, by=10)
    assert iou(outlined(scene, joined), left | right) > 0.9
    found = outlined(scene, Prompt(joined.box, ((100, 60, 0),), joined.mask, 20))
    assert iou(found, left) > 0.9


def test_a_negative_point_on_the_only_piece_carves_its_surroundings() -> None:
    reference = picture(120, 160)
    truth = disc(120, 160, 80, 60, 25)
    scene = scene_of(reference, painted(reference, truth))
    prompt = fat(truth)
    found = outlined(scene, Prompt(prompt.box, ((95, 60, 0),), prompt.mask, 20))
    assert not found[58:63, 93:98].any()
    assert found[60, 70]
    assert 0.7 < iou(found, truth) < 0.97


def test_a_positive_point_outweighs_a_negative_one_beside_it() -> None:
    reference = picture(120, 160)
    truth = disc(120, 160, 80, 60, 25)
    scene = scene_of(reference, painted(reference, truth))
    prompt = fat(truth)
    found = outlined(scene, Prompt(prompt.box, ((82, 60, 0), (80, 60, 1)), prompt.mask, 20))
    assert found[60, 80] and not found[60, 82]


def test_a_mask_that_negative_points_cover_altogether_is_still_answered() -> None:
    reference = picture(60, 80)
    truth = disc(60, 80, 40, 30, 1)
    scene = scene_of(reference, painted(reference, truth))
    box = (39, 29, 3, 3)
    outline = segment(scene, Prompt(box, ((40, 30, 0),), np.ones((3, 3), np.bool_), 0))[0]
    assert outline.box == box
    assert outline.note


def test_a_box_partly_outside_is_cut_to_the_picture_with_its_mask() -> None:
    reference = picture(80, 100)
    truth = disc(80, 100, 14, 8, 10)
    scene = scene_of(reference, painted(reference, truth))
    mask = disc(50, 60, 34, 18, 4)  # the core alone, so that a misplaced one is elsewhere
    assert iou(outlined(scene, Prompt((-20, -10, 60, 50), (), mask, 10)), truth) > 0.93
    for part in ((-20, -10, 30, 50), (90, 70, 30, 40)):
        whole(segment(scene, Prompt(part, (), np.ones(part[:1:-1], np.bool_), 10))[0], (80, 100))


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        (Prompt((10, 10, 0, 5)), "empty"),
        (Prompt((10, 10, 5, -1)), "empty"),
        (Prompt((200, 10, 5, 5)), "outside"),
        (Prompt((-5, 10, 5, 5)), "outside"),
        (Prompt((10, 10, 5, 5), ((100, 20, 0),)), "outside"),
        (Prompt(points=((-1, 20, 1),)), "outside"),
        (Prompt((10, 10, 5, 5), ((40, 12, 1),), reach=9), "farther than 9"),
        (Prompt((10, 10, 5, 5), mask=np.ones((4, 5), np.bool_)), "does not fit"),
        (Prompt((10, 10, 5, 5), reach=-1), "reach"),
        (Prompt(), "box or a positive point"),
        (Prompt(points=((5, 5, 0),)), "box or a positive point"),
    ],
)
def test_a_prompt_that_makes_no_sense_is_refused_in_words(prompt: Prompt, words: str) -> None:
    same = picture(80, 100)
    with pytest.raises(SettingError, match=words):
        segment(scene_of(same, same), prompt)


def test_no_prompts_no_outlines_and_inputs_are_left_alone() -> None:
    reference = picture(80, 100)
    truth = disc(80, 100, 50, 40, 10)
    scene = scene_of(reference, painted(reference, truth))
    prompt = fat(truth)
    assert prompt.mask is not None
    for array in (scene.reference, scene.current, scene.heatmap, prompt.mask):
        array.setflags(write=False)
    assert segment(scene) == []
    assert segment(scene, prompt)[0].mask.flags.writeable


def test_compare_outlines_better_than_the_detected_masks() -> None:
    """The whole run, on shapes of several kinds, against keeping the masks."""
    reference = picture(400, 500)
    line = cv2.line(np.zeros((400, 500), np.uint8), (330, 60), (460, 150), 1, 3)
    truths = [disc(400, 500, 100, 100, 25), line > 0, disc(400, 500, 120, 300, 12)]
    current = reference
    for truth, colour in zip(truths, [(200, 60, 40), (20, 20, 20), (240, 240, 235)], strict=True):
        current = painted(current, truth, colour)
    current = painted(current, 0.6 * disc(400, 500, 370, 290, 40), (0, 0, 0))
    truths.append(disc(400, 500, 370, 290, 40))
    means = {}
    for name in ("none", "graphcut"):
        result = compare(reference, current, method="hybrid", segmenter=name, cache=None)
        masks = [whole(Outline(a.box, a.outline, 1.0), (400, 500)) for a in result.anomalies]
        means[name] = np.mean([max(iou(mask, truth) for mask in masks) for truth in truths])
    assert means["none"] < 0.75
    assert means["graphcut"] > 0.9
