"""The printed label of a carton on a packing line."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ._develop import Look
from ._noise import Noise
from ._paint import Canvas, Point, Stamp, text_width
from ._scene import Change, Pick, Scene

__all__ = ["SCENE"]

_INK = "#22262a"
_TEAL = "#0d5568"
_TURN = -1.4
_MIDDLE = (404.0, 304.0)
_W, _H = 600.0, 452.0


class _Sheet:
    """The label's own coordinates: origin at its top left corner, turned on the carton."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self._c, self._s = math.cos(math.radians(_TURN)), math.sin(math.radians(_TURN))

    def at(self, x: float, y: float) -> Point:
        u, v = x - _W / 2, y - _H / 2
        return _MIDDLE[0] + self._c * u - self._s * v, _MIDDLE[1] + self._s * u + self._c * v

    def rect(
        self, x: float, y: float, w: float, h: float, corner: float = 0, soft: float = 0
    ) -> Stamp:
        cx, cy = self.at(x + w / 2, y + h / 2)
        return self.canvas.rect(cx - w / 2, cy - h / 2, w, h, corner, _TURN, soft)

    def disc(
        self, x: float, y: float, rx: float, ry: float | None = None, soft: float = 0
    ) -> Stamp:
        return self.canvas.disc(*self.at(x, y), rx, ry, _TURN, soft)

    def shape(self, points: Sequence[Point], soft: float = 0.0) -> Stamp:
        return self.canvas.polygon([self.at(x, y) for x, y in points], soft)

    def line(self, points: Sequence[Point], width: float) -> Stamp:
        return self.canvas.stroke([self.at(x, y) for x, y in points], width)

    def text(
        self,
        text: str,
        x: float,
        y: float,
        h: float,
        w: float | None = None,
        font: str = "DejaVuSans-Bold",
    ) -> Stamp:
        wide = text_width(text, h, font) if w is None else w
        cx, cy = self.at(x + wide / 2, y + h / 2)
        stamp = self.canvas.text(text, cx - wide / 2, cy - h / 2, h, w, font, _TURN)
        # Ink spreads: without that, small print would look thin in linear light.
        return Stamp(stamp.top, stamp.left, 1 - (1 - np.clip(stamp.alpha, 0, 1)) ** 1.8)


def _ground(canvas: Canvas, noise: Noise) -> None:
    _carton(canvas, noise)
    sheet = _Sheet(canvas)
    paper = sheet.rect(0, 0, _W, _H, 7)
    canvas.shadow(paper, 0.8, 1.2, 1.4, 0.45)
    canvas.relief *= 0.35  # the flutes press through the label, but less
    canvas.fill(paper, "#eeece4", gloss=0.06, raised=1.2, lit=True)
    _panel(canvas, sheet, noise)
    _table(canvas, sheet)
    _barcode(canvas, sheet)
    _marks(canvas, sheet)


def _paint(canvas: Canvas, noise: Noise, pick: Pick, changed: bool) -> list[Change]:
    sheet = _Sheet(canvas)
    lost, wander, digit = pick.one(4, 2, 6), pick.one(17.0, -15.0), pick.one("7", "8")
    _brand(canvas, sheet)
    changes = []
    for index, line in enumerate(_INGREDIENTS):
        x, y = 24.0, 226.0 + 14.5 * index
        if changed and index == lost:
            changes.append(Change("missing_part", [sheet.rect(x - 1, y - 2, 246, 11)]))
        else:
            canvas.fill(sheet.text(line, x, y, 6.6, w=_WIDTHS[index], font="DejaVuSans"), _INK, 0.9)
    _date(canvas, sheet, digit if changed else "3")
    _food_icon(canvas, sheet, 318, 392)
    _bin_icon(canvas, sheet, 360 + (wander if changed else 0), 392 - (7 if changed else 0))
    if changed:
        changes += [
            Change("texture_change", [sheet.rect(30 + 10.8 * 4 - 1.5, 395, 12, 18)]),
            Change("moved", [sheet.rect(345, 375, 30, 34), sheet.rect(345 + wander, 368, 30, 34)]),
            Change("colour_change", [_faded(canvas, sheet, noise, pick.one(452.0, 330.0))]),
            Change("scratch", _scuff(canvas, sheet, noise, pick.jitter(20))),
        ]
    _print(canvas, sheet, noise)
    return changes


