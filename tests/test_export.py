"""What a comparison is written as."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import hypothesis.extra.numpy as arrays
import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

import vde_nb as vde
from vde_nb import _png, export
from vde_nb.comparison import Anomaly, Comparison
from vde_nb.export._rle import decode, encode

from .test_write import names

# pycocotools is older than NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NASTY = "=cmd|' /C calc'!A0<script>alert(\"1\")</script>&\U0001f600"
ALL = {
    "annotated": "annotated.png",
    "heatmap": "heatmap.png",
    "mask": "mask.png",
    "reference": "reference.png",
    "current": "current.png",
    "results": "results.json",
    "coco": "coco.json",
    "csv": "anomalies.csv",
    "html": "report.html",
    "masks": "masks",
}


def pair(height: int = 90, width: int = 120) -> tuple[np.ndarray, np.ndarray]:
    reference = np.random.default_rng(0).integers(60, 90, (height, width, 3), np.uint8)
    current = reference.copy()
    current[10:40, 20:60] = 200  # a block
    cv2.line(current, (10, 70), (100, 74), (250, 250, 250), 6)  # a scratch
    return reference, current


@pytest.fixture(scope="module")
def found() -> Comparison:
    result = vde.compare(*pair(), method="hybrid", segmenter="none", cache=None)
    assert len(result.anomalies) == 2
    return result


@pytest.fixture(scope="module")
def nothing() -> Comparison:
    reference, _ = pair()
    return vde.compare(reference, reference, segmenter="none", cache=None)


def renamed(result: Comparison, name: str) -> Comparison:
    pair = result.pair
    named = replace(
        pair, reference=replace(pair.reference, name=name), current=replace(pair.current, name=name)
    )
    return replace(result, pair=named)


def with_first(result: Comparison, **changes: Any) -> Comparison:
    first, *others = result.anomalies
    return replace(result, anomalies=[replace(first, **changes), *others])


# results.json -------------------------------------------------------------------------------------


def strict(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_the_published_result_is_written_as_it_was_published(data: Path) -> None:
    folder = data / "tyre"
    result = vde.compare(
        folder / "race_car_tire_1.jpeg", folder / "race_car_tire_1_anomaly.jpeg", preset="published"
    )
    published = json.loads((folder / "approach1.json").read_text())
    ours = strict(result.to_json())
    assert list(ours)[:4] == list(published)
    assert ours["image_name"].endswith("race_car_tire_1_anomaly.jpeg")
    assert ours["ssim_score"] == pytest.approx(published["ssim_score"], abs=1e-12)
    assert ours["change_score_percent"] == published["change_score_percent"]
    keys = list(published["anomalies"][0])
    assert [list(one)[: len(keys)] for one in ours["anomalies"]] == [keys] * 3
    assert [{key: one[key] for key in keys} for one in ours["anomalies"]] == published["anomalies"]


@pytest.mark.parametrize("method", ["hybrid", "multi_fusion"])
def test_results_of_any_method_keep_to_the_schema(method: str) -> None:
    result = vde.compare(*pair(), method=method, segmenter="none", cache=None)
    jsonschema.Draft202012Validator.check_schema(export.schema())
    document = strict(result.to_json())
    assert document["anomalies"]
    jsonschema.validate(document, export.schema(), cls=jsonschema.Draft202012Validator)
    assert vde.Settings.from_dict(document["settings"]) == result.settings


def test_a_moved_pair_tells_its_registration_and_where_its_anomalies_lie() -> None:
    sample = vde.samples.load("label", shift=(2.3, -1.4))
    result = vde.compare(sample.reference, sample.current, segmenter="none", cache=None)
    document = strict(result.to_json())
    jsonschema.validate(document, export.schema(), cls=jsonschema.Draft202012Validator)
    assert document["schema_version"] == "1.4" and document["method"] == "robust"
    assert vde.Settings.from_dict(document["settings"]) == result.settings
    assert document["registration"]["motion"] == pytest.approx(2.7, abs=0.2)
    matrix = np.array(document["registration"]["matrix"])
    assert matrix[:2, 2] == pytest.approx((2.3, -1.4), abs=0.2)
    assert document["anomalies"]
    for one in document["anomalies"]:
        x, y, _, _ = one["box_current"]
        assert (x - one["x"], y - one["y"]) == pytest.approx((2.3, -1.4), abs=1.01)
        assert 0 <= one["confidence"] <= 1 and 0 <= one["severity_score"] <= 1


def test_without_registration_there_is_none_and_boxes_are_the_same(found: Comparison) -> None:
    document = strict(found.to_json())
    jsonschema.validate(document, export.schema(), cls=jsonschema.Draft202012Validator)
    assert document["registration"] is None
    for one in document["anomalies"]:
        assert one["box_current"] == [one["x"], one["y"], one["w"], one["h"]]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda one: one.pop("registration"),
        lambda one: one.update(registration={"model": "translation"}),
        lambda one: one["anomalies"][0].update(box_current=[1, 2, 3]),
        lambda one: one["anomalies"][0].update(confidence=1.5),
        lambda one: one.pop("ssim_score"),
        lambda one: one["anomalies"][0].pop("severity"),
        lambda one: one["anomalies"][0].update(w=0),
        lambda one: one["anomalies"][0]["segmentation"].update(counts=[1, 2]),
        lambda one: one.update(schema_version="2.0"),
    ],
)
def test_the_schema_refuses_what_is_not_a_result(found: Comparison, spoil: Any) -> None:
    document = export.results(found)
    spoil(document)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, export.schema())


def test_the_text_is_the_document_and_the_file_is_the_text(
    found: Comparison, tmp_path: Path
) -> None:
    text = found.to_json(tmp_path / "results.json")
    assert strict(text) == export.results(found)
    assert (tmp_path / "results.json").read_bytes() == text.encode()
    assert text.endswith("}\n")
    assert f'"centroid": [{found.anomalies[0].centroid[0]}, ' in text  # on one line
    with pytest.raises(vde.OutputError, match="exists"):
        found.to_json(tmp_path / "results.json")


@pytest.mark.parametrize("method", ["robust", "hybrid"])
def test_the_same_comparison_gives_the_same_bytes_but_for_timings(method: str) -> None:
    first, second = (
        replace(vde.compare(*pair(), method=method, segmenter="none", cache=None), timings={})
        for _ in range(2)
    )
    assert first.to_json() == second.to_json()
    assert first.to_coco() == second.to_coco()
    assert first.to_html() == second.to_html()


def test_numpy_numbers_become_plain_and_what_is_not_finite_null(found: Comparison) -> None:
    evidence = {
        "nan": float("nan"),
        "inf": np.float32("-inf"),
        "count": np.int64(3),
        "half": np.float32(0.5),
    }
    spoiled = with_first(found, evidence=evidence, points=((np.int32(1), np.int32(2)),))
    document = strict(spoiled.to_json())
    first = document["anomalies"][0]
    assert first["evidence"] == {"nan": None, "inf": None, "count": 3, "half": 0.5}
    assert first["points"] == [[1, 2]]
    jsonschema.validate(document, export.schema())


@pytest.mark.parametrize("name", [NASTY, "Prüfstück 検査.png", "bad \udcff byte.png", "[\n  1\n]"])
def test_any_file_name_can_be_written(found: Comparison, name: str) -> None:
    result = renamed(found, name)
    for text in (result.to_json(), result.to_coco(), result.to_csv(), result.to_html()):
        text.encode()
    readable = name.replace("\udcff", "?")
    assert strict(result.to_json())["image_name"] == readable
    assert strict(result.to_coco())["images"][0]["file_name"] == readable


# Run lengths --------------------------------------------------------------------------------------


@st.composite
def regions(draw: st.DrawFn) -> tuple[np.ndarray, tuple[int, int, int, int], tuple[int, int]]:
    h, w = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    above, below, left, right = (draw(st.sampled_from([0, 1, 5, 700])) for _ in range(4))
    fill = st.sampled_from([None, st.just(True)])
    outline = draw(arrays.arrays(bool, (h, w), fill=draw(fill)))
    return outline, (left, above, w, h), (above + h + below, left + w + right)


@given(regions())
@settings(max_examples=200, deadline=None)
def test_run_lengths_are_those_of_pycocotools(region: Any) -> None:
    outline, box, shape = region
    ours = encode(outline, box, shape)
    x, y, w, h = box
    whole = np.zeros(shape, np.uint8, order="F")
    whole[y : y + h, x : x + w] = outline
    theirs = coco_mask.encode(whole)
    assert ours == {"size": list(shape), "counts": theirs["counts"].decode()}
    assert np.array_equal(coco_mask.decode(ours), whole)
    assert np.array_equal(decode(ours), whole)


@given(arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, max_side=40)))
@settings(max_examples=100, deadline=None)
def test_run_lengths_of_pycocotools_are_understood(mask: np.ndarray) -> None:
    theirs = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    assert np.array_equal(decode({**theirs, "counts": theirs["counts"].decode()}), mask)


def test_a_small_region_of_a_large_picture_costs_next_to_nothing() -> None:
    outline = np.random.default_rng(0).random((60, 60)) > 0.3
    start = time.process_time()
    for _ in range(20):
        encode(outline, (3000, 2000, 60, 60), (3000, 4000))
    assert (time.process_time() - start) / 20 < 0.005  # touching 12 million pixels takes longer


# COCO ---------------------------------------------------------------------------------------------


def test_coco_is_read_by_pycocotools(
    found: Comparison, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found.to_coco(tmp_path / "coco.json")
    coco = COCO(str(tmp_path / "coco.json"))
    assert [one["name"] for one in coco.loadCats(coco.getCatIds())] == sorted(
        {anomaly.type for anomaly in found.anomalies}
    )
    annotations = coco.loadAnns(coco.getAnnIds(imgIds=[1]))
    assert len(annotations) == 2
    for anomaly, one in zip(found.anomalies, annotations, strict=True):
        assert np.array_equal(coco.annToMask(one), anomaly.mask)
        assert one["bbox"] == coco_mask.toBbox(one["segmentation"]).tolist()
        assert one["area"] == coco_mask.area(one["segmentation"])
        assert coco.loadCats(one["category_id"])[0]["name"] == anomaly.type
        assert (one["iscrowd"], one["score"]) == (0, anomaly.score)
        assert one["attributes"]["severity"] == anomaly.severity


def test_the_coco_box_is_that_of_the_mask(found: Comparison) -> None:
    outline = np.zeros((10, 20), bool)
    outline[2:5, 4:16] = True
    loose = with_first(found, outline=outline, box=(30, 40, 20, 10), area=36)
    assert strict(loose.to_coco())["annotations"][0]["bbox"] == [34, 42, 12, 3]


def test_without_anomalies_all_formats_are_valid_and_empty(nothing: Comparison) -> None:
    assert nothing.anomalies == []
    assert strict(nothing.to_coco())["annotations"] == []
    jsonschema.validate(strict(nothing.to_json()), export.schema())
    assert len(nothing.to_csv().splitlines()) == 1
    assert len(nothing.to_frame()) == 0


# CSV and pandas -----------------------------------------------------------------------------------


def test_csv_has_one_row_per_anomaly(found: Comparison, tmp_path: Path) -> None:
    text = found.to_csv(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == text.encode()
    assert text.endswith("\r\n")
    assert text.count("\n") == text.count("\r\n") == 3
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    for anomaly, row in zip(found.anomalies, rows, strict=True):
        assert (row["type"], row["severity"]) == (anomaly.type, anomaly.severity)
        assert tuple(int(row[key]) for key in "xywh") == anomaly.box
        assert float(row["score"]) == anomaly.score
        assert (float(row["centroid_x"]), float(row["centroid_y"])) == anomaly.centroid


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_spreadsheet_takes_a_name_for_a_formula(found: Comparison, start: str) -> None:
    name = f'{start}1+1, "quoted"\nnew line'
    first = next(csv.DictReader(io.StringIO(renamed(found, name).to_csv(), newline="")))
    assert first["image_name"] == first["reference_name"] == "'" + name


def test_the_frame_holds_the_rows_of_the_csv_with_their_types(found: Comparison) -> None:
    frame = renamed(found, "=name").to_frame()
    assert list(frame.columns) == found.to_csv().splitlines()[0].split(",")
    assert frame["x"].tolist() == [anomaly.x for anomaly in found.anomalies]
    assert frame["score"].dtype == float
    assert frame["image_name"].tolist() == ["=name"] * 2  # no spreadsheet, no apostrophe


def test_without_pandas_the_error_says_what_to_install(
    found: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(vde.MissingExtraError, match="pip install pandas"):
        found.to_frame()


# PNG ----------------------------------------------------------------------------------------------


@given(
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=30),
    st.sampled_from(["grey", "bool", "colour"]),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_every_picture_is_read_back_by_pillow_and_opencv(
    shape: tuple[int, int], kind: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    if kind == "bool":
        image = rng.random(shape) > 0.5
    else:
        image = rng.integers(0, 256, (*shape, 3) if kind == "colour" else shape, np.uint8)
    expected = image * np.uint8(255) if kind == "bool" else image
    check_png(export.png(image), expected)


def check_png(coded: bytes, expected: np.ndarray) -> None:
    with Image.open(io.BytesIO(coded)) as picture:
        assert picture.mode == ("RGB" if expected.ndim == 3 else "L")
        assert np.array_equal(np.asarray(picture), expected)
    with Image.open(io.BytesIO(coded)) as picture:
        picture.verify()  # the checksums of the chunks
    read = cv2.imdecode(np.frombuffer(coded, np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(read[..., ::-1] if expected.ndim == 3 else read, expected)


@pytest.mark.parametrize("shape", [(700, 900, 3), (1, 600_000, 3), (600_000, 1), (1300, 1700)])
@pytest.mark.parametrize("library", ["isal", "zlib"])
def test_pictures_of_several_bands_are_one_stream(
    shape: tuple[int, ...], library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if library == "zlib":
        monkeypatch.setattr(_png, "isal_zlib", None)
    image = np.random.default_rng(0).normal(100, 3, shape).astype(np.uint8)
    coded = export.png(image)
    check_png(coded, image)
    # Decoders forgive a wrong checksum at the end of the stream; zlib does not.
    stream, at = b"", 8
    while at < len(coded):
        size = int.from_bytes(coded[at : at + 4], "big")
        stream += coded[at + 8 : at + 8 + size] if coded[at + 4 : at + 8] == b"IDAT" else b""
        at += size + 12
    assert len(_png.zlib.decompress(stream)) == image.size + shape[0]


def test_a_view_is_encoded_like_its_copy() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    for view in (image[::2, ::-1], image[..., ::-1], image[..., 0]):
        assert export.png(view) == export.png(view.copy())


def test_the_file_is_hardly_larger_than_opencvs(data: Path) -> None:
    photo = cv2.imread(str(data / "tyre" / "race_car_tire_1.jpeg"))
    assert len(export.png(photo[..., ::-1])) < 1.15 * cv2.imencode(".png", photo)[1].size


@pytest.mark.parametrize(
    "image", [np.zeros((2, 2)), np.zeros((2, 2, 4), np.uint8), np.zeros((0, 2), np.uint8)]
)
def test_what_is_no_picture_is_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="A PNG needs"):
        export.png(image)


# save() -------------------------------------------------------------------------------------------


def test_save_writes_the_usual_files_and_says_where(found: Comparison, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "today"
    paths = found.save(folder)
    usual = ("annotated", "heatmap", "results")
    assert paths == {name: folder / ALL[name] for name in usual}
    assert names(folder) == sorted(ALL[name] for name in usual)
    read = cv2.imread(str(paths["heatmap"]), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(read, found.heatmap)
    assert paths["results"].read_text("utf-8") == found.to_json()
    check_png(paths["annotated"].read_bytes(), found.annotated())


def test_all_means_all(found: Comparison, tmp_path: Path) -> None:
    paths = found.save(tmp_path, what="all")
    assert paths == {name: tmp_path / file for name, file in ALL.items()}
    assert all(path.exists() for path in paths.values())
    assert names(tmp_path) == sorted(ALL.values())
    masks = sorted(paths["masks"].iterdir())
    assert [path.name for path in masks] == [
        f"{anomaly.number:03d}_{anomaly.type}.png" for anomaly in found.anomalies
    ]
    for anomaly, path in zip(found.anomalies, masks, strict=True):
        check_png(path.read_bytes(), anomaly.mask * np.uint8(255))
    check_png(paths["mask"].read_bytes(), found.mask * np.uint8(255))


def test_one_name_may_stand_alone(found: Comparison, tmp_path: Path) -> None:
    assert list(found.save(tmp_path, what="csv")) == ["csv"]
    assert names(tmp_path) == ["anomalies.csv"]


def test_an_unknown_name_is_refused_with_the_nearest(found: Comparison, tmp_path: Path) -> None:
    with pytest.raises(vde.SettingError, match="Did you mean 'heatmap'"):
        found.save(tmp_path / "new", what=["results", "heatmaps"])
    assert not (tmp_path / "new").exists()


def test_without_anomalies_there_are_no_masks(nothing: Comparison, tmp_path: Path) -> None:
    assert "masks" not in nothing.save(tmp_path, what="all")
    assert not (tmp_path / "masks").exists()


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("日本", "001_anomaly.png"),
        ("../../etc", "001__etc.png"),
        ("Größe_2", "001_Groe_2.png"),
        ("a" * 64, f"001_{'a' * 40}.png"),
    ],
)
def test_masks_have_names_any_system_can_keep(
    found: Comparison, tmp_path: Path, name: str, file: str
) -> None:
    folder = with_first(found, type=name).save(tmp_path, what="masks")["masks"]
    assert names(folder)[0] == file
    assert names(tmp_path) == ["masks"]


def test_save_replaces_nothing_unless_asked(found: Comparison, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("mine")
    with pytest.raises(vde.OutputError, match=r"results\.json exists"):
        found.save(tmp_path)
    assert names(tmp_path) == ["results.json"]
    found.save(tmp_path, overwrite=True)
    assert strict((tmp_path / "results.json").read_text())


def test_when_a_picture_cannot_be_made_no_file_appears(
    found: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Comparison) -> np.ndarray:
        raise MemoryError

    monkeypatch.setattr(Comparison, "annotated", fail)
    with pytest.raises(MemoryError):
        found.save(tmp_path / "new")
    assert names(tmp_path) == []


def test_saving_does_not_change_the_comparison(found: Comparison, tmp_path: Path) -> None:
    before = found.heatmap.copy(), found.current.copy(), found.mask.copy()
    found.save(tmp_path, what="all")
    for kept, now in zip(before, (found.heatmap, found.current, found.mask), strict=True):
        assert np.array_equal(kept, now)


def test_an_anomaly_at_the_edge_is_pictured_and_written(found: Comparison) -> None:
    corner = Anomaly(
        number=1,
        box=(119, 89, 1, 1),
        type="spot",
        severity="minor",
        score=1.0,
        area=1,
        outline=np.ones((1, 1), bool),
        points=(),
        evidence={},
        shape=(90, 120),
    )
    result = replace(found, anomalies=[corner])
    segmentation = export.results(result)["anomalies"][0]["segmentation"]
    assert math.prod(segmentation["size"]) == 10800
    assert np.array_equal(decode(segmentation), corner.mask)


# prompts and reviews ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def judged(found: Comparison) -> Comparison:
    """One anomaly that was reviewed, with a nasty comment, and one that was pointed at."""
    prompts = [vde.Prompt(box=(70, 20, 20, 10), points=((75, 25, 1), (88, 28, 0)))]
    ignoring = found.again(prompts=prompts, ignore=[(0, 80, 40, 10)])
    first = next(one for one in ignoring.anomalies if one.origin == "detected")
    return ignoring.reviewed(
        [
            vde.Review(first.box, "rejected", "burr", NASTY + "\r\nsecond line\ud800"),
            vde.Review((1, 1, 2, 2)),
        ]
    )


def test_what_a_person_said_and_pointed_at_is_written(judged: Comparison) -> None:
    document = strict(judged.to_json())
    jsonschema.validate(document, export.schema(), cls=jsonschema.Draft202012Validator)
    assert document["schema_version"] == "1.4"
    told = {one["number"]: one for one in document["anomalies"]}
    for anomaly in judged.anomalies:
        one = told[anomaly.number]
        assert one["origin"] == anomaly.origin and ("review" in one) == anomaly.reviewed
        if anomaly.reviewed:
            assert one["type"] == "burr" and one["review"]["verdict"] == "rejected"
            assert one["review"]["type_found"] == anomaly.type_found != "burr"
            assert one["review"]["comment"].startswith(NASTY)
    assert [one["origin"] for one in document["anomalies"]].count("prompted") == 1
    assert document["prompts"] == [{"box": [70, 20, 20, 10], "points": [[75, 25, 1], [88, 28, 0]]}]
    assert [one["box"] for one in document["reviews"]][1] == [1, 1, 2, 2]
    assert document["ignore"]["area"] == 400
    mask = decode(document["ignore"]["segmentation"])
    assert np.array_equal(mask, judged.ignored)


def test_prompts_and_reviews_of_the_document_give_the_same_again(judged: Comparison) -> None:
    document = strict(judged.to_json())
    again = judged.again(prompts=[], reviews=[])
    again = again.prompted(document["prompts"]).reviewed(document["reviews"])
    other = strict(again.to_json())
    for one in (document, other):
        one.pop("timings_ms")
    assert document == other


def test_without_any_of_them_the_document_says_so(found: Comparison) -> None:
    document = strict(found.to_json())
    assert (document["prompts"], document["reviews"], document["ignore"]) == ([], [], None)
    assert {one["origin"] for one in document["anomalies"]} == {"detected"}
    assert not any("review" in one for one in document["anomalies"])


def test_coco_and_csv_tell_the_review_too(judged: Comparison) -> None:
    document = strict(judged.to_coco())
    for one, anomaly in zip(document["annotations"], judged.anomalies, strict=True):
        told = one["attributes"]
        assert told["origin"] == anomaly.origin and ("verdict" in told) == anomaly.reviewed
        assert all(isinstance(value, (str, int)) for value in told.values())
    rows = list(csv.DictReader(io.StringIO(judged.to_csv(), newline="")))
    for row, anomaly in zip(rows, judged.anomalies, strict=True):
        assert row["origin"] == anomaly.origin and row["type_found"] == anomaly.type_found
        assert row["verdict"] == (anomaly.verdict or "")
        assert row["comment"].startswith("'=cmd" if anomaly.reviewed else "")
    assert any("second line" in row["comment"] for row in rows)


def test_a_nudge_is_told_with_the_registration() -> None:
    sample = vde.samples.load("tyre")
    result = vde.compare(sample.reference, sample.current, nudge=(1, -0.5), cache=None)
    document = strict(result.to_json())
    jsonschema.validate(document, export.schema(), cls=jsonschema.Draft202012Validator)
    assert document["registration"]["nudge"] == [1.0, -0.5] == document["settings"]["nudge"]
