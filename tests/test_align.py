"""Registration: two pictures of one scene end on one grid, and what changed still differs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
from hypothesis import given, settings
from hypothesis import strategies as st

from vde_nb.align._candidates import shift
from vde_nb.align._warp import flow_at, flow_rows, places, transform, warp
from vde_nb.align.nudge import evidence_level, nudged
from vde_nb.align.registration import Registration, register
from vde_nb.errors import ImageError, SettingError

PICTURES = Path(skimage.__file__).parent / "data"


def picture(name: str) -> np.ndarray:
    loaded = cv2.imread(str(PICTURES / name))
    if loaded is None:
        pytest.skip(f"this scikit-image came without {name}")
    return np.ascontiguousarray(loaded[..., ::-1])


def moved(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Photograph with `matrix` leading from the old positions to the new ones."""
    size = image.shape[1::-1]
    return cv2.warpPerspective(
        image, matrix, size, flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT
    )


def disturbed(image: np.ndarray, seed: int = 0, noise: float = 4, quality: int = 70) -> np.ndarray:
    """Another light, a shadow, four defects, noise and JPEG."""
    rng = np.random.default_rng(seed)
    h, w = image.shape[:2]
    levels = (image / 255.0) ** 1.25 * 1.1
    y, x = np.mgrid[:h, :w]
    lamp = ((x - 0.2 * w) ** 2 + (y - 0.3 * h) ** 2) / (0.3 * w) ** 2
    levels = np.clip(levels * (1 - 0.25 * np.exp(-lamp))[..., None], 0, 1) * 255
    for _ in range(4):
        left, top = int(rng.integers(0, w - 40)), int(rng.integers(0, h - 40))
        cv2.circle(levels, (left + 20, top + 20), 14, rng.uniform(0, 255, 3).tolist(), -1)
    levels += rng.normal(0, noise, levels.shape)
    done = np.clip(levels, 0, 255).astype(np.uint8)
    _, packed = cv2.imencode(".jpg", done, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))


def corners(image: np.ndarray) -> np.ndarray:
    x, y = image.shape[1] - 1, image.shape[0] - 1
    return np.array([[0, 0], [x, 0], [0, y], [x, y]], float)


def corner_error(found: Registration, truth: np.ndarray, image: np.ndarray) -> float:
    gap = found.points_to_current(corners(image)) - transform(truth, corners(image))
    return float(np.hypot(*gap.T).max())