def _carton(canvas: Canvas, noise: Noise) -> None:
    """Brown corrugated board: flutes, fibres, specks of recycled paper."""
    y = canvas.y()
    flutes = np.asarray(
        np.sin(y * (2 * np.pi / 9.5) + 0.25 * noise.clouds(1, 300, 40, 0.5)), np.float32
    )
    tone = (
        1 + 0.04 * noise.clouds(2, 260, 6, 0.6) + 0.035 * noise.clouds(3, 7, 2, 0.8, stretch=0.25)
    )
    tone += 0.022 * flutes
    for channel, level in enumerate((0.40, 0.265, 0.155)):
        canvas.albedo[channel] = level * tone
    canvas.relief += 0.5 * flutes + 0.30 * noise.clouds(3, 7, 2, 0.8, stretch=0.25)
    canvas.relief += 1.4 * noise.clouds(4, 200, 12, 0.5)
    rng = noise.rng(5)
    for _ in range(260):
        px, py, turn = rng.uniform(-14, 814), rng.uniform(-14, 614), rng.normal(0, 0.6)
        size = rng.uniform(1.0, 4.0)
        fibre = canvas.stroke([(px, py), (px + size * np.cos(turn), py + size * np.sin(turn))], 0.5)
        canvas.fill(fibre, ("#6d4f2f", "#d9c09a")[int(rng.integers(2))], rng.uniform(0.3, 0.7))
    # The seam of two flaps, closed with clear tape.
    canvas.fill(canvas.rect(-30, 33, 860, 3, soft=0.6), "#4a321c", 0.8, raised=-3.0)
    tape = canvas.rect(-30, 8, 860, 50)
    canvas.multiply(tape, "#e9dfc8")
    canvas.fill(tape, gloss=0.30, raised=0.6)


def _brand(canvas: Canvas, sheet: _Sheet) -> None:
    """Paint the coloured head of the label."""
    head = sheet.rect(0, 0, 600, 104)
    canvas.fill(_clip(head, sheet.rect(0, 0, _W, _H, 7)), _TEAL, gloss=0.07)
    canvas.fill(sheet.rect(0, 104, 600, 5), "#d9962b")
    hills = [(24, 82), (50, 34), (62, 54), (74, 40), (98, 82)]
    canvas.fill(sheet.shape(hills), "#f3efe2")
    canvas.fill(sheet.shape([(24, 82), (50, 34), (56, 44), (44, 82)]), "#b9cfd2")
    canvas.fill(sheet.disc(88, 32, 7), "#e8b04a")
    canvas.fill(sheet.text("FJORDEN", 116, 28, 34, w=196, font="DejaVuSerif-Bold"), "#f6f2e7")
    canvas.fill(sheet.text("wild berry granola", 118, 77, 10.5, font="DejaVuSans"), "#d6e2df")
    canvas.fill(sheet.text("500 g", 500, 70, 17, font="DejaVuSans-Bold"), "#f6f2e7")
    canvas.fill(sheet.text("net weight", 500, 52, 7, font="DejaVuSans"), "#c9dad8")


def _panel(canvas: Canvas, sheet: _Sheet, noise: Noise) -> None:
    """Paint a printed picture of berries."""
    frame = sheet.rect(372, 126, 208, 122, 4)
    canvas.fill(frame, "#d8c7a4")
    rng = noise.rng(20)
    inside = [(376.0 + 200 * rng.random(), 134.0 + 106 * rng.random()) for _ in range(70)]
    for x, y in sorted(inside, key=lambda place: place[1]):
        r = rng.uniform(8, 15)
        dark, bright = (("#1f2b55", "#5a72b5"), ("#6d1226", "#d04a58"), ("#b98a4a", "#e9cf98"))[
            int(rng.choice(3, p=(0.45, 0.3, 0.25)))
        ]
        for size, dx, colour, weight in (
            (1.0, 0.0, dark, 1.0),
            (0.75, -0.18, bright, 0.45),
            (0.3, -0.38, "#ffffff", 0.4),
        ):
            ball = sheet.disc(
                x + dx * r,
                y + dx * r,
                r * size,
                r * size * 0.94,
                soft=0.4 if size == 1 else r * 0.16,
            )
            weightless = ball.times(frame.alpha_like(ball))
            if size == 1:
                canvas.multiply(
                    _clip(sheet.disc(x + 2, y + 3, r * 1.1, soft=2.5), frame), "#8a7a60", 0.6
                )
            canvas.fill(weightless, colour, weight)


def _clip(stamp: Stamp, frame: Stamp) -> Stamp:
    return stamp.times(frame.alpha_like(stamp))


