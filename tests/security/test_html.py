"""No text becomes markup, in whatever page it ends up."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.security import hostile

#: Attributes whose value may hold words from outside; of no other may the value differ.
WORDS = {"alt", "title", "aria-label", "value", "data-label", "data-value", "datetime"}
#: Attributes that make a browser fetch or go somewhere, and where they may lead.
ADDRESSES = {"href", "src", "srcset", "action", "formaction", "poster", "data", "background"}
HERE = re.compile(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+|#[\w-]*|pairs/[0-9a-f/]+[\w./-]+")


class Skeleton(HTMLParser):
    """Tags and attributes of a page, in order, without its words."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, tuple[tuple[str, str], ...]]] = []
        self.addresses: list[str] = []
        self.comments = 0
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.words: list[str] = []
        self._inside = ""
        self.policy = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        assert not [name for name in names if name.startswith("on")], (tag, names)
        given = dict(attrs)
        kept = tuple((name, "" if name in WORDS | ADDRESSES else str(v)) for name, v in attrs)
        self.tags.append((tag, kept))
        self.addresses += [given[name] or "" for name in names if name in ADDRESSES]
        if given.get("http-equiv", "").lower() == "content-security-policy":
            self.policy = given["content"] or ""
        self._inside = tag if tag in self.raw else ""
        if self._inside:
            self.raw[tag].append("")

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag: str) -> None:
        self.tags.append((f"/{tag}", ()))
        self._inside = ""

    def handle_comment(self, data: str) -> None:
        self.comments += 1

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.raw[self._inside][-1] += data
        else:
            self.words.append(data)


def table(text: str, folder: Path) -> str:
    return str(hostile.model_table(text)._repr_html_())


def report(text: str, folder: Path) -> str:
    return hostile.comparison(text).to_html()


def static_report(text: str, folder: Path) -> str:
    return hostile.comparison(text).to_html(interactive=False)


def notebook(text: str, folder: Path) -> str:
    return hostile.comparison(text)._repr_html_()


def panel_static(text: str, folder: Path) -> str:
    from vde_nb.panel._static import static_html

    return static_html("p1", hostile.comparison(text)) + static_html("p2", None, text)


def panel_words(text: str, folder: Path) -> str:
    from vde_nb.panel._widgets import heading, hint, plain
    from vde_nb.panel._widgets import text as line

    return plain(text) + line(text).value + hint(text).value + heading(text).value


def series(text: str, folder: Path) -> str:
    return str(hostile.series(text)._repr_html_())


def run_page(text: str, folder: Path) -> str:
    open_run = pytest.importorskip("vde_nb.batch.run").open_run
    page: str = open_run(hostile.run_folder(folder / "run", text)).to_html()
    return page


def run_notebook(text: str, folder: Path) -> str:
    open_run = pytest.importorskip("vde_nb.batch.run").open_run
    shown: str = open_run(hostile.run_folder(folder / "run", text))._repr_html_()
    return shown


MAKERS = (
    *(table, report, static_report, notebook, panel_static, panel_words, series),
    *(run_page, run_notebook),
)
PAGES = (report, static_report, run_page)


@pytest.mark.parametrize("make", MAKERS, ids=lambda one: one.__name__)
def test_no_element_and_no_attribute_is_born_of_text(
    make: Callable[[str, Path], str], tmp_path: Path
) -> None:
    """A page of hostile names has the elements of one of harmless names, and no others."""
    sound = Skeleton(make(hostile.SOUND, tmp_path / "sound"))
    bad = Skeleton(make(hostile.TEXT, tmp_path / "bad"))
    assert bad.tags == sound.tags
    assert bad.comments == sound.comments == 0
    shown = "".join(bad.words)
    if make not in (run_notebook,):
        assert "<script>alert(1)</script>" in shown  # it is shown, as what it is
    for address in bad.addresses:
        assert HERE.fullmatch(address), address[:100]
    assert [len(bad.raw[tag]) for tag in bad.raw] == [len(sound.raw[tag]) for tag in sound.raw]


