"""The screen of a web shop's back office: a bar, a menu, tiles, a chart, a table of orders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ._icons import ICONS
from ._page import PLAIN, Page, Rendering
from ._paint import FINE
from ._scene import Exposure, Pick

__all__ = ["SCREEN", "Screen"]

_BOLD = "DejaVuSans-Bold"
_BRAND, _DEEP, _AMBER = "#0d5568", "#0a4555", "#e8a33d"
_TEXT, _MUTED, _LINE, _GROUND = "#1f2d35", "#66767f", "#dbe2e6", "#f2f5f6"
_RED, _GREEN = "#c8373f", "#2c8a57"

# What the same page looks like on another machine: letters lie elsewhere between the pixels.
_ELSEWHERE = Rendering(phase=0.375, contrast=0.9)

_SIZE = (880, 620)
#: What is never the same twice: the clock, and the caret in the search field.
_IGNORE = ((790, 14, 76, 24), (340, 15, 10, 22))


@dataclass(frozen=True)
class _State:
    """What of the page can differ.

    Attributes
    ----------
    figures : tuple of str
        What the four tiles say.
    export : int
        How far the button "Export" has moved to the left, in pixels.
    action : str
        Colour of the main button.
    lost : str
        The entry of the menu without a symbol.
    alert : int
        The row of the menu with a red badge, or -1.
    clock, caret : str, bool
        What is never the same twice.
    """

    figures: tuple[str, str, str, str] = ("€ 12,480", "37", "4", "€ 58.20")
    export: int = 0
    action: str = _AMBER
    lost: str = ""
    alert: int = -1
    clock: str = "Tue 14:22"
    caret: bool = True


@dataclass(frozen=True)
class Screen:
    """A page that can be rendered before and after.

    Attributes
    ----------
    description : str
        One sentence for people.
    size : tuple of int
        ``(width, height)`` of the picture.
    ignore : tuple of tuple of int
        Boxes ``(x, y, w, h)`` that differ from one visit to the next and mean nothing.
    """

    description: str
    size: tuple[int, int]
    ignore: tuple[tuple[int, int, int, int], ...]

    def shoot(self, seed: int, rerendered: bool) -> Exposure:
        """Render the page before and after.

        Parameters
        ----------
        seed : int
            Which figures, buttons and symbols change.
        rerendered : bool
            The second picture was taken later on another machine: edges are smoothed otherwise,
            and what is in `ignore` differs.
        """
        pick, before = Pick(seed), _State()
        tile = pick.one(0, 3)
        figures = list(before.figures)
        figures[tile] = (pick.one("€ 12,430", "€ 12,460"), "", "", pick.one("€ 53.20", "€ 58.80"))[
            tile
        ]
        changes: dict[str, dict[str, Any]] = {
            "texture_change": {"figures": tuple(figures)},
            "moved": {"export": pick.one(13, 21)},
            "colour_change": {"action": pick.one("#d7682e", "#5d9ad0", "#b9b23a")},
            "missing_part": {"lost": pick.one("people", "bars", "tag")},
            "added_part": {"alert": pick.one(5, 2)},
        }
        plain = _rendered(before, PLAIN)
        outlines = [
            (kind, _outline(plain, _rendered(replace(before, **what), PLAIN)))
            for kind, what in changes.items()
        ]
        after = before
        for what in changes.values():
            after = replace(after, **what)
        if rerendered:
            current = _rendered(replace(after, clock="Tue 16:07", caret=False), _ELSEWHERE)
        else:
            current = _rendered(after, PLAIN)
        return Exposure(_fine(plain), _fine(current), tuple(outlines))


def _fine(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return a picture at the resolution of a canvas; averaged again it is the very same."""
    return picture.repeat(FINE, axis=0).repeat(FINE, axis=1)