_INGREDIENTS = (
    "INGREDIENTS: whole grain oats (58 %), sugar,",
    "sunflower oil, rice flour, freeze dried berries",
    "in varying proportions (6 %): strawberries,",
    "raspberries, blueberries, black currants;",
    "honey, coconut flakes, barley malt extract,",
    "cinnamon, sea salt, natural flavouring,",
    "emulsifier: sunflower lecithin. May contain",
    "traces of nuts, milk and sesame. Store in a",
    "cool, dry place and close after use.",
)
_WIDTHS = (243, 240, 226, 214, 236, 206, 234, 240, 198)


def _table(canvas: Canvas, sheet: _Sheet) -> None:
    """Claims, serving hints and the table of nutrients."""
    canvas.fill(
        sheet.text("Crunchy. Honest. Nordic.", 24, 128, 17, w=318, font="DejaVuSerif-Bold"), _TEAL
    )
    for i, line in enumerate(
        (
            "Slowly baked oats with berries from northern forests.",
            "Serve with milk, yoghurt, or simply by the handful.",
            "No palm oil. Source of fibre. Suitable for vegetarians.",
        )
    ):
        canvas.fill(sheet.text(line, 24, 160 + 16.0 * i, 7.6, font="DejaVuSans"), _INK, 0.85)
    canvas.fill(sheet.line([(24, 211), (346, 211)], 0.8), _INK, 0.8)
    rows = (
        ("per 100 g", ""),
        ("energy", "1874 kJ"),
        ("fat", "16.2 g"),
        ("carbohydrate", "61.0 g"),
        ("of which sugars", "19.4 g"),
        ("fibre", "7.3 g"),
        ("protein", "9.1 g"),
        ("salt", "0.45 g"),
    )
    for i, (left, right) in enumerate(rows):
        y = 262.0 + 12.4 * i
        face = "DejaVuSans-Bold" if i == 0 else "DejaVuSans"
        canvas.fill(sheet.text(left, 400, y, 6.2, font=face), _INK, 0.9)
        if right:
            w = text_width(right, 6.2, "DejaVuSans")
            canvas.fill(sheet.text(right, 562 - w, y, 6.2, font="DejaVuSans"), _INK, 0.9)
        canvas.fill(sheet.line([(396, y + 9.4), (566, y + 9.4)], 0.5), _INK, 0.7)


def _barcode(canvas: Canvas, sheet: _Sheet) -> None:
    rng = np.random.Generator(np.random.PCG64(13))
    x, bars = 428.0, 0
    while x < 560:
        width = float(rng.choice([1.35, 2.7, 4.05], p=(0.55, 0.3, 0.15)))
        tall = 58 if bars in (0, 1, 15, 16) or x > 551 else 52
        canvas.fill(sheet.rect(x, 372, width, tall), "#16181a", 0.96)
        x += width + float(rng.choice([1.35, 2.7, 4.05], p=(0.6, 0.3, 0.1)))
        bars += 1
    for text, at in (("7", 417.0), ("038010", 436.0), ("492357", 500.0)):
        canvas.fill(sheet.text(text, at, 427, 8.0, font="DejaVuSansMono"), "#16181a")


def _marks(canvas: Canvas, sheet: _Sheet) -> None:
    """Printer's colour bar, register cross, e-mark, frame of the date."""
    for i, colour in enumerate(("#1b9ad6", "#d4227d", "#f2d21b", "#26282b", _TEAL, "#d9962b")):
        canvas.fill(sheet.rect(24 + 15 * i, 432, 13, 9), colour)
    canvas.fill(sheet.line([(122, 436), (134, 436)], 0.7), _INK)
    canvas.fill(sheet.line([(128, 430), (128, 442)], 0.7), _INK)
    canvas.fill(sheet.text("best before / lot", 24, 376, 6.6, font="DejaVuSans"), _INK, 0.85)
    box = [(22.0, 386.0), (280.0, 386.0), (280.0, 422.0), (22.0, 422.0), (22.0, 386.0)]
    canvas.fill(sheet.line(box, 0.7), _INK, 0.6)


def _date(canvas: Canvas, sheet: _Sheet, digit: str) -> None:
    """Date and lot, put on by an ink jet: letters made of dots, a little uneven."""
    # Fixed cells, one per letter, so that a changed digit moves nothing else.
    for i, char in enumerate(f"12.0{digit}.2027 L0817B 14:22"):
        if char == " ":
            continue
        letter = sheet.text(
            char, 30 + 10.8 * i, 398 + 0.8 * math.sin(i), 12.5, font="DejaVuSansMono-Bold"
        )
        rows, columns = letter.window
        y, x = np.mgrid[rows, columns].astype(np.float32)
        dots = 0.95 + 0.45 * np.sin(x * 1.45) * np.sin(y * 1.45)
        canvas.fill(letter.times(np.asarray(np.clip(dots, 0.6, 1), np.float32)), "#15161f", 0.97)


