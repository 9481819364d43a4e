"""Parts of the page about a run that do not change with the rows shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from vde_nb._text import escaped
from vde_nb.batch._row import SEVERITIES

if TYPE_CHECKING:
    from vde_nb.batch.run import Run

__all__ = [
    "css_colour",
    "details",
    "duration",
    "expected",
    "header",
    "outcome",
    "overview",
    "tiles",
]

_BARS = 8  # types with a bar of their own


def css_colour(colour: tuple[int, int, int]) -> str:
    """A colour as CSS has it.

    >>> css_colour((255, 0, 16))
    '#ff0010'
    """
    return "#{:02x}{:02x}{:02x}".format(*colour)


def duration(seconds: float) -> str:
    """A duration for people.

    >>> [duration(one) for one in (0.0042, 0.84, 12.3, 75, 7384)]
    ['4 ms', '840 ms', '12.3 s', '1 min 15 s', '2 h 3 min']
    """
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min"


def expected(run: Run) -> int:
    """Pairs that the run was to compare, as far as is known: more than it has where it stopped."""
    return max(run.tally.total, _count(run.manifest.get("total")))


def _count(value: Any) -> int:
    """A number of a manifest that anybody may have written; 0 for what is none."""
    known = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return value if known else 0


def outcome(run: Run) -> tuple[str, str, str]:
    """How the run ended: ``"pass"``, ``"fail"`` or ``""``; in a word; in words. None is HTML."""
    tally = run.tally
    parts = []
    missing, others = expected(run) - tally.total, ""
    if missing:
        are = "is" if missing == 1 else "are"
        others = f"; {missing:,} of {expected(run):,} pairs {are} not compared yet"
    if tally.unlike:
        do = "pair does" if tally.unlike == 1 else "pairs do"
        others += f"; {tally.unlike:,} {do} not look like the same scene"
    if alone := _count(run.manifest.get("unpaired")):
        others += f"; {alone:,} {'picture has' if alone == 1 else 'pictures have'} no partner"
    bad = tally.failed - tally.errors
    if bad > 0:
        parts.append(f"{bad:,} {'fails' if bad == 1 else 'fail'} by the rule")
    if tally.errors:
        parts.append(f"{tally.errors:,} could not be compared")
    if parts:
        return "fail", "Failed", " and ".join(parts) + others
    if not tally.total:
        return "", "Nothing", "no pair has been compared so far"
    if missing:
        return "", "Incomplete", others.removeprefix("; ")
    if run.rule:
        return "pass", "Passed", f"every pair passes the rule{others}"
    return "", "Done", f"every pair was compared{others}"


def header(run: Run) -> str:
    """Name of the run, how it ended, and what it was made of."""
    manifest = run.manifest
    kind, label, words = outcome(run)
    state = ""
    if run.state != "finished":
        state = f'<span class="state unfinished">{escaped(run.state)}</span>'
    method = str(manifest.get("method") or "")
    if manifest.get("preset") not in (None, "default"):
        method += f", preset {manifest['preset']}"
    facts = (
        ("Pairs from", manifest.get("source")),
        ("Method", method),
        ("Rule", run.rule),
        ("Started", _moment(manifest.get("started"))),
    )
    listed = "".join(
        f"<div><dt>{name}</dt><dd><bdi>{escaped(value)}</bdi></dd></div>"
        for name, value in facts
        if value
    )
    return f"""<header>
