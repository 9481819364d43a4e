"""What a run comes to: counts, the worst pairs, how long it took."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from vde_nb.batch._row import SEVERITIES, Row

__all__ = ["Tally", "quantiles", "tally", "times", "worst_first"]

#: Types that are counted at most: thousands would be somebody's mischief.
_MOST_TYPES = 1000
_LONGEST = 300  # letters of a message by which errors are counted
_STEPS = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0))


@dataclass
class Tally:
    """Counts over all rows.

    Attributes
    ----------
    total, clean, changed, errors
        Pairs, and those of each status.
    passed, failed
        Pairs by the run's rule; both 0 without one.
    unlike
        Pairs whose pictures do not look like the same scene.
    copies
        Pairs that were not computed, as their pictures had been.
    anomalies
        Found in all pairs together.
    types, severities
        Anomalies of each kind; `severities` has all three.
    with_type, with_severity
        Pairs that have at least one of them.
    kinds
        Errors by the names of their classes.
    messages
        Errors by what they say, whichever picture it is said of.
    retry
        Errors that a resumed run tries again.
    """

    total: int = 0
    clean: int = 0
    changed: int = 0
    errors: int = 0
    passed: int = 0
    failed: int = 0
    unlike: int = 0
    copies: int = 0
    anomalies: int = 0
    retry: int = 0
    types: Counter[str] = field(default_factory=Counter)
    severities: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(SEVERITIES, 0)))
    with_type: Counter[str] = field(default_factory=Counter)
    with_severity: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)

    def add(self, row: Row) -> None:
        """Count a row."""
        self.total += 1
        self.clean += row["status"] == "clean"
        self.changed += row["status"] == "changed"
        self.passed += row["verdict"] == "pass"
        self.failed += row["verdict"] == "fail"
        self.copies += row["same_as"] is not None
        self.unlike += row.get("unlike", False)
        if row["status"] == "error":
            self.errors += 1
            self.retry += row["retry"]
            self._count(self.kinds, None, row["error_kind"] or "error", 1)
            self._count(self.messages, None, _unnamed(row), 1)
            return
        self.anomalies += row["anomalies"]
        for name, count in row["types"].items():
            self._count(self.types, self.with_type, name, count)
        for name, count in row["severities"].items():
            self._count(self.severities, self.with_severity, name, count)

    def _count(
        self, counter: Counter[str], pairs: Counter[str] | None, name: str, count: int
    ) -> None:
        if count and (name in counter or len(counter) < _MOST_TYPES):
            counter[name] += count
            if pairs is not None:
                pairs[name] += 1

    def to_dict(self) -> dict[str, int]:
        """The counts of pairs, and of anomalies in them."""
        return {
            "total": self.total,
            "clean": self.clean,
            "changed": self.changed,
            "error": self.errors,
            "pass": self.passed,
            "fail": self.failed,
            "copies": self.copies,
            "anomalies": self.anomalies,
        }


def _unnamed(row: Row) -> str:
    """What the error of a row says, without saying of which pair or picture."""
    said: str = row["error"]
    for name in sorted((row["reference"], row["current"], row["name"]), key=len, reverse=True):
        if name:
            said = said.replace(name, "\u2026")
    return said.partition("; did you mean")[0].removeprefix(f"Pair {row['number']}: ")[:_LONGEST]


def tally(rows: Iterable[Row]) -> Tally:
    """Count rows, one at a time."""
    counts = Tally()
    for row in rows:
        counts.add(row)
    return counts


def worst_first(row: Row) -> tuple[Any, ...]:
    """Key that sorts rows by how much they ask to be looked at.

    Errors, then pictures that do not look like the same scene, of which nothing that was found
    says much, then what fails by the rule, then by the number of major, moderate and minor
    anomalies, the worst place and the share that changed; what is left in its own order.
    """
    grades = row["severities"]
    return (
        row["status"] != "error",
        not row.get("unlike", False),
        row["verdict"] != "fail",
        *(-grades[name] for name in reversed(SEVERITIES)),
        -_known(row["score"]),
        -_known(row["change"]),
        row["number"],
    )


def _known(value: float | None) -> float:
    return -1.0 if value is None else value


def quantiles(values: Iterable[float]) -> dict[str, float]:
    """Mean, total and quantiles of some durations; empty when there are none.

    A quantile is the smallest value that at least this share of all does not exceed.

    >>> quantiles([1.0, 2.0, 3.0, 4.0])["p50"]
    2.0
    """
    ordered = array("d", sorted(values))
    if not ordered:
        return {}
    total = math.fsum(ordered)
    found = {"mean": total / len(ordered)}
    for name, share in _STEPS:
        found[name] = ordered[max(0, math.ceil(share * len(ordered)) - 1)]
    return {**found, "total": total}


def times(timings: Iterable[tuple[str, dict[str, Any]]], elapsed: float | None) -> dict[str, Any]:
    """Durations of a run.

    Parameters
    ----------
    timings
        Of each pair: its id, and ``seconds``, ``stages_ms`` and ``worker``.
    elapsed
        Seconds from the first pair to the last; None where nobody knows.

    Returns
    -------
    dict
        ``pairs`` that were timed, ``workers``, ``elapsed`` seconds, ``pairs_per_second``,
        ``seconds`` (:func:`quantiles` over pairs) and ``stages_ms`` (total of each stage).
    """
    seconds, stages, workers = array("d"), Counter[str](), set[str]()
    for _, one in timings:
        if one["seconds"] is not None:
            seconds.append(one["seconds"])
        for name, ms in one["stages_ms"].items():
            if name in stages or len(stages) < _MOST_TYPES:
                stages[name] += ms
        if one["worker"] and len(workers) < 100_000:
            workers.add(one["worker"])
    return {
        "pairs": len(seconds),
        "workers": len(workers),
        "elapsed": elapsed,
        "pairs_per_second": len(seconds) / elapsed if elapsed and len(seconds) else None,
        "seconds": quantiles(seconds),
        "stages_ms": {name: round(ms, 3) for name, ms in stages.items()},
    }
