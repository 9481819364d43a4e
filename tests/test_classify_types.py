"""What a region is called, how bad it is, and what connects with what."""

from __future__ import annotations

import importlib.util
import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from vde_nb import samples
from vde_nb.classify import (
    Label,
    Region,
    Topology,
    anomaly_type,
    as_move,
    classify,
    pair_moves,
    remove_anomaly_type,
    topology,
)
from vde_nb.classify._severity import grade, severity
from vde_nb.errors import ImageError

from .test_classify_measures import blended, disc, drawn_line, region_of, wall

UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]


def veil(mask: Bool, sigma: float) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma), np.float32)


def bumpy(mask: Bool) -> UInt8:
    """Something with a relief of its own."""
    rng = np.random.default_rng(5)
    rough = cv2.GaussianBlur(rng.normal(size=mask.shape).astype(np.float32), (0, 0), 1.5)
    tone = 150 + 45 * rough / rough.std()
    return np.clip(tone[..., None] * np.array([1.2, 1.0, 0.6]), 0, 255).astype(np.uint8)


def zigzag(shape: tuple[int, ...]) -> Bool:
    rng = np.random.default_rng(4)
    x = np.arange(40, 160, 4)
    y = 80 + np.cumsum(rng.normal(0, 3, len(x)))
    mask = np.zeros(shape[:2], np.uint8)
    cv2.polylines(mask, [np.stack([x, y], 1).astype(np.int32)], False, 1, 2)
    return mask > 0


WALL = wall()
ROUND = disc(WALL.shape, 100, 80, 26)
DOT = disc(WALL.shape, 100, 80, 9)
LINE = drawn_line(0.5, 110, 2)[:160]

CASES = {
    "added_part": (WALL, blended(WALL, bumpy(ROUND), veil(ROUND, 0.6)), ROUND),
    "missing_part": (blended(WALL, bumpy(ROUND), veil(ROUND, 0.6)), WALL, ROUND),
    "spot": (WALL, blended(WALL, (30, 40, 160), veil(DOT, 0.8)), DOT),
    "crack": (WALL, blended(WALL, WALL * 0.3, veil(zigzag(WALL.shape), 0.5)), zigzag(WALL.shape)),
    "scratch": (WALL, blended(WALL, 235, veil(LINE, 0.5)), LINE),
    "stain": (WALL, blended(WALL, WALL * np.array([0.75, 0.6, 0.4]), veil(ROUND, 3)), ROUND),
    "colour_change": (
        WALL,
        blended(WALL, WALL * np.array([1.3, 0.8, 0.5]), veil(ROUND, 0.6)),
        ROUND,
    ),
    "texture_change": (
        WALL,
        blended(WALL, cv2.GaussianBlur(WALL, (0, 0), 5), veil(ROUND, 0.6)),
        ROUND,
    ),
    "lighting": (WALL, blended(WALL, WALL * 1.5, veil(ROUND, 13)), veil(ROUND, 13) > 0.25),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("grow", [0, 2])
def test_what_happened_on_a_wall_is_called_by_its_name(name: str, grow: int) -> None:
    reference, current, mask = CASES[name]
    if grow:
        disc5 = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grow + 1, 2 * grow + 1))
        mask = cv2.dilate(mask.view(np.uint8), disc5) > 0
    label = classify(region_of(reference, current, mask))
    assert label.type == name, label.candidates
    assert label.confidence > 0.5


def test_a_dark_line_is_a_crack_when_it_wanders_not_when_it_is_ruled() -> None:
    ruled = region_of(WALL, blended(WALL, WALL * 0.3, veil(LINE, 0.5)), LINE)
    label = classify(ruled)
    assert label.type in ("scratch", "unknown")
    assert set(list(label.candidates)[:2]) == {"scratch", "crack"}
    reference, current, mask = CASES["crack"]
    assert classify(region_of(reference, current, mask)).candidates["crack"] > 0.7


@pytest.mark.parametrize("name", ["added_part", "missing_part", "stain", "crack", "scratch"])
def test_grain_and_compression_do_not_change_the_name(name: str) -> None:
    reference, current, mask = CASES[name]
    rng = np.random.default_rng(7)
    noisy = np.clip(current + rng.normal(0, 3, current.shape), 0, 255).astype(np.uint8)
    packed = cv2.imdecode(cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 80])[1], 1)
    assert classify(region_of(reference, np.asarray(packed, np.uint8), mask)).type == name


