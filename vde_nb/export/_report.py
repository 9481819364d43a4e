"""The HTML report: one page that holds everything it shows.

It is written twice: as a static page, which prints, which no browser can refuse to show and which
runs nothing; and, where that is wanted, with the panel's viewer in its place as soon as its script
has started. The viewer has no kernel and no network: what it shows is in the page.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

from vde_nb._draw import SEVERITY_COLOURS
from vde_nb._tags import ink
from vde_nb._text import escaped
from vde_nb._version import __version__
from vde_nb._write import write_atomically
from vde_nb.classify import SEVERITIES
from vde_nb.export import _interactive
from vde_nb.export._pictures import overview, thumbnails
from vde_nb.export._text import packaged
from vde_nb.viewer.payload import plan

if TYPE_CHECKING:
    from vde_nb.comparison import Anomaly, Comparison

__all__ = ["to_html"]

#: Without a viewer the browser is told to load nothing and run nothing, whatever gets in.
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
_TELLING = 6  # measurements shown of each anomaly
#: Thumbnails for so many anomalies; hundreds more would make a page no browser likes.
_THUMBNAILS = 100
#: Pictures with a longer side below this are shown enlarged, with their pixels left sharp.
_SMALL = 320
_VIEWS = (
    ("all", "All pictures"),
    ("reference", "Reference"),
    ("current", "Current"),
    ("heatmap", "Heatmap"),
)


def to_html(
    comparison: Comparison,
    path: str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
    interactive: bool = True,
) -> str:
    """Report as one self-contained HTML page.

    It loads nothing from anywhere. The interactive page holds the viewer of the panel: it needs
    no kernel and no network, threshold and wipe included. Pictures up to 2.4 megapixels are in it
    pixel for pixel, larger ones reduced to a longer side of 1600 pixels, both without losses; the
    heatmap is whole up to 64 megapixels. The static report is in it as well, reduced to at most
    1400 pixels: it is what is printed, and what is seen where scripts do not run. The page says
    how far pictures are reduced.

    Parameters
    ----------
    comparison
        What :func:`vde_nb.compare` returned.
    path
        Where to write it as well; see :func:`vde_nb._write.write_atomically`.
    overwrite
        Replace the file if it exists.
    interactive
        Put the viewer in; otherwise the page is smaller, and holds no scripts.

    Raises
    ------
    OutputError
        The file exists, or cannot be written.
    """
    text = _page(comparison, interactive=interactive)
    if path is not None:
        write_atomically(path, text, overwrite=overwrite)
    return text


def _page(comparison: Comparison, *, interactive: bool) -> str:
    title = escaped(_file_name(comparison.image_name))
    badges = "".join(
        f".{severity}{{background:{_css(fill)};color:{_css(ink(fill))}}}"
        for severity, fill in SEVERITY_COLOURS.items()
    )
    policy, styles = _POLICY, ""
    if interactive:
        policy, styles = _interactive.policy(), packaged("interactive.css") + _interactive.styles()
    head = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} \u00b7 vde-nb</title>
<style>
{packaged("report.css")}{badges}
{styles}</style>
</head>
<body>
"""
    foot = f"""
<footer>vde-nb {__version__} \u00b7 This page is complete in itself and loads nothing.</footer>
</body>
</html>
"""
    # Joined once: with a single letter beyond Latin-1, text takes two bytes for each of all.
    main = _live(comparison) if interactive else [_static(comparison)]
    return "".join([head, *main, foot])


def _static(comparison: Comparison) -> str:
    return f"""<main class="report">
{_header(comparison)}
{_summary(comparison)}
{_pictures(comparison)}
{_anomalies(comparison)}
{_details(comparison)}
</main>"""


