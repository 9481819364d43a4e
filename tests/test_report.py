"""The HTML report."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import vde_nb as vde
from vde_nb import export
from vde_nb.comparison import Comparison
from vde_nb.viewer import bundle

from .test_export import NASTY, pair, renamed, with_first


def static(comparison: Comparison) -> str:
    return export.to_html(comparison, interactive=False)


@pytest.fixture(scope="module")
def found() -> Comparison:
    result = vde.compare(*pair(), method="hybrid", segmenter="none", cache=None)
    assert len(result.anomalies) == 2
    return result


class Page(HTMLParser):
    """Reads a page: its tags, its text, and the pictures in it."""

    VOID = frozenset({"meta", "img", "input", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append((self.tags[-1][1], data))
        else:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def pictures(self) -> list[np.ndarray]:
        sources = [one["src"] or "" for one in self.all("img")]
        assert all(re.match(r"data:image/(png|jpeg);base64,", source) for source in sources)
        coded = [base64.b64decode(source.partition(",")[2]) for source in sources]
        return [np.asarray(Image.open(io.BytesIO(one)).convert("RGB")) for one in coded]


# The static page ----------------------------------------------------------------------------------


def test_the_static_page_loads_nothing_and_runs_nothing(found: Comparison) -> None:
    text = static(found)
    page = Page(text)
    policy = page.all("meta")[1]["content"] or ""
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert not {"script", "link", "iframe", "object", "form"} & {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") for _, given in page.tags for name in given)
    assert "http" not in re.sub(r"http-equiv", "", text)
    assert not re.search(r"url\(|@import", text)
    assert "prefers-color-scheme: dark" in text


def test_names_types_and_notes_are_text_and_never_markup(found: Comparison) -> None:
    odd = with_first(renamed(found, NASTY), type=NASTY, evidence={NASTY: 1.0})
    page = Page(static(replace(odd, notes=(NASTY,), timings={NASTY: 1.0})))
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.text.count(NASTY) >= 6


def test_the_page_shows_the_pictures_and_a_pair_for_each_anomaly(found: Comparison) -> None:
    page = Page(static(found))
    reference, current, heatmap, *crops = page.pictures
    assert np.array_equal(reference, found.reference)
    assert np.array_equal(current, found.annotated())
    assert heatmap.shape == found.current.shape
    assert heatmap[25, 40].sum() > heatmap[60, 5].sum()  # hotter in the block than beside it
    assert len(crops) == 2 * len(found.anomalies)
    first = found.anomalies[0]
    assert all(crop.shape[0] > first.h and crop.shape[1] > first.w for crop in crops[:2])
    assert not np.array_equal(crops[0], crops[1])
    assert f"{found.ssim_score:.4f}" in page.text


def test_large_pictures_are_reduced_and_the_page_says_so() -> None:
    reference = np.full((300, 3100, 3), 90, np.uint8)
    current = reference.copy()
    current[100:150, 2000:2080] = 200
    result = vde.compare(reference, current, segmenter="none", cache=None)
    heatmap = result.heatmap.copy()
    heatmap[20, 2500] = 255  # a single pixel
    page = Page(static(replace(result, heatmap=heatmap)))
    assert page.pictures[0].shape == (100, 1034, 3)
    assert page.pictures[2][6, 833].sum() > 400  # is still seen
    assert "Reduced 1:3, to 1034 × 100 of 3100 × 300 px" in page.text


def test_pictures_that_are_large_as_png_are_embedded_as_jpeg() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (800, 1000, 3), np.uint8)
    text = static(vde.compare(noise, noise, segmenter="none", cache=None))
    assert (text.count("data:image/jpeg"), text.count("data:image/png")) == (2, 1)


def test_many_anomalies_are_all_listed_but_not_all_pictured(found: Comparison) -> None:
    many = [replace(found.anomalies[0], number=number) for number in range(1, 131)]
    page = Page(static(replace(found, anomalies=many)))
    assert len(page.pictures) == 3 + 2 * 100
    assert len(page.all("tr")) == 1 + 130
    assert "first 100" in page.text


def test_a_page_of_nothing_says_so() -> None:
    reference, _ = pair()
    same = vde.compare(reference, reference, segmenter="none", cache=None)
    assert "no differences found" in Page(static(same)).text
    assert "no differences found" in Page(export.to_html(same)).text


def test_an_anomaly_at_the_edge_is_pictured(found: Comparison) -> None:
    corner = replace(found.anomalies[0], box=(119, 89, 1, 1), area=1, outline=np.ones((1, 1), bool))
    assert len(Page(static(replace(found, anomalies=[corner]))).pictures) == 5


def test_the_page_tells_what_a_person_said(found: Comparison) -> None:
    said = with_first(found, type="burr", type_found="stain", verdict="accepted", comment=NASTY)
    text = Page(static(said)).text
    assert "accepted" in text
    assert "found as stain" in text
    assert f"\u201c{NASTY}\u201d" in text
    assert "accepted" not in Page(static(found)).text


# The interactive page -----------------------------------------------------------------------------


def parts(page: Page) -> tuple[dict[str, Any], str]:
    """The data in a page, and its script."""
    (is_data, data), (is_module, script) = page.scripts
    assert is_data == {"type": "application/json", "id": "vde-data"}
    assert is_module == {"type": "module"}
    return json.loads(data), script


def decoded(picture: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))))


def inflated(one: dict[str, Any]) -> np.ndarray:
    values = np.frombuffer(zlib.decompress(base64.b64decode(one["data"])), np.uint8)
    return values.reshape(one["meta"]["height"], one["meta"]["width"])


def test_the_page_runs_the_viewer_and_nothing_else(found: Comparison) -> None:
    page = Page(export.to_html(found))
    _, script = parts(page)
    assert script == bundle.esm("report")
    policy = page.all("meta")[1]["content"] or ""
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert rules == {
        "default-src": "'none'",
        "img-src": "data: blob:",
        "style-src": "'unsafe-inline'",
        "script-src": f"'sha256-{digest}'",
        "connect-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert not {"link", "iframe", "object", "form", "base"} & {tag for tag, _ in page.tags}
    assert not any(name.startswith("on") for _, given in page.tags for name in given)
    assert not any("src" in given for tag, given in page.tags if tag == "script")


def test_the_page_holds_pictures_and_maps_without_losses(found: Comparison) -> None:
    data, _ = parts(Page(export.to_html(found)))
    blobs = data["blobs"]
    assert np.array_equal(decoded(blobs["reference"]), found.reference)
    assert np.array_equal(decoded(blobs["current"]), found.current)
    assert np.array_equal(inflated(blobs["clean"]) > data["state"]["threshold"], found.mask)
    assert np.array_equal(inflated(blobs["heatmap"]), found.heatmap)
    assert data["counts"][found.threshold] == len(found.anomalies)
    assert data["result"]["anomalies"][0]["box"] == list(found.anomalies[0].box)
    masks = np.frombuffer(zlib.decompress(base64.b64decode(data["masks_data"])), np.uint8)
    assert data["masks"][0] == 0
    assert len(masks) == sum(-(-one.w * one.h // 8) for one in found.anomalies)
    assert set(data["state"]["colours"]["type"]) >= {one.type for one in found.anomalies}


def test_large_pictures_are_reduced_in_the_viewer_but_their_map_is_not() -> None:
    reference = np.full((900, 3200, 3), 90, np.uint8)
    current = reference.copy()
    current[100:150, 2000:2080] = 200
    result = vde.compare(reference, current, segmenter="none", cache=None)
    page = Page(export.to_html(result))
    data, _ = parts(page)
    assert decoded(data["blobs"]["current"]).shape == (450, 1600, 3)
    assert np.array_equal(inflated(data["blobs"]["clean"]) > result.threshold, result.mask)
    assert "reduced to 1600 \u00d7 450 of 3200 \u00d7 900 px, without losses" in page.text


def test_no_name_gets_out_of_its_place(found: Comparison) -> None:
    nasty = f"{NASTY}</script><!--\u2028\u2029\n\udcff'\"]]>"
    odd = with_first(renamed(found, nasty), type=nasty, comment=nasty)
    text = export.to_html(replace(odd, notes=(nasty,)))
    page = Page(text)
    data, _ = parts(page)
    shown = nasty.replace("\udcff", "?")
    assert data["pair"]["reference_name"] == data["pair"]["current_name"] == shown
    assert data["result"]["anomalies"][0]["type"] == shown
    assert data["result"]["summary"]["notes"] == [shown]
    inside = re.search(r'id="vde-data">(.*?)</script>', text, re.S)
    assert inside is not None
    assert not re.search("[<>&\u2028\u2029]", inside[1])
    assert len(re.findall("<script", text)) == 2 + bundle.esm("report").count("<script")


def test_the_static_report_is_in_the_page_for_print_and_without_scripts(
    found: Comparison,
) -> None:
    page = Page(export.to_html(found))
    assert len(page.pictures) == 3 + 2 * len(found.anomalies)
    # The viewer's place is empty, so that the style sheet shows the report until it is filled.
    assert '<div id="vde-root"></div>' in export.to_html(found)
    assert len(page.all("noscript")) == 1


def test_the_same_comparison_gives_the_same_page(found: Comparison) -> None:
    assert export.to_html(found) == export.to_html(found)


def test_the_ensemble_is_not_counted_along_the_threshold() -> None:
    # It groups what it finds at several thresholds: contours of one mask are not its regions.
    result = vde.compare(*pair(), method="ensemble", segmenter="none", cache=None)
    assert parts(Page(export.to_html(result)))[0]["counts"] is None


def test_the_page_tells_how_far_the_picture_was_nudged() -> None:
    result = vde.compare(*pair(), nudge=(2, -1), segmenter="none", cache=None)
    told = parts(Page(export.to_html(result)))[0]["state"]["registration"]
    assert told["nudge"] == [2, -1]
    assert told["model"] == result.registration.model


def test_the_page_can_be_written(found: Comparison, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    text = export.to_html(found, file)
    assert file.read_bytes() == text.encode()
    with pytest.raises(vde.VdeError, match="exists"):
        export.to_html(found, file)