def test_a_rotated_or_mirrored_picture_gives_the_same_name() -> None:
    for name, (reference, current, mask) in CASES.items():
        for turn in (
            lambda array: np.ascontiguousarray(np.rot90(array)),
            lambda array: np.ascontiguousarray(array[:, ::-1]),
        ):
            label = classify(region_of(turn(reference), turn(current), turn(mask)))
            assert label.type == name


KINDS = ("missing", "added", "moved", "crack", "scratch", "stain", "recolour", "texture")


def stress_regions(count: int) -> Iterator[tuple[UInt8, UInt8, Bool, str]]:
    """Defects put into photographs, with their true names."""
    spec = importlib.util.find_spec("skimage")
    folder = Path(str(spec.origin)).parent / "data" if spec else Path()
    names = ["astronaut.png", "brick.png", "chelsea.png", "coffee.png", "coins.png", "grass.png"]
    for number, name in enumerate(names):
        picture = cv2.imread(str(folder / name), cv2.IMREAD_COLOR)
        if picture is None:
            pytest.skip("scikit-image's pictures are not here")
        small = cv2.resize(picture[..., ::-1], (384, 320), interpolation=cv2.INTER_AREA)
        nuisances = {"noise": 2, "jpeg": 85} if number % 2 else "none"
        for kind in KINDS:
            for seed in range(11, 11 + count):
                try:
                    pair = samples.stress(
                        small, seed, defects=(kind,), count=1, nuisances=nuisances
                    )
                except ImageError:
                    continue  # nothing in this picture suits this kind
                for truth in pair.truth.regions:
                    yield pair.reference, pair.current, truth.mask, truth.type


def test_defects_in_photographs_are_called_by_their_names() -> None:
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for reference, current, mask, name in stress_regions(2):
        total[name] += 1
        right[name] += classify(region_of(reference, current, mask)).type == name
    assert sum(total.values()) > 70
    assert sum(right.values()) / sum(total.values()) >= 0.82, (right, total)
    assert all(right[name] >= 0.45 * total[name] for name in total), (right, total)


def test_paint_on_a_tyre_is_something_added(data: Path) -> None:
    reference, current = (
        cv2.imread(str(data / "tyre" / name), cv2.IMREAD_COLOR)[..., ::-1]
        for name in ("race_car_tire_1.jpeg", "race_car_tire_1_anomaly.jpeg")
    )
    for x, y, w, h in ((418, 577, 30, 32), (145, 512, 36, 33), (507, 81, 39, 31)):
        mask = np.zeros(reference.shape[:2], np.bool_)
        mask[y : y + h, x : x + w] = True
        label = classify(region_of(reference, current, mask))
        assert label.type in ("spot", "added_part", "colour_change", "stain"), label


@pytest.mark.parametrize("name", ["wall", "tyre", "aerial", "board"])
def test_the_changes_of_the_bundled_samples_get_names_a_person_would_accept(name: str) -> None:
    accepted = {
        "spot": {"spot", "added_part"},
        "added_part": {"added_part", "spot"},
        "texture_change": {"texture_change", "colour_change", "added_part"},
        # A hole is something else to look at than what was there.
        "missing_part": {"missing_part", "added_part", "colour_change"},
    }
    pair = samples.load(name)
    wrong = []
    for truth in pair.truth.regions:
        label = classify(region_of(pair.reference, pair.current, truth.mask))
        if label.type not in accepted.get(truth.type, {truth.type}):
            wrong.append((truth.type, label.type))
    assert len(wrong) <= 1, wrong


# Severity


def test_a_longer_crack_is_worse() -> None:
    scores = []
    ground = wall(600, 600)
    for length in (20, 80, 400):
        line = drawn_line(0.5, length, 2, size=600)
        current = blended(ground, 20, line.astype(np.float32))
        scores.append(severity(region_of(ground, current, line), "crack"))
    assert scores == sorted(scores)
    assert [grade(score) for score in scores] == ["minor", "moderate", "major"]


@pytest.mark.parametrize(
    "type",
    ["missing_part", "added_part", "stain", "colour_change", "spot", "texture_change", "burr"],
)
def test_a_larger_region_is_worse_and_none_is_off_the_scale(type: str) -> None:
    scores = []
    for radius in (3, 9, 27, 70):
        mask = disc(WALL.shape, 100, 80, radius)
        current = blended(WALL, wall(seed=8) * 0.4, mask.astype(np.float32))
        scores.append(severity(region_of(WALL, current, mask), type))
    assert all(0 < one < other <= 1 for one, other in itertools.pairwise(scores))


