"""``vde-nb batch``: many pairs, into a folder that can be taken up again."""

from __future__ import annotations

import argparse
import heapq
import io
import json
import os
import signal
import sys
import textwrap
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vde_nb._cli_settings import (
    add_ignore,
    add_method,
    add_plugin,
    add_settings,
    as_options,
    folder_of,
    given_settings,
    ignored,
)
from vde_nb._console import safe, say
from vde_nb._paths import absent
from vde_nb.errors import OutputError, SettingError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from vde_nb.batch._row import Row
    from vde_nb.batch.run import Run

__all__ = ["SUMMARY", "add_options", "run"]

SUMMARY = "Compare many pairs, on all processors or on a Dask cluster."

_END = """\
SOURCE is two folders whose pictures are matched by name, or a table (.csv, .parquet, .ndjson) with
the columns reference, current and perhaps name; with --method normality, one folder of pictures.
An interrupted run goes on where it was when the same command is given again.

exit status: 0 all pairs pass (without --fail-if: all could be compared), 1 a pair fails or could
         not be compared, 2 an error that ended the run, 130 interrupted
example: vde-nb batch golden/ today/ --out run --fail-if "major>0 or change>2"
rules:   anomalies minor moderate major change ssim score largest error and names of types, compared
         with numbers by > >= < <= == !=, joined by and, or, not and brackets"""

_ROWS, _ERRORS = 12, 5  # of the tables on the terminal; the page has all of them
_LONGEST_NAME, _LONGEST_ERROR = 60, 600

