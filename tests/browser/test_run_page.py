"""The page about a run, opened from the disk and from a server, with scripts and without."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.batch.run_folder import HOSTILE, row, write_run
from vde_nb.batch import open_run

COUNT = 650
Opened = Callable[..., Page]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 650 pairs, of which the first say what is hostile."""
    rows = [row(number) for number in range(1, COUNT + 1)]
    said = {"name": HOSTILE, "current": HOSTILE, "types": {HOSTILE: 2}, "notes": [HOSTILE]}
    said |= {"given": {HOSTILE: HOSTILE, "n": 3} | {f"c{number}": True for number in range(9)}}
    rows[4] |= said
    rows[2] |= {"error": HOSTILE, "error_kind": HOSTILE}
    rows[6] |= {"unlike": True, "reference": "", "files": ["results.json", "thumbnail.jpg"]}
    rows[13] |= {"unlike": True, "files": []}
    path = tmp_path_factory.mktemp("run") / "run #1 & <b>"
    write_run(path, rows, pictures=True, source=HOSTILE, settings={HOSTILE: HOSTILE})
    open_run(path).to_html(path / "index.html")
    return path


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_address[1]}/index.html"
        listening.shutdown()
        thread.join()


@pytest.fixture
def open_page(browser: Browser, folder: Path) -> Iterator[Opened]:
    """Open the page; at the end nobody may have complained."""
    contexts = []
    wrong: list[str] = []

    def complain(message: ConsoleMessage) -> None:
        if not message.location["url"].endswith("/favicon.ico"):  # every browser asks a server
            wrong.append(message.text)

    def opened(address: str = "", **options: object) -> Page:
        how = {"viewport": {"width": 1400, "height": 1000}, **options}
        context = browser.new_context(**how)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda one: complain(one) if one.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda one: wrong.append(one.message) or one.dismiss())
        start = address or (folder / "index.html").as_uri()
        inside = start.rsplit("/", 1)[0] + "/"
        page.on("request", lambda one: one.url.startswith(inside) or wrong.append(one.url))
        page.goto(start)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


def names(page: Page, most: int = 5) -> list[str]:
    return page.locator(".pairs tbody .name").all_inner_texts()[:most]


def test_thumbnails_load_from_the_disk(open_page: Opened) -> None:
    page = open_page()
    picture = page.locator(".thumb img").first
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_js_property("naturalWidth", 516)


def test_thumbnails_load_from_a_server(open_page: Opened, server: str) -> None:
    page = open_page(server)
    picture = page.locator(".thumb img").first
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_js_property("naturalWidth", 516)


def test_far_thumbnails_wait_until_they_are_scrolled_to(open_page: Opened) -> None:
    page = open_page()
    page.wait_for_load_state("networkidle")
    last = page.locator(".thumb img").last
    assert last.evaluate("image => image.naturalWidth") == 0
    height = page.evaluate("document.documentElement.scrollHeight")
    last.scroll_into_view_if_needed()
    expect(last).to_have_js_property("naturalWidth", 516)
    assert page.evaluate("document.documentElement.scrollHeight") == height, "nothing jumped"


def test_a_name_leads_to_the_report(open_page: Opened) -> None:
    page = open_page()
    page.locator(".who a[href$=html]").first.click()
    expect(page.get_by_text("a report")).to_be_visible()
    assert page.url.endswith("report.html")


def test_without_scripts_there_is_a_table(open_page: Opened, screenshots: Path) -> None:
    page = open_page(java_script_enabled=False)
    expect(page.locator(".pairs tbody tr")).to_have_count(200)
    expect(page.locator(".filters")).to_be_hidden()
    expect(page.locator(".pager")).to_be_hidden()
    expect(page.get_by_text("these are the worst 200 pairs")).to_be_visible()
    page.screenshot(path=str(screenshots / "run-no-scripts.png"))


def test_the_script_makes_the_rows_that_the_page_has(open_page: Opened) -> None:
    page = open_page()
    rows = "[...document.querySelectorAll('.pairs tbody tr')].map(row => row.outerHTML)"
    written = page.evaluate(rows)
    page.get_by_role("button", name="Worst first").click()
    made = page.evaluate(rows)
    assert len(written) == len(made) == 200
    for one, other in zip(written, made, strict=True):
        assert one == other
    assert any("&lt;img src=x" in one for one in made)


def test_a_head_sorts_both_ways_by_keyboard(open_page: Opened) -> None:
    page = open_page()
    head = page.get_by_role("columnheader", name="Pair")
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(head).to_have_attribute("aria-sort", "ascending")
    assert names(page)[1:3] == ["board 00001", "board 00002"], "after the hostile name"
    page.keyboard.press("Enter")
    expect(head).to_have_attribute("aria-sort", "descending")
    assert names(page)[0] == f"board {COUNT:05d}"
    changed = page.get_by_role("columnheader", name="Changed")
    changed.get_by_role("button").click()
    expect(changed).to_have_attribute("aria-sort", "descending")
    expect(head).not_to_have_attribute("aria-sort", "descending")
    values = [
        float(one.split()[0]) for one in page.locator("td[data-label=Changed]").all_inner_texts()
    ]
    assert values == sorted(values, reverse=True) and values[0] > 1
    changed.get_by_role("button").click()
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Next").click()
    last = page.locator(".pairs tbody tr").last
    expect(last.locator(".why"), "unknown comes last").to_be_visible()