def test_a_farther_move_is_worse() -> None:
    scores = []
    for shift in (8, 20, 50):
        here = disc(WALL.shape, 60, 80, 9)
        there = np.roll(here, shift, 1)
        reference = blended(WALL, bumpy(here), here.astype(np.float32))
        current = blended(WALL, np.roll(bumpy(here), shift, 1), there.astype(np.float32))
        scores.append(severity(region_of(reference, current, here | there), "moved"))
    assert scores == sorted(scores)


def test_the_same_stain_in_a_larger_picture_is_less_severe() -> None:
    reference, current, mask = CASES["stain"]
    large = [
        cv2.copyMakeBorder(one, 0, 300, 0, 300, cv2.BORDER_REFLECT) for one in (reference, current)
    ]
    wide = np.pad(mask, ((0, 300), (0, 300)))
    near = severity(region_of(reference, current, mask), "stain")
    assert severity(region_of(large[0], large[1], wide), "stain") < near


# Moves


def things(plain: bool) -> tuple[UInt8, UInt8, Bool, Bool]:
    here, there = disc(WALL.shape, 50, 80, 14), disc(WALL.shape, 130, 70, 14)
    paint = np.full_like(WALL, (200, 40, 60)) if plain else bumpy(here)
    reference = blended(WALL, paint, veil(here, 0.6))
    current = blended(WALL, np.roll(paint, (-10, 80), (0, 1)), veil(there, 0.6))
    return reference, current, here, there


@pytest.mark.parametrize("plain", [True, False])
def test_what_went_from_one_region_to_another_is_one_move(plain: bool) -> None:
    reference, current, here, there = things(plain)
    elsewhere = disc(WALL.shape, 90, 140, 14)
    current = blended(current, bumpy(elsewhere)[::-1], elsewhere.astype(np.float32))
    regions = [region_of(reference, current, mask) for mask in (elsewhere, there, here)]
    labels = [classify(region) for region in regions]
    assert pair_moves(regions, labels) == [(2, 1)]
    union, label = as_move(regions[2], regions[1])
    assert union.area == regions[1].area + regions[2].area
    assert union.box == (36, 56, 109, 39)
    assert label.type == "moved"
    assert label.evidence["displacement"] == pytest.approx(np.hypot(80, 10), abs=0.5)
    assert label.severity == "major"


def test_a_thing_missing_here_and_another_added_there_are_no_move() -> None:
    reference, current, here, there = things(False)
    current = blended(WALL, (40, 90, 200), veil(there, 0.6))
    regions = [region_of(reference, current, mask) for mask in (here, there)]
    assert pair_moves(regions, [classify(region) for region in regions]) == []
    assert pair_moves([], []) == []