#: Where there is no terminal, at least so many seconds lie between two lines about the progress,
#: then a twentieth of all pairs or so many seconds more.
_PAUSE, _LONGEST_PAUSE = 10.0, 60.0
_SAVE = "thumbnails annotated heatmap mask masks reference current results coco csv html all none"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``vde-nb batch`` takes to its parser."""
    parser.usage, parser.epilog = "%(prog)s SOURCE [SOURCE] --out DIR [options]", _END
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("source", metavar="SOURCE", nargs="+", help="a table of pairs, or two folders")
    add_method(parser)
    add_ignore(parser)
    group = parser.add_argument_group("run")
    add = group.add_argument
    add("--out", metavar="DIR", type=folder_of, required=True, help="folder of the run")
    add("--root", metavar="DIR", type=folder_of, help="where paths in a table begin [its folder]")
    add("--no-resume", action="store_true", help="DIR must be new or empty: go on with nothing")
    add("--workers", metavar="N", type=_count, help="processes [one a processor; 0: this one only]")
    add("--scheduler", metavar="ADDRESS", help="of a Dask cluster that does the work, tcp://...")
    add(
        "--resource",
        metavar="NAME=N",
        type=_resource,
        action="append",
        default=[],
        help="what a Dask worker must have for each pair, such as GPU=1",
    )
    add_plugin(group, " by each worker")
    add = parser.add_argument_group("output").add_argument
    add("--save", metavar="WHAT", nargs="+", help=f"files of each pair: {_SAVE} [thumbnails]")
    add("--fail-if", metavar="RULE", help='which pairs fail, such as "major>0 or change>2"')
    add("--json", action="store_true", help="print a summary as JSON")
    add("--quiet", action="store_true", help="print no progress and no summary")
    add_settings(parser)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of processes: 0, 1, 2, ...")
    return int(text)


def _resource(text: str) -> tuple[str, float]:
    name, _, amount = text.partition("=")
    try:
        number = float(amount or "1")
    except ValueError:
        number = 0.0
    if not name or not 0 < number < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no resource: write NAME=N, such as GPU=1")
    return name, number


def run(options: argparse.Namespace) -> int:
    """Do what was asked for; the exit status."""
    from vde_nb.batch import compare_many, parse_rule
    from vde_nb.methods import default_method, get_method

    if len(options.source) > 2:
        raise SettingError(
            f"{len(options.source)} sources are too many: give a table, or two folders."
        )
    if options.scheduler is None and options.resource:
        raise SettingError("--resource is about the workers of a cluster: give --scheduler too.")
    if options.scheduler is not None and options.workers is not None:
        raise SettingError("--workers is about processes here; a cluster has workers of its own.")
    if options.fail_if is not None and not options.plugin:
        parse_rule(options.fail_if)  # told before a cluster is asked for anything
    method = get_method(options.method or default_method(options.preset)).name
    _check_sources(options.source, method)  # told before a folder is made
    how: dict[str, Any] = given_settings(options, method)
    nowhere = ignored(options)
    if options.save:
        how["save"] = () if options.save == ["none"] else options.save
    source = options.source[0] if len(options.source) == 1 else tuple(options.source)
    progress: bool | _Lines = not (options.quiet or options.json)
    if progress and not sys.stderr.isatty():
        progress = _Lines()
    try:
        with _executor(options) as executor, _interruptible():
            found = compare_many(
                source,
                executor=executor,
                workers=options.workers,
                out=options.out,
                resume=not options.no_resume,
                progress=progress,
                fail_if=options.fail_if,
                method=method,
                preset=options.preset,
                ignore=nowhere,
                plugins=options.plugin,
                root=options.root,
                **how,
            )
    except KeyboardInterrupt:
        say(
            f"vde-nb: interrupted; what was compared is in {safe(options.out)}. "
            "The same command goes on from there.",
            to=sys.stderr,
        )
        return 130
    if options.json:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")  # JSON is UTF-8 wherever it is made
        told = {**found.summary(), "outcome": _outcome(found)}
        say(json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False))
    elif not options.quiet:
        say(safe("\n".join(_summary(found)), keep="\n"))
    return 1 if found.failed else 0


def _check_sources(sources: Sequence[str], method: str) -> None:
    """Refuse what is no table and no folders, in the words of the command line."""
    from vde_nb.batch._tables import TABLES

    paths = [Path(os.path.expanduser(one)) for one in sources]  # noqa: PTH111 - as folder_of
    missing = [
        one or "''" for one, path in zip(sources, paths, strict=True) if not one or not _is(path)
    ]
    if missing:
        told = f"{' and '.join(missing)} {'does' if len(missing) == 1 else 'do'} not exist."
        if len(missing) == 1 and missing[0] != "''":
            told = absent(missing[0])
        raise SettingError(
            f"{told} Give two folders of pictures, or a table of pairs with the columns reference "
            "and current."
        )
    inside = [path.is_dir() for path in paths]
    if len(paths) == 1:
        if inside[0] and method != "normality":
            raise SettingError(
                f"{sources[0]} is one folder, which needs --method normality and a --model. The "
                f"method {method} compares two: first the references, then what is to be checked."
            )
        if not inside[0] and paths[0].suffix.lower() not in TABLES:
            raise SettingError(
                f"{sources[0]} is neither a folder nor a table ({', '.join(TABLES)})."
            )
    elif not all(inside) and (any(inside) or method != "normality"):
        hint = "" if any(inside) else f" A single pair: vde-nb compare {' '.join(sources)}"
        raise SettingError(
            f"{sources[inside.index(False)]} is no folder: two sources are two folders of "
            f"pictures.{hint}"
        )


def _is(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


class _Lines:
    """Progress in lines of text, for what is no terminal, such as the log of a CI job."""

    def __init__(self) -> None:
        self._begun = self._last = time.monotonic()
        self._told = 0

    def __call__(self, done: int, total: int | None, row: Row) -> None:
        from vde_nb.batch._page_parts import duration

        now = time.monotonic()
        quiet = now - self._last
        few = total is not None and done - self._told < total / 20
        if quiet < _PAUSE or (few and quiet < _LONGEST_PAUSE):
            return
        self._last, self._told = now, done
        share = f"{done:,} of {total:,} pairs ({done / total:.0%})" if total else f"{done:,} pairs"
        say(f"vde-nb: {share}, {duration(now - self._begun)}", to=sys.stderr)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Say at once that Ctrl-C was heard: what is being computed may take seconds to end."""
    usual = signal.getsignal(signal.SIGINT)
    here = threading.current_thread() is threading.main_thread()
    if usual is not signal.default_int_handler or not here:
        yield
        return

    def interrupt(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, usual)  # who presses it again means it
        # Not with print(), which may be just what was interrupted.
        with suppress(OSError, ValueError):
            os.write(sys.stderr.fileno(), b"\nvde-nb: finishing what is being compared ...\n")
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


@contextmanager
def _executor(options: argparse.Namespace) -> Iterator[Executor | None]:
    """The cluster at the scheduler's address; None where processes of our own do the work."""
    if options.scheduler is None:
        yield None
        return
    from vde_nb._extras import need

    distributed: Any = need("distributed", "batch", "--scheduler")
    address = options.scheduler
    try:
        client = distributed.Client(address, timeout="10s", set_as_default=False)
    except (OSError, ValueError, TypeError, ImportError) as error:
        raise OutputError(
            f"No Dask scheduler can be reached at {address}: {error or type(error).__name__}. An "
            "address is like tcp://10.0.0.5:8786, which dask scheduler prints."
        ) from error
    with client:
        resources = dict(options.resource)
        yield client.get_executor(**({"resources": resources} if resources else {}))


def _outcome(found: Run) -> str:
    """How the run ended, in words that agree with the exit status, with a rule and without."""
    from vde_nb.batch._page_parts import outcome

    _, label, words = outcome(found)
    return f"{'Failed' if found.failed else label}: {words}"


