"""What is made of a plug-in's trial: what each rule did, what must be mended, what to look at."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from vde_nb._console import shell_word
from vde_nb._plugin_rows import Asked, titled
from vde_nb._table import Table
from vde_nb.classify import UNKNOWN
from vde_nb.classify._classify import LEAST, MARGIN
from vde_nb.classify._rules import BUILT_IN

__all__ = ["Trial", "Tried", "joined", "remarks", "silent", "tried_table"]


@dataclass
class Tried:
    """What one rule did.

    Attributes
    ----------
    fires, wins
        On how many regions its confidence was above 0, and how many got its name.
    highest
        Its highest confidence.
    instead
        What the regions it won were called without it.
    surest
        The region of its highest confidence; None where it never fires.
    spoilt
        What regions were called that have no name any more because it came too near.
    faults
        By kind of fault, the first of each in words, and how often there was one.
    """

    fires: int = 0
    wins: int = 0
    highest: float = 0.0
    surest: Asked | None = None
    instead: Counter[str] = field(default_factory=Counter)
    spoilt: Counter[str] = field(default_factory=Counter)
    faults: dict[str, tuple[str, int]] = field(default_factory=dict)

    def fault(self, kind: str, told: str) -> None:
        first, count = self.faults.get(kind, (told, 0))
        self.faults[kind] = first, count + 1


@dataclass(frozen=True, eq=False)
class Trial:
    """How a plug-in did.

    Attributes
    ----------
    title
        What was loaded, and what it registers.
    about
        What its rules were asked about; empty where there was no need to ask.
    table
        A row for each rule: on how many regions it fires and wins, and instead of what.
    regions
        Of a pair of the user's: lines that tell of each region what it is called, and why.
    faults, notes
        What must be mended, and what is worth a look.
    """

    title: str
    about: str = ""
    table: Table = field(default_factory=lambda: Table([]))
    regions: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_text(self) -> str:
        """All of it, for a terminal."""
        lines = [self.title]
        lines += ["", self.about] if self.about else []
        lines += ["", *repr(self.table).splitlines()] if len(self.table) else []
        lines += ["", *self.regions] if self.regions else []
        for head, told in (("Faults:", self.faults), ("Notes:", self.notes)):
            lines += ["", head] if told else []
            for one in told:
                lines += textwrap.wrap(
                    one,
                    79,
                    initial_indent="  ",
                    subsequent_indent="    ",
                    break_long_words=False,
                    break_on_hyphens=False,
                )
        if not self.faults:
            lines += ["", "No faults; but see the notes." if self.notes else "No faults."]
        return "\n".join(lines)


def silent(tried: Mapping[str, Tried]) -> list[str]:
    return [name for name, one in tried.items() if not one.fires and not one.faults]


def tried_table(tried: Mapping[str, Tried]) -> Table:
    return Table(
        [
            {
                "rule": name,
                "fires": one.fires,
                "highest": f"{one.highest:.2f}",
                "wins": one.wins,
                "instead of": _counted(one.instead) or "–",
            }
            for name, one in tried.items()
        ]
    )


def remarks(tried: Mapping[str, Tried], given: str, *, is_own: bool) -> list[str]:
    notes = []
    for name, one in tried.items():
        if one.spoilt:
            notes.append(
                f"{name} comes too near to the surest type and leaves regions without a name "
                f"({_counted(one.spoilt)}): return 1.0 once all that can be checked holds, or "
                f"less by more than {MARGIN}."
            )
        if is_own and one.surest and not one.wins and not one.spoilt:
            notes.append(f"{name} fires and never wins: {_beaten(one.highest, one.surest)}")
        if one.wins and not is_own and name not in BUILT_IN:
            notes.append(
                f"{name} wins in bundled samples: unless they show it, it names what is something "
                "else."
            )
    idle = [name for name, one in tried.items() if not (one.wins or one.spoilt or one.faults)]
    if idle and not is_own:
        notes.append(
            f"Nothing in the samples is called {' or '.join(idle)}, which is right unless they "
            f"show it. Try a pair of pictures that does: vde-nb plugin check {shell_word(given)} "
            "REF CUR"
        )
    return notes


def _beaten(highest: float, surest: Asked) -> str:
    """Why a rule names nothing, not even the region that it is surest of."""
    now, value = surest.now, f"{highest:.2g}"
    if now.type == UNKNOWN:
        called = f"stays {titled(now)}"
    else:
        called = f"is called {now.type} ({now.confidence:.2f})"
    if highest < LEAST:
        return (
            f"its highest value is {value}, and nothing is named below {LEAST}. That region "
            f"{called}."
        )
    return f"other types are surer. Its highest value is {value}, and that region {called}."


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common() if count)


def joined(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
