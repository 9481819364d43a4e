"""Stress pairs: defects that can be seen, a truth that is tight, nuisances that are no defects."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage
from hypothesis import given, settings
from hypothesis import strategies as st

from vde_nb import samples
from vde_nb.errors import ImageError, SettingError
from vde_nb.samples._content import content_of
from vde_nb.samples._defects import KINDS
from vde_nb.samples._nuisances import LIMITS, disturb, scaled, usual

PHOTOS = Path(skimage.__file__).parent / "data"


def photo(name: str) -> np.ndarray:
    picture = cv2.imread(str(PHOTOS / name), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture[:, :, ::-1].copy()


@pytest.fixture(scope="module")
def coins() -> np.ndarray:
    return photo("coins.png")


@pytest.fixture(scope="module")
def coffee() -> np.ndarray:
    return photo("coffee.png")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn_where_the_truth_says_and_nowhere_else(kind, coffee):
    pair = samples.stress(coffee, 5, defects=(kind,), nuisances="none")
    change = np.abs(pair.current.astype(int) - pair.reference).max(axis=2)
    assert {region.type for region in pair.truth.regions} == {KINDS[kind][1]}
    for region in pair.truth.regions:
        assert change[region.mask].mean() >= 8, "a person could not see it"
        x, y, w, h = region.box
        assert region.mask[y : y + h, x : x + w].sum() == region.mask.sum()
        assert region.mask[y].any() and region.mask[:, x + w - 1].any()
    near = cv2.dilate(pair.truth.mask.view(np.uint8), np.ones((13, 13), np.uint8)) > 0
    assert change[~near].max(initial=0) <= 6


@pytest.mark.parametrize("kind", ["missing", "added", "crack", "scratch", "stain", "recolour"])
def test_the_truth_is_tight(kind, coffee):
    pair = samples.stress(coffee, 7, defects=(kind,), count=1, nuisances="none")
    change = np.abs(pair.current.astype(int) - pair.reference).max(axis=2)
    assert np.mean(change[pair.truth.mask] > 6) > 0.85


def test_a_coin_that_is_missing_leaves_even_ground(coins):
    pair = samples.stress(coins, 5, defects="missing", count=1, nuisances="none")
    region = pair.truth.regions[0]
    assert pair.reference[region.mask].std() > 1.5 * pair.current[region.mask].std()


def test_a_moved_thing_is_one_region_that_holds_both_places(coins):
    pair = samples.stress(coins, 5, defects=("moved",), count=1, nuisances="none")
    assert [region.type for region in pair.truth.regions] == ["moved"]
    thing = samples.stress(coins, 5, defects=("missing",), count=1, nuisances="none")
    assert pair.truth.mask.sum() > 1.1 * thing.truth.mask.sum()


def test_a_crack_is_dark_and_thin_and_a_scratch_bright(coffee):
    for kind, darker in (("crack", True), ("scratch", False)):
        pair = samples.stress(coffee, 9, defects=kind, count=1, nuisances="none")
        mask = pair.truth.mask
        step = pair.current[mask].astype(float).mean() - pair.reference[mask].mean()
        assert (step < -10) if darker else (step > 10)
        assert cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, 5).max() <= 5


def test_below_a_stain_the_texture_can_still_be_seen(coffee):
    pair = samples.stress(coffee, 5, defects="stain", count=1, nuisances="none")
    inner = cv2.erode(pair.truth.mask.view(np.uint8), np.ones((9, 9), np.uint8)) > 0
    fine = [
        (view := image.astype(np.float32).mean(axis=2)) - cv2.GaussianBlur(view, (0, 0), 2)
        for image in (pair.reference, pair.current)
    ]
    assert np.corrcoef(fine[0][inner], fine[1][inner])[0, 1] > 0.9


def test_a_texture_change_keeps_the_mean(coffee):
    pair = samples.stress(coffee, 3, defects="texture", count=1, nuisances="none")
    mask = pair.truth.mask
    assert abs(pair.current[mask].mean() - pair.reference[mask].mean()) < 8


def test_odd_seeds_have_defects_and_even_seeds_have_none(coffee):
    pairs = [samples.stress(coffee, seed) for seed in range(8)]
    assert [bool(pair.truth.regions) for pair in pairs] == [False, True] * 4
    assert all(pair.truth.mask.any() == bool(pair.truth.regions) for pair in pairs)
    assert all(1 <= len(pair.truth.regions) <= 3 for pair in pairs[1::2])
    assert not samples.stress(coffee, 1, defects=()).truth.regions


def test_defects_keep_apart_and_inside(coffee):
    pair = samples.stress(coffee, 11, defects=("added", "stain"), count=6)
    together = sum(region.mask.astype(int) for region in pair.truth.regions)
    assert len(pair.truth.regions) == 6
    assert together.max() == 1
    edge = np.ones_like(pair.truth.mask)
    edge[8:-8, 8:-8] = False
    assert not (pair.truth.mask & edge).any()


def test_the_same_arguments_give_the_same_bytes(coffee):
    first, again = (samples.stress(coffee, 7) for _ in range(2))
    other = samples.stress(coffee, 9)
    assert first.current.tobytes() == again.current.tobytes()
    assert first.truth.mask.tobytes() == again.truth.mask.tobytes()
    assert first.current.tobytes() != other.current.tobytes()


def slightly_other(picture: np.ndarray, share: float) -> np.ndarray:
    """A picture with a grey level more or less in a share of its values."""
    rng = np.random.default_rng(1)
    step = rng.choice([-1, 1], picture.shape) * (rng.random(picture.shape) < share)
    return np.clip(picture + step, 0, 255).astype(np.uint8)


def test_one_seed_is_another_defect_in_another_picture(coins, coffee):
    # one size, so that the same place would be possible
    pictures = [coins[:300, :384], coffee[:300, :384], coffee[100:400, 100:484]]
    regions = [samples.stress(one, 7, defects="stain").truth.regions for one in pictures]
    assert len({str(one) for one in regions}) == 3
    grain = [samples.stress(one, 2).current.astype(int) - one for one in pictures]
    assert (grain[0] != grain[1]).any() and (grain[1] != grain[2]).any()


@pytest.mark.parametrize("kind", ["crack", "scratch", "stain"])
def test_a_grey_level_here_and_there_makes_no_other_defect(kind, coffee):
    for seed in (1, 2, 3):
        first, other = (
            samples.stress(one, seed, defects=kind, count=1, nuisances="none").truth.mask
            for one in (coffee, slightly_other(coffee, 0.001))
        )
        # pixels at the rim of the mask may come and go
        assert (first & other).sum() > 0.97 * (first | other).sum()


def test_what_a_picture_shows_is_told_from_its_parts_and_not_from_every_pixel(coins, coffee):
    pictures = [coins, coffee, *(samples.load(name).reference for name in ("wall", "label"))]
    assert len({content_of(one) for one in pictures}) == len(pictures)
    for one in pictures:
        assert content_of(one) == content_of(slightly_other(one, 0.05))
    assert content_of(coffee) != content_of(coffee[::-1])
    assert content_of(coffee) != content_of(coffee[:-1])


def test_flat_and_drawn_pictures_do_not_lie_on_a_step_of_what_is_told_from_them():
    for level in range(256):
        flat = np.full((99, 120, 3), level, np.uint8)
        other = flat.copy()
        other[::3, ::3] ^= 1  # a third, a half and a quarter of a level beside a whole one
        halved, quartered = (np.where(np.arange(120)[:, None] % n, flat, 0) for n in (2, 4))
        for drawn in (flat, other, halved, quartered):
            drawn = drawn.astype(np.uint8)
            assert content_of(drawn) == content_of(slightly_other(drawn, 0.02))


def test_content_takes_the_place_of_what_the_picture_shows(coffee):
    usual, said = samples.stress(coffee, 7), samples.stress(coffee, 7, content=content_of(coffee))
    assert (usual.current == said.current).all() and (usual.truth.mask == said.truth.mask).all()
    five, again, six = (samples.stress(coffee, 7, content=number) for number in (5, 5, 6))
    assert (five.current == again.current).all()
    assert (five.current != six.current).any() and (five.current != usual.current).any()
    # one number, two pictures: the same noise
    grain = [
        samples.stress(
            np.full((120, 120, 3), level, np.uint8), 0, nuisances={"noise": 3}, content=5
        ).current.astype(int)
        - level
        for level in (90, 160)
    ]
    assert (grain[0] == grain[1]).all()


_DRAWN = """
import hashlib
import cv2, numpy as np
from vde_nb import samples
rng = np.random.default_rng(1)
soft = cv2.GaussianBlur(rng.random((300, 300), np.float32), (0, 0), 1.3)
print(hashlib.sha256(soft.tobytes()).hexdigest())
for name in ("wall", "label"):
    picture = samples.load(name).reference
    for kind in ("missing", "stain"):
        print(samples.stress(picture, 7, defects=kind, count=1).truth.regions)
    print(samples.stress(picture, 1).truth.regions)
