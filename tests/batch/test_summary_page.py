"""The page about a run and what a notebook shows of it, as text; browsers try it elsewhere."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from vde_nb import OutputError
from vde_nb.batch import _page, open_run
from vde_nb.batch._final import write_results
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
        *("h1", "h2", "p", "dl", "dt", "dd", "div", "span", "bdi", "b", "a", "img", "svg"),
        *("table", "thead", "tbody", "tr", "th", "td", "ul", "li", "details", "summary", "script"),
        "rect",
        *("input", "select", "option", "button", "output"),
    }
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
    for link in page.all("a"):
        assert re.fullmatch(r"pairs/[0-9a-f]{2}/[0-9a-f]{32}/[a-z]+\.(html|json|jpg)", link["href"])
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


def table_of(run) -> str:
    return run.to_html().partition("<tbody>\n")[2].partition("</tbody>\n</table>")[0]


def links_of(run) -> list[str]:
    return [link["href"].rsplit("/")[-1] for link in Page(run.to_html()).all("a")]


def test_a_name_opens_the_best_that_there_is_and_never_raw_data(tmp_path):
    files = ["annotated.png", "results.json", "thumbnail.jpg"]
    some = open_run(write_run(tmp_path / "some", [row(1, files=files)]))
    assert links_of(some) == ["annotated.png", "annotated.png", "results.json", "annotated.png"]
    few = open_run(write_run(tmp_path / "few", [row(1, files=files[1:])]))
    assert links_of(few) == ["thumbnail.jpg", "thumbnail.jpg", "results.json"]
    none = open_run(write_run(tmp_path / "none", [row(1, files=files[1:2])]))
    assert links_of(none) == ["results.json"]


def test_further_columns_are_told_below_the_name(tmp_path):
    given = {f"column {number}": number for number in range(9)} | {"empty": None, "none": ""}
    run = open_run(write_run(tmp_path / "run", [row(1, given=given)]))
    text, data = run.to_html(), json.loads(Page(run.to_html()).code[1])
    assert "<bdi>column 5</bdi> <b><bdi>5</bdi></b>" in text and "<span>and 3 more</span>" in text
    assert [value for _, value in data["rows"][0][-1]] == [str(number) for number in range(9)]
    many = row(1, given={f"column {number}": "x" * 900 for number in range(50)})
    data = json.loads(Page(open_run(write_run(tmp_path / "many", [many])).to_html()).code[1])
    assert [len(value) for _, value in data["rows"][0][-1]] == [200] * 20


def test_paths_are_left_out_where_they_say_nothing_new(tmp_path):
    plain = {"name": "a.png", "reference": "golden/a.png", "current": "today/a.png"}
    rows = [row(1, **plain), row(2, **{**plain, "reference": "golden/a.jpg"})]
    run = open_run(write_run(tmp_path / "run", rows, source="golden and today"))
    assert table_of(run).count("today/a.png") == 1
    table = open_run(write_run(tmp_path / "table", rows, source="pairs.csv"))
    assert table_of(table).count("today/a.png") == 2
    single = row(1, name="a.png", reference="", current="line 2/a.png")
    assert "\u2192" not in table_of(open_run(write_run(tmp_path / "one", [single])))


def test_an_error_stands_over_the_columns_of_what_was_not_found(tmp_path):
    text = table_of(open_run(write_run(tmp_path / "run", [row(3)])))
    assert re.search(r'<td class="why" colspan="3"><p>[^<]+ is damaged', text)
    assert "Anomalies" not in text and text.count("<td") == 8


def test_pictures_of_another_scene_are_told(tmp_path):
    rows = [row(7), row(14, unlike=True), row(21, unlike=True)]
    run = open_run(write_run(tmp_path / "run", rows))
    text = run.to_html()
    assert "2 pairs do not look like the same scene</p>" in text
    assert table_of(run).count(">other scene?</span>") == 2
    assert '<option value="unlike">' in text and text.index("00014") < text.index("00007")
    assert run._repr_html_().count("other scene?") == 2
    one = open_run(write_run(tmp_path / "one", [row(7)]))
    assert "scene" not in "".join((table_of(one), one._repr_html_()))
    assert '<option value="unlike">' not in one.to_html()


def test_a_page_of_an_interrupted_run_says_how_much_is_missing(tmp_path):
    rows = [row(7), row(14)]
    run = open_run(write_run(tmp_path / "run", rows, total=43, state="interrupted"))
    text = run.to_html()
    assert ">2 of 43</p>" in text and ">41 not compared yet<" in text
    assert "every pair" not in text and "41 of 43 pairs are not compared yet" in text
    assert "2 of 43 pairs" in run._repr_html_() and "every pair" not in run._repr_html_()
    for wrong in (None, True, -3, "many", 1, 1.5e9):
        run = open_run(write_run(tmp_path / "run", rows, total=wrong))
        assert "every pair passes" in run.to_html() and "not compared yet" not in run.to_html()


def test_pictures_without_a_partner_are_counted(tmp_path):
    run = open_run(write_run(tmp_path / "run", [row(7)], unpaired=5))
    assert re.search(r"Without partner</p><p class=\"value\">5<", run.to_html())
    for none in (0, None, "<b>", -1):
        run = open_run(write_run(tmp_path / "run", [row(7)], unpaired=none))
        assert "Without partner" not in run.to_html()


def test_errors_are_counted_by_what_they_say(tmp_path):
    lost = "{} does not exist; did you mean {}?"
    rows = [
        row(number, **{"status": "error", "error": lost.format(f"in/{number}.png", number)})
        | {"current": f"in/{number}.png", "name": f"{number}.png", "anomalies": None}
        for number in (1, 2, 3)
    ]
    run = open_run(write_run(tmp_path / "run", [*rows, row(44)]))
    assert dict(run.tally.messages) == {
        "\u2026 does not exist": 3,
        "\u2026 is damaged: it ends in the middle.": 1,
    }
    assert "<li>3 \u00d7 \u2026 does not exist</li><li>1 \u00d7 \u2026 is damaged" in run.to_html()


def test_the_table_has_a_column_for_each_further_one(tmp_path):
    rows = [
        row(1, given={"serial": "00017"}),
        row(2, given={"serial": "=1", "who": None, "size": 2.5}),
        row(3),
        row(
            4, given={f"column {number}": "x" * 1000 for number in range(50)}, types={"y" * 900: 1}
        ),
    ]
    write_results(tmp_path, ((one, {}) for one in rows))
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file, strict=True))
    assert [line["given.serial"] for line in lines] == ["00017", "'=1", "", ""]
    assert [line["given.size"] for line in lines] == ["", "2.5", "", ""]
    assert sum(name.startswith("given.") for name in lines[0]) == 20
    assert json.loads(lines[3]["given"]).keys() == rows[3]["given"].keys(), "all of them"
    assert not [one for one in tmp_path.iterdir() if not one.name.startswith(("res", "tim"))]


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
        row(1, verdict="pass", unlike=True),
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
