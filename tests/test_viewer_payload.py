"""What goes to the browser."""

from __future__ import annotations

import io
import json
import time
import zlib
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

import vde_nb as vde
from vde_nb import detect
from vde_nb.comparison import Anomaly, Comparison
from vde_nb.figure import SEVERITY_COLOURS, type_colour
from vde_nb.viewer import payload, tiles

NASTY = "<script>\u2028\"'\n\U0001f600\udcff"


def opened(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.fixture(scope="module")
def found() -> Comparison:
    rng = np.random.default_rng(0)
    reference = rng.integers(60, 90, (90, 121, 3), np.uint8)
    current = reference.copy()
    current[10:40, 20:60] = 200
    cv2.circle(current, (90, 60), 11, (250, 20, 20), -1)
    return vde.compare(reference, current, method="hybrid", segmenter="none", cache=None)


# The plan and the base ----------------------------------------------------------------------------


@given(st.integers(1, 20000), st.integers(1, 20000))
def test_a_plan_fits_its_picture(height: int, width: int) -> None:
    how = payload.plan(height, width)
    base = how.base_height, how.base_width
    if not how.deep:
        assert base == (height, width)
        assert (how.factor, how.levels) == (1.0, (1,))
        return
    assert max(base) == 1600
    assert max(height, width) / how.factor == pytest.approx(1600)
    assert how.levels[0] == 1
    assert how.levels[-1] < how.factor <= 2 * how.levels[-1]  # nothing is missing in between
    assert json.loads(json.dumps(how.to_dict()))["levels"] == list(how.levels)


@pytest.mark.parametrize(
    ("height", "width", "deep"),
    [(1224, 1632, False), (1600, 1600, False), (1601, 1601, True), (100, 24001, True)],
)
def test_two_megapixels_are_sent_whole(height: int, width: int, deep: bool) -> None:
    assert payload.plan(height, width).deep is deep


def test_the_base_is_the_mean_over_areas() -> None:
    picture = np.zeros((1800, 3200, 3), np.uint8)
    picture[:, ::2] = 200  # a grid that any other way of reducing makes into bands
    how = payload.plan(1800, 3200)
    base = payload.base_picture(picture, how)
    assert base.shape == (900, 1600, 3)
    assert (base == 100).all()
    whole = picture[:100, :100]
    assert payload.base_picture(whole, payload.plan(100, 100)) is whole


# Maps ---------------------------------------------------------------------------------------------

maps = arrays.arrays(
    np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.integers(0, 255)
)


@pytest.mark.parametrize("with_isal", [True, False])
@given(heat=maps, most=st.integers(1, 2000))
def test_a_map_comes_back_as_the_maximum_of_its_blocks(
    with_isal: bool, heat: np.ndarray, most: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if not with_isal:
            patch.setattr(payload, "isal_zlib", None)
        meta, data = payload.heat_payload(heat, most)
    factor = meta["factor"]
    values = np.frombuffer(zlib.decompress(data), np.uint8).reshape(meta["height"], meta["width"])
    assert values.size <= most
    assert factor == 1 or factor & (factor - 1) == 0
    blocks = [
        [heat[y : y + factor, x : x + factor].max() for x in range(0, heat.shape[1], factor)]
        for y in range(0, heat.shape[0], factor)
    ]
    assert np.array_equal(values, np.array(blocks))


def test_a_map_that_packs_badly_is_reduced_only_where_that_is_allowed() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 400), np.uint8)
    meta, data = payload.heat_payload(noise)
    assert (meta["factor"], len(data) >= noise.size) == (1, True)
    meta, data = payload.heat_payload(noise, most_bytes=50_000)
    assert meta == {"width": 200, "height": 200, "factor": 2}
    assert len(data) <= 50_000


def test_a_part_of_an_array_is_packed_as_it_looks() -> None:
    values = np.arange(100, dtype=np.uint8).reshape(10, 10)[::2, 1::3]
    assert zlib.decompress(payload.packed(values)) == values.tobytes()


