"""The page about a run and what a notebook shows of it, as text; browsers try it elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from vde_nb import OutputError
from vde_nb.batch import _page, open_run
from vde_nb.batch._summary import quantiles, worst_first

from .run_folder import HOSTILE, identity, row, write_run

HOSTILE_ROW = {
    "name": HOSTILE,
    "reference": HOSTILE,
    "current": HOSTILE,
    "types": {HOSTILE: 3, "crack": 1},
    "notes": [HOSTILE],
    "given": {HOSTILE: HOSTILE},
    "method": HOSTILE,
}


class Page(HTMLParser):
    """Elements of a page with their attributes, and the text of those that hold code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.code: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._inside = tag
            self.code.append("")

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside:
            self.code[-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def hostile(tmp_path):
    errors = row(3, error=HOSTILE, error_kind=HOSTILE, name=HOSTILE)
    about = dict.fromkeys(("method", "source", "fail_if", "started", "finished", "vde_nb"), HOSTILE)
    folder = write_run(
        tmp_path / "a&b",
        [row(1, **HOSTILE_ROW), errors, row(5)],
        pictures=True,
        settings={HOSTILE: HOSTILE},
        machine={HOSTILE: HOSTILE},
        notes=[HOSTILE],
        **about,
    )
    return open_run(folder)


def test_the_page_runs_and_loads_only_its_own(hostile):
    page = Page(hostile.to_html())
    assert {tag for tag, _ in page.elements} <= {
        *("html", "head", "meta", "title", "style", "body", "main", "header", "footer", "section"),
        *("h1", "h2", "p", "dl", "dt", "dd", "div", "span", "bdi", "a", "img", "svg", "rect"),
        *("table", "thead", "tbody", "tr", "th", "td", "ul", "li", "details", "summary", "script"),
        *("input", "select", "option", "button", "output"),
    }
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
    for link in page.all("a"):
        assert re.fullmatch(r"pairs/[0-9a-f]{2}/[0-9a-f]{32}/[a-z]+\.(html|json)", link["href"])
    for image in page.all("img"):
        assert re.fullmatch(r"pairs/[0-9a-f]{2}/[0-9a-f]{32}/thumbnail\.jpg", image["src"])
        assert image["loading"] == "lazy" and image["width"] and image["height"]
    assert all("src" not in script for script in page.all("script"))


def test_the_policy_names_what_the_page_holds_and_no_more(hostile):
    page = Page(hostile.to_html())
    policy = next(one["content"] for one in page.all("meta") if "http-equiv" in one)
    style, data, script = page.code

    def digest(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert policy == (
        f"default-src 'none'; img-src 'self'; style-src {digest(style)}; "
        f"script-src {digest(script)}; base-uri 'none'; form-action 'none'"
    )
    assert HOSTILE in json.loads(data)["words"], "as text, whole"


def test_scripts_and_styles_hold_nothing_from_outside(hostile, tmp_path):
    plain = open_run(write_run(tmp_path / "plain", [row(1)]))
    one, other = Page(hostile.to_html()), Page(plain.to_html())
    assert one.code[0] == other.code[0] and one.code[2] == other.code[2]


def test_the_script_has_no_way_to_make_text_markup_or_to_reach_out():
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser"
        r"|\bfetch\b|XMLHttpRequest|WebSocket|\bimport\b|Storage|cookie",
        _page._own("summary.mjs"),
    )


def test_everything_is_in_it(tmp_path):
    run = open_run(write_run(tmp_path / "today", [row(number) for number in range(1, 60)]))
    text = run.to_html()
    for words in (
        "<bdi>today</bdi>",
        "major&gt;0 or change&gt;2",
        "lines/today.csv",
        "board 00003",
        "is damaged",
        "Machine and versions",
        "x86_64",
        "stage difference",
        "half of all up to",
        "min_area",
        "1 min 40 s",
    ):
        assert words in text, words
    assert text.index("board 00003") < text.index("board 00005") < text.index("board 00004")


def test_the_same_run_gives_the_same_page(tmp_path):
    run = open_run(write_run(tmp_path / "today", [row(1), row(2)]))
    assert run.to_html() == open_run(run.folder).to_html()


def test_a_long_run_has_some_rows_as_markup_and_all_as_data(tmp_path, monkeypatch):
    monkeypatch.setattr(_page, "_MOST", 500)
    run = open_run(write_run(tmp_path / "run", [row(number) for number in range(1, 702)]))
    text = run.to_html()
    page = Page(text)
    assert len(json.loads(page.code[1])["rows"]) == 500
    assert text.count('<th scope="row" class="number">') == 200
    assert "the worst 500 of 701 pairs" in text and "these are the worst 200 pairs" in text


def test_a_page_elsewhere_leads_to_the_run(tmp_path):
    run = open_run(write_run(tmp_path / "one & two" / "run", [row(1)], pictures=True))
    (tmp_path / "pages").mkdir()
    path = tmp_path / "pages" / "page.html"
    text = run.to_html(path)
    assert path.read_text("utf-8") == text
    assert (
        f'href="../one%20%26%20two/run/pairs/{identity(1)[:2]}/{identity(1)}/report.html"' in text
    )
    with pytest.raises(OutputError, match="exists"):
        run.to_html(path)
    assert run.to_html(run.folder / "index.html") == run.to_html()


def test_a_copy_leads_to_the_files_of_the_pair_it_is_a_copy_of(tmp_path):
    copy = row(2, same_as=identity(1), folder=row(1)["folder"])
    text = open_run(write_run(tmp_path / "run", [row(1), copy])).to_html()
    assert text.count(f'href="pairs/{identity(1)[:2]}/{identity(1)}/report.html"') == 6
    assert "same pictures as another pair" in text


def test_files_that_were_not_saved_are_not_linked(tmp_path):
    text = open_run(write_run(tmp_path / "run", [row(1, files=["results.json"])])).to_html()
    assert "report.html" not in text.split("run-data")[0] and "<img" not in text
    assert "results.json" in text


# ----------------------------------------------------------------------------------- in a notebook


def test_a_notebook_shows_the_worst_ten_with_pictures(tmp_path):
    rows = [row(number) for number in range(1, 60)]
    run = open_run(write_run(tmp_path / "run", rows, pictures=True))
    text = run._repr_html_()
    assert text.count("<tr>") == 11 and text.count("data:image/jpeg;base64,") == 8
    assert "and 49 more" in text and len(text) < 200_000
    assert "Failed: 8 fail by the rule and 2 could not be compared" in text


def test_a_notebook_shows_hostile_text_as_text(hostile):
    page = Page(hostile._repr_html_())
    assert {tag for tag, _ in page.elements} <= {
        *("div", "p", "strong", "code", "span", "bdi", "table", "thead", "tbody", "tr", "th", "td"),
        *("img", "br", "ul", "li"),
    }
    for _, attributes in page.elements:
        assert {*attributes} <= {"style", "scope", "alt", "src", "width"}
    assert all(one["src"].startswith("data:image/jpeg;base64,") for one in page.all("img"))


# ----------------------------------------------------------------------------------------- numbers


def test_quantiles_are_values_that_occurred():
    assert quantiles([]) == {}
    found = quantiles([3.0, 1.0, 2.0])
    assert (found["p50"], found["p90"], found["max"], found["total"]) == (2.0, 3.0, 3.0, 6.0)
    assert quantiles([5.0])["p99"] == 5.0


def test_what_is_worse_comes_first():
    major = {"minor": 0, "moderate": 0, "major": 1}
    minor = {"minor": 9, "moderate": 9, "major": 0}
    ranked = [
        row(3),
        row(1, verdict="fail", severities=minor),
        row(1, verdict="pass", severities=major),
        row(1, verdict="pass", severities=minor, score=3.0),
        row(1, verdict="pass", severities=minor, score=2.0),
        row(1, verdict="pass", severities=minor, score=None, change=9.0),
        row(1, verdict="pass", severities=minor, score=None, change=1.0),
        row(2, verdict="pass", severities=minor, score=None, change=1.0),
        row(2, verdict="pass", severities=minor, score=None, change=None),
    ]
    mixed = ranked[::-1]
    assert sorted(mixed, key=worst_first) == ranked