@pytest.mark.parametrize("make", PAGES, ids=lambda one: one.__name__)
def test_what_is_run_in_a_page_is_ours_to_the_byte(
    make: Callable[[str, Path], str], tmp_path: Path
) -> None:
    """Scripts and styles are the same whatever is shown; data are JSON, which is never run."""
    pages = [
        Skeleton(make(text, tmp_path / text[:3])) for text in (hostile.SOUND, "<b>" + hostile.TEXT)
    ]
    assert pages[0].raw["style"] == pages[1].raw["style"]
    kinds = [dict(kept).get("type") for tag, kept in pages[1].tags if tag == "script"]
    for kind, one, other in zip(kinds, pages[0].raw["script"], pages[1].raw["script"], strict=True):
        if kind == "application/json":
            assert not set("<>&\u2028\u2029") & set(other)
            assert "<script>alert(1)</script>" in json.dumps(json.loads(other))
        else:
            assert one == other


@pytest.mark.parametrize("make", PAGES, ids=lambda one: one.__name__)
def test_every_page_has_a_policy_that_lets_nothing_else_run_or_load(
    make: Callable[[str, Path], str], tmp_path: Path
) -> None:
    import base64
    import hashlib

    page = make(hostile.TEXT, tmp_path)
    found = Skeleton(page)
    rules = dict(one.strip().split(" ", 1) for one in found.policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["base-uri"] == "'none'" and rules["form-action"] == "'none'"
    assert set(rules.get("img-src", "").split()) <= {"data:", "blob:", "'self'"}
    assert set(rules.get("connect-src", "'none'").split()) == {"'none'"}
    allowed = set(rules.get("script-src", "").split())
    kinds = [dict(kept).get("type") for tag, kept in found.tags if tag == "script"]
    run = [t for kind, t in zip(kinds, found.raw["script"], strict=True) if kind == "module"]
    digests = {base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in run}
    assert allowed == {f"'sha256-{one}'" for one in digests}
    # It stands before anything that it has to govern.
    head = page[: page.index("Content-Security-Policy")]
    assert not re.search(r"<(script|style|link|img|body)\b", head)


@pytest.mark.parametrize("make", MAKERS, ids=lambda one: one.__name__)
def test_no_page_names_an_address_elsewhere(
    make: Callable[[str, Path], str], tmp_path: Path
) -> None:
    page = make(hostile.SOUND, tmp_path)
    found = re.findall(r"""(?:https?:|url\(\s*['"]?)//?[^\s'"<)]*""", page)
    # Names of XML dialects are no addresses, though they look like one.
    assert not [one for one in found if "www.w3.org" not in one]


@pytest.mark.parametrize(
    "make", (notebook, panel_static, series, table), ids=lambda one: one.__name__
)
def test_what_a_notebook_keeps_holds_no_script(
    make: Callable[[str, Path], Any], tmp_path: Path
) -> None:
    tags = {tag for tag, _ in Skeleton(make(hostile.TEXT, tmp_path)).tags}
    assert not tags & {"script", "style", "link", "iframe", "object", "embed", "form", "base"}


def test_the_panels_widgets_show_what_went_wrong_as_text() -> None:
    from vde_nb.panel._errors import in_words

    trouble = in_words(ValueError(hostile.TEXT), "comparing").to_dict()
    assert hostile.TEXTS[0] in trouble["message"]  # plain text: the viewer sets it as text


def test_plots_show_text_as_it_is(tmp_path: Path) -> None:
    """Dollar signs are no formula, least of all one that is wrong and ends the plot."""
    from vde_nb.evaluate import GroundTruth, LabelledPair, TrueRegion, evaluate

    for text in (hostile.TEXT, "a$\\frac{$b", "$\\undefined$"):
        hostile.series(text).plot().savefig(tmp_path / "series.png")
        found = hostile.comparison(text)
        found.plot().savefig(tmp_path / "comparison.png")
        truth = GroundTruth((TrueRegion((30, 20, 40, 30), text),))
        pair = LabelledPair(found.reference, found.current, truth, text)
        evaluate([pair], method="hybrid").plot().savefig(tmp_path / "report.png")


def test_the_viewers_scripts_never_make_markup_of_text() -> None:
    import vde_nb

    asked = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc"
        r"|createContextualFragment|DOMParser|setHTMLUnsafe|javascript:"
    )
    package = Path(vde_nb.__file__).parent
    scripts = sorted((*package.rglob("*.js"), *package.rglob("*.mjs")))
    assert {".js", ".mjs"} == {script.suffix for script in scripts}
    for script in scripts:
        found = asked.search(script.read_text("utf-8"))
        assert found is None, f"{script.name}: {found}"
