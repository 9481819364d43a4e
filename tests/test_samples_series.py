"""Sample series: a fixed camera over days whose anomalies come, grow, stay, go and come back."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage

from vde_nb import samples
from vde_nb.errors import ImageError, OutputError, SettingError

PHOTOS = Path(skimage.__file__).parent / "data"


@pytest.fixture(scope="module")
def coins() -> np.ndarray:
    picture = cv2.imread(str(PHOTOS / "coins.png"), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture[:, :, ::-1].copy()


@pytest.fixture(scope="module")
def wall() -> samples.SampleSeries:
    return samples.series("wall")


def test_a_series_is_the_same_every_time_in_whatever_order_it_is_looked_at(wall):
    again = samples.series("wall")
    backwards = [again.frames[number] for number in (30, 3)]
    assert (backwards[1] == wall.frames[3]).all() and (backwards[0] == wall.frames[30]).all()
    assert repr(again) == repr(wall)
    other = samples.series("wall", seed=4)
    assert (other.frames[3] != wall.frames[3]).any()


def test_a_grey_level_here_and_there_is_no_other_series(coins):
    slightly = coins.copy()
    slightly[20::60, 20::60] ^= 1
    first, other = samples.series(coins), samples.series(slightly)
    assert (first.reference != other.reference).any()
    assert [(event.type, event.story, event.visits, event.box) for event in first.events] == [
        (event.type, event.story, event.visits, event.box) for event in other.events
    ]


def test_the_scene_is_the_one_of_the_pair(wall):
    pair = samples.load("wall")
    assert (wall.reference == pair.reference).all()
    types = {event.type for event in wall.events}
    assert {"crack", "stain", "missing_part"} <= types
    crack = next(event for event in wall.events if event.type == "crack")
    assert (crack.mask == pair.truth.regions[0].mask).all()


def test_one_grows_one_comes_back_one_stays_one_goes_and_one_passes(wall):
    stories = {event.story: event for event in wall.events}
    assert set(stories) == {"grows", "comes back", "stays", "goes", "passes"}
    last = len(wall.frames) - 1
    assert stories["grows"].frames[-1] == last and stories["stays"].frames[-1] == last
    assert stories["goes"].frames[-1] < last
    assert len(stories["comes back"].visits) == 2
    assert len(stories["passes"].frames) <= 2
    areas = [
        sum(region.mask.sum() for region in wall.truth[frame].regions if region.type == "crack")
        for frame in stories["grows"].frames
    ]
    assert areas == sorted(areas) and areas[-1] > 2.5 * areas[0] > 0
    assert [event.number for event in wall.events] == [1, 2, 3, 4, 5]
    assert [event.frames[0] for event in wall.events] == sorted(
        event.frames[0] for event in wall.events
    )


def test_the_truth_tells_what_is_there_in_each_frame(wall):
    for frame in range(len(wall.frames)):
        there = sorted(event.type for event in wall.events if event.share(frame))
        truth = wall.truth[frame]
        assert sorted(region.type for region in truth.regions) == there
        assert bool(truth.mask.any()) == bool(there) == wall.anomalous[frame]
    assert not wall.anomalous[:10].any() and wall.anomalous[-1]


@pytest.mark.parametrize("scene", ["wall", "photo"])
def test_without_nuisances_frames_differ_in_the_truth_and_nowhere_else(scene, coins):
    still = samples.series(coins if scene == "photo" else scene, nuisances="none")
    assert all((normal == still.reference).all() for normal in still.normals[::7])
    for frame in (0, 14, 20, 35):
        change = np.abs(still.frames[frame].astype(int) - still.reference).max(axis=2)
        mask = still.truth[frame].mask
        near = cv2.dilate(mask.view(np.uint8), np.ones((15, 15), np.uint8)) > 0
        assert change[~near].max(initial=0) <= 8
        if mask.any():
            assert change[mask].mean() > 8, "a person could not see it"


def test_light_noise_and_shift_vary_as_a_fixed_camera_varies(wall):
    means = np.array([frame.mean() for frame in wall.normals[::3]])
    assert 0.02 < means.std() / means.mean() < 0.2
    assert np.abs(wall.normals[0].astype(int) - wall.normals[1]).mean() > 2
    reference = wall.reference[..., 1].astype(np.float32)
    for frame in wall.frames[:8:3]:
        window = cv2.createHanningWindow(reference.shape[::-1], cv2.CV_32F)
        shift, _ = cv2.phaseCorrelate(reference, frame[..., 1].astype(np.float32), window)
        assert np.abs(shift).max() < 1.7


def test_the_shadow_of_the_post_wanders_with_the_hours(wall):
    def column(number: int) -> float:
        ratio = wall.normals[number].astype(np.float32).mean(axis=2) / wall.reference.mean(axis=2)
        profile = cv2.GaussianBlur(ratio[200:].mean(axis=0)[None], (0, 0), 20)[0]
        return float(profile.argmin())

    places = [column(number) for number in (8, 10, 14)]
    assert places == sorted(places) and places[-1] - places[0] > 150


def test_times_are_half_an_hour_apart_and_nights_are_left_out(wall):
    times = (*wall.normal_times, *wall.times)
    steps = {later - earlier for earlier, later in pairwise(times)}
    assert steps == {timedelta(minutes=30), timedelta(hours=12, minutes=30)}
    assert len(wall.times) == len(wall.frames) and {time.hour for time in times} <= set(
        range(6, 19)
    )


def test_a_grey_camera_sees_no_colour_of_the_light(coins):
    grey = samples.series(coins, normals=2, frames=2)
    for frame in (*grey.normals, *grey.frames):
        assert (frame[..., 0] == frame[..., 2]).all()


def test_a_series_of_a_hundred_thousand_holds_no_picture(coins):
    long = samples.series(coins, normals=100_000, frames=100_000)
    assert long.normals[99_999].shape == coins.shape and len(long.frames[50_000:]) == 50_000
    assert long.frames[-1].shape == coins.shape
    with pytest.raises(IndexError):
        long.normals[100_000]


@pytest.mark.parametrize("frames", [1, 2, 3, 7])
def test_a_short_series_still_shows_every_event(frames, coins):
    short = samples.series(coins, normals=1, frames=frames)
    assert len(short.events) == 5
    for event in short.events:
        assert event.frames and all(0 <= frame < frames for frame in event.frames)


def test_events_keep_apart_and_their_number_can_be_chosen(coins):
    many = samples.series(coins, events=7, seed=2)
    assert len(many.events) == 7
    total = np.sum([event.mask for event in many.events], axis=0)
    assert total.max() == 1
    assert samples.series(coins, events=0).events == ()
    assert not samples.series(coins, events=0).anomalous.any()


def test_the_nuisances_of_the_stress_kit_are_drawn_anew_for_each_picture(coins):
    usual = samples.series(coins, nuisances="usual", events=0, normals=4, frames=1)
    pictures = [*usual.normals, *usual.frames]
    assert len({picture.tobytes() for picture in pictures}) == 5
    calm = samples.series(coins, nuisances="usual", strength=0, events=0, normals=1, frames=1)
    assert (calm.normals[0] == coins).all()


def test_drift_dirties_the_frames_and_not_the_normals(coins):
    options = {"nuisances": "none", "events": 0, "normals": 2, "frames": 5}
    dirty = samples.series(coins, drift=1.0, **options)
    assert (dirty.normals[1] == coins).all() and (dirty.frames[0] == coins).all()
    means = [frame.mean() for frame in dirty.frames]
    assert means == sorted(means, reverse=True) and means[-1] < 0.95 * means[0]
    assert not dirty.truth[4].regions


def test_a_saved_series_has_its_times_in_the_names_of_its_files(tmp_path, coins):
    made = samples.series(coins, normals=2, frames=3)
    normal, frames = made.save(tmp_path / "demo")
    names = sorted(path.name for path in frames.iterdir())
    assert names[0] == "2026-06-01_07-30-00.jpg" and len(names) == 3
    assert len(list(normal.iterdir())) == 2
    opened = cv2.imread(str(frames / names[1]))
    assert opened is not None
    assert np.abs(opened[..., ::-1].astype(int) - made.frames[1]).mean() < 3
    masks = sorted((tmp_path / "demo" / "truth").iterdir())
    mask = cv2.imread(str(masks[2]), cv2.IMREAD_GRAYSCALE)
    assert mask is not None and ((mask > 0) == made.truth[2].mask).all()
    told = json.loads((tmp_path / "demo" / "events.json").read_text())
    assert [event["type"] for event in told["events"]] == [event.type for event in made.events]
    with pytest.raises(OutputError, match="exists"):
        made.save(tmp_path / "demo")
    exact, _ = made.save(tmp_path / "exact", lossless=True)
    picture = cv2.imread(str(exact / "2026-06-01_06-30-00.png"))
    assert picture is not None and (picture[..., ::-1] == made.normals[0]).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scene": "wal"}, "did you mean 'wall'"),
        ({"normals": 0}, "normals must be from 1 to 100000"),
        ({"frames": 2.5}, "frames must be a whole number"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"events": True}, "events must be a whole number"),
        ({"nuisances": "rain"}, "nuisances must be 'day'"),
        ({"strength": 9}, "strength must be a number from 0 to 3"),
        ({"drift": float("nan")}, "drift must be a number from 0 to 1"),
        ({"scene": np.zeros((40, 200, 3), np.uint8)}, "at least 96"),
    ],
)
def test_what_cannot_be_is_said(options, said):
    with pytest.raises(SettingError, match=said):
        samples.series(**options)


def test_a_picture_without_anything_to_change_says_so():
    with pytest.raises(ImageError, match="found places for"):
        samples.series(np.full((100, 100, 3), 255, np.uint8), events=12)
