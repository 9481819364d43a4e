"""The page about a run, ``index.html``: what it came to, and a table of its pairs, worst first.

It is complete without scripts: a static table of the worst pairs. Its script, which is let run by
its hash, sorts and filters all of them, which stand in the page as JSON that is never run. No text
from outside is ever markup, and no address in the page is text from outside: those of thumbnails
and reports are made of ids and of names of files that a run writes.

Markup of a row is made twice, by :func:`vde_nb.batch._page_rows.static_row` and by ``summary.mjs``:
each says so, and a test in a browser holds one against the other.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
import json
import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from vde_nb._draw import SEVERITY_COLOURS
from vde_nb._tags import ink
from vde_nb._text import escaped
from vde_nb._version import __version__
from vde_nb.batch._page_parts import css_colour, details, header, overview, tiles
from vde_nb.batch._page_rows import LINKS, Words, attribute, given, static_row, tells_ways
from vde_nb.batch._row import SEVERITIES, Row
from vde_nb.batch._summary import worst_first
from vde_nb.export._text import packaged

if TYPE_CHECKING:
    from vde_nb.batch.run import Run

__all__ = ["page"]

#: Rows in the page at most, and in the table that is seen where scripts do not run; with
#: scripts, as many at a time.
_MOST, _STATIC = 20_000, 200
#: Columns: key to sort by, head, whether it holds numbers.
_COLUMNS = (
    ("number", "#", True),
    ("", "Reference / current", False),
    ("name", "Pair", False),
    ("result", "Result", False),
    ("anomalies", "Anomalies", False),
    ("types", "Types", False),
    ("change", "Changed", True),
    ("ssim", "SSIM", True),
    ("score", "Score", True),
    ("largest", "Largest", True),
    ("", "Files", False),
)
_HINTS = {"score": "Of the worst place: 1 is the level of what counts as unchanged"}
#: Characters that could end the element, or that JavaScript takes for a line break.
_UNSAFE = {ord(one): f"\\u{ord(one):04x}" for one in "<>&\u2028\u2029"}


def page(run: Run, path: str | os.PathLike[str] | None = None) -> str:
    """Make the page.

    Parameters
    ----------
    run
        What it is about.
    path
        Where it will be: links lead from there. None: in the folder of the run.

    Returns
    -------
    str
        HTML.
    """
    prefix = _prefix(run.folder, path)
    words, packed, body = Words(), list[str](), list[str]()
    source = str(run.manifest.get("source") or "")
    for row in _shown(run):
        ways = tells_ways(row, source)
        packed.append(_json(words.pack(row, ways)))
        if len(body) < _STATIC:
            body.append(static_row(row, prefix, ways))
    severe = "".join(
        f".{name}{{background:{css_colour(fill)};color:{css_colour(ink(fill))}}}"
        f".bar .{name}{{fill:{css_colour(fill)}}}\n"
        for name, fill in SEVERITY_COLOURS.items()
    )
    style = f"\n{packaged('report.css')}{_own('summary.css')}{severe}"
    script = f"\n{_own('summary.mjs')}"
    data = (
        f'{{"prefix":{_json(prefix)},"links":{_json(LINKS)},"static":{len(body)},'
        f'"words":{_json(words.listed)},"rows":[{",".join(packed)}]}}'
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_policy(style, script)}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escaped(run.folder.name)} \u00b7 vde-nb</title>
<style>{style}</style>
</head>
<body>
<main class="report run">
{header(run)}
{tiles(run)}
{overview(run)}
{_pairs(run, body, len(packed))}
{details(run)}
</main>
<footer>vde-nb {__version__} \u00b7 This page loads nothing but the thumbnails beside it.</footer>
<script type="application/json" id="run-data">{data.translate(_UNSAFE)}</script>
<script type="module">{script}</script>
</body>
</html>
"""


