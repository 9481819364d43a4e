"""``vde-nb batch``: many pairs, into a folder that can be taken up again."""

from __future__ import annotations

import argparse
import io
import json
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vde_nb._cli_settings import add_method, add_settings, folder_of, given_settings
from vde_nb._console import safe, say
from vde_nb.errors import OutputError, SettingError

if TYPE_CHECKING:
    from concurrent.futures import Executor

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

_ROWS = 12  # of the table on the terminal; the page has all of them
_SAVE = "thumbnails annotated heatmap mask masks reference current results coco csv html all none"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``vde-nb batch`` takes to its parser."""
    parser.usage, parser.epilog = "%(prog)s SOURCE [SOURCE] --out DIR [options]", _END
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("source", metavar="SOURCE", nargs="+", help="a table of pairs, or two folders")
    add_method(parser)
    add = parser.add_argument_group("run").add_argument
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
    add(
        "--plugin",
        metavar="MODULE",
        action="append",
        default=[],
        help="module or .py file that each worker imports first: your types, features, models",
    )
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
    how: dict[str, Any] = given_settings(options, method)
    if options.save:
        how["save"] = () if options.save == ["none"] else options.save
    source = options.source[0] if len(options.source) == 1 else tuple(options.source)
    try:
        with _executor(options) as executor:
            found = compare_many(
                source,
                executor=executor,
                workers=options.workers,
                out=options.out,
                resume=not options.no_resume,
                progress=not (options.quiet or options.json),
                fail_if=options.fail_if,
                method=method,
                preset=options.preset,
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
        say(json.dumps(found.summary(), indent=2, ensure_ascii=False, allow_nan=False))
    elif not options.quiet:
        say(safe("\n".join(_summary(found)), keep="\n"))
    return 1 if found.failed else 0


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


def _summary(found: Run) -> list[str]:
    from vde_nb.batch._page_parts import duration, outcome

    counts, took = found.counts, found.timings()
    _, label, words = outcome(found)
    parts = [f"{counts['total']} {'pair' if counts['total'] == 1 else 'pairs'}"]
    parts += [f"{counts['clean']} clean", f"{counts['changed']} changed"]
    parts.append(f"{counts['error']} {'error' if counts['error'] == 1 else 'errors'}")
    if took["elapsed"]:
        parts.append(duration(took["elapsed"]))
    lines = [f"{label}: {words}", ", ".join(parts)]
    if found.rule:
        lines.append(f"Rule: {found.rule}")
    if found.tally.anomalies:
        grades = [f"{n} {name}" for name, n in reversed(found.severities.items()) if n]
        types = [f"{name} {count}" for name, count in list(found.types.items())[:8]]
        lines += [f"Anomalies: {', '.join(grades)}; {', '.join(types)}"]
    lines += _table(found)
    for note in found.notes:
        lines += textwrap.wrap(f"Note: {note}", 79, subsequent_indent="  ", break_long_words=False)
    return [*lines, "", f"Written: {found.folder / 'index.html'}"]


def _table(found: Run) -> list[str]:
    """The worst pairs that are not clean."""
    worst = [row for row in found.worst(_ROWS) if row["status"] != "clean"]
    if not worst:
        return []
    lines = ["", f"{'#':>6}  {'verdict':<7}  {'anomalies':>9}  {'changed %':>9}  name"]
    for row in worst:
        name = textwrap.shorten(row["name"], 60, placeholder="...")
        start = f"{row['number']:>6}  {row['verdict'] or '':<7}  "
        if row["status"] == "error":
            lines.append(f"{start}{name}: {textwrap.shorten(row['error'], 120, placeholder='...')}")
        else:
            lines.append(f"{start}{row['anomalies']:>9}  {row['change']:>9.3f}  {name}")
    more = found.counts["changed"] + found.counts["error"] - len(worst)
    return [*lines, f"and {more} more; the page has all of them" if more > 0 else "", ""]