def _outline(before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return what one change covers: all that it paints anew, with what lies in between."""
    differs = (before != after).any(axis=2).astype(np.uint8)
    joined = cv2.morphologyEx(differs, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    contours, _ = cv2.findContours(joined, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(joined), contours, -1, (1,), cv2.FILLED)
    return np.asarray(filled > 0, np.bool_)


def _rendered(state: _State, rendering: Rendering) -> npt.NDArray[np.uint8]:
    page = Page(*_SIZE, _GROUND, rendering)
    _bar(page, state)
    _menu(page, state)
    _heading(page, state)
    _tiles(page, state)
    _chart(page)
    _products(page)
    _orders(page)
    return page.picture()


def _card(page: Page, x: int, y: int, w: int, h: int) -> None:
    page.shadow(x, y + 1, w, h, 2.5, 0.10)
    page.round(x, y, w, h, 6, "#ffffff")
    page.round(x, y, w, h, 6, _LINE, border=1)


def _bar(page: Page, state: _State) -> None:
    """Paint the bar at the top: logo, search field, bell, help, avatar, clock."""
    page.box(-16, -16, 912, 68, _BRAND)
    page.box(-16, 51, 912, 1, _DEEP)
    page.shape([(16, 38), (29, 13), (35, 23), (40, 17), (51, 38)], colour="#f3efe2")
    page.shape([(16, 38), (29, 13), (32, 18), (25, 38)], colour="#b9cfd2")
    page.disc(46, 14, 4, _AMBER)
    page.text("FJORDEN", 60, 32, 17, "#f6f2e7", "DejaVuSerif-Bold")
    page.round(200, 11, 300, 30, 15, "#ffffff", 0.16)
    ICONS["lens"](page, 218, 26, "#cfe0e3")
    page.text("granola 500 g", 236, 31, 13, "#ffffff")
    if state.caret:
        page.box(345, 18, 1, 16, "#ffffff")
    ICONS["bell"](page, 686, 25, "#dbe8ea")
    page.disc(695, 18, 4, _RED)
    page.disc(724, 26, 9, "#dbe8ea", ring=1.6)
    page.text("?", 724, 31, 13, "#dbe8ea", _BOLD, "middle")
    page.disc(764, 26, 14, "#d8c7a4")
    page.text("MK", 764, 31, 12, _DEEP, _BOLD, "middle")
    page.text(state.clock, 864, 31, 13, "#dbe8ea", align="right")


_MENU = (
    ("house", "Overview"),
    ("parcel", "Orders"),
    ("tag", "Products"),
    ("people", "Customers"),
    ("bars", "Reports"),
    ("back", "Returns"),
    ("wheel", "Settings"),
)


def _menu(page: Page, state: _State) -> None:
    """Paint the menu at the left: symbols, names, badges, and what the store holds."""
    page.box(-16, 52, 192, 600, "#ffffff")
    page.box(175, 52, 1, 600, _LINE)
    for row, (icon, name) in enumerate(_MENU):
        y = 86 + 40 * row
        chosen = name == "Orders"
        if chosen:
            page.round(8, y - 17, 160, 34, 6, "#dcebee")
            page.box(0, y - 17, 3, 34, _BRAND)
        if icon != state.lost:
            ICONS[icon](page, 30, y, _BRAND if chosen else "#7d8c94")
        face, colour = (_BOLD, _BRAND) if chosen else ("DejaVuSans", _TEXT)
        page.text(name, 50, y + 5, 13, colour, face)
        if chosen:
            page.round(132, y - 9, 28, 18, 9, _BRAND)
            page.text("37", 146, y + 4, 11, "#ffffff", _BOLD, "middle")
        if row == state.alert:
            page.round(138, y - 9, 22, 18, 9, _RED)
            page.text("2", 149, y + 4, 11, "#ffffff", _BOLD, "middle")
    page.box(16, 548, 144, 1, _LINE)
    page.text("Store Bergen", 16, 572, 12, _TEXT, _BOLD)
    page.text("82 % full", 160, 572, 11, _MUTED, align="right")
    page.round(16, 582, 144, 8, 4, "#e3e9ec")
    page.round(16, 582, 118, 8, 4, "#2f8f8b")


def _heading(page: Page, state: _State) -> None:
    """Paint the title and two buttons."""
    page.text("Orders", 200, 92, 22, _TEXT, _BOLD)
    page.text("Tuesday, 14 April 2026 · all stores", 200, 112, 12, _MUTED)
    x = 636 - state.export
    page.round(x, 74, 84, 34, 6, "#ffffff")
    page.round(x, 74, 84, 34, 6, "#b4c0c6", border=1)
    page.text("Export", x + 42, 96, 13, _TEXT, _BOLD, "middle")
    page.round(736, 74, 120, 34, 6, state.action)
    page.text("+  New order", 796, 96, 13, "#2a1c05", _BOLD, "middle")


def _tiles(page: Page, state: _State) -> None:
    """Paint four tiles of figures, each with its trend."""
    names = ("Revenue today", "Open orders", "Returned", "Average basket")
    trends = (("+ 6.4 %", _GREEN), ("+ 3", _GREEN), ("− 2", _GREEN), ("− 1.1 %", _RED))
    for i, (name, figure, (trend, colour)) in enumerate(
        zip(names, state.figures, trends, strict=True)
    ):
        x = 200 + 168 * i
        _card(page, x, 126, 152, 82)
        page.text(name, x + 14, 148, 12, _MUTED)
        page.text(figure, x + 14, 178, 24, _TEXT, _BOLD)
        page.text(trend, x + 14, 198, 11, colour, _BOLD)
        page.text("to last week", x + 20 + 7 * len(trend), 198, 11, _MUTED)


def _chart(page: Page) -> None:
    """Paint orders per day as bars, and the weekly mean as a line."""
    _card(page, 200, 222, 424, 178)
    page.text("Orders per day", 214, 245, 13, _TEXT, _BOLD)
    page.box(470, 236, 10, 10, "#7fb3bb")
    page.text("orders", 485, 245, 11, _MUTED)
    page.line([(534, 241), (548, 241)], 2.4, _AMBER)
    page.text("7 days", 553, 245, 11, _MUTED)
    for i, value in enumerate((60, 40, 20, 0)):
        y = 262 + 36 * i
        page.box(244, y, 366, 1, "#e7ecee")
        page.text(str(value), 236, y + 4, 10, _MUTED, align="right")
    heights = (31, 36, 42, 39, 47, 22, 18, 35, 41, 45, 40, 52, 27, 21, 37)
    path = []
    for i, value in enumerate(heights):
        x, tall = 252 + 24 * i, round(value * 1.8)
        today = i == len(heights) - 1
        page.round(x, 370 - tall, 14, tall + 2, 2, _BRAND if today else "#7fb3bb")
        page.box(x, 370, 14, 2, "#ffffff")
        page.text(str(31 + i) if i == 0 else str(i), x + 7, 388, 10, _MUTED, align="middle")
        week = heights[max(i - 3, 0) : i + 4]
        path.append((x + 7.0, 370 - 1.8 * sum(week) / len(week)))
    page.box(244, 370, 366, 1, "#9fb0b8")
    page.line(path, 2.4, _AMBER)
    for point in path:
        page.disc(*point, 3, _AMBER)
        page.disc(*point, 1.5, "#ffffff")


def _products(page: Page) -> None:
    """Paint what sells best, with small pictures."""
    _card(page, 640, 222, 216, 178)
    page.text("Best sellers", 654, 245, 13, _TEXT, _BOLD)
    rows = (
        ("Wild berry granola", "500 g", "€ 6.90", ("#6d1226", "#d8c7a4")),
        ("Oat crunch, honey", "750 g", "€ 7.40", ("#b98a4a", "#efe2c4")),
        ("Nordic porridge", "400 g", "€ 4.20", ("#3f6b7d", "#dfe7ea")),
    )
    for i, (name, weight, price, colours) in enumerate(rows):
        y = 260 + 46 * i
        if i:
            page.box(654, y - 6, 188, 1, "#e7ecee")
        _bag(page, 654, y, *colours)
        page.text(name, 698, y + 14, 12, _TEXT)
        page.text(weight, 698, y + 30, 11, _MUTED)
        page.text(price, 842, y + 30, 12, _TEXT, _BOLD, "right")


def _bag(page: Page, x: int, y: int, dark: str, pale: str) -> None:
    """Paint the small photograph of a bag of cereals."""
    page.fade(x, y, 34, 34, "#ffffff", "#cfd8dc")
    page.fade(x, y + 26, 34, 8, "#b9c5ca", "#dde4e7")
    left = [(x + 9, y + 5), (x + 25, y + 5), (x + 27, y + 29), (x + 7, y + 29)]
    page.shape(left, colour=dark)
    page.shape([(x + 20, y + 5), (x + 25, y + 5), (x + 27, y + 29), (x + 21, y + 29)],
               colour="#000000", opacity=0.18)  # fmt: skip
    page.box(x + 9, y + 3, 16, 3, pale)
    page.round(x + 10, y + 11, 13, 12, 2, pale)
    for dx, dy in ((13, 15), (17, 18), (20, 14), (14, 20), (19, 20)):
        page.disc(x + dx, y + dy, 1.8, dark)
    page.line([(x + 10.5, y + 7), (x + 9.2, y + 27)], 1.2, "#ffffff", 0.35)


_ORDERS = (
    ("#20418", "Ingrid Solberg", "3", "€ 41.60", "paid"),
    ("#20417", "Café Havn", "24", "€ 312.00", "packing"),
    ("#20416", "Jonas Weber", "1", "€ 6.90", "sent"),
    ("#20415", "Marta Nowak", "5", "€ 58.20", "sent"),
    ("#20414", "Grünhof & Sons", "60", "€ 744.00", "on hold"),
)
_STATES = {
    "paid": ("#d9efe2", "#1f6b42"),
    "packing": ("#fdeccf", "#8a5a08"),
    "sent": ("#dcebee", "#0d5568"),
    "on hold": ("#f8dcdd", "#9c2129"),
}


def _orders(page: Page) -> None:
    """Paint the table of the last orders."""
    _card(page, 200, 414, 656, 192)
    page.box(201, 440, 654, 1, _LINE)
    for text, x, align in (
        ("Order", 214, "left"),
        ("Customer", 300, "left"),
        ("Items", 560, "right"),
        ("Total", 660, "right"),
        ("State", 712, "left"),
    ):
        page.text(text, x, 432, 11, _MUTED, _BOLD, align)
    for row, (number, customer, items, total, state) in enumerate(_ORDERS):
        y = 457 + 33 * row
        if row:
            page.box(214, y - 17, 628, 1, "#e7ecee")
        page.text(number, 214, y + 5, 12, _BRAND, "DejaVuSansMono")
        page.text(customer, 300, y + 5, 12, _TEXT)
        page.text(items, 560, y + 5, 12, _TEXT, align="right")
        page.text(total, 660, y + 5, 12, _TEXT, align="right")
        ground, letters = _STATES[state]
        page.round(704, y - 10, 74, 20, 10, ground)
        page.text(state, 741, y + 4, 11, letters, _BOLD, "middle")
        for dot in range(3):
            page.disc(826 + 5 * dot, y, 1.6, _MUTED)


SCREEN = Screen(
    description="The screen of a web shop's back office with a wrong figure, a button that moved, "
    "another colour, a missing symbol and a new badge.",
    size=_SIZE,
    ignore=_IGNORE,
)