def _food_icon(canvas: Canvas, sheet: _Sheet, x: float, y: float) -> None:
    """Glass and fork: fit for food."""
    for points in (
        [(-9, -12), (-1, -12), (-2, 0), (-8, 0)],
        [(-6, 0), (-4, 0), (-4, 10), (-6, 10)],
        [(-9, 10), (-1, 10), (-1, 12), (-9, 12)],
        [(5, -2), (8, -2), (8, 12), (5, 12)],
        [(2, -12), (3.5, -12), (3.5, -2), (2, -2)],
        [(5.7, -12), (7.2, -12), (7.2, -2), (5.7, -2)],
        [(9.5, -12), (11, -12), (11, -2), (9.5, -2)],
        [(2, -4), (11, -4), (11, -1), (2, -1)],
    ):
        canvas.fill(sheet.shape([(x + a, y + b) for a, b in points]), _INK, 0.92)


def _bin_icon(canvas: Canvas, sheet: _Sheet, x: float, y: float) -> None:
    """Paint the symbol of a person who uses a bin."""
    canvas.fill(sheet.disc(x - 7, y - 13, 3.4), _INK, 0.92)
    for points in (
        [
            (-11, -8),
            (-3, -8),
            (5, -3),
            (3.4, -1),
            (-4, -4),
            (-5, 14),
            (-8, 14),
            (-8, 3),
            (-10, 14),
            (-13, 14),
        ],
        [(3, 2), (13, 2), (11.6, 14), (4.4, 14)],
    ):
        canvas.fill(sheet.shape([(x + a, y + b) for a, b in points]), _INK, 0.92)


def _print(canvas: Canvas, sheet: _Sheet, noise: Noise) -> None:
    """Paint what paper does to all that is printed on it: mottle."""
    paper = sheet.rect(0, 0, _W, _H, 7)
    rows, columns = paper.window
    mottle = 1 + 0.018 * noise.clouds(30, 12, 2, 0.8) + 0.018 * noise.clouds(31, 180, 8, 0.6)
    canvas.albedo[:, rows, columns] *= 1 + (mottle[rows, columns] - 1) * paper.alpha
    canvas.albedo[:, rows, columns] += 0.004 * paper.alpha


# -- what may go wrong -----------------------------------------------------------------------


def _faded(canvas: Canvas, sheet: _Sheet, noise: Noise, x: float) -> Stamp:
    """Paint what a low ink leaves: part of the brand block, pale and streaky."""
    area = sheet.rect(x - 32, -1, 70, 106, 0, soft=2.5)
    rows, columns = area.window
    streaks = noise.clouds(40, 9, 2, 0.6, stretch=6.0)[rows, columns]
    thin = Stamp(
        area.top,
        area.left,
        np.asarray(np.clip(area.alpha * (0.42 + 0.13 * streaks), 0, 0.8), np.float32),
    )
    canvas.fill(thin, "#a9c6c4")
    return sheet.rect(x - 34, 0, 74, 104)


def _scuff(canvas: Canvas, sheet: _Sheet, noise: Noise, jitter: float) -> list[Stamp]:
    """Something sharp went over the picture: paper fibres show, one edge stands up."""
    rng = noise.rng(50)
    along = np.linspace(0, 1, 14)
    path = [(402 + jitter + 128 * t, 232 - 70 * t - 22 * t * t + rng.normal(0, 0.9)) for t in along]
    press = 0.9 + 1.9 * np.sin(np.pi * along) ** 0.8 + rng.normal(0, 0.25, 14)
    fine = np.array([sheet.at(x, y) for x, y in path])
    gash = canvas.stroke(fine, press, soft=0.3)
    canvas.fill(gash, "#f4f1e8", 0.92, gloss=0.0, raised=-1.6)
    canvas.fill(
        canvas.stroke(np.add(fine, (0.0, press.max() * 0.55)), 0.6, soft=0.25), "#6b6257", 0.55
    )
    return [canvas.stroke(fine, press + 2.0)]


SCENE = Scene(
    key=4,
    size=(800, 600),
    description="The label of a carton with a missing line, a wrong digit, a misplaced symbol, "
    "faded ink and a scratch.",
    look=Look(
        sun=(-0.4, -0.75, 1.0),
        ambient=0.45,
        bump=0.8,
        sharpness=4,
        exposure=1.18,
        falloff=(0.28, 0.16),
        tint=(1.0, 0.985, 0.95),
        grain=3.5,
    ),
    ground=_ground,
    paint=_paint,
)
