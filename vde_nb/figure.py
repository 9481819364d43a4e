"""Pictures of a comparison: the annotated picture, the five-panel figure, the notebook's HTML."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._bands import for_each_band
from vde_nb._buffers import empty
from vde_nb._draw import (
    SEVERITY_COLOURS,
    by_severity,
    by_type,
    draw,
    draw_reduced,
    reduce_picture,
    type_colour,
)
from vde_nb._tags import Colour, ink
from vde_nb._text import escaped
from vde_nb.errors import SettingError
from vde_nb.settings import nearest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vde_nb.comparison import Anomaly, Comparison

__all__ = ["SEVERITY_COLOURS", "annotated", "notebook_html", "plot", "type_colour"]

UInt8 = npt.NDArray[np.uint8]

#: Brightness left to what was not compared.
_DIM = 0.45
_BAND_ROWS = 128
#: What `colour_by` may be.
_COLOURS = {"severity": by_severity, "type": by_type}

#: Sides of the picture in a notebook, in pixels: wide as an output cell, high as a screen or two.
_NOTEBOOK_WIDTH, _NOTEBOOK_HEIGHT = 900, 1200
#: A PNG up to this many bytes is shown as it is; JPEG blurs lines and letters.
_PNG_LIMIT = 150_000
#: Largest JPEG in bytes. Base64 makes 4/3 of it; with the table that stays below 300 kB.
_JPEG_LIMIT = 195_000
#: Rows of the table in a notebook.
_ROWS = 50
#: Heads of its columns, and the side their cells are aligned to.
_COLUMNS = (
    ("#", "left"),
    ("Type", "left"),
    ("Severity", "left"),
    ("Score", "right"),
    ("Area", "right"),
    ("Position", "right"),
    ("Size", "right"),
)
_NOTHING = "No differences found"


def annotated(
    comparison: Comparison,
    *,
    opacity: float = 0.2,
    outlines: bool = True,
    boxes: bool = True,
    labels: bool = True,
    colour_by: str = "severity",
) -> UInt8:
    """Draw the anomalies into a copy of the current picture.

    What was not compared (ignored, or not shown by the current picture) is darkened. Anomalies
    that a review rejected are not drawn.

    Parameters
    ----------
    comparison
        What :func:`vde_nb.compare` returned.
    opacity
        Share of colour in the tint over a region, from 0 (no tint) to 1.
    outlines
        Draw a line along the region's border.
    boxes
        Draw the bounding box, at a small distance from the region.
    labels
        Draw a tag with number, type and severity. With many anomalies, or in a small picture,
        tags are shortened to the number: together they cover at most an eighth of the picture,
        they don't overlap, and one that finds no place is left out, the least severe first.
    colour_by
        ``"severity"``, or ``"type"``: one of eight colours, always the same for a name, so that
        two types may share one.

    Returns
    -------
    ndarray
        ``(H, W, 3)`` uint8 RGB, a new array.

    Raises
    ------
    SettingError
        An option has a value that is not allowed.
    """
    _check_options(opacity, colour_by, outlines=outlines, boxes=boxes, labels=labels)
    picture = _dimmed(comparison.current, comparison.valid)
    draw(
        picture,
        [one for one in comparison.anomalies if one.verdict != "rejected"],
        _COLOURS[colour_by],
        opacity=float(opacity),
        outlines=outlines,
        boxes=boxes,
        labels=labels,
    )
    return picture


def _dimmed(current: UInt8, valid: npt.NDArray[np.bool_] | None) -> UInt8:
    """A copy, in which what is not valid is darkened."""
    height, width = current.shape[:2]
    out: UInt8 = empty(current.shape, np.uint8)
    darker = (np.arange(256) * _DIM).astype(np.uint8)

    def band(first: int, end: int) -> None:
        out[first:end] = current[first:end]
        if valid is not None and not valid[first:end].all():
            left_out = ~valid[first:end]
            out[first:end][left_out] = darker[current[first:end][left_out]]

    for_each_band(band, height, width, _BAND_ROWS)
    return out


def _check_options(opacity: float, colour_by: str, **switches: bool) -> None:
    is_number = isinstance(opacity, (int, float, np.number)) and not isinstance(opacity, bool)
    if not is_number or not 0 <= opacity <= 1:
        raise SettingError(f"opacity={opacity!r} is not allowed: number from 0 to 1.")
    for name, value in switches.items():
        if not isinstance(value, (bool, np.bool_)):
            raise SettingError(f"{name}={value!r} is not allowed: true or false.")
    if not isinstance(colour_by, str) or colour_by not in _COLOURS:
        close = nearest(colour_by, _COLOURS)
        hint = f" Did you mean {close}?" if close else ""
        choices = ", ".join(map(repr, _COLOURS))
        raise SettingError(f"colour_by={colour_by!r} is not allowed: one of {choices}.{hint}")


def plot(comparison: Comparison) -> Figure:
    """Plot the five panels of the published notebooks, and a summary.

    Reference, current, combined difference map, aggregated mask and annotated output. The
    background is transparent and the text grey, to be read in light and in dark themes.

    Parameters
    ----------
    comparison
        What :func:`vde_nb.compare` returned.

    Returns
    -------
    matplotlib.figure.Figure
        As the last value of a notebook cell it shows itself, once. pyplot does not know it:
        ``plt.show()`` will not show it, and ``plt.close()`` need not be called. Write it to a
        file with its ``savefig``.
    """
    from vde_nb._plot import five_panels

    return five_panels(comparison)


def notebook_html(comparison: Comparison) -> str:
    """Make what a notebook shows for a comparison: annotated picture, table and notes.

    It is static and holds everything it needs: no script, no style sheet, no link. So it looks
    the same in a re-opened notebook and in viewers, and follows the page's theme.

    Parameters
    ----------
    comparison
        What :func:`vde_nb.compare` returned.

    Returns
    -------
    str
        HTML below 300 kB, with at most 50 rows of anomalies. Names and notes are escaped.
    """
    anomalies = comparison.anomalies
    parts = [_headline(comparison), _picture(comparison)]
    if anomalies:
        parts.append(_table(anomalies[:_ROWS]))
    if len(anomalies) > _ROWS:
        parts.append(f"<p>\u2026 and {len(anomalies) - _ROWS} more</p>")
    if comparison.notes:
        notes = "".join(f"<li>{escaped(note)}</li>" for note in comparison.notes)
        parts.append(f'<p style="margin:8px 0 0 0">Notes</p><ul style="margin:0">{notes}</ul>')
    return (
        f'<div style="max-width:{_NOTEBOOK_WIDTH}px;overflow-wrap:anywhere">{"".join(parts)}</div>'
    )


def _headline(comparison: Comparison) -> str:
    count = len(comparison.anomalies)
    found = f"{count} {'anomaly' if count == 1 else 'anomalies'}" if count else _NOTHING
    changed = f"{comparison.change_score_percent:.2f} % changed"
    if not count and comparison.mask.any():
        # Otherwise the two statements seem to contradict each other.
        changed += f", all in regions under {comparison.settings.detect.min_area} px\u00b2"
    return (
        f'<p style="margin:0"><strong>{found}</strong> \u00b7 '
        f"SSIM {comparison.ssim_score:.4f} \u00b7 {changed} \u00b7 {escaped(comparison.method)}</p>"
        f'<p style="margin:0 0 6px 0"><small>{escaped(comparison.image_name)} compared with '
        f"{escaped(comparison.reference_name)}</small></p>"
    )


def _picture(comparison: Comparison) -> str:
    height, width = comparison.pair.shape
    factor = math.ceil(max(width / _NOTEBOOK_WIDTH, height / _NOTEBOOK_HEIGHT))
    _, picture = draw_reduced(comparison, by_severity, factor)
    kind, data = _encode(picture)
    count = len(comparison.anomalies)
    what = f"{count} marked" if count else _NOTHING.lower()
    return (
        f'<img alt="{escaped(comparison.image_name)}: {what}" '
        f'src="data:image/{kind};base64,{base64.b64encode(data).decode()}" '
        'style="max-width:100%;height:auto">'
    )


def _encode(picture: UInt8) -> tuple[str, bytes]:
    """PNG while it is small, else the best JPEG that is small enough."""
    bgr = picture[..., ::-1]
    png = cv2.imencode(".png", bgr)[1]
    if png.size <= _PNG_LIMIT:
        return "png", png.tobytes()
    for quality in (85, 75, 60, 45, 30):
        jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        if jpeg.size <= _JPEG_LIMIT:
            return "jpeg", jpeg.tobytes()
    # Noise, which no quality makes small.
    return _encode(reduce_picture(picture, 2))


def _table(anomalies: Sequence[Anomaly]) -> str:
    head = "".join(
        f'<th scope="col" style="text-align:{side};padding:2px 10px">{name}</th>'
        for name, side in _COLUMNS
    )
    body = "".join(f"<tr>{_row(anomaly)}</tr>" for anomaly in anomalies)
    return (
        '<table style="margin:8px 0 0 0"><thead>'
        f"<tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _row(anomaly: Anomaly) -> str:
    fill = by_severity(anomaly)
    chip = (
        '<span style="display:inline-block;min-width:1.6em;padding:0 4px;border-radius:3px;'
        f"text-align:center;background-color:{_css(fill)};color:{_css(ink(fill))}"
        f'">{anomaly.number}</span>'
    )
    x, y, w, h = anomaly.box
    cells = (
        chip,
        escaped(anomaly.type),
        escaped(anomaly.severity),
        f"{anomaly.score:.2f}",
        f"{anomaly.area} px\u00b2",
        f"({x}, {y})",
        f"{w} \u00d7 {h}",
    )
    return "".join(
        f'<td style="text-align:{side};padding:2px 10px">{cell}</td>'
        for cell, (_, side) in zip(cells, _COLUMNS, strict=True)
    )


def _css(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