def _policy(style: str, script: str) -> str:
    """Content security policy: our style, our script, pictures of where the page is from.

    Measured in Chromium: from a disk ``'self'`` lets pictures of files load, from a server those
    of that server, and neither anything else.
    """
    return (
        f"default-src 'none'; img-src 'self'; style-src {_digest(style)}; "
        f"script-src {_digest(script)}; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _own(name: str) -> str:
    from importlib import resources

    return resources.files("vde_nb.batch").joinpath(name).read_text("utf-8")


def _prefix(folder: Path, path: str | os.PathLike[str] | None) -> str | None:
    """What stands before ``pairs/…`` in links of a page at `path`; None: they lead nowhere."""
    if path is None:
        return ""
    try:
        way = os.path.relpath(folder.resolve(), Path(path).expanduser().resolve().parent)
    except (OSError, ValueError, RuntimeError):  # another drive
        return None
    return "" if way == "." else "".join(f"{quote(os.fsencode(part))}/" for part in Path(way).parts)


def _shown(run: Run) -> Iterator[Row]:
    """The worst rows, worst first, without what the page does not show."""
    left_out = ("size", "outlined_by", "described_by", "method")

    def kept(row: Row) -> Row:
        return {key: row[key] for key in row if key not in left_out} | {"given": dict(given(row))}

    # as text, of which ten thousand take a fifth of the memory
    small = ((worst_first(row), _json(kept(row))) for row in run.rows())
    for _, text in heapq.nsmallest(_MOST, small):
        yield json.loads(text)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _pairs(run: Run, body: list[str], shown: int) -> str:
    total = len(run)
    if not total:
        return '<p class="note">No pair has been compared so far.</p>'
    heads = "".join(
        f'<th scope="col"{attribute("data-sort", key)}'
        f"{attribute('class', 'number' if number else '')}{attribute('title', _HINTS.get(key, ''))}"
        f">{name}</th>"
        for key, name, number in _COLUMNS
    )
    left_out = ""
    if total > shown:
        left_out = (
            f'<p class="note">The page holds the worst {shown:,} of {total:,} pairs; '
            "results.csv beside it has all of them.</p>"
        )
    rest = ""
    if shown > _STATIC:
        rest = (  # not a <noscript>: scripts may also be blocked
            f'<p class="note" id="unscripted">Without scripts, these are the worst {_STATIC} '
            "pairs; results.csv beside this page has all of them.</p>"
        )
    return f"""<section aria-label="Pairs">
<h2 id="pairs">Pairs</h2>
{_filters(run)}
{left_out}{rest}
<table class="pairs" aria-labelledby="pairs">
<thead><tr>{heads}</tr></thead>
<tbody>
{"".join(body)}</tbody>
</table>
<div id="pager" class="pager" hidden><button type="button">Previous</button> <span></span> \
<button type="button">Next</button></div>
</section>"""


def _filters(run: Run) -> str:
    """Controls for the script, which shows them."""
    verdicts = [("pass", "Passed"), ("fail", "Failed")] if run.rule else []
    states = [(name, name.capitalize()) for name in ("changed", "clean", "error")]
    if run.tally.unlike:
        states.append(("unlike", "Other scene?"))
    grades = [(name, f"Has {name}") for name in reversed(SEVERITIES)]
    types = [(name, name) for name in list(run.types)[:200]]
    chosen = "".join(
        _select(name, label, every, options)
        for name, label, every, options in (
            ("status", "Status", "All states", states),
            ("verdict", "Verdict", "All verdicts", verdicts),
            ("severity", "Severity", "Any severity", grades),
            ("type", "Type", "Any type", types),
        )
        if options
    )
    return f"""<div class="filters" hidden>
<input type="search" id="search" placeholder="Search names, columns, types, errors" \
aria-label="Search names, columns, types and errors" autocomplete="off" spellcheck="false">
{chosen}<button type="button" id="worst" aria-pressed="true">Worst first</button>
<button type="button" id="reset" disabled>Clear</button>
<output id="shown"></output>
</div>"""


def _select(name: str, label: str, every: str, options: Iterable[tuple[str, str]]) -> str:
    listed = "".join(
        f'<option value="{escaped(value)}">{escaped(text)}</option>' for value, text in options
    )
    return (
        f'<select id="{name}" aria-label="{label}"><option value="">{every}</option>'
        f"{listed}</select>\n"
    )