def test_pairs_are_filtered(open_page: Opened) -> None:
    page = open_page()
    shown = page.locator("#shown")
    expect(shown).to_have_text("650 pairs")
    expect(page.get_by_text("Without scripts")).to_have_count(0)
    page.get_by_label("Status").select_option("error")
    expect(shown).to_have_text("16 of 650 pairs")
    page.get_by_label("Search").fill("00044 DAMAGED")
    expect(shown).to_have_text("1 of 650 pairs")
    page.get_by_label("Search").fill("nobody is called this")
    expect(page.get_by_text("No pair is like this.")).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    expect(shown).to_have_text("650 pairs")
    page.get_by_label("Verdict").select_option("fail")
    page.get_by_label("Severity", exact=True).select_option("major")
    fails = sum(row(number)["severities"]["major"] > 0 for number in range(1, COUNT + 1))
    expect(shown).to_have_text(f"{fails} of 650 pairs")


def test_pairs_of_another_scene_are_filtered(open_page: Opened) -> None:
    page = open_page()
    page.get_by_label("Status").select_option("unlike")
    expect(page.locator("#shown")).to_have_text("2 of 650 pairs")
    assert names(page) == ["board 00014", "board 00007"]
    expect(page.get_by_text("other scene?", exact=True)).to_have_count(2)
    page.locator(".who a").click()
    expect(page.locator("img")).to_be_visible()
    assert page.url.endswith("thumbnail.jpg"), "there is no report"


def test_a_bar_filters_by_its_type(open_page: Opened) -> None:
    page = open_page()
    page.locator(".chart").get_by_role("button", name="crack").click()
    expect(page.get_by_label("Type", exact=True)).to_have_value("crack")
    cracks = sum("crack" in row(number)["types"] for number in range(1, COUNT + 1))
    expect(page.locator("#shown")).to_have_text(f"{cracks} of 650 pairs")


def test_a_long_run_is_turned_over(open_page: Opened) -> None:
    page = open_page()
    pager = page.locator(".pager")
    expect(pager).to_contain_text("1 to 200 of 650")
    expect(pager.get_by_role("button", name="Previous")).to_be_disabled()
    for _ in range(3):
        pager.get_by_role("button", name="Next").click()
    expect(pager).to_contain_text("601 to 650 of 650")
    expect(page.locator(".pairs tbody tr")).to_have_count(50)
    expect(pager.get_by_role("button", name="Next")).to_be_disabled()


def test_hostile_text_is_shown_as_text(open_page: Opened) -> None:
    page = open_page()
    page.get_by_label("Search").fill("onerror=alert")
    expect(page.locator("#shown")).to_have_text("2 of 650 pairs")
    assert HOSTILE[:24] in page.locator(".pairs .name").nth(1).inner_text()
    assert page.locator(".pairs img[src=x]").count() == 0


@pytest.mark.parametrize("width", [870, 1024, 1280, 1366, 1600])
def test_names_and_errors_have_room(open_page: Opened, width: int, screenshots: Path) -> None:
    page = open_page(viewport={"width": width, "height": 900})
    page.screenshot(path=str(screenshots / f"run-{width}.png"))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide = "one => one.getBoundingClientRect().width"
    assert page.locator(".pairs thead th").nth(2).evaluate(wide) >= 180
    assert page.locator("td.why p").nth(1).evaluate(wide) >= 290
    for cell in page.locator(".pairs tbody tr").nth(20).locator("td:visible").all():
        assert cell.evaluate("one => one.scrollWidth <= one.clientWidth + 1"), cell.inner_text()


@pytest.mark.parametrize("width", [390, 760, 1000])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_width_needs_sideways_scrolling(
    open_page: Opened, width: int, scheme: str, screenshots: Path
) -> None:
    page = open_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    expect(page.locator(".filters")).to_be_visible()
    page.screenshot(path=str(screenshots / f"run-{width}-{scheme}.png"))
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_ten_thousand_pairs_open_and_sort_at_once(browser: Browser, tmp_path: Path) -> None:
    write_run(tmp_path / "run", [row(number) for number in range(1, 10_001)])
    open_run(tmp_path / "run").to_html(tmp_path / "run" / "index.html")
    page = browser.new_page()
    page.goto((tmp_path / "run" / "index.html").as_uri())
    expect(page.locator("#shown")).to_have_text("10,000 pairs")
    took = page.evaluate(
        """() => {
          const began = performance.now();
          document.querySelector("th[data-sort=name] button").click();
          document.body.offsetHeight;
          return performance.now() - began;
        }"""
    )
    assert names(page, 1) == ["board 00001"]
    assert took < 3000, "a tenth of that on a machine with nothing else to do"
    page.close()