def _live(comparison: Comparison) -> list[str]:
    """The viewer, and the static report: the latter gives way where the former has something.

    In parts, some of which are megabytes.
    """
    how = plan(*comparison.pair.shape)
    size = f"{how.width} \u00d7 {how.height} px"
    held = (
        f"The pictures are reduced to {how.base_width} \u00d7 {how.base_height} of {size}"
        if how.deep
        else f"The pictures are held in full size, {size}"
    )
    shown = f"""<main>
<div class="report">
{_header(comparison)}
{_summary(comparison)}
</div>
<div id="vde-root"></div>
<noscript><p class="note">Scripts are off: this is the static report.</p></noscript>
<p class="note when-live">{held}, without losses.</p>
<input type="checkbox" id="show-static" class="when-live">
<label for="show-static" class="when-live">Show what is printed, with the measurements behind \
every anomaly</label>
<div class="report static">
{_pictures(comparison)}
{_anomalies(comparison)}
</div>
<div class="report">
{_details(comparison)}
</div>
</main>
<script type="application/json" id="vde-data">"""
    script = f"""</script>
<script type="module">{_interactive.script()}</script>"""
    return [shown, _interactive.data(comparison), script]


def _header(comparison: Comparison) -> str:
    height, width = comparison.pair.shape
    return f"""<header>
<h1><bdi>{escaped(_file_name(comparison.image_name))}</bdi></h1>
<dl class="names">
<div><dt>Current</dt><dd><bdi>{escaped(comparison.image_name)}</bdi></dd></div>
<div><dt>Reference</dt><dd><bdi>{escaped(comparison.reference_name)}</bdi></dd></div>
<div><dt>Method</dt><dd>{escaped(comparison.method)}, {width} \u00d7 {height} px</dd></div>
</dl>
</header>"""


def _summary(comparison: Comparison) -> str:
    count = len(comparison.anomalies)
    by_severity = Counter(anomaly.severity for anomaly in comparison.anomalies)
    chips = "".join(
        f'<span class="chip {severity}">{by_severity[severity]} {severity}</span>'
        for severity in reversed(SEVERITIES)
        if by_severity[severity]
    )
    changed = f"{comparison.change_score_percent:.2f}\u202f%"
    hint = ""
    if not count and comparison.mask.any():  # the two numbers would seem to contradict each other
        least = comparison.settings.detect.min_area
        hint = f"all in regions under {least} px\u00b2"
    tiles = (
        ("Anomalies" if count != 1 else "Anomaly", str(count), chips or "no differences found"),
        ("Structural similarity", f"{comparison.ssim_score:.4f}", "SSIM, 1 = identical"),
        ("Changed", changed, hint or "of the pixels"),
    )
    return (
        '<section class="tiles" aria-label="Summary">'
        + "".join(
            f'<div class="tile"><p class="label">{label}</p><p class="value">{value}</p>'
            f'<p class="more">{more}</p></div>'
            for label, value, more in tiles
        )
        + "</section>"
    )


def _pictures(comparison: Comparison) -> str:
    pictures = overview(comparison)
    height, width = comparison.pair.shape
    size = f'width="{pictures.width}" height="{pictures.height}"'
    sharp = " sharp" if max(width, height) < _SMALL else ""
    inputs = "".join(
        f'<input type="radio" name="view" id="view-{view}"{" checked" if view == "all" else ""}>'
        f'<label for="view-{view}">{name}</label>'
        for view, name in _VIEWS
    )
    scale = (
        f"Reduced 1:{pictures.factor}, to {pictures.width} \u00d7 {pictures.height} of "
        f"{width} \u00d7 {height} px."
        if pictures.factor > 1
        else f"Embedded in full size, {width} \u00d7 {height} px."
    )
    legend = '<span class="legend">same<i></i>different</span>'
    figures = "".join(
        f'<figure class="{view}{sharp}"><img src="{source}" {size} alt="{caption}">'
        f"<figcaption>{caption}{more}</figcaption></figure>"
        for view, caption, more, source in (
            ("reference", "Reference", "", pictures.reference),
            ("current", "Current, annotated", "", pictures.current),
            ("heatmap", "Heatmap", legend, pictures.heatmap),
        )
    )
    return f"""<section class="views" aria-label="Pictures">
{inputs}
<div class="figures">{figures}</div>
<p class="note">{scale} With one picture chosen, the arrow keys flip between them.</p>
</section>"""


