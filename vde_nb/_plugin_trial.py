"""A trial of a plug-in: its rules are asked about many regions, and what they say is judged."""

from __future__ import annotations

import importlib.util
import textwrap
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vde_nb import samples
from vde_nb._console import shell_word
from vde_nb._plugin_rows import Asked, region_lines, titled
from vde_nb._table import Table
from vde_nb.classify import UNKNOWN, Region, classify
from vde_nb.classify._classify import LEAST, MARGIN
from vde_nb.classify._registry import NUMBERS, Rule, put_rules, user_rules
from vde_nb.classify._rules import BUILT_IN
from vde_nb.compare import compare
from vde_nb.errors import SettingError
from vde_nb.images import load
from vde_nb.plugins import Plugin, load_plugin, loaded_plugins
from vde_nb.settings import nearest

__all__ = ["Trial", "try_plugin"]

#: Name of the rule that looks on while pictures are compared; no plug-in calls one so.
_PROBE = "vde-nb-trial"


@dataclass(frozen=True)
class _Place:
    """A region, and where it is from."""

    region: Region
    where: str


@dataclass
class _Tried:
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


def try_plugin(name: str, pair: tuple[str, str] | None = None) -> Trial:
    """Load a plug-in and ask its rules about regions; afterwards it is gone again.

    Parameters
    ----------
    name
        As for :func:`vde_nb.load_plugin`. **It is run.**
    pair
        Paths of the reference and the current picture of a pair that shows what it names; by
        default all bundled samples, in which most plug-ins should find nothing.

    Raises
    ------
    SettingError
        There is no such plug-in.
    ImageError
        A picture cannot be read.
    """
    for picture in pair or ():
        load(picture, name=picture)  # told before anything is run
    known = loaded_plugins()
    try:
        plugin = load_plugin(name)
    except SettingError as error:
        if not _is_there(name):
            raise
        return Trial(f"{name}: cannot be loaded", faults=(str(error).removeprefix("plugins: "),))
    try:
        return _tried(name, plugin, pair)
    finally:
        if plugin not in known:
            plugin.remove()


def _is_there(name: str) -> bool:
    try:
        if name.endswith(".py"):
            return Path(name).expanduser().is_file()
        return importlib.util.find_spec(name) is not None
    except (ImportError, AttributeError, OSError, RuntimeError, ValueError):
        return False


def _tried(given: str, plugin: Plugin, pair: tuple[str, str] | None) -> Trial:
    title = repr(plugin).removeprefix("Plugin(").removesuffix(")")
    if plugin.is_empty:
        fault = (
            'It registers nothing: write @vde.anomaly_type("burr") above a rule, or call '
            "vde.add_features or vde.add_model."
        )
        return Trial(title, faults=(fault,))
    notes = []
    if plugin.features or plugin.models:
        notes.append(f"Only rules were tried, not {_joined(plugin.features + plugin.models)}.")
    rules = {name: rule for name, rule in user_rules().items() if name in plugin.types}
    if not rules:
        return Trial(title, notes=tuple(notes))
    without = {name: BUILT_IN.get(name) for name in (*rules, *plugin.removed)}
    tried = {name: _Tried() for name in rules}
    with _registered({**rules, **dict.fromkeys(plugin.removed)}):
        put_rules(without)
        places = [place for one in _pairs(pair) for place in _places(*one)]
        before = [classify(place.region) for place in places]
        said = {
            name: [_asked(tried[name], name, rule, place, plugin) for place in places]
            for name, rule in rules.items()
        }
        asked = []
        for at, place in enumerate(places):
            answers = {name: _answer(said[name][at] or 0.0) for name in rules}
            put_rules({**answers, **dict.fromkeys(plugin.removed)})
            told = {name: said[name][at] for name in rules}
            asked.append(Asked(place.region, before[at], classify(place.region), told))
            _count(tried, asked[-1])
        put_rules(without)
        for place in _extremes():
            for name, rule in rules.items():
                _asked(tried[name], name, rule, place, plugin)
    lines = [] if pair is None else region_lines(asked, rules)
    faults = [
        told if count == 1 else f"{told}; {count} times in all"
        for one in tried.values()
        for told, count in one.faults.values()
    ]
    if pair is not None and places:
        faults += [f"{name} never fires on this pair." for name in _silent(tried)]
    elif pair is not None:
        faults.append("Nothing was found in this pair, so no rule could be tried on it.")
    about = f"{len(places)} regions of {len(samples.list())} bundled samples"
    if pair is not None:
        count = f"{len(places)} region{'' if len(places) == 1 else 's'}"
        about = f"{count} of {pair[1]} against {pair[0]}"
    notes += _remarks(tried, given, is_own=pair is not None)
    about = f"Asked about {about}:"
    return Trial(title, about, _table(tried), tuple(lines), tuple(faults), tuple(notes))


# Regions


def _pairs(pair: tuple[str, str] | None) -> Iterator[tuple[str, Any, Any]]:
    if pair is not None:
        yield ("", *pair)
        return
    for name in samples.list():
        sample = samples.load(name)
        yield name, sample.reference, sample.current


