"""The annotated picture, the five-panel figure and what a notebook shows."""

from __future__ import annotations

import base64
import dataclasses
import io
import pickle
import re
import subprocess
import sys
from collections.abc import Sequence
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vde_nb._draw import Style, reduce_anomaly, reduce_map
from vde_nb._tags import place_tags
from vde_nb.comparison import Anomaly, Comparison
from vde_nb.errors import SettingError
from vde_nb.figure import SEVERITY_COLOURS, annotated, notebook_html, plot, type_colour
from vde_nb.images import ImagePair, Picture
from vde_nb.settings import Settings

Box = tuple[int, int, int, int]
OKABE_ITO = {"minor": (86, 180, 233), "moderate": (230, 159, 0), "major": (213, 94, 0)}


def anomaly(number: int, box: Box, shape: tuple[int, int], **changes: object) -> Anomaly:
    filled = np.ones((box[3], box[2]), np.bool_)
    made = Anomaly(number, box, "scratch", "moderate", 0.5, filled.size, filled, (), {}, shape)
    return dataclasses.replace(made, **changes)


def comparison(
    picture: np.ndarray, boxes: Sequence[Box] = (), *, names: tuple[str, str] = ("a", "b"), **each
) -> Comparison:
    shape = picture.shape[:2]
    found = [anomaly(number, box, shape, **each) for number, box in enumerate(boxes, 1)]
    mask = np.zeros(shape, np.bool_)
    for one in found:
        mask |= one.mask
    heat = mask.astype(np.uint8) * 200
    return Comparison(
        pair=ImagePair(Picture(picture, names[0]), Picture(picture, names[1])),
        settings=Settings(),
        anomalies=found,
        heatmap=heat,
        clean_heatmap=heat,
        threshold=50,
        mask=mask,
        ssim_score=0.9,
        change_score_percent=float(mask.mean() * 100),
        timings={},
        notes=(),
        current=picture,
        levelled=picture,
    )


def grey(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 128, np.uint8)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def has(picture: np.ndarray, colour: tuple[int, int, int], tolerance: int = 0) -> bool:
    return bool((np.abs(picture.astype(int) - colour) <= tolerance).all(axis=-1).any())