def _anomalies(comparison: Comparison) -> str:
    anomalies = comparison.anomalies
    if not anomalies:
        return ""
    rows = "".join(
        _row(anomaly, _pair(comparison, anomaly) if position < _THUMBNAILS else "")
        for position, anomaly in enumerate(anomalies)
    )
    note = ""
    if len(anomalies) > _THUMBNAILS:
        note = f'<p class="note">Pictures are shown for the first {_THUMBNAILS} of them.</p>'
    return f"""<section aria-label="Anomalies">
<h2>Anomalies</h2>
<table>
<thead><tr><th scope="col">#</th><th scope="col">Reference / current</th><th scope="col">Type</th>
<th scope="col">Severity</th><th scope="col" class="number">Score</th>
<th scope="col" class="number">Area</th><th scope="col">Box</th><th scope="col">Evidence</th></tr>
</thead>
<tbody>{rows}</tbody>
</table>
{note}
</section>"""


def _row(anomaly: Anomaly, pair: str) -> str:
    x, y, w, h = anomaly.box
    # The most telling come first; results.json has all of them.
    telling = islice(anomaly.evidence.items(), _TELLING)
    evidence = _list((name, _measure(value)) for name, value in telling)
    sure = f"<br>{anomaly.confidence:.0%} sure" if anomaly.confidence < 1 else ""
    said = "".join(f"<br>{escaped(words)}" for words in _review(anomaly))
    severity = escaped(anomaly.severity)
    return (
        f'<tr><th scope="row"><span class="chip {severity}">{anomaly.number}</span></th>'
        f'<td class="pair">{pair}</td>'
        f'<td data-label="Type"><bdi>{escaped(anomaly.type)}</bdi>{sure}{said}</td>'
        f'<td data-label="Severity">{severity}</td>'
        f'<td data-label="Score" class="number">{anomaly.score:.2f}</td>'
        f'<td data-label="Area" class="number">{anomaly.area:,} px\u00b2</td>'
        f'<td data-label="Box"><span class="box">{w} \u00d7 {h} px<br>at ({x}, {y})</span></td>'
        f'<td data-label="Evidence">{evidence}</td></tr>\n'
    )


def _review(anomaly: Anomaly) -> list[str]:
    """What a person said about an anomaly, in words."""
    words = [anomaly.verdict] if anomaly.verdict else []
    if anomaly.type_found != anomaly.type:
        words.append(f"found as {anomaly.type_found}")
    if anomaly.comment:
        words.append(f"\u201c{anomaly.comment}\u201d")
    return words


def _pair(comparison: Comparison, anomaly: Anomaly) -> str:
    made = thumbnails(comparison, anomaly)
    sharp = " sharp" if max(made.width, made.height) < _SMALL / 4 else ""
    left, top, width, height = made.frame
    frame = f"left:{left:.2f}%;top:{top:.2f}%;width:{width:.2f}%;height:{height:.2f}%"
    return (
        '<div class="crops">'
        + "".join(
            f'<span class="crop{sharp}"><img src="{source}" width="{made.width}" '
            f'height="{made.height}" alt="{name}, region {anomaly.number}">'
            f'<i style="{frame}"></i></span>'
            for name, source in (("Reference", made.reference), ("Current", made.current))
        )
        + "</div>"
    )


def _details(comparison: Comparison) -> str:
    settings = comparison.settings.to_dict()
    total = sum(comparison.timings.values())
    times = [(name, f"{ms:.1f} ms") for name, ms in comparison.timings.items()]
    folds = [
        ("Settings", _list((name, _value(value)) for name, value in settings.items())),
        ("Timings", _list([*times, ("total", f"{total:.1f} ms")])),
    ]
    if comparison.notes:
        notes = "".join(f"<li>{escaped(note)}</li>" for note in comparison.notes)
        folds.insert(0, (f"Notes ({len(comparison.notes)})", f"<ul>{notes}</ul>"))
    return "".join(
        f"<details><summary>{title}</summary>{content}</details>\n" for title, content in folds
    )


def _list(items: Iterable[tuple[str, str]]) -> str:
    inner = "".join(
        f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}</dd></div>" for name, value in items
    )
    return f'<dl class="values">{inner}</dl>'


def _measure(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def _file_name(name: str) -> str:
    """Last part of a path of any system, for a heading."""
    return re.split(r"[\\/]", name)[-1] or name


def _css(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