def _places(name: str, reference: Any, current: Any) -> list[_Place]:
    """The regions that a comparison names, in its order."""
    seen: list[Region] = []

    def look_on(region: Region) -> float:
        seen.append(region)
        return 0.0

    put_rules({_PROBE: look_on})
    try:
        found = compare(reference, current, cache=None)
    finally:
        put_rules({_PROBE: None})
    places = []
    for one in found.anomalies:
        same = [region for region in seen if region.box == one.box and region.area == one.area]
        where = f"on the region at {one.box}{f' of {name}' if name else ''}"
        places += [_Place(region, where) for region in same[-1:]]
    return places


def _extremes() -> Iterator[_Place]:
    """Regions that divide by zero what can be: as small and as large as they come."""
    rng = np.random.default_rng(0)
    reference, current = rng.integers(40, 220, (2, 48, 64, 3), np.uint8)
    heatmap = np.full((48, 64), 200, np.uint8)
    for where, (x, y, w, h) in {
        "on a region of one pixel": (30, 20, 1, 1),
        "on a region of one pixel in the corner": (63, 47, 1, 1),
        "on a region one pixel wide": (5, 5, 1, 40),
        "on a region one pixel high": (5, 5, 40, 1),
        "on a region as large as the picture": (0, 0, 64, 48),
    }.items():
        mask = np.ones((h, w), np.bool_)
        yield _Place(Region((x, y, w, h), mask, reference, current, heatmap), where)


@contextmanager
def _registered(rules: Mapping[str, Rule | None]) -> Iterator[None]:
    """Whatever is registered meanwhile, these rules are in the end."""
    try:
        yield
    finally:
        put_rules({_PROBE: None, **rules})


# Rules


def _asked(tried: _Tried, name: str, rule: Rule, place: _Place, plugin: Plugin) -> float | None:
    """What a rule says about a region, None where that is no confidence; faults are noted."""
    answers = []
    for _ in range(2):
        try:
            answers.append(rule(place.region))
        except (Exception, SystemExit) as error:
            line = _line(error, plugin)
            told = f"{line}{name} raises {_told(error)}, {place.where}"
            tried.fault(f"{line}{type(error).__name__}", told)
            return None
    one, other = answers
    here = f"{_defined(rule)}{name}"
    if not isinstance(one, NUMBERS) or not 0.0 <= float(one) <= 1.0:
        what = "nothing (None)" if one is None else f"{one!r:.40}"
        what = f"{float(one):g}" if isinstance(one, NUMBERS) else what
        told = f"{here} returns {what}, which is no confidence from 0 to 1, {place.where}"
        tried.fault("range", told)
        return None
    if not isinstance(other, NUMBERS) or float(other) != float(one):
        again = f"{float(other):g}" if isinstance(other, NUMBERS) else f"{other!r:.20}"
        told = f"{here} says {float(one):g} and then {again} of the same region, {place.where}"
        tried.fault("lots", f"{told}: a rule must neither remember nor draw lots")
        return None
    return float(one)


def _answer(value: float) -> Rule:
    return lambda region: value


def _count(tried: Mapping[str, _Tried], asked: Asked) -> None:
    """Note what became of one region."""
    before, now = asked.before.type, asked.now
    for name, one in tried.items():
        value = asked.said[name] or 0.0
        one.fires += value > 0
        if value > one.highest:
            one.highest, one.surest = value, asked
        if now.type == name:
            one.wins += 1
            one.instead[before] += before != name
        elif now.type == UNKNOWN != before and now.confidence - value < MARGIN:
            one.spoilt[before] += 1


def _line(error: BaseException, plugin: Plugin) -> str:
    """File and line at which it arose, of the plug-in's own where that took part."""
    frames = traceback.extract_tb(error.__traceback__)[1:]
    own = [one for one in frames if one.filename == plugin.source] or [
        one for one in frames if Path(one.filename).parent != Path(__file__).parent / "classify"
    ]
    return f"{Path(own[-1].filename).name}, line {own[-1].lineno}: " if own else ""


def _defined(rule: Rule) -> str:
    code = getattr(rule, "__code__", None)
    return f"{Path(code.co_filename).name}, line {code.co_firstlineno}: " if code else ""


def _told(error: BaseException) -> str:
    said = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(" .:")
    if isinstance(error, AttributeError) and isinstance(getattr(error, "obj", None), Region):
        measures = [one for one in dir(Region) if not one.startswith("_")]
        near = nearest(str(error.name), measures)
        said += f"; did you mean {near}?" if near else "; see help(vde_nb.classify.Region)"
    return said


# What to make of it


def _silent(tried: Mapping[str, _Tried]) -> list[str]:
    return [name for name, one in tried.items() if not one.fires and not one.faults]


def _table(tried: Mapping[str, _Tried]) -> Table:
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


def _remarks(tried: Mapping[str, _Tried], given: str, *, is_own: bool) -> list[str]:
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


def _joined(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