def grid(period: int, mark: bool) -> np.ndarray:
    image = np.full((480, 640, 3), 200, np.uint8)
    for y in range(0, 480, period):
        cv2.line(image, (0, y), (640, y), (60, 80, 70), 3)
    for x in range(0, 640, period):
        cv2.line(image, (x, 0), (x, 480), (60, 80, 70), 3)
        for y in range(0, 480, period):
            centre = x + period // 2, y + period // 2
            cv2.circle(image, centre, period // 5, (30, 40, 120), -1, cv2.LINE_AA)
    if mark:
        cv2.putText(image, "A7", (200, 240), 0, 1, (10, 10, 10), 3)
    return image


AFFINE = np.array([[1.004, -0.006, 3.2], [0.005, 0.997, -2.6], [0, 0, 1]])
HOMOGRAPHY = np.array([[1.01, -0.008, 2.2], [0.006, 0.99, -3.6], [1.5e-5, -1e-5, 1]])
TURN = cv2.getRotationMatrix2D((256, 256), 17, 0.9)


# --- nothing to do -----------------------------------------------------------------------------


def test_identical_pictures_come_back_untouched():
    image = picture("astronaut.png")
    found = register(image, image.copy())
    assert found.model == "none" and found.flow is None and found.motion == 0
    assert found.valid.all() and found.confidence == 1 and found.notes == ()


@pytest.mark.parametrize("name", ["astronaut.png", "brick.png", "moon.png", "rocket.jpg"])
def test_a_picture_that_did_not_move_is_not_interpolated(name):
    image = picture(name)
    current = disturbed(image)
    found = register(image, current)
    assert found.current is current
    assert not found.moved and found.valid.all() and found.notes == ()
    assert found.confidence > 0.9


def test_a_single_changed_pixel_moves_nothing():
    image = picture("coffee.png")
    current = image.copy()
    current[100, 100] ^= 64
    assert register(image, current).current is current


def test_a_grey_copy_of_a_colour_picture_is_the_same_scene():
    image = picture("chelsea.png")
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    found = register(image, grey)
    assert found.current is grey and found.confidence == 1


def test_in_a_drawing_a_part_that_moved_is_a_change_and_no_motion_of_the_camera():
    y, x = np.mgrid[:240, :320]
    drawing = np.dstack([x * 200 // 320 + 40, y * 200 // 240 + 40, (x + y) // 4]).astype(np.uint8)
    current = drawing.copy()
    for image, left in ((drawing, 60), (current, 65)):
        for row in range(100, 170, 22):
            cv2.putText(image, "4711 screws", (left, row), 0, 0.6, (9, 9, 9), 1)
    found = register(drawing, current)
    assert found.current is current and found.notes == ()


# --- known motions -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["astronaut.png", "coffee.png", "gravel.png", "coins.png"])
@pytest.mark.parametrize(
    ("model", "truth", "limit"),
    [
        ("translation", shift(3.3, -4.6), 0.05),
        ("affine", AFFINE, 0.12),
        ("homography", HOMOGRAPHY, 0.15),
    ],
)
def test_a_known_motion_is_found_to_a_tenth_of_a_pixel(name, model, truth, limit):
    image = picture(name)
    found = register(image, disturbed(moved(image, truth)))
    assert found.model == model and found.flow is None
    assert corner_error(found, truth, image) < limit
    assert found.residual_after < found.residual_before - 0.2
    assert found.confidence > 0.9


def test_the_moved_picture_coincides_with_the_reference():
    image = picture("astronaut.png")
    current = moved(image, HOMOGRAPHY)
    found = register(image, current)
    before = cv2.absdiff(image, current)[found.valid].mean()
    after = cv2.absdiff(image, found.current)[found.valid].mean()
    assert after < 0.1 * before


@pytest.mark.parametrize("truth", [shift(37, -22), np.vstack([TURN, [0, 0, 1]])])
def test_a_large_motion_is_found(truth):
    image = picture("astronaut.png")
    found = register(image, disturbed(moved(image, truth)))
    assert corner_error(found, truth, image) < 0.5


def test_a_picture_put_in_upside_down_is_turned():
    image = picture("motorcycle_left.png")
    current = np.ascontiguousarray(image[::-1, ::-1])
    found = register(image, current)
    assert cv2.absdiff(image, found.current)[found.valid].mean() < 3
    assert found.valid.mean() > 0.98


def test_a_large_picture_is_registered_to_a_fraction_of_a_pixel():
    image = cv2.resize(
        picture("hubble_deep_field.jpg"), (2400, 2000), interpolation=cv2.INTER_CUBIC
    )
    found = register(image, disturbed(moved(image, HOMOGRAPHY)))
    assert corner_error(found, HOMOGRAPHY, image) < 0.3


def test_a_shift_by_whole_pixels_copies_pixels():
    image = picture("coffee.png")
    current = np.roll(image, (3, -5), axis=(0, 1))
    found = register(image, current)
    assert found.model == "translation"
    assert np.array_equal(found.matrix, shift(-5, 3))
    assert found.valid[:-3, 5:].all() and not found.valid[-3:].any()
    assert np.array_equal(found.current, image), "copied inside, the reference's own at the border"


def test_the_sample_pairs_are_brought_back(recwarn):
    from vde_nb import samples

    for name in ("board", "wall", "tyre"):
        pair = samples.load(name, shift=(2.3, -1.4), light=0.6, noise=3)
        found = register(pair.reference, pair.current)
        truth = shift(2.3, -1.4)
        assert corner_error(found, truth, pair.reference) < 0.25, name


@pytest.mark.parametrize("model", ["none", "translation", "affine"])
def test_no_more_general_model_than_asked_for_is_used(model):
    image = picture("camera.png")
    found = register(image, moved(image, HOMOGRAPHY), model=model, residual=False)
    order = ["none", "translation", "affine", "homography"]
    assert order.index(found.model) <= order.index(model)


# --- patterns that repeat ----------------------------------------------------------------------


@pytest.mark.parametrize("period", [16, 24, 40])
def test_a_repeating_pattern_moves_as_little_as_explains_it(period):
    image, rng = grid(period, mark=False), np.random.default_rng(0)
    current = np.clip(np.roll(image, (-2, 3), (0, 1)) + rng.normal(0, 3, image.shape), 0, 255)
    found = register(image[40:-40, 40:-40], current[40:-40, 40:-40].astype(np.uint8))
    assert np.abs(found.matrix[:2, 2] - (3, -2)).max() < 0.1


@pytest.mark.parametrize("period", [16, 24, 40])
def test_one_mark_that_does_not_repeat_decides_the_period(period):
    image, rng = grid(period, mark=True), np.random.default_rng(0)
    far = period - 3
    current = np.clip(np.roll(image, (2, far), (0, 1)) + rng.normal(0, 3, image.shape), 0, 255)
    found = register(image[40:-40, 40:-40], current[40:-40, 40:-40].astype(np.uint8))
    assert np.abs(found.matrix[:2, 2] - (far, 2)).max() < 0.1


# --- what is no global motion ------------------------------------------------------------------


def waves(shape: tuple[int, ...], amount: float) -> tuple[np.ndarray, np.ndarray]:
    h, w = shape[:2]
    y, x = np.mgrid[:h, :w].astype(np.float32)
    across = amount * np.sin(2 * np.pi * (x / 300 + y / 400))
    return across, amount * np.cos(2 * np.pi * (y / 280 - x / 500))


def swollen(image: np.ndarray, amount: float = 1.6) -> np.ndarray:
    across, down = waves(image.shape, amount)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    return cv2.remap(image, x + across, y + down, cv2.INTER_LANCZOS4, None, cv2.BORDER_REFLECT)


def where_it_went(points: np.ndarray, shape: tuple[int, ...], amount: float = 1.6) -> np.ndarray:
    """Where `swollen` puts points: q with q + waves(q) = p."""
    across, down = waves(shape, amount)
    found = points.astype(float)
    for _ in range(5):
        column, row = np.rint(found).astype(int).T
        row, column = row.clip(0, shape[0] - 1), column.clip(0, shape[1] - 1)
        found = points - np.stack([across[row, column], down[row, column]], -1)
    return found


def test_a_smooth_distortion_is_followed():
    image = picture("motorcycle_left.png")
    current = disturbed(swollen(image))
    points = np.stack(np.meshgrid(np.arange(40, 700, 20), np.arange(40, 460, 20)), -1)
    truth = where_it_went(points.reshape(-1, 2), image.shape)
    found, rigid = register(image, current), register(image, current, residual=False)
    assert found.flow is not None and rigid.flow is None
    error, rigid_error = (
        float(np.median(np.hypot(*(one.points_to_current(points) - truth).T)))
        for one in (found, rigid)
    )
    assert error < 0.2 < 1.2 < rigid_error


@pytest.mark.parametrize("side", [24, 40, 60])
def test_a_part_that_moved_by_itself_stays_where_it_is(side):
    image = picture("motorcycle_left.png")
    rng = np.random.default_rng(side)
    part = cv2.resize(
        rng.integers(0, 255, (side // 5 + 2, side // 5 + 2, 3), dtype=np.uint8), (side, side)
    )
    reference, current = image.copy(), image.copy()
    reference[200 : 200 + side, 300 : 300 + side] = part
    current[204 : 204 + side, 306 : 306 + side] = part
    centre = np.array([[300 + side / 2, 200 + side / 2]])
    found = register(reference, disturbed(current))
    assert np.abs(found.points_to_current(centre) - centre).max() < 0.1
    found = register(reference, disturbed(swollen(current)))
    assert found.flow is not None
    # The part is 6 and 4 pixels away from there.
    assert np.abs(found.points_to_current(centre) - where_it_went(centre, image.shape)).max() < 0.5


def test_boards_whose_copper_is_displaced_here_and_there(data):
    folder = data / "deeppcb"
    for name in ("00041122", "20085079", "20085221"):
        reference, current = (
            cv2.imread(str(folder / f"{name}_{kind}.jpg")) for kind in ("temp", "test")
        )
        off = np.roll(current, (5, -7), (0, 1))
        outside = np.ones(reference.shape[:2], bool)
        for line in (folder / f"{name}.txt").read_text().splitlines():
            x, y, right, bottom, _ = map(int, line.split())
            outside[y:bottom, x:right] = False
        as_it_is = cv2.absdiff(reference, current)[outside].mean()
        for picture_ in (current, off):
            found = register(reference, picture_)
            outside_here = outside & found.valid
            rest = cv2.absdiff(reference, found.current)[outside_here].mean()
            assert rest < 0.65 * as_it_is, name


# --- nothing that fits -------------------------------------------------------------------------


@pytest.mark.parametrize("other", ["gravel.png", "camera.png", "grass.png"])
def test_two_scenes_are_left_as_they_are_and_said_to_differ(other):
    reference, current = picture("astronaut.png"), picture(other)
    found = register(reference, current)
    assert found.current is current and found.model == "none"
    assert found.confidence < 0.1
    assert any("same scene" in note for note in found.notes)


def test_without_structure_nothing_is_moved():
    flat = np.full((300, 400, 3), 90, np.uint8)
    found = register(flat, flat + 9)
    assert not found.moved and found.confidence == 0.5
    assert "too little structure" in found.notes[0]


def test_against_an_empty_picture_nothing_is_moved():
    image = picture("coffee.png")
    found = register(image, np.full_like(image, 128))
    assert not found.moved and found.confidence == 0


@pytest.mark.parametrize(
    "size", [(1, 1), (7, 7), (16, 16), (17, 300), (500, 7), (40, 2000), (2000, 40), (64, 64)]
)
def test_pictures_of_any_size_go_through(size):
    image = cv2.resize(picture("astronaut.png"), size[::-1], interpolation=cv2.INTER_AREA)
    image = image.reshape(*size, 3)
    noise = np.random.default_rng(0).integers(0, 255, image.shape, dtype=np.uint8)
    for current in (np.roll(image, 1, 1), 255 - image, noise, np.full_like(image, 255)):
        found = register(image, current)
        assert found.current.shape == image.shape and found.valid.shape == size
        assert 0 <= found.confidence <= 1
        x, y, w, h = found.box_to_current((0, 0, size[1], size[0]))
        assert x >= 0 and y >= 0 and 1 <= w <= size[1] - x and 1 <= h <= size[0] - y
        assert found.to_current(np.ones(size, bool)).shape == size


# --- padding and borders -----------------------------------------------------------------------


def test_padding_is_no_evidence():
    image = picture("astronaut.png")
    rng = np.random.default_rng(0)
    current = image.copy()
    real = moved(image, shift(4.4, 2.7))[150:350, 120:340]
    noisy = np.clip(real + rng.normal(0, 3, real.shape), 0, 255)
    current[150:350, 120:340] = noisy
    found = register(image, current, valid=(120, 150, 220, 200))
    assert np.abs(found.matrix[:2, 2] - (4.4, 2.7)).max() < 0.1
    assert not found.valid[:, :115].any() and not found.valid[:147].any()
    assert not found.valid[:, 336:].any() and not found.valid[348:].any()
    assert found.valid[150:344, 120:332].all()
    assert np.array_equal(found.current[~found.valid], image[~found.valid])


def test_pixels_the_current_picture_does_not_show_are_the_references():
    image = picture("gravel.png")
    found = register(image, moved(image, shift(-14.5, 9.25)))
    assert 0.9 < found.valid.mean() < 0.97
    assert not found.valid[:, :14].any() and not found.valid[-9:].any()
    assert np.array_equal(found.current[~found.valid], image[~found.valid])
    assert any("outside the current picture" in note for note in found.notes)


# --- there and back ----------------------------------------------------------------------------


def _registration(matrix: np.ndarray, flow: np.ndarray | None) -> Registration:
    shape = (120, 160)
    blank = np.zeros((*shape, 3), np.uint8)
    return Registration(blank, np.ones(shape, bool), "homography", matrix, flow, 16)


matrices = st.builds(
    lambda a, b, c, d, x, y, g, h: np.array([[1 + a, b, x], [c, 1 + d, y], [g, h, 1]]),
    *[st.floats(-0.15, 0.15)] * 4,
    *[st.floats(-9, 9)] * 2,
    *[st.floats(-2e-4, 2e-4)] * 2,
)
flows = st.none() | st.integers(0, 99).map(
    lambda seed: cv2.GaussianBlur(
        np.random.default_rng(seed).normal(0, 9, (8, 10, 2)).astype(np.float32), (0, 0), 2
    )
)


@settings(max_examples=40, deadline=None)
@given(matrices, flows)
def test_positions_lead_there_and_back(matrix, flow):
    found = _registration(matrix, flow)
    area = (30, 20, 90, 70)
    back = places(matrix, flow, 16, area)
    there = found.points_to_current(back.reshape(-1, 2)).reshape(back.shape)
    x, y, w, h = area
    expected = np.dstack(np.meshgrid(np.arange(x, x + w), np.arange(y, y + h)))
    assert np.abs(there - expected).max() < 0.05


@settings(max_examples=40, deadline=None)
@given(matrices, flows, st.integers(40, 90), st.integers(30, 60), st.integers(6, 30))
def test_a_mask_lies_in_the_current_picture_where_its_box_does(matrix, flow, x, y, side):
    found = _registration(matrix, flow)
    mask = np.zeros((120, 160), bool)
    mask[y : y + side, x : x + side] = True
    there = found.to_current(mask)
    left, top, w, h = found.box_to_current((x, y, side, side))
    inside = np.zeros_like(there)
    inside[max(0, top - 1) : top + h + 1, max(0, left - 1) : left + w + 1] = True
    assert not (there & ~inside).any()
    corners_ = found.points_to_current([(x + side / 2, y + side / 2)])
    column, row = np.rint(corners_[0] - 0.5).astype(int)
    if 0 <= column < 160 and 0 <= row < 120:
        assert there[row, column]


def test_a_mask_goes_where_the_pixels_came_from():
    image = picture("coffee.png")
    current = moved(image, HOMOGRAPHY)
    found = register(image, current)
    mask = np.zeros(image.shape[:2], bool)
    mask[100:160, 200:300] = True
    marked = cv2.warpPerspective(
        mask.astype(np.uint8), HOMOGRAPHY, mask.shape[::-1], flags=cv2.INTER_NEAREST
    )
    there = found.to_current(mask)
    assert np.count_nonzero(there ^ (marked > 0)) < 0.02 * np.count_nonzero(mask)


def test_unmoved_boxes_and_masks_stay():
    image = picture("coffee.png")
    found = register(image, image)
    mask = np.zeros(image.shape[:2], bool)
    mask[3, 4] = True
    assert found.box_to_current((3, 4, 50, 6)) == (3, 4, 50, 6)
    assert np.array_equal(found.to_current(mask), mask)
    assert np.array_equal(found.points_to_current([[1.5, 2]]), [[1.5, 2]])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 20), st.integers(0, 9))
def test_a_flow_is_one_at_pixels_and_at_points(rows, columns, step, extra):
    flow = np.random.default_rng(rows).normal(size=(rows, columns, 2)).astype(np.float32)
    height, width = rows * step + extra, columns * step + extra
    dense = flow_rows(flow, step, 0, height, width)
    points = np.dstack(np.meshgrid(np.arange(width), np.arange(height))).astype(float)
    assert np.abs(flow_at(flow, step, points) - dense).max() < 1e-4
    split = [flow_rows(flow, step, y, y + 1, width) for y in range(height)]
    assert np.array_equal(np.concatenate(split), dense)


def test_bands_make_no_seams():
    image = picture("retina.jpg")  # large enough for several bands on several threads
    box = (0, 0, image.shape[1], image.shape[0])
    flow = np.random.default_rng(0).normal(size=(89, 89, 2)).astype(np.float32)
    flow = cv2.GaussianBlur(flow, (0, 0), 4)
    result, shown = warp(image, image, HOMOGRAPHY, flow, 16, box)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(float)
    points = np.dstack([x, y])
    place = transform(HOMOGRAPHY, points + flow_at(flow, 16, points)).astype(np.float32)
    whole = cv2.remap(image, place, None, cv2.INTER_CUBIC, None, cv2.BORDER_REPLICATE)
    assert cv2.absdiff(result, whole)[shown].max() <= 2


# --- promises ----------------------------------------------------------------------------------


def test_the_same_pictures_give_the_same_bytes_in_any_thread():
    image = picture("astronaut.png")
    current = disturbed(swollen(moved(image, np.vstack([TURN, [0, 0, 1]]))))
    for array in (image, current):
        array.setflags(write=False)
    first = register(image, current)
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda _: register(image, current), range(4)))
    for found in again:
        assert np.array_equal(found.current, first.current)
        assert np.array_equal(found.matrix, first.matrix)
        assert found.residual_after == first.residual_after


def test_every_stage_is_told_and_can_cancel():
    image = picture("chelsea.png")
    told: list[str] = []
    register(image, moved(image, AFFINE), progress=told.append)
    assert told[0] == "looking for the motion" and told[-1] == "moving the current picture"
    assert len(told) == len(set(told)) >= 4

    class Cancelled(Exception):
        pass

    def cancel(stage: str) -> None:
        raise Cancelled(stage)

    with pytest.raises(Cancelled, match="looking"):
        register(image, moved(image, AFFINE), progress=cancel)


def test_what_is_wrong_is_said():
    image = picture("chelsea.png")
    with pytest.raises(ImageError, match=r"451 × 300 .* 450 × 300: bring them to one size"):
        register(image, np.ascontiguousarray(image[:, :-1]))
    with pytest.raises(ImageError, match="current is float64"):
        register(image, image / 255.0)
    with pytest.raises(SettingError, match=r"no model 'projective'.*'homography'"):
        register(image, image, model="projective")
    with pytest.raises(SettingError, match="not a box within 451 × 300"):
        register(image, image, valid=(0, 0, 452, 300))


# --- nudged by hand ----------------------------------------------------------------------------


def by_hand(reference, current, found, by, box=None):
    return nudged(
        reference, current, found, evidence_level(reference, current, box), box=box, by=by
    )


@settings(max_examples=40, deadline=None)
@given(matrices, flows, st.floats(-8, 8), st.floats(-8, 8))
def test_a_nudge_moves_every_position_back_by_itself(matrix, flow, across, down):
    found = _registration(matrix, flow)
    blank = found.current
    both = nudged(blank, blank, found, None, box=None, by=(across, down))
    points = np.random.default_rng(0).uniform((20, 20), (140, 100), (50, 2))
    gap = both.points_to_current(points) - found.points_to_current(points - (across, down))
    assert np.abs(gap).max() < (1e-6 if flow is None else 0.4)  # the flow is taken anew


@pytest.mark.parametrize("by", [(3, -2), (2.5, 0.25), (-0.5, 0)])
def test_a_picture_nudged_where_it_belongs_coincides_and_says_so(by):
    image = picture("coffee.png")
    shift_by = np.array([[1, 0, -by[0]], [0, 1, -by[1]], [0, 0, 1.0]])
    current = moved(image, shift_by)
    found = by_hand(image, current, None, by)
    inner = (slice(20, -20),) * 2
    assert np.abs(found.current[inner].astype(int) - image[inner]).mean() < 2
    searched = register(image, current)
    assert found.residual_after == pytest.approx(searched.residual_after, abs=0.01)
    assert found.residual_before == pytest.approx(searched.residual_before, abs=0.01)
    assert found.residual_after < found.residual_before - 0.02
    assert found.model == "translation" and found.nudge == by
    assert found.motion == pytest.approx(np.hypot(*by))
    assert found.points_to_current([(50, 60)])[0] == pytest.approx((50 - by[0], 60 - by[1]))
    assert "moved by hand, in pixels" in found.notes[0]


def test_whole_pixels_are_copied_and_valid_is_what_is_shown():
    image = picture("coffee.png")
    found = by_hand(image, image, None, (3.0, -2.0))
    assert np.array_equal(found.current[:-2, 3:], image[2:, :-3])
    assert np.array_equal(found.current[-2:], image[-2:])  # the reference's own
    assert np.array_equal(found.current[:, :3], image[:, :3])
    expected = np.zeros(image.shape[:2], bool)
    expected[:-2, 3:] = True
    assert np.array_equal(found.valid, expected)


def test_a_nudge_on_top_of_registration_interpolates_once():
    image = picture("coffee.png")
    current = moved(image, AFFINE)
    found = register(image, current)
    both = by_hand(image, current, found, (1.25, -0.5))
    matrix = found.matrix @ np.array([[1, 0, -1.25], [0, 1, 0.5], [0, 0, 1]])
    once, _ = warp(image, current, matrix, None, 1, (0, 0, *image.shape[1::-1]))
    assert np.array_equal(both.current, once)
    assert both.model == found.model and both.residual_after > found.residual_after
    assert both.residual_before == pytest.approx(found.residual_before, abs=0.02)


def test_a_nudge_that_takes_the_motion_back_leaves_the_picture_as_it_was():
    image = picture("coffee.png")
    current = moved(image, np.array([[1, 0, 4], [0, 1, -3], [0, 0, 1.0]]))
    found = register(image, current)
    assert found.model == "translation"
    both = by_hand(image, current, found, (4.0, -3.0))
    assert both.current is current and both.model == "none" and not both.moved
    assert both.valid.all() and both.motion == 0


def test_a_mark_is_found_in_the_current_picture_after_a_nudge():
    image = picture("coffee.png")
    found = by_hand(image, image, None, (7.0, 5.0))
    assert found.box_to_current((100, 80, 20, 10)) == (93, 75, 20, 10)
    mask = np.zeros(image.shape[:2], bool)
    mask[80:90, 100:120] = True
    there = found.to_current(mask)
    assert there[75:85, 93:113].all() and np.count_nonzero(there) == 200


def test_out_of_the_picture_nothing_is_shown_and_padding_is_not():
    image = picture("coffee.png")
    away = by_hand(image, image, None, (1000.0, 0.0))
    assert not away.valid.any() and np.array_equal(away.current, image)
    assert any("outside the current picture" in note for note in away.notes)
    box = (0, 0, 300, 200)
    padded = by_hand(image, image, None, (10.0, 20.0), box)
    assert not padded.valid[:20].any() and not padded.valid[:, :10].any()
    assert padded.valid[20:220, 10:310].all() and np.count_nonzero(padded.valid) == 60_000


def test_pictures_too_small_to_measure_are_nudged_all_the_same():
    image = np.random.default_rng(0).integers(0, 255, (9, 12, 3), np.uint8)
    found = by_hand(image, image, None, (2.0, 0.0))
    assert np.array_equal(found.current[:, 2:], image[:, :-2])
    assert (found.residual_before, found.residual_after) == (0, 0)