def changed(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (one != other).any(axis=-1)


def scattered(count: int, height: int, width: int, size: int = 12) -> list[Box]:
    random = np.random.default_rng(count)
    lefts = random.integers(0, width - size, count)
    tops = random.integers(0, height - size, count)
    return [(int(x), int(y), size, size) for x, y in zip(lefts, tops, strict=True)]


# The annotated picture ----------------------------------------------------------------------------


def test_no_anomalies_leave_a_writable_copy_of_the_current_picture():
    result = comparison(noise(40, 50))
    picture = annotated(result)
    assert np.array_equal(picture, result.current)
    picture[:] = 0
    assert result.current.any()


def test_neither_the_picture_nor_an_outline_is_written_to():
    picture = noise(200, 300)
    result = comparison(picture, [(30, 40, 50, 60), (0, 0, 20, 20)])
    before = picture.copy()
    annotated(result)
    notebook_html(result)
    plot(result)
    assert np.array_equal(picture, before)
    assert all(one.outline.all() for one in result.anomalies)


@pytest.mark.parametrize("shape", [(60, 60), (300, 400), (1500, 2000)])
def test_outside_of_boxes_and_tags_nothing_is_touched(shape):
    boxes = [(10, 12, 20, 15), (shape[1] - 21, shape[0] - 16, 21, 16)]
    result = comparison(noise(*shape), boxes)
    near = np.zeros(shape, np.bool_)
    margin = Style.of(*shape).margin
    assert margin <= 12
    for x, y, w, h in boxes:
        near[max(0, y - margin) : y + h + margin, max(0, x - margin) : x + w + margin] = True
    bare = annotated(result, labels=False)
    touched = changed(bare, result.current)
    assert touched.any() and not (touched & ~near).any()
    tagged = changed(annotated(result), bare)
    assert tagged.any() and tagged.mean() <= 1 / 8


def test_opacity_is_the_share_of_colour_in_the_tint():
    result = comparison(grey(100, 100), [(20, 20, 60, 60)])
    picture = annotated(result, opacity=0.25, outlines=False, boxes=False, labels=False)
    expected = np.rint(0.75 * 128 + 0.25 * np.array(OKABE_ITO["moderate"]))
    assert (picture[20:80, 20:80] == expected).all()
    assert np.count_nonzero(changed(picture, result.current)) == 3600


def test_the_tint_stays_inside_the_outline():
    shape = np.zeros((60, 60), np.bool_)
    shape[10:50, 25:35] = True
    result = comparison(grey(100, 100), [(20, 20, 60, 60)], outline=shape)
    picture = annotated(result, outlines=False, boxes=False, labels=False)
    assert np.array_equal(changed(picture, result.current)[20:80, 20:80], shape)


def test_each_part_can_be_left_out():
    result = comparison(grey(200, 200), [(60, 60, 60, 60)])
    parts = ("opacity", "outlines", "boxes", "labels")
    off = {"opacity": 0, "outlines": False, "boxes": False, "labels": False}
    assert np.array_equal(annotated(result, **off), result.current)
    for part in parts:
        alone = {name: value for name, value in off.items() if name != part}
        assert changed(annotated(result, **alone), result.current).any(), part


def test_a_hole_in_the_region_has_a_border_too():
    ring = np.ones((80, 80), np.bool_)
    ring[30:50, 30:50] = False
    result = comparison(grey(200, 200), [(60, 60, 80, 80)], outline=ring)
    picture = annotated(result, opacity=0, boxes=False, labels=False)
    assert has(picture[85:115, 85:115], OKABE_ITO["moderate"], tolerance=30)


@pytest.mark.parametrize("severity", ["minor", "moderate", "major"])
@pytest.mark.parametrize("background", ["white", "black", "its own colour"])
def test_an_outline_is_seen_on_any_background(severity, background):
    colour = OKABE_ITO[severity]
    fill = {"white": 255, "black": 0}.get(background, colour)
    picture = np.full((120, 120, 3), fill, np.uint8)
    result = comparison(picture, [(40, 40, 40, 40)], severity=severity)
    drawn = annotated(result, opacity=0, boxes=False, labels=False)
    assert SEVERITY_COLOURS[severity] == colour
    assert has(drawn, colour, tolerance=30)
    difference = np.abs(drawn.astype(int) - picture).sum(axis=-1)
    assert np.count_nonzero(difference > 150) > 100


def test_the_worse_anomaly_is_drawn_over_the_milder_one():
    result = comparison(grey(100, 100), [(20, 20, 40, 40)] * 2)
    worse, milder = result.anomalies
    result.anomalies[:] = [dataclasses.replace(worse, severity="major"), milder]
    picture = annotated(result, opacity=1, outlines=False, boxes=False, labels=False)
    assert (picture[20:60, 20:60] == OKABE_ITO["major"]).all()


def test_lines_and_letters_grow_with_the_picture():
    styles = [Style.of(*shape) for shape in ((64, 64), (720, 720), (3000, 4000))]
    assert [style.text for style in styles] == sorted({style.text for style in styles})
    # Shown 900 pixels wide, 12 megapixels must still be legible.
    assert styles[2].text * 900 / 4000 >= 10
    assert styles[0].outline == 1 and styles[2].outline >= 5


def test_colour_by_type_gives_each_built_in_type_its_own_colour():
    names = ("missing_part", "scratch", "spot", "deformation")
    assert len({type_colour(name) for name in names}) == 4
    for name in names:
        result = comparison(grey(200, 200), [(60, 60, 60, 60)], type=name)
        assert has(annotated(result, colour_by="type"), type_colour(name))


def test_a_types_colour_is_the_same_in_another_process():
    code = "from vde_nb.figure import type_colour; print(type_colour('Löcher'))"
    run = [sys.executable, "-c", code]
    out = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert out.strip() == str(type_colour("Löcher"))


@pytest.mark.parametrize(
    "options",
    [
        {"opacity": -0.1},
        {"opacity": 1.1},
        {"opacity": float("nan")},
        {"opacity": "0.5"},
        {"opacity": True},
        {"opacity": None},
        {"outlines": 1},
        {"boxes": "yes"},
        {"labels": None},
        {"colour_by": "size"},
        {"colour_by": None},
        {"colour_by": []},
    ],
)
def test_a_bad_option_is_refused_by_name(options):
    (name,) = options
    with pytest.raises(SettingError, match=name):
        annotated(comparison(grey(20, 20)), **options)


def test_a_mistyped_colour_by_gets_a_hint():
    with pytest.raises(SettingError, match="Did you mean 'severity'"):
        annotated(comparison(grey(20, 20)), colour_by="severty")


# Tags ---------------------------------------------------------------------------------------------


@st.composite
def pictures_with_boxes(draw):
    height, width = draw(st.integers(7, 400)), draw(st.integers(7, 400))
    boxes = []
    for _ in range(draw(st.integers(1, 12))):
        x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        boxes.append((x, y, draw(st.integers(1, width - x)), draw(st.integers(1, height - y))))
    return height, width, boxes


def tags_of(height: int, width: int, boxes: Sequence[Box], **each) -> list:
    found = [anomaly(i, box, (height, width), **each) for i, box in enumerate(boxes, 1)]
    return place_tags(found, boxes, height, width, Style.of(height, width).text)


@settings(max_examples=150, deadline=None)
@given(pictures_with_boxes())
def test_tags_lie_in_the_picture_and_beside_each_other(case):
    height, width, boxes = case
    taken = np.zeros((height, width), int)
    for _, tag in tags_of(height, width, boxes):
        x, y, w, h = tag.box
        assert min(x, y) >= 0 and x + w <= width and y + h <= height
        taken[y : y + h, x : x + w] += 1
    assert taken.max() <= 1
    assert taken.mean() <= 1 / 8


@settings(max_examples=60, deadline=None)
@given(pictures_with_boxes())
def test_anything_can_be_drawn_anywhere(case):
    height, width, boxes = case
    picture = grey(height, width)
    drawn = annotated(comparison(picture, boxes))
    assert drawn.shape == picture.shape and drawn.dtype == np.uint8


def test_a_few_tags_say_everything_and_stand_above_their_boxes():
    boxes = [(50, 100, 40, 30), (200, 300, 40, 30)]
    for i, tag in tags_of(400, 500, boxes):
        assert tag.text == f"{i + 1} scratch \u00b7 moderate"
        assert (tag.box[0], tag.box[1] + tag.box[3]) == boxes[i][:2]


@pytest.mark.parametrize("corner", [(0, 0), (360, 0), (0, 260), (360, 260)])
def test_a_tag_in_a_corner_does_not_hide_its_region(corner):
    (x, y, w, h) = (*corner, 40, 40)
    ((_, tag),) = tags_of(300, 400, [(x, y, w, h)])
    left, top, width, height = tag.box
    assert left >= x + w or left + width <= x or top >= y + h or top + height <= y


def test_many_tags_are_numbers_and_with_more_the_worst_are_numbered():
    dozens = tags_of(600, 800, scattered(50, 600, 800))
    assert {tag.text for _, tag in dozens} == {str(i) for i in range(1, 51)}
    hundreds = tags_of(600, 800, scattered(1000, 600, 800))
    assert 50 < len(hundreds) < 1000
    numbers = [int(tag.text) for _, tag in hundreds]
    assert numbers == sorted(numbers) and numbers[0] == 1
    assert hundreds[0][1].size < dozens[0][1].size


def test_a_small_picture_has_short_tags_or_none():
    ((_, tag),) = tags_of(64, 64, [(20, 30, 10, 10)])
    assert tag.text == "1"
    assert tags_of(12, 12, [(4, 4, 3, 3)]) == []


@pytest.mark.parametrize("name", ["größe", "дефект", "Ελλάδα", "trou_é"])
def test_a_type_in_another_alphabet_is_written(name):
    ((_, tag),) = tags_of(400, 500, [(50, 100, 40, 30)], type=name)
    assert name in tag.text


@pytest.mark.parametrize("name", ["欠陥", "खरोंच", "خدش", "\U00010400", "a\nb"])
def test_a_type_the_font_does_not_know_is_left_to_the_table(name):
    ((_, tag),) = tags_of(400, 500, [(50, 100, 40, 30)], type=name)
    assert tag.text == "1 \u00b7 moderate"
    result = comparison(grey(400, 500), [(50, 100, 40, 30)], type=name)
    annotated(result)
    assert name in notebook_html(result)


def test_a_long_type_is_cut_short():
    ((_, tag),) = tags_of(400, 900, [(50, 100, 40, 30)], type="x" * 64)
    assert "\u2026" in tag.text and len(tag.text) < 45


# Reducing -----------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 9), st.randoms())
def test_reducing_a_map_keeps_the_maximum_of_every_block(height, width, factor, random):
    heat = np.array(
        [[random.randrange(256) for _ in range(width)] for _ in range(height)], np.uint8
    )
    rows, columns = -(-height // factor), -(-width // factor)
    expected = [
        [heat[r * factor :, c * factor :][:factor, :factor].max() for c in range(columns)]
        for r in range(rows)
    ]
    assert np.array_equal(reduce_map(heat, factor), expected)


@settings(max_examples=60, deadline=None)
@given(pictures_with_boxes(), st.integers(1, 9))
def test_a_reduced_anomaly_covers_the_blocks_it_touched(case, factor):
    height, width, boxes = case
    one = anomaly(1, boxes[0], (height, width))
    small = reduce_anomaly(one, factor)
    assert np.array_equal(small.mask, reduce_map(one.mask.view(np.uint8), factor).astype(bool))


# The five panels ----------------------------------------------------------------------------------

TITLES = [
    "Reference",
    "Current",
    "Combined difference map",
    "Aggregated mask",
    "Final annotated output",
]


def texts(figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_the_five_published_panels_and_a_summary_are_there():
    figure = plot(comparison(noise(60, 80), [(10, 10, 20, 20), (50, 30, 9, 9)]))
    assert [axes.get_title() for axes in figure.axes if axes.get_title()] == TITLES
    assert figure.axes[2].images[0].get_cmap().name == "inferno"
    (scale,) = figure.axes[2].child_axes
    assert [label.get_text() for label in scale.get_yticklabels()][-1] == "255"
    said = dict(zip(texts(figure)[::2], texts(figure)[1::2], strict=True))
    assert said["Anomalies"] == "2" and said["    moderate"] == "2" and said["    major"] == "0"
    assert said["SSIM"] == "0.9000" and said["Threshold"] == "50" and said["Method"] == "robust"


def test_a_notebook_gets_exactly_one_picture_and_pyplot_no_figure():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    formatters = pytest.importorskip("IPython.core.formatters")
    figure = plot(comparison(noise(60, 80), [(10, 10, 20, 20)]))
    assert pyplot.get_fignums() == []
    data, _ = formatters.DisplayFormatter().format(figure)
    pictures = [kind for kind in data if kind.startswith("image/")]
    assert pictures == ["image/png"]
    decoded = cv2.imdecode(np.frombuffer(_bytes(data["image/png"]), np.uint8), -1)
    # paper of its own: through a transparent one a dark theme shows, and letters get lost on it
    assert decoded.shape[2] == 3 or (decoded[..., 3] == 255).all()
    assert (decoded[0, 0, :3] == 255).all()


def _bytes(data: str | bytes) -> bytes:
    return base64.b64decode(data) if isinstance(data, str) else data


def test_a_figure_can_be_saved_and_pickled(tmp_path):
    figure = plot(comparison(noise(60, 80), [(10, 10, 20, 20)]))
    figure.savefig(tmp_path / "figure.pdf")
    assert (tmp_path / "figure.pdf").stat().st_size > 1000
    assert pickle.loads(pickle.dumps(figure)).axes[0].get_title() == "Reference"


def test_large_pictures_are_reduced_and_a_single_changed_pixel_stays():
    result = comparison(grey(2000, 3000), [(1501, 703, 1, 1)])
    figure = plot(result)
    shown = [axes.images[0].get_array() for axes in figure.axes[:5]]
    assert all(max(picture.shape[:2]) <= 1200 for picture in shown)
    assert len({picture.shape[:2] for picture in shown}) == 1
    assert shown[2].max() == 200 and np.count_nonzero(shown[2]) == 1
    assert np.count_nonzero(shown[3]) == 1


@pytest.mark.parametrize("shape", [(30, 900), (900, 30), (7, 7)])
def test_strips_and_specks_can_be_plotted(shape):
    figure = plot(comparison(noise(*shape), [(1, 1, 5, 5)]))
    assert figure.get_figheight() < 2 * figure.get_figwidth()
    figure.savefig(io.BytesIO())


# The notebook's HTML ------------------------------------------------------------------------------


class Page(HTMLParser):
    """Tags and attributes of a page, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def picture(self) -> np.ndarray:
        (source,) = [attributes["src"] for tag, attributes in self.tags if tag == "img"]
        kind, data = re.fullmatch(r"data:image/(png|jpeg);base64,(.+)", source).groups()
        assert kind
        return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)


def test_a_notebook_shows_headline_picture_and_one_row_per_anomaly():
    page = Page(notebook_html(comparison(grey(300, 400), [(10, 20, 30, 40), (200, 100, 50, 20)])))
    assert "2 anomalies" in page.text and "SSIM 0.9000" in page.text
    assert "1.83 % changed" in page.text
    assert "(10, 20)" in page.text and "30 \u00d7 40" in page.text and "1000 px\u00b2" in page.text
    assert [tag for tag, _ in page.tags].count("tr") == 3
    assert page.picture().shape == (300, 400, 3)
    (alt,) = [attributes["alt"] for tag, attributes in page.tags if tag == "img"]
    assert alt == "b: 2 marked"


def test_the_picture_in_the_notebook_is_the_annotated_one():
    result = comparison(grey(300, 400), [(10, 20, 30, 40)])
    shown = Page(notebook_html(result)).picture()[..., ::-1]
    assert np.array_equal(shown, annotated(result))


def test_no_anomalies_are_said_to_be_no_differences():
    page = Page(notebook_html(comparison(grey(300, 400))))
    assert "No differences found" in page.text and "anomal" not in page.text
    assert "table" not in [tag for tag, _ in page.tags]


def test_changes_too_small_to_count_are_not_hidden():
    result = comparison(grey(300, 400), [(10, 20, 5, 5)])
    result.anomalies.clear()
    page = Page(notebook_html(result))
    assert "0.02 % changed, all in regions under 100 px\u00b2" in page.text


def test_nothing_a_user_names_becomes_markup():
    evil = "\"><script>alert('1')</script>&amp;"
    result = comparison(grey(100, 100), [(20, 20, 30, 30)], names=(evil, evil), type=evil)
    result = dataclasses.replace(result, notes=(evil,))
    html = notebook_html(result)
    page = Page(html)
    assert "<script" not in html
    plain = notebook_html(comparison(grey(100, 100), [(20, 20, 30, 30)]))
    assert {tag for tag, _ in page.tags} - {tag for tag, _ in Page(plain).tags} == {"ul", "li"}
    assert page.text.count(evil) == 4  # current, reference, type, note
    (alt,) = [attributes["alt"] for tag, attributes in page.tags if tag == "img"]
    assert alt.startswith(evil)


def test_a_file_name_that_is_not_unicode_does_not_break_the_notebook():
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    notebook_html(comparison(grey(50, 50), names=(name, name))).encode("utf-8")


def test_the_output_is_static_and_styles_nothing_but_itself():
    html = notebook_html(comparison(grey(300, 400), [(10, 20, 30, 40)]))
    assert not re.search(r"<style|<script|<link|\son\w+=|\sclass=|\sid=|https?:", html)


def test_a_two_megapixel_pair_stays_below_300_kilobytes_even_as_noise():
    boxes = scattered(200, 1250, 1600, 40)
    result = comparison(noise(1250, 1600), boxes, type="t" * 64)
    html = notebook_html(dataclasses.replace(result, notes=("A note of some length.",) * 5))
    assert len(html.encode()) < 300_000
    page = Page(html)
    assert [tag for tag, _ in page.tags].count("tr") == 51
    assert "\u2026 and 150 more" in page.text


@pytest.mark.parametrize("shape", [(300, 2000), (3000, 500)])
def test_a_large_picture_is_reduced_for_the_notebook(shape):
    result = comparison(grey(*shape), [(100, 100, 50, 50)])
    height, width = Page(notebook_html(result)).picture().shape[:2]
    assert width <= 900 and height <= 1200
    assert height / width == pytest.approx(shape[0] / shape[1], rel=0.02)


def test_notes_are_listed():
    result = dataclasses.replace(comparison(grey(50, 50)), notes=("first", "second"))
    page = Page(notebook_html(result))
    assert [tag for tag, _ in page.tags].count("li") == 2
    assert "first" in page.text and "second" in page.text


def test_importing_the_module_does_not_import_matplotlib():
    code = "import sys, vde_nb.figure; print('matplotlib' in sys.modules)"
    run = [sys.executable, "-c", code]
    out = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert out.strip() == "False"


def test_a_figure_is_shown_at_its_own_resolution() -> None:
    figure = plot(comparison(grey(60, 80)))
    figure.set_dpi(50)
    with Image.open(io.BytesIO(figure._repr_png_())) as shown:  # type: ignore[attr-defined]
        assert shown.size == tuple(int(50 * side) for side in figure.get_size_inches())
