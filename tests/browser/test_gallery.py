"""A run in the panel: an auditor goes through it with the keyboard, and finds it again."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from .conftest import Show
from .notebook import NARROW, WIDE
from .panel_page import PanelPage

#: Six pairs of a run: one damaged, four changed, one as it was.
RUN = """
import tempfile, pathlib, cv2
import vde_nb as vde
try:
    panel.close()
except NameError:
    pass
site = pathlib.Path(tempfile.mkdtemp())
for side in ("before", "after"):
    (site / side).mkdir()
    (site / side / "broken.png").write_bytes(b"none")
for name in ("tyre", "wall", "label", "board", "calm"):
    pair = vde.samples.load(name if name != "calm" else "wall")
    now = pair.current if name != "calm" else pair.reference
    for side, picture in (("before", pair.reference), ("after", now)):
        cv2.imwrite(str(site / side / (name + ".png")), picture[..., ::-1])
run = vde.compare_many((site / "before", site / "after"), out=site / "run", workers=0,
                       progress=False, method="hybrid", segmenter="none", fail_if="major>2")
panel = run.panel(root=site, only={only!r})
panel
"""


def gallery(show: Show, only: str = "changed") -> PanelPage:
    return show(RUN.format(only=only).strip()).ready(40)


@pytest.fixture
def panel(show: Show) -> PanelPage:
    return gallery(show)


def bar(panel: PanelPage) -> Locator:
    return panel.viewer.get_by_role("region", name="Run", exact=True)


def pair_name(panel: PanelPage) -> Locator:
    return bar(panel).locator(".vde-gallery-name")


def stored(panel: PanelPage) -> list[dict[str, Any]]:
    path = panel.value("str(site / 'run/reviews.json')")
    return list(
        json.loads(panel.value(f"open({path!r}).read()"))["pairs"].values(),
    )


def press(panel: PanelPage, *keys: str) -> None:
    for key in keys:
        panel.page.keyboard.press(key)


def test_a_run_is_gone_through_with_the_keyboard_alone(panel: PanelPage) -> None:
    expect(bar(panel)).to_contain_text("0 of 6 reviewed")
    expect(bar(panel)).to_contain_text("1 / 4")
    first = panel.value("panel.names[1]")
    expect(pair_name(panel)).to_contain_text(first)
    count = panel.value("len(panel.comparison.anomalies)")
    panel.stage.focus()
    for _ in range(count):
        press(panel, "j", "a")
    panel.until("len([one for one in panel.reviews if one['verdict'] == 'accepted'])", count)
    expect(bar(panel)).to_contain_text("1 of 6 reviewed")
    expect(bar(panel)).to_contain_text("Saved")
    assert stored(panel)[0]["reviewed"] is True
    press(panel, ".")
    panel.until("panel.index", 2)
    panel.ready()
    press(panel, "j", "r", "c")
    note = panel.viewer.get_by_role("textbox", name="Note", exact=True)
    expect(note).to_be_focused()
    panel.page.keyboard.type("known, see 12.4")
    press(panel, "Enter")
    panel.until("panel.reviews[0]['comment'] if panel.reviews else ''", "known, see 12.4")
    press(panel, "t")
    expect(panel.viewer.get_by_role("combobox", name="Type", exact=True)).to_be_focused()
    press(panel, "Escape", "d")
    panel.until("panel.index", 3)
    expect(bar(panel)).to_contain_text("2 of 6 reviewed")
    press(panel, "Shift+K")
    panel.until("panel.index", 2)
    expect(bar(panel).get_by_role("button", name="Reviewed", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )


def test_keys_work_after_the_row_that_had_them_is_gone(panel: PanelPage) -> None:
    panel.rows.first.click()
    expect(panel.rows.first).to_be_focused()
    press(panel, ".")
    panel.until("panel.index", 2)
    panel.ready()
    press(panel, "j")
    panel.until("panel.selected", 1)
    press(panel, ".")
    panel.until("panel.index", 3)


def test_a_note_on_a_pair_is_kept_and_is_no_shortcut(panel: PanelPage) -> None:
    panel.stage.focus()
    press(panel, "c")
    note = bar(panel).get_by_role("textbox", name="Note on this pair")
    expect(note).to_be_focused()
    panel.page.keyboard.type("jad. dark <b>corner</b>")
    press(panel, "Enter")
    panel.until("panel.run.reviews[panel.shown_row].comment if panel.run.reviews else ''")
    assert stored(panel)[0]["comment"] == "jad. dark <b>corner</b>"
    assert panel.value("panel.index") == 1
    press(panel, ".", ",")
    expect(note).to_have_value("jad. dark <b>corner</b>")
    expect(panel.stage).to_be_focused()


def test_what_is_not_reviewed_is_shown_alone(panel: PanelPage) -> None:
    frames = panel.viewer.locator(".vde-film-frame:visible")
    expect(frames).to_have_count(4)
    choice = bar(panel).get_by_role("combobox", name="Pairs to show")
    choice.select_option("unreviewed")
    expect(frames).to_have_count(6)
    expect(panel.stage).to_be_focused()
    press(panel, "d")
    panel.until("panel.index", 2)
    expect(frames).to_have_count(5)
    choice.select_option("errors")
    expect(frames).to_have_count(2)
    expect(bar(panel)).to_contain_text("2 / 2")
    press(panel, ",")
    panel.until("panel.status", "error")
    expect(bar(panel)).to_contain_text("The run failed")
    expect(frames).to_have_count(1)
    for name, count in (("failing", "Failing"), ("all", "All")):
        choice.select_option(name)
        assert re.search(rf"{count} \(\d\)", choice.inner_text())


def test_a_verdict_fills_the_counter_and_marks_the_frame(panel: PanelPage) -> None:
    frame = panel.viewer.locator(".vde-film-frame:visible").first
    assert "vde-film-reviewed" not in (frame.get_attribute("class") or "")
    bar(panel).get_by_role("button", name="Not reviewed").click()
    expect(frame).to_have_class(re.compile("vde-film-reviewed"))
    bar(panel).get_by_role("button", name="Reviewed", exact=True).click()
    expect(bar(panel)).to_contain_text("0 of 6 reviewed")


def test_a_picture_that_was_changed_is_told_and_not_shown(panel: PanelPage) -> None:
    panel.execute(
        "place = site / 'after' / panel._pairs[2].names[1]\n"
        "shown = cv2.imread(str(place)); shown[:9] = 0; cv2.imwrite(str(place), shown)"
    )
    panel.stage.focus()
    press(panel, ".")
    panel.until("panel.status", "error")
    expect(panel.viewer.get_by_role("alert")).to_contain_text("not what the run has compared")
    panel.notebook.shot("gallery-changed", panel.viewer)


def test_reviews_leave_as_files(panel: PanelPage) -> None:
    panel.stage.focus()
    press(panel, "j", "a")
    panel.until("len(panel.reviews)", 1)
    for form, words in (("CSV", "run_verdict"), ("JSON", '"review"')):
        with panel.page.expect_download() as download:
            bar(panel).get_by_role("button", name=form, exact=True).click()
        assert download.value.suggested_filename == f"reviews.{form.lower()}"
        with open(download.value.path(), encoding="utf-8") as file:  # noqa: PTH123
            text = file.read()
        assert words in text and "accepted" in text


def test_a_run_opened_again_has_its_reviews(panel: PanelPage) -> None:
    panel.stage.focus()
    press(panel, "d")
    panel.until("panel.index", 2)
    panel.execute("panel.close()")
    panel.notebook.change(
        0, "panel = vde.Panel(run=site / 'run', root=site, only='unreviewed')\npanel"
    )
    panel.notebook.run(0)
    expect(bar(panel)).to_contain_text("1 of 6 reviewed", timeout=20_000)
    panel.execute("panel.index = 1")
    expect(bar(panel).get_by_role("button", name="Reviewed", exact=True)).to_be_visible()


def test_looks_in_every_theme_and_width(panel: PanelPage) -> None:
    panel.stage.focus()
    press(panel, "d")
    panel.until("panel.index", 2)
    panel.ready()
    press(panel, "j", "a")
    panel.until("len(panel.reviews)", 1)
    for theme in ("light", "dark"):
        panel.notebook.theme(theme)
        for width in (NARROW, WIDE):
            panel.notebook.resize(width, 1500)
            panel.page.wait_for_timeout(200)
            panel.notebook.shot(f"gallery-{theme}-{width}", panel.viewer)
            inside = bar(panel).evaluate(
                """root => {
                  const room = root.getBoundingClientRect();
                  return Array.from(root.querySelectorAll("button, input, select, span"))
                    .filter(one => one.offsetParent)
                    .map(one => one.getBoundingClientRect())
                    .every(one => one.left >= room.left - 1 && one.right <= room.right + 1);
                }"""
            )
            assert inside, "something is cut off"
    panel.notebook.theme("light")


def test_help_has_the_keys_of_a_run_only_where_there_is_one(panel: PanelPage) -> None:
    panel.stage.focus()
    press(panel, "?")
    dialog = panel.viewer.get_by_role("dialog")
    expect(dialog).to_contain_text("done with this pair")
    press(panel, "Escape")
    panel.execute("pair = vde.samples.load('tyre'); panel.open(pair.reference, pair.current)")
    expect(bar(panel)).to_be_hidden()
    panel.ready()
    panel.stage.focus()
    press(panel, "?")
    expect(dialog).not_to_contain_text("done with this pair")
    press(panel, "Escape")