print([(event.type, event.box) for event in samples.series("label").events])
"""


def test_a_processor_without_the_newest_instructions_draws_the_same_defects():
    # "SSE SSE2 *AVX *AVX2 *AVX512-SKX?": * was compiled apart and may be left out, ? is not there
    line = cv2.getCPUFeaturesLine().split()
    apart = [name[1:] for name in line if name.startswith("*") and not name.endswith("?")]
    if not apart:
        pytest.skip("this OpenCV has one set of instructions only")
    first, other = (
        subprocess.run(
            [sys.executable, "-c", _DRAWN],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "OPENCV_CPU_DISABLE": disabled},
        ).stdout.splitlines()
        for disabled in ("", ",".join(apart))
    )
    if first[0] == other[0]:
        pytest.skip("OPENCV_CPU_DISABLE changes nothing here")
    assert len(first) == 8 and first[1:] == other[1:]


def test_the_picture_handed_over_is_left_alone(coffee):
    before = coffee.copy()
    pair = samples.stress(coffee, 3)
    assert (coffee == before).all() and (pair.reference == before).all()
    assert not pair.reference.flags.writeable and coffee.flags.writeable


def test_without_nuisances_a_sound_pair_is_twice_the_same_picture(coffee):
    for options in ({"nuisances": "none"}, {"strength": 0}, {"nuisances": {}}):
        pair = samples.stress(coffee, 2, **options)
        assert (pair.current == pair.reference).all()


def test_a_grey_picture_stays_grey_and_a_defect_does_not_show_by_its_colour():
    grey = photo("coins.png")[..., 0]
    for seed in (1, 2, 5):
        pair = samples.stress(grey, seed, defects=("added", "recolour", "stain"), nuisances="none")
        assert (pair.current == pair.current[..., :1]).all()


@given(dx=st.integers(-6, 6), dy=st.integers(-6, 6))
@settings(max_examples=15, deadline=None)
def test_a_whole_shift_moves_content_right_and_down_and_leaves_no_black_margin(dx, dy):
    picture = photo("coffee.png")[:120, :160] | 64
    pair = samples.stress(picture, 0, nuisances={"shift": (dx, dy)})
    inner = pair.current[8:-8, 8:-8]
    moved = picture[8 - dy : 112 - dy, 8 - dx : 152 - dx]
    assert np.abs(inner.astype(int) - moved).max() <= 1
    assert pair.current.min() >= 40


def test_each_nuisance_does_what_it_says():
    flat = np.full((200, 260, 3), 100, np.uint8)

    def shot(**amounts: object) -> np.ndarray:
        return samples.stress(flat, 0, nuisances=amounts).current.astype(float)

    assert shot(gain=1.1, bias=5).mean() == pytest.approx(115, abs=0.6)
    assert shot(gamma=1.2).mean() == pytest.approx(255 * (100 / 255) ** 1.2, abs=0.6)
    assert shot(noise=4).std() == pytest.approx(4, abs=0.2)
    shaded = shot(shadow=0.25)
    assert shaded.min() == pytest.approx(75, abs=3) and shaded.max() == pytest.approx(100, abs=4)


def test_the_warp_is_as_large_as_it_was_asked_to_be_and_smooth():
    _, columns = np.mgrid[:300, :400]
    # Brightness tells the place a pixel came from: a ramp along x is a map of displacements.
    ramp = np.repeat((columns * 0.6)[..., None], 3, axis=2).astype(np.uint8)
    moved = disturb(ramp, {"warp": 1.5}, np.random.default_rng(1)).astype(float)[..., 0] / 0.6
    displaced = cv2.GaussianBlur(moved - ramp[..., 0] / 0.6, (0, 0), 4)[20:-20, 20:-20]
    assert 0.3 < np.abs(displaced).max() < 1.8
    assert np.abs(np.diff(displaced, axis=1)).max() < 0.12


def test_strength_scales_every_nuisance_from_nothing():
    mix = usual(np.random.default_rng(3))
    none = scaled(mix, 0)
    assert all(
        value == ((0, 0) if name == "shift" else LIMITS[name][2]) for name, value in none.items()
    )
    double = scaled(mix, 2)
    assert double["noise"] == pytest.approx(2 * mix["noise"])
    assert double["shift"][0] == pytest.approx(2 * mix["shift"][0])


def test_the_usual_mix_always_has_what_every_camera_has():
    mixes = [usual(np.random.default_rng(seed)) for seed in range(300)]
    assert all({"shift", "noise", "jpeg"} <= mix.keys() for mix in mixes)
    assert all(("gamma" in mix) != ("gain" in mix) for mix in mixes)
    for name in ("shadow", "rotation", "warp", "blur"):
        assert 70 < sum(name in mix for mix in mixes) < 130


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"defects": ("crak",)}, "did you mean 'crack'"),
        ({"defects": ("crack", 3)}, "There are missing, added"),
        ({"nuisances": {"gama": 1}}, "did you mean 'gamma'"),
        ({"nuisances": "usal"}, "did you mean 'usual'"),
        ({"nuisances": {"gamma": 9}}, "gamma must be a number from 0.25 to 4"),
        ({"nuisances": {"noise": float("nan")}}, "noise must be a number"),
        ({"nuisances": {"shift": 3}}, "shift must be"),
        ({"nuisances": {"jpeg": True}}, "jpeg must be"),
        ({"seed": -1}, "seed must be"),
        ({"seed": 1.5}, "seed must be"),
        ({"count": 0}, "count must be"),
        ({"count": 2.5}, "count must be"),
        ({"strength": 7}, "strength must be"),
        ({"content": -1}, "content must be a whole number, 0 or more, not -1"),
        ({"content": 0.5}, "content must be"),
        ({"content": True}, "content must be"),
    ],
)
def test_a_wrong_argument_is_named_with_what_would_be_right(options, said, coffee):
    with pytest.raises(SettingError, match=said):
        samples.stress(coffee, **options)


def test_pictures_that_are_none_or_too_small_are_refused():
    with pytest.raises(SettingError, match="80×300"):
        samples.stress(np.zeros((300, 80, 3), np.uint8))
    with pytest.raises(ImageError, match="float64"):
        samples.stress(np.zeros((300, 300, 3)))


def test_where_nothing_can_go_missing_that_is_said_and_random_defects_are_still_found():
    flat = np.full((200, 200, 3), 120, np.uint8)
    with pytest.raises(ImageError, match="'missing'"):
        samples.stress(flat, 1, defects=("missing",))
    assert samples.stress(flat, 1).truth.regions


@pytest.mark.parametrize("name", ["brick.png", "hubble_deep_field.jpg", "microaneurysms.png"])
def test_any_picture_takes_random_defects(name):
    picture = photo(name)[:512, :512]
    for seed in (1, 3):
        assert samples.stress(picture, seed).truth.regions