<h1><bdi>{escaped(run.folder.name)}</bdi></h1>
<p class="outcome"><span class="verdict {kind}">{label}</span>{state} {escaped(words)}</p>
<dl class="names">{listed}</dl>
</header>"""


def _moment(value: Any) -> str:
    """A moment in ISO 8601 as people read it."""
    return str(value or "").replace("T", " ").replace("+00:00", " UTC")


def tiles(run: Run) -> str:
    """The large numbers."""
    tally, took = run.tally, run.timings()
    whole, unpaired = expected(run), _count(run.manifest.get("unpaired"))
    more = f"{tally.clean:,} clean"
    if tally.copies:
        are = "is" if tally.copies == 1 else "are"
        more = f"{tally.copies:,} {are} identical to another pair, computed once"
    if whole > tally.total:
        more = f"{whole - tally.total:,} not compared yet"
    share = f"{tally.changed / tally.total:.1%} of all" if tally.total else ""
    shown = [
        ("Pairs", f"{tally.total:,}" + (f" of {whole:,}" if whole > tally.total else ""), more),
        ("Changed", f"{tally.changed:,}", share),
        ("Anomalies", f"{tally.anomalies:,}", "in all pairs together"),
    ]
    if run.rule:
        shown.append(("Failed", f"{tally.failed:,}", "by the rule, errors included"))
    again = f"resuming tries {f'{tally.retry:,}' if tally.retry else 'none'} of them again"
    shown.append(("Errors", f"{tally.errors:,}", again if tally.errors else "all were compared"))
    if tally.unlike:
        shown.append(("Other scene?", f"{tally.unlike:,}", "pairs do not look like the same scene"))
    if unpaired:
        shown.append(("Without partner", f"{unpaired:,}", "pictures; the notes name them"))
    if took["elapsed"]:
        speed = took["pairs_per_second"]
        pace = "" if speed is None else f"{speed:.3g} pairs per second"
        shown.append(("Time", duration(took["elapsed"]), pace))
    return (
        '<section class="tiles" aria-label="Summary">'
        + "".join(
            f'<div class="tile"><p class="label">{label}</p><p class="value">{value}</p>'
            f'<p class="more">{more}</p></div>'
            for label, value, more in shown
        )
        + "</section>"
    )


def overview(run: Run) -> str:
    """Bars of severities and of the most frequent types."""
    tally = run.tally
    if not tally.anomalies:
        return ""
    grades = [(name, tally.severities[name], tally.with_severity[name]) for name in SEVERITIES]
    types = [(name, count, tally.with_type[name]) for name, count in run.types.items()]
    more = ""
    if len(types) > _BARS:
        rest = sum(count for _, count, _ in types[_BARS:])
        more = f'<p class="note">and {len(types) - _BARS} more types, {rest:,} anomalies</p>'
    return (
        '<section class="charts" aria-label="Anomalies by severity and type">'
        f"{_chart('Severity', 'severity', reversed(grades), '')}"
        f"{_chart('Type', 'type', types[:_BARS], more)}</section>"
    )


def _chart(title: str, what: str, bars: Iterable[tuple[str, int, int]], more: str) -> str:
    bars = list(bars)
    most = max((count for _, count, _ in bars), default=1) or 1
    lines = "".join(
        f'<tr data-filter="{what}" data-value="{escaped(name)}">'
        f'<th scope="row"><bdi>{escaped(name)}</bdi></th><td class="bar">'
        # percentages in attributes: a style would need another hole in the policy
        f'<svg width="100%" height="12" aria-hidden="true"><rect width="{100 * count / most:.2f}%" '
        f'height="12" rx="3" class="{escaped(name) if what == "severity" else "plain"}"/></svg>'
        f'</td><td class="number">{count:,}</td>'
        f'<td class="number soft">{pairs:,} {"pair" if pairs == 1 else "pairs"}</td></tr>'
        for name, count, pairs in bars
    )
    return f'<div class="chart"><h2>{title}</h2><table><tbody>{lines}</tbody></table>{more}</div>'


def details(run: Run) -> str:
    """What folds away: notes, errors, timings, machine, settings."""
    manifest = run.manifest
    folds: list[tuple[str, str]] = []
    if run.notes:
        said = "".join(f"<li>{escaped(note)}</li>" for note in run.notes)
        folds.append((f"Notes ({len(run.notes)})", f"<ul>{said}</ul>"))
    if run.tally.messages:
        told = sorted(run.tally.messages.items(), key=lambda one: (-one[1], one[0]))
        said = "".join(f"<li>{n:,} \u00d7 {escaped(message)}</li>" for message, n in told[:50])
        said += f"<li>and {len(told) - 50:,} more</li>" if len(told) > 50 else ""
        folds.append((f"Errors ({run.tally.errors:,})", f"<ul>{said}</ul>"))
    folds.append(("Timings", _timings(run)))
    machine = manifest.get("machine")
    facts = {
        "vde-nb": manifest.get("vde_nb"),
        "Python": manifest.get("python"),
        "NumPy": manifest.get("numpy"),
        "OpenCV": manifest.get("opencv"),
        "platform": manifest.get("platform"),
        **(machine if isinstance(machine, Mapping) else {}),
        "started": _moment(manifest.get("started")),
        "finished": _moment(manifest.get("finished")),
    }
    folds.append(("Machine and versions", _list((n, _value(v)) for n, v in facts.items() if v)))
    settings = manifest.get("settings")
    if isinstance(settings, Mapping) and settings:
        folds.append(("Settings", _list((name, _value(value)) for name, value in settings.items())))
    return "".join(
        f"<details><summary>{title}</summary>{content}</details>\n" for title, content in folds
    )


def _timings(run: Run) -> str:
    took = run.timings()
    names = {"mean": "mean", "p50": "half of all up to", "p90": "90 % up to", "p99": "99 % up to"}
    lines = [
        ("pairs timed", f"{took['pairs']:,}"),
        ("worker processes, all starts together", f"{took['workers']:,}"),
    ]
    if took["elapsed"]:
        lines.append(("whole run", duration(took["elapsed"])))
    if took["pairs_per_second"]:
        lines.append(("pairs per second", f"{took['pairs_per_second']:.3g}"))
    lines += [
        (f"a pair: {names.get(name, name)}", duration(value))
        for name, value in took["seconds"].items()
        if name != "total"
    ]
    if took["seconds"]:
        lines.append(("all pairs together", duration(took["seconds"]["total"])))
    whole = sum(took["stages_ms"].values()) or 1.0
    lines += [
        (f"stage {name}", f"{duration(ms / 1000)}, {ms / whole:.0%}")
        for name, ms in list(took["stages_ms"].items())[:50]
    ]
    return _list(lines)


def _list(items: Iterable[tuple[str, str]]) -> str:
    inner = "".join(
        f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}</dd></div>" for name, value in items
    )
    return f'<dl class="values">{inner}</dl>'


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)