def _summary(found: Run) -> list[str]:
    from vde_nb.batch._page_parts import duration

    counts, took = found.counts, found.timings()
    parts = [_counted(counts["total"], "pair")]
    parts += [f"{counts['clean']} clean", f"{counts['changed']} changed"]
    parts.append(_counted(counts["error"], "error"))
    if took["elapsed"]:
        parts.append(duration(took["elapsed"]))
    lines = [_outcome(found), ", ".join(parts)]
    listed = _Listed(found)
    if found.rule:
        lines.append(f"Rule: {found.rule}")
    elif counts["changed"]:
        lines.append("No rule: what has changed does not fail; --fail-if sets one")
    if found.tally.anomalies:
        grades = [f"{n} {name}" for name, n in reversed(found.severities.items()) if n]
        types = [f"{name} {count}" for name, count in list(found.types.items())[:8]]
        lines += [f"Anomalies: {', '.join(grades)}; {', '.join(types)}"]
    blocks = [lines, listed.errors(), listed.table(judged=bool(found.rule))]
    notes = [
        textwrap.fill(f"Note: {note}", 79, subsequent_indent="  ", break_long_words=False)
        for note in found.notes
    ]
    blocks += [notes, [f"Written: {found.folder / 'index.html'}"]]
    return "\n\n".join("\n".join(block) for block in blocks if block).split("\n")


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


class _Listed:
    """The first errors and the worst of the other pairs, found in one pass over all rows."""

    def __init__(self, found: Run) -> None:
        from vde_nb.batch._summary import worst_first

        self._errors = self._others = 0
        self._wrong: list[Row] = []
        self._worst = heapq.nsmallest(_ROWS, self._sorted(found.rows()), key=worst_first)

    def _sorted(self, rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            if row["status"] == "error":
                self._errors += 1
                if len(self._wrong) < _ERRORS:
                    self._wrong.append(row)
            elif row["status"] == "changed" or row["verdict"] == "fail":
                self._others += 1
                yield row

    def errors(self) -> list[str]:
        """What could not be compared, each with its reason below."""
        lines = []
        for row in self._wrong:
            reason = as_options(row["error"])
            if reason.lower().startswith(f"{row['name'].lower()}: "):
                reason = reason[len(row["name"]) + 2 :]  # "pair 6" and "Pair 6: it has no ..."
            lines += [
                f"{row['number']:>6}  {_cut(row['name'], _LONGEST_NAME)}",
                *textwrap.wrap(
                    _cut(reason, _LONGEST_ERROR),
                    79,
                    initial_indent=" " * 8,
                    subsequent_indent=" " * 8,
                    break_long_words=False,
                    break_on_hyphens=False,
                ),
            ]
        more = self._errors - len(self._wrong)
        lines += [f"and {more} more; the page has all of them"] if more else []
        return ["Not compared:", *lines] if lines else []

    def table(self, *, judged: bool) -> list[str]:
        """The worst pairs that are not clean, or fail all the same; with `judged` the verdicts."""
        if not self._worst:
            return []
        head = ["#", "verdict", "severity", "type", "anomalies", "score", "changed %", "name"]
        cells = [head, *map(_cells, self._worst)]
        wide = max(len(line[3]) for line in cells)
        order = "The worst first, by severities, then by the score of the worst place:"
        lines = [order] if len(self._worst) > 1 else []
        lines += [
            f"{number:>6}  {f'{verdict:<7}  ' if judged else ''}{severity:<8}  {kind:<{wide}}  "
            f"{count:>9}  {score:>6}  {change:>9}  {name}"
            for number, verdict, severity, kind, count, score, change, name in cells
        ]
        more = self._others - len(self._worst)
        return [*lines, f"and {more} more; the page has all of them"] if more else lines


def _cells(row: Row) -> list[str]:
    grades = [name for name, count in row["severities"].items() if count]
    types = sorted(row["types"], key=lambda name: -row["types"][name])
    kind = f"{types[0]} +{len(types) - 1}" if len(types) > 1 else "".join(types)
    change = "" if row["change"] is None else f"{row['change']:.3f}"
    score = "" if row["score"] is None else f"{row['score']:.2f}"
    name = _cut(row["name"], _LONGEST_NAME)
    worst = grades[-1] if grades else ""
    verdict, count = row["verdict"] or "", str(row["anomalies"])
    return [str(row["number"]), verdict, worst, _cut(kind, 30), count, score, change, name]


def _cut(text: str, most: int) -> str:
    """Leave out the middle of a long text: names differ at both ends."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2 - 2]}...{text[-(most // 2 - 1) :]}"
