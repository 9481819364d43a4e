"""Symbols of a user interface, 18 pixels wide, drawn about their middle."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ._page import Page, Paint

__all__ = ["ICONS"]


def _house(page: Page, x: float, y: float, colour: Paint) -> None:
    page.shape([(x - 9, y), (x, y - 8), (x + 9, y), (x + 7, y + 2), (x, y - 4.4), (x - 7, y + 2)],
               colour=colour)  # fmt: skip
    walls = [(x - 6, y + 1.6), (x, y - 3.2), (x + 6, y + 1.6), (x + 6, y + 8), (x - 6, y + 8)]
    door = [(x - 1.8, y + 8.2), (x - 1.8, y + 3), (x + 1.8, y + 3), (x + 1.8, y + 8.2)]
    page.shape(walls, door, colour=colour)


def _parcel(page: Page, x: float, y: float, colour: Paint) -> None:
    page.round(x - 9, y - 7, 18, 5, 1, colour)
    page.shape(
        [(x - 8, y - 1), (x + 8, y - 1), (x + 8, y + 8), (x - 8, y + 8)],
        [(x - 3, y + 1), (x + 3, y + 1), (x + 3, y + 3), (x - 3, y + 3)],
        colour=colour,
    )


def _tag(page: Page, x: float, y: float, colour: Paint) -> None:
    turn = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    hole = np.stack([x - 4 + 1.7 * np.cos(turn), y - 4 + 1.7 * np.sin(turn)], axis=1)
    page.shape(
        [(x - 8, y - 8), (x, y - 8), (x + 9, y + 1), (x + 1, y + 9), (x - 8, y)], hole,
        colour=colour,
    )  # fmt: skip


def _people(page: Page, x: float, y: float, colour: Paint) -> None:
    for dx, r, opacity in ((5.0, 2.8, 0.65), (-2.0, 3.6, 1.0)):
        page.disc(x + dx, y - 4.5, r, colour, opacity)
        turn = np.linspace(np.pi, 2 * np.pi, 20)
        arch = np.stack([np.cos(turn) * r * 1.8, np.sin(turn) * r * 1.9], axis=1)
        page.shape(np.add(arch, (x + dx, y + 7)), colour=colour, opacity=opacity)


def _bars(page: Page, x: float, y: float, colour: Paint) -> None:
    for i, tall in enumerate((7, 12, 16)):
        page.round(x - 8 + 6 * i, y + 8 - tall, 4, tall, 1, colour)


def _back(page: Page, x: float, y: float, colour: Paint) -> None:
    page.line([(x - 6, y - 3), (x + 4, y - 3), (x + 7, y), (x + 7, y + 3), (x + 4, y + 6),
               (x - 4, y + 6)], 2.4, colour)  # fmt: skip
    page.shape([(x - 9, y - 3), (x - 3, y - 8), (x - 3, y + 2)], colour=colour)


def _wheel(page: Page, x: float, y: float, colour: Paint) -> None:
    turn = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    reach = 6.6 + 2.0 * np.clip(3 * np.cos(8 * turn), -1, 1)
    cog = np.stack([x + np.cos(turn) * reach, y + np.sin(turn) * reach], axis=1)
    hole = np.stack([x + np.cos(turn) * 2.8, y + np.sin(turn) * 2.8], axis=1)
    page.shape(cog, hole, colour=colour)


def _bell(page: Page, x: float, y: float, colour: Paint) -> None:
    turn = np.linspace(np.pi, 2 * np.pi, 20)
    dome = np.stack([np.cos(turn) * 5.5, np.sin(turn) * 6.5 - 1], axis=1)
    foot = np.array([(5.5, 2), (7.5, 4.6), (-7.5, 4.6), (-5.5, 2)])
    page.shape(np.add(np.concatenate([dome, foot]), (x, y)), colour=colour)
    page.disc(x, y + 6.6, 1.9, colour)


def _lens(page: Page, x: float, y: float, colour: Paint) -> None:
    page.disc(x - 1, y - 1, 5.2, colour, ring=1.6)
    page.line([(x + 3, y + 3), (x + 6.5, y + 6.5)], 2, colour)


ICONS: dict[str, Callable[[Page, float, float, Paint], None]] = {
    "house": _house,
    "parcel": _parcel,
    "tag": _tag,
    "people": _people,
    "bars": _bars,
    "back": _back,
    "wheel": _wheel,
    "bell": _bell,
    "lens": _lens,
}