# Tiles --------------------------------------------------------------------------------------------


def test_tiles_put_together_are_the_picture() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (130, 201, 3), np.uint8)
    rows = [
        np.hstack([opened(tiles.tile(picture, 1, x, y, size=64)) for x in range(4)])
        for y in range(3)
    ]
    assert np.array_equal(np.vstack(rows), picture)


@given(
    arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=50)),
    st.sampled_from([1, 2, 4, 8]),
    st.integers(1, 9),
)
@settings(max_examples=60)
def test_reduced_tiles_are_means_of_blocks(picture: np.ndarray, level: int, size: int) -> None:
    height, width = picture.shape
    padded = np.pad(picture, ((0, -height % level), (0, -width % level)), "edge")
    blocks = padded.reshape(padded.shape[0] // level, level, padded.shape[1] // level, level)
    wanted = blocks.mean((1, 3))
    rows = [
        np.hstack(
            [
                tiles.tile_pixels(picture, level, x, y, size)
                for x in range(-(-width // (size * level)))
            ]
        )
        for y in range(-(-height // (size * level)))
    ]
    made = np.vstack(rows)
    assert made.shape == wanted.shape
    assert np.abs(made - wanted).max() <= 0.51  # rounding


@pytest.mark.parametrize("where", [(1, 4, 0), (1, 0, 3), (1, -1, 0), (0, 0, 0), (2, 2, 0)])
def test_a_tile_outside_is_refused(where: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"tile|must be"):
        tiles.tile(np.zeros((130, 201, 3), np.uint8), *where, size=64)


# Results ------------------------------------------------------------------------------------------


def test_the_masks_come_back(found: Comparison) -> None:
    result, offsets, data = payload.anomalies_payload(found)
    assert len(result["anomalies"]) == len(found.anomalies) == len(offsets) == 2
    raw = np.frombuffer(zlib.decompress(data), np.uint8)
    for anomaly, sent, offset in zip(found.anomalies, result["anomalies"], offsets, strict=True):
        assert sent["box"] == list(anomaly.box)
        assert sent["number"] == anomaly.number
        count = anomaly.w * anomaly.h
        bits = np.unpackbits(raw[offset:], count=count, bitorder="little")
        assert np.array_equal(bits.reshape(anomaly.h, anomaly.w).astype(bool), anomaly.outline)
    assert result["threshold"] == found.threshold
    assert result["summary"]["count"] == 2
    assert result["summary"]["ssim"] == pytest.approx(found.ssim_score, abs=1e-6)


def test_nothing_found_is_sent_as_nothing(found: Comparison) -> None:
    result, offsets, data = payload.anomalies_payload(replace(found, anomalies=[]))
    assert (result["anomalies"], offsets, zlib.decompress(data)) == ([], [], b"")


def test_names_can_be_sent_whatever_they_are(found: Comparison) -> None:
    odd = replace(found.anomalies[0], type=NASTY, comment=NASTY)
    result, _, _ = payload.anomalies_payload(replace(found, anomalies=[odd], notes=(NASTY,)))
    json.dumps(result, allow_nan=False, ensure_ascii=False).encode()
    assert result["anomalies"][0]["type"].startswith("<script>")
    json.dumps(payload.colours([NASTY]), ensure_ascii=False).encode()


def test_the_panel_s_colours_are_those_of_the_annotated_picture() -> None:
    made = payload.colours(["scratch", "stain"])
    for name, sent in {**made["type"], **made["severity"]}.items():
        colour = tuple(bytes.fromhex(sent.removeprefix("#")))
        assert colour == (SEVERITY_COLOURS[name] if name in SEVERITY_COLOURS else type_colour(name))


def test_fifty_anomalies_in_twelve_megapixels_take_no_time(found: Comparison) -> None:
    rng = np.random.default_rng(0)
    many = []
    for number in range(1, 51):
        outline = np.zeros((200, 240), np.uint8)
        cv2.circle(outline, (120, 100), 90, 1, -1)
        x, y = int(rng.integers(0, 3700)), int(rng.integers(0, 2700))
        many.append(
            replace(
                found.anomalies[0],
                number=number,
                box=(x, y, 240, 200),
                outline=outline.view(bool),
                shape=(3000, 4000),
            )
        )
    times = []
    for _ in range(3):
        fresh = [replace(one) for one in many]  # without the centroids already known
        started = time.perf_counter()
        payload.anomalies_payload(replace(found, anomalies=fresh))
        times.append(time.perf_counter() - started)
    print(f"anomalies_payload, 50 of 240 \u00d7 200: {min(times) * 1000:.1f} ms")
    assert min(times) < 0.2


def test_a_pixel_tells_everything(found: Comparison) -> None:
    told = payload.pixel(found, 30, 20)
    assert told["current"] == [200, 200, 200]
    assert told["reference"] == found.reference[20, 30].tolist()
    assert told["delta"] == 200 - min(told["reference"])
    assert (told["heat"], told["clean"]) == (found.heatmap[20, 30], found.clean_heatmap[20, 30])
    json.dumps(told)
    for x, y in ((121, 0), (0, 90), (-1, 0), (0, -1)):
        with pytest.raises(ValueError, match="no pixel"):
            payload.pixel(found, x, y)


# Counts -------------------------------------------------------------------------------------------


def naive(clean: np.ndarray, min_area: int) -> list[int]:
    return [len(detect.candidates(clean > t, min_area)) for t in range(256)]


@given(
    arrays.arrays(
        np.uint8,
        arrays.array_shapes(min_dims=2, max_dims=2, max_side=14),
        elements=st.sampled_from([0, 0, 1, 2, 7, 254, 255]),
    ),
    st.sampled_from([0, 1, 2, 4, 9]),
)
@settings(max_examples=80, deadline=None)
def test_counts_are_those_of_cutting_at_every_threshold(clean: np.ndarray, min_area: int) -> None:
    assert payload.region_counts(clean, min_area) == naive(clean, min_area)


def test_a_region_in_the_hole_of_another_counts_as_the_contours_say() -> None:
    clean = np.full((40, 40), 10, np.uint8)
    cv2.rectangle(clean, (4, 4), (35, 35), 90, 3)
    clean[16:24, 16:24] = 120
    counts = payload.region_counts(clean, 10)
    assert counts == naive(clean, 10)
    assert counts is not None
    assert (counts[5], counts[50], counts[100]) == (1, 1, 1)  # outer borders only


@pytest.mark.parametrize("value", [0, 1, 255])
def test_a_map_of_one_value_is_one_region_below_it(value: int) -> None:
    assert payload.region_counts(np.full((20, 20), value, np.uint8), 100) == [1] * value + [0] * (
        256 - value
    )


def test_counts_agree_with_the_comparison(found: Comparison) -> None:
    counts = payload.region_counts(found.clean_heatmap, found.settings.detect.min_area)
    assert counts is not None
    assert counts[found.threshold] == len(found.anomalies)


def test_counting_stops_when_told_to() -> None:
    clean = np.arange(100, dtype=np.uint8).repeat(10).reshape(20, 50)
    asked = iter([False] * 5)
    assert payload.region_counts(clean, 1, lambda: next(asked, True)) is None
    assert next(asked, None) is None


def test_anomalies_of_a_person_say_so(found: Comparison) -> None:
    one: Anomaly = replace(found.anomalies[0], origin="prompted", verdict="rejected", comment="no")
    sent = payload.anomalies_payload(replace(found, anomalies=[one]))[0]["anomalies"][0]
    assert (sent["origin"], sent["verdict"], sent["comment"]) == ("prompted", "rejected", "no")
    assert sent["type_found"] == found.anomalies[0].type