def test_two_things_of_one_colour_that_look_different_are_no_move() -> None:
    here, there = disc(WALL.shape, 50, 80, 14), disc(WALL.shape, 130, 70, 14)
    rows, columns = np.mgrid[: WALL.shape[0], : WALL.shape[1]]
    upright, level = (
        np.repeat((70 + 150 * (line // 4 % 2))[..., None], 3, axis=2) for line in (columns, rows)
    )
    reference = blended(WALL, upright, veil(here, 0.6))
    current = blended(WALL, level, veil(there, 0.6))
    regions = [region_of(reference, current, mask) for mask in (here, there)]
    labels = [Label("missing_part", "minor"), Label("added_part", "minor")]
    assert pair_moves(regions, labels) == []


def test_a_thing_that_was_there_already_has_not_come_from_elsewhere() -> None:
    _, _, here, there = things(True)
    both = blended(WALL, (200, 40, 60), veil(here | there, 0.6))
    one = blended(WALL, (200, 40, 60), veil(there, 0.6))
    regions = [region_of(both, one, mask) for mask in (here, there)]
    labels = [Label("missing_part", "minor"), Label("added_part", "minor")]
    assert pair_moves(regions, labels) == []


def test_a_move_to_the_rim_of_the_picture_is_found() -> None:
    ground = wall()
    here, there = disc(ground.shape, 60, 80, 12), disc(ground.shape, 188, 148, 12)
    paint = bumpy(here)
    reference = blended(ground, paint, here.astype(np.float32))
    current = blended(ground, np.roll(paint, (68, 128), (0, 1)), there.astype(np.float32))
    regions = [region_of(reference, current, mask) for mask in (here, there)]
    labels = [Label("missing_part", "minor"), Label("added_part", "minor")]
    assert pair_moves(regions, labels) == [(0, 1)]


# Topology


def board() -> UInt8:
    copper = np.zeros((120, 160, 3), np.uint8)
    copper[30:46] = copper[66:82] = 210
    return copper


def changed_board(x: int, y: int, w: int, h: int, value: int) -> Topology:
    current = board()
    current[y : y + h, x : x + w] = value
    mask = np.zeros((120, 160), np.bool_)
    mask[y - 6 : y + h + 6, x - 6 : x + w + 6] = True
    return topology(region_of(board(), current, mask))


@pytest.mark.parametrize(
    ("box", "value", "kind", "touches", "splits"),
    [
        pytest.param((70, 96, 10, 10), 210, "added", 0, False, id="spurious copper"),
        pytest.param((70, 46, 8, 10), 210, "added", 1, False, id="spur"),
        pytest.param((70, 46, 8, 20), 210, "added", 2, False, id="short"),
        pytest.param((70, 34, 8, 7), 0, "removed", 0, False, id="pin hole"),
        pytest.param((70, 30, 9, 9), 0, "removed", 1, False, id="mouse bite"),
        pytest.param((70, 30, 8, 16), 0, "removed", 2, True, id="open"),
    ],
)
def test_what_a_blob_touches_tells_the_six_defects_of_a_board(
    box: tuple[int, int, int, int], value: int, kind: str, touches: int, splits: bool
) -> None:
    found = changed_board(*box, value)
    assert (found.kind, found.touches, found.splits) == (kind, touches, splits)
    assert found.contrast > 0.99


def test_dark_conductors_and_a_shift_of_two_pixels_give_the_same_answer() -> None:
    reference = 255 - board()
    current = 255 - np.roll(board(), 2, 0)
    current[46:68, 70:78] = 40
    mask = np.zeros((120, 160), np.bool_)
    mask[40:72, 64:84] = True
    found = topology(region_of(reference, current, mask), bright=False)
    assert (found.kind, found.touches) == ("added", 2)


def test_where_nothing_changed_nothing_is_touched() -> None:
    mask = np.ones((120, 160), np.bool_)
    assert topology(region_of(board(), board(), mask)).kind == "none"
    flat = np.full((120, 160, 3), 80, np.uint8)
    assert topology(region_of(flat, flat, mask)) == Topology("none", 0, 0, False, 0.0)


def pcb_type(found: Topology) -> str:
    """The domain rule a notebook writes in three lines."""
    if found.kind == "added":
        return ("spurious copper", "spur", "short")[min(2, found.touches)]
    if found.splits or found.touches > 1:
        return "open"
    return ("pin-hole", "mousebite")[found.touches]


def test_the_defects_of_real_boards_are_told_by_topology(data: Path) -> None:
    folder = data / "deeppcb"
    names = ("", "open", "short", "mousebite", "spur", "spurious copper", "pin-hole")
    right = total = 0
    for truth in sorted(folder.glob("[0-9]*.txt"))[::6]:
        reference, current = (
            cv2.cvtColor(
                cv2.imread(str(folder / f"{truth.stem}_{which}.jpg"), cv2.IMREAD_GRAYSCALE),
                cv2.COLOR_GRAY2RGB,
            )
            for which in ("temp", "test")
        )
        for line in truth.read_text().splitlines():
            x1, y1, x2, y2, number = map(int, line.split())
            mask = np.ones((y2 - y1, x2 - x1), np.bool_)
            box = (x1, y1, x2 - x1, y2 - y1)
            found = topology(Region(box, mask, reference, current, reference[..., 0]), bright=False)
            total += 1
            right += pcb_type(found) == names[number]
    assert total > 100
    assert right / total >= 0.97


def test_a_domain_classifier_is_registered_in_a_few_lines() -> None:
    @anomaly_type("short")
    def short(region: Region) -> float:
        found = topology(region)
        return 0.95 * (found.kind == "added" and found.touches > 1)

    try:
        current = board()
        current[46:66, 70:78] = 210
        mask = np.zeros((120, 160), np.bool_)
        mask[44:68, 68:80] = True
        assert classify(region_of(board(), current, mask)).type == "short"
    finally:
        remove_anomaly_type("short")
