"""compare_many(): many pairs, on any executor, into a folder that can be taken up again."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vde_nb._console import say
from vde_nb._progress import in_notebook
from vde_nb._write import expand
from vde_nb.batch._executors import Crew, crew_of
from vde_nb.batch._files import clear_attempts
from vde_nb.batch._final import write_results
from vde_nb.batch._journal import Journal
from vde_nb.batch._loop import Loop
from vde_nb.batch._manifest import SCHEMA_VERSION, machine, now, write_manifest
from vde_nb.batch._pairs import Listed, list_pairs
from vde_nb.batch._row import Row
from vde_nb.batch._setup import Home, Wanted, make_plan, open_home, wanted
from vde_nb.errors import SettingError
from vde_nb.plugins import Plugins

if TYPE_CHECKING:
    from vde_nb._ignore import Ignore
    from vde_nb.batch.run import Run

__all__ = ["compare_many"]


def compare_many(
    pairs: Any,
    *,
    executor: Executor | None = None,
    workers: int | None = None,
    out: str | os.PathLike[str] | None = None,
    resume: bool = True,
    progress: bool | Callable[[int, int | None, Row], object] = True,
    save: str | Sequence[str] = ("thumbnails",),
    fail_if: str | None = None,
    method: str | None = None,
    preset: str = "default",
    ignore: Ignore | None = None,
    plugins: Plugins | None = None,
    in_flight: int | None = None,
    root: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> Run:
    """Compare many pairs.

    Results go to disk as they come. A pair that cannot be compared is a row with its error and
    stops nothing. What is interrupted, even by a power cut, goes on where it was when it is run
    again; nothing is lost and nothing done twice. Pairs of identical pictures are computed once.
    The same pairs with the same settings give the same rows, byte for byte.

    Parameters
    ----------
    pairs
        A list or generator of ``(reference, current)``, with a name as third or not, of
        :class:`~vde_nb.ImagePair` or of anything with ``.reference`` and ``.current``; the path of
        a table, ``.csv``, ``.parquet`` or ``.ndjson``, with the columns ``reference``,
        ``current`` and perhaps ``name``; or two folders ``(references, currents)``, whose pictures
        are matched by name. With ``method="normality"`` single pictures, or one folder. A
        generator is asked for a few pairs at a time.
    executor
        Any executor of :mod:`concurrent.futures`, or of Dask: ``client.get_executor()``. By
        default processes of our own, of which one that is killed is replaced.
    workers
        How many of those; by default one for each processor, each with one thread. With 0 all is
        computed in this process.
    out
        The folder of the run, made if it does not exist. By default a temporary one, which goes
        when the interpreter ends. Workers on other machines have to see it under the same path.
    resume
        Go on with a run that `out` holds. False: `out` has to be new or empty.
    progress
        Show a bar; or a function, called with how many are done, of how many (None: nobody knows),
        and the row. What it raises ends the run like Ctrl-C.
    save
        Files of each pair beside its ``results.json``: ``"thumbnails"``, and whatever
        :meth:`Comparison.save` knows, such as ``"html"``.
    fail_if
        A rule such as ``"major>0 or change>2"`` by which a pair fails; see
        :func:`vde_nb.batch.parse_rule`. A run that goes on keeps its rule where none is given, and
        drops it with ``""``; another one judges all of its rows anew.
    method, preset, ignore
        As for :func:`vde_nb.compare`.
    plugins
        Modules, or paths of ``.py`` files, that each worker runs first: for anomaly types,
        features and models of your own. See :func:`vde_nb.load_plugin`.
    in_flight
        Most pairs that are handed to the executor at once; by default twice its workers.
    root
        Where relative paths in a table begin; by default in the folder of the table.
    **settings
        As for :func:`vde_nb.compare`. A :class:`~vde_nb.Normality` is saved into `out`.

    Returns
    -------
    Run
        Counts, rows, the worst pairs and a page to look at.

    Raises
    ------
    SettingError, TypeError
        A setting or a rule cannot be, `pairs` is nothing of the above, or the folder holds a run
        with other settings.
    OutputError
        The folder cannot be written, is written by another run, or the disk is full. What was
        finished stays, and the same call goes on.
    VdeError
        The executor has stopped, with the same remedy.
    KeyboardInterrupt
        After what was being computed has been written, as far as that takes no longer than ten
        seconds.

    Examples
    --------
    >>> import vde_nb as vde
    >>> pair = vde.samples.load("board")
    >>> run = compare_many([pair, (pair.reference, pair.reference, "same")], workers=0)
    >>> [row["status"] for row in run.rows()]
    ['changed', 'clean']
    """
    _check_numbers(workers, in_flight, executor)
    want = wanted(method, preset, ignore, save, plugins, settings)
    judge = _judge(fail_if)  # now the plugins have told their types; a wrong rule is told at once
    # Before the folder is made: nothing is left behind where there is nothing to compare.
    single = want.settings.method == "normality"
    skip = None if out is None else expand(out).absolute()
    listed = list_pairs(pairs, root=root, single=single, skip=skip)
    crew = crew_of(executor, workers)
    home = open_home(out, resume, want.facts)
    ended = False
    try:
        if fail_if is None and (rule := (home.before or {}).get("fail_if")):
            fail_if, judge = rule, _judge(rule)  # who goes on means the same run
        # Of other executors nobody knows where they compute: their workers find out.
        here = crew.here or (None if executor is not None else False)
        plan = make_plan(want, home, here=here, several=crew.slots() > 1)
        base = None if root is None else str(expand(root).absolute())
        run = _Running(home, want, crew, listed, fail_if, judge, base)
        with _told(progress, listed.total) as tell:
            run.go(lambda journal: Loop(plan, crew, journal, judge, tell, in_flight))
        ended = True
    finally:
        crew.close(kill=not ended)  # whoever has waited as long as is promised waits no longer
        home.lock.close()
        if home.temporary:
            atexit.register(shutil.rmtree, home.folder, ignore_errors=True)
    return _opened(home.folder)


@dataclass(frozen=True, eq=False)
class _Running:
    """A run from its first pair to its last file."""

    home: Home
    want: Wanted
    crew: Crew
    listed: Listed
    fail_if: str | None
    judge: Callable[[Row], str | None]
    root: str | None

    def go(self, make: Callable[[Journal], Loop]) -> None:
        """Run, and write what a run ends with, however it ends."""
        before = self.home.before or {}
        begun, started = before.get("started") or now(), time.monotonic()
        earlier = before.get("seconds")
        spent = float(earlier) if isinstance(earlier, (int, float)) else 0.0
        about = {
            "schema_version": SCHEMA_VERSION,
            "state": "running",
            **machine(),
            **self.want.facts,
            "fail_if": self.fail_if or None,
            "source": self.listed.text,
            "root": self.root,
            "unpaired": self.listed.unpaired,
            "total": self.listed.total,
            "temporary": self.home.temporary,
            "counts": {},
            "notes": [],
            "started": begun,
            "finished": None,
            "seconds": spent,
        }
        write_manifest(self.home.folder, about)
        journal = Journal(self.home.folder)
        loop = make(journal)

        def finish(state: str) -> None:
            about.update(
                state=state,
                finished=now(),
                seconds=round(spent + time.monotonic() - started, 3),
                notes=self._notes(journal, loop, state),
            )
            self._write(journal, about, unseen=state != "finished")

        try:
            loop.run(self.listed)
        except BaseException:
            # Whatever it was, what is being computed is not thrown away, and what is there can be
            # looked at.
            try:
                self._end(journal, loop)
                # What ended the run is what is told; the next call makes these files again.
                with suppress(Exception):
                    finish("interrupted")
            finally:
                journal.close()
            if in_notebook():  # above the traceback, which tells nobody what to do
                say(
                    f"Stopped after {loop.done} pairs, which are in {self.home.folder}. The same "
                    "call goes on where it was.",
                    to=sys.stderr,
                )
            raise
        try:
            clear_attempts(self.home.folder)  # of workers that were killed on the way
            finish("finished")
        finally:
            journal.close()

    def _end(self, journal: Journal, loop: Loop) -> None:
        """Take what is still coming; who interrupts a second time does not wait for it."""
        ended = False
        try:
            # Read anew: the interruption may have come in its middle.
            journal.reload()
            ended = loop.end()
        except (Exception, KeyboardInterrupt):
            with suppress(Exception):
                journal.reload()
        finally:
            if not ended:
                self.crew.close(kill=True)

    def _notes(self, journal: Journal, loop: Loop, state: str) -> list[str]:
        notes = [*self.listed.notes, *journal.notes]
        if loop.kept:
            notes.append(f"Compared before, and not again: {loop.kept} pairs.")
        if state == "finished" and journal.unseen:
            notes.append(
                "Rows of an earlier attempt whose pairs are not among these, or whose pictures "
                f"have changed, stay in the journal only: {journal.unseen}."
            )
        if self.home.temporary:
            notes.append(
                f"The run is in a temporary folder, {self.home.folder}, which goes when the "
                "interpreter ends; out= keeps it."
            )
        return notes

    def _write(self, journal: Journal, about: dict[str, Any], *, unseen: bool) -> None:
        """Write all final files."""
        from vde_nb.batch._summary import Tally

        counts = Tally()

        def judged() -> Iterator[tuple[Row, dict[str, Any]]]:
            for row, timings in journal.entries(unseen=unseen):
                row["verdict"] = self.judge(row)  # the rule may be another than it was then
                counts.add(row)
                yield row, timings

        journal.sync()
        write_results(self.home.folder, judged())
        about["counts"] = counts.to_dict()
        about["total"] = self.listed.total or (None if unseen else counts.total)
        write_manifest(self.home.folder, about)
        _opened(self.home.folder).to_html(self.home.folder / "index.html", overwrite=True)


def _opened(folder: Path) -> Run:
    from vde_nb.batch.run import open_run

    return open_run(folder)


def _judge(fail_if: str | None) -> Callable[[Row], str | None]:
    if not fail_if:
        return lambda row: None
    from vde_nb.batch.rules import parse_rule

    rule = parse_rule(fail_if)
    return lambda row: "fail" if row["status"] == "error" or rule(row) else "pass"


def _check_numbers(workers: Any, in_flight: Any, executor: Any) -> None:
    for name, value, least in (("workers", workers, 0), ("in_flight", in_flight, 1)):
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int) or value < least
        ):
            raise SettingError(f"{name}={value!r} is not allowed: a whole number from {least} on.")
    if executor is not None and workers is not None:
        raise SettingError("workers= is of our own processes; an executor has its own.")


@contextmanager
def _told(
    progress: bool | Callable[[int, int | None, Row], object], total: int | None
) -> Iterator[Callable[[int, Row | None], object]]:
    """What tells each row to whoever wants to know."""
    if callable(progress):

        def call(done: int, row: Row | None) -> None:
            if row is not None:
                progress(done, total, row)

        yield call
        return
    if not progress:
        yield lambda done, row: None
        return
    from tqdm.auto import tqdm

    quiet = False if in_notebook() else None  # None: only on a terminal
    with tqdm(total=total, unit="pair", disable=quiet, dynamic_ncols=True) as bar:
        yield lambda done, row: bar.update()
