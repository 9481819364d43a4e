"""A run that was made: its rows, what they come to, and the page about them."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from vde_nb._write import write_atomically
from vde_nb.batch._delete import delete
from vde_nb.batch._final import COLUMNS, further_columns
from vde_nb.batch._reviews import Reviews
from vde_nb.batch._row import Row
from vde_nb.batch._stored import Stored
from vde_nb.batch._summary import Tally, times, worst_first
from vde_nb.batch.rules import Rule, parse_rule
from vde_nb.errors import MissingExtraError, OutputError, SettingError

__all__ = ["Run", "open_run"]


def open_run(folder: str | os.PathLike[str]) -> Run:
    """Open the folder of a run, finished or not.

    Parameters
    ----------
    folder
        What ``compare_many(out=...)`` or ``vde-nb batch --out`` was given. It may come from
        anybody: what is in it is checked before it is used, and no link in it is followed.

    Returns
    -------
    Run
        Counts and rows as they are on the disk now.

    Raises
    ------
    SettingError
        It holds no run.
    OutputError
        It cannot be read, or is of a version that this one does not know.
    """
    return Run(folder)


class Run:
    """A run in its folder. Rows are read from there when they are asked for.

    :func:`vde_nb.compare_many` makes one, :func:`vde_nb.open_run` opens it again. :attr:`counts`,
    :attr:`types` and :meth:`worst` sum it up, :meth:`rows` and :meth:`to_frame` hold every pair,
    :meth:`check` judges by a rule, :meth:`panel` is for going through it by hand.

    Parameters
    ----------
    folder
        Where it is.

    Attributes
    ----------
    folder
        Where it is.

    Raises
    ------
    SettingError, OutputError
        As :func:`open_run`.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        try:
            self.folder = Path(folder).expanduser().absolute()
        except (RuntimeError, TypeError, ValueError) as error:
            raise SettingError(f"{folder!r} is no folder of a run: {error}.") from error
        self._stored = Stored(self.folder)

    def __len__(self) -> int:
        return len(self._stored)

    def rows(self) -> Iterator[Row]:
        """Rows in the order of the pairs, one at a time; see :mod:`vde_nb.batch._row`."""
        return self._stored.rows()

    def row(self, which: str | int) -> Row:
        """One row, by its id, its number, or the name of its pair.

        Raises
        ------
        SettingError
            There is none, or several pairs have this name.
        """
        return self._stored.row(which)

    def thumbnail(self, row: Row) -> bytes | None:
        """JPEG of a row's pair, reference and annotated current side by side; None without one."""
        return self._stored.thumbnail(row)

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What ``run.json`` says: what was run, with what, on what."""
        return self._stored.manifest

    @property
    def state(self) -> str:
        """``"finished"``, ``"interrupted"``, or ``"running"``, which also stands when killed."""
        return str(self.manifest["state"])

    @property
    def notes(self) -> tuple[str, ...]:
        """What there is to know about the run and about its folder, in words."""
        told = self.manifest.get("notes")
        kept = [str(note) for note in told] if isinstance(told, list) else []
        return tuple(dict.fromkeys((*kept, *self._stored.notes)))

    @property
    def tally(self) -> Tally:
        """All counts."""
        return self._stored.tally

    @property
    def counts(self) -> dict[str, int]:
        """Pairs: ``total``, ``clean``, ``changed``, ``error``, ``pass``, ``fail``, ``copies``."""
        return self.tally.to_dict()

    @property
    def types(self) -> dict[str, int]:
        """Anomalies of each type in all pairs, the most frequent first."""
        return dict(sorted(self.tally.types.items(), key=lambda one: (-one[1], one[0])))

    @property
    def severities(self) -> dict[str, int]:
        """Anomalies of each severity in all pairs: ``minor``, ``moderate``, ``major``."""
        return dict(self.tally.severities)

    @property
    def rule(self) -> str:
        """The rule that pairs fail by, as text; empty where there is none."""
        return str(self.manifest.get("fail_if") or "")

    @property
    def failed(self) -> bool:
        """Whether a pair failed by the rule, or could not be compared."""
        return bool(self.tally.failed or self.tally.errors)

    @cached_property
    def reviews(self) -> Reviews:
        """What people said about the pairs."""
        return Reviews(self.folder, self.rows)

    def worst(self, n: int = 20) -> list[Row]:
        """The `n` rows that most ask to be looked at: errors first, then what failed.

        Among these, by the number of major, moderate and minor anomalies, then by the worst place
        and the share that changed.
        """
        return heapq.nsmallest(n, self.rows(), key=worst_first)

    def check(self, rule: str | Rule) -> tuple[bool, list[str]]:
        """Judge the pairs by another rule than the run was made with; nothing is written.

        Parameters
        ----------
        rule
            Such as ``"major>0 or change>2"``, see :func:`vde_nb.batch.parse_rule`. A pair that
            could not be compared fails whatever the rule.

        Returns
        -------
        bool
            Whether all pairs pass.
        list of str
            Ids of those that fail, in their order.

        Raises
        ------
        SettingError
            The text is no rule.
        """
        test = rule if isinstance(rule, Rule) else parse_rule(rule, self.tally.types)
        failed = [row["id"] for row in self.rows() if row["status"] == "error" or test(row)]
        return not failed, failed

    def timings(self) -> dict[str, Any]:
        """How long it took.

        Returns
        -------
        dict
            ``pairs`` that were timed, ``workers``, ``elapsed`` seconds of the run,
            ``pairs_per_second``, ``seconds`` of a pair (``mean``, ``p50``, ``p90``, ``p99``,
            ``max``, ``total``) and ``stages_ms``, the total of each stage.
        """
        return dict(self._took)

    @cached_property
    def _took(self) -> dict[str, Any]:
        elapsed = self.manifest.get("seconds")
        known = isinstance(elapsed, (int, float)) and elapsed > 0
        return times(self._stored.timings(), elapsed if known else None)

    def summary(self) -> dict[str, Any]:
        """What the run comes to, as plain data: ``vde-nb batch --json`` prints it."""
        about = ("vde_nb", "method", "preset", "started", "finished")
        keys = ("id", "number", "name", "status", "verdict", "anomalies", "severities", "change")
        return {
            "folder": str(self.folder),
            "state": self.state,
            **{name: self.manifest.get(name) for name in about},
            "rule": self.rule or None,
            "failed": self.failed,
            "counts": self.counts,
            "types": self.types,
            "severities": self.severities,
            "errors": dict(self.tally.kinds),
            "unlike": self.tally.unlike,
            "unpaired": self.manifest.get("unpaired") or 0,
            "timings": self.timings(),
            "worst": [{key: row[key] for key in (*keys, "error")} for row in self.worst(10)],
            "notes": list(self.notes),
        }

    def to_frame(self) -> Any:
        """One row per pair as a pandas DataFrame, with the columns of ``results.csv``.

        Raises
        ------
        MissingExtraError
            pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise MissingExtraError(
                'to_frame() needs pandas: pip install "vde-nb[batch]"'
            ) from error
        names: dict[str, str] = {}
        lines = [
            [*(value(row) for _, value in COLUMNS.values()), *further_columns(names, row)]
            for row in self.rows()
        ]
        heads = [*COLUMNS, *names.values()]
        lines = [line + [None] * (len(heads) - len(line)) for line in lines]
        frame = pd.DataFrame(lines, columns=heads)
        counts = [name for name in ("anomalies", "largest", "width", "height") if name in frame]
        return frame.astype(dict.fromkeys(counts, "Int64"))

    def to_html(
        self, path: str | os.PathLike[str] | None = None, *, overwrite: bool = False
    ) -> str:
        """Page about the run: sortable, worst first, with thumbnails and links to each pair.

        The page runs no script but its own and asks no other machine for anything. Thumbnails and
        the files of each pair stay where they are and are linked, so it belongs into the folder of
        the run, where there is one already (``index.html``).

        Parameters
        ----------
        path
            Where to write it as well. Elsewhere than in the run's folder, its links lead there;
            without a path, they are those of a page in that folder.
        overwrite
            Replace the file if it exists.

        Raises
        ------
        OutputError
            The file exists, or cannot be written.
        """
        from vde_nb.batch._page import page

        text = page(self, path)
        if path is not None:
            write_atomically(path, text, overwrite=overwrite)
        return text

    def panel(self, root: str | os.PathLike[str] = ".", only: str = "changed", **how: Any) -> Any:
        """The pairs in a panel, worst first, to go through and to review.

        Parameters
        ----------
        root
            Pictures below this folder are opened, and no others.
        only
            Which are shown at first: ``"all"``, ``"changed"``, ``"failing"``, ``"errors"`` or
            ``"unreviewed"``.
        **how
            As for :class:`vde_nb.Panel`.
        """
        from vde_nb.panel import Panel

        return Panel(run=self, root=root, only=only, **how)

    def delete(self, *, reviews: bool = False) -> tuple[Path, ...]:
        """Delete the run from the disk.

        Only what a run writes is deleted, by name; links are left alone, and so is everything
        else that lies in the folder.

        Parameters
        ----------
        reviews
            Delete what people said about its pairs as well.

        Returns
        -------
        tuple of Path
            What was left: empty when the folder itself is gone.

        Raises
        ------
        OutputError
            The run is being written, or something cannot be deleted; or there are reviews, and
            `reviews` does not say that they may go.
        """
        if not reviews and len(self.reviews):
            raise OutputError(
                f"{len(self.reviews)} pairs of this run were reviewed, and that cannot be computed "
                "again: keep it with run.reviews.to_csv(...), or pass reviews=True to delete all."
            )
        return delete(self.folder)

    def __repr__(self) -> str:
        counts = self.counts
        parts = [f"{counts['total']} {'pair' if counts['total'] == 1 else 'pairs'}"]
        parts += [f"{counts[name]} {name}" for name in ("clean", "changed") if counts[name]]
        if counts["error"]:
            parts.append(f"{counts['error']} error{'s' if counts['error'] != 1 else ''}")
        if self.rule:
            bad = max(0, counts["fail"] - counts["error"])  # errors fail whatever the rule
            parts.append(f"{bad} {'fails' if bad == 1 else 'fail'} by {self.rule!r}")
        if self.state != "finished":
            parts.append(self.state)
        return f"Run({', '.join(parts)})"

    def _repr_html_(self) -> str:
        from vde_nb.batch._notebook import notebook_html

        return notebook_html(self)
