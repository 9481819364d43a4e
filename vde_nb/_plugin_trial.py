"""A trial of a plug-in: its rules are asked about many regions, and what they say is judged."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from vde_nb import samples
from vde_nb._module_errors import failed_at, words_of
from vde_nb._plugin_regions import PROBE, Place, extremes, places_of
from vde_nb._plugin_rows import Asked, region_lines
from vde_nb._plugin_verdict import Trial, Tried, joined, remarks, silent, tried_table
from vde_nb.classify import UNKNOWN, Region, classify
from vde_nb.classify._classify import MARGIN
from vde_nb.classify._registry import NUMBERS, Rule, put_rules, user_rules
from vde_nb.classify._rules import BUILT_IN
from vde_nb.errors import SettingError
from vde_nb.images import load
from vde_nb.plugins import Plugin, load_plugin, loaded_plugins
from vde_nb.settings import nearest

__all__ = ["Trial", "try_plugin"]


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
        told = str(error).removeprefix("plugins: ")  # no setting of that name was given here
        if not _is_there(name):
            raise SettingError(told) from error
        return Trial(f"{name}: cannot be loaded", faults=(told,))
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
        notes.append(f"Only rules were tried, not {joined(plugin.features + plugin.models)}.")
    rules = {name: rule for name, rule in user_rules().items() if name in plugin.types}
    if not rules:
        return Trial(title, notes=tuple(notes))
    without = {name: BUILT_IN.get(name) for name in (*rules, *plugin.removed)}
    tried = {name: Tried() for name in rules}
    with _registered({**rules, **dict.fromkeys(plugin.removed)}):
        put_rules(without)
        places = places_of(pair)
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
        for place in extremes():
            for name, rule in rules.items():
                _asked(tried[name], name, rule, place, plugin)
    lines = [] if pair is None else region_lines(asked, rules)
    faults = [
        told if count == 1 else f"{told}; {count} times in all"
        for one in tried.values()
        for told, count in one.faults.values()
    ]
    if pair is not None and places:
        faults += [f"{name} never fires on this pair." for name in silent(tried)]
    elif pair is not None:
        faults.append("Nothing was found in this pair, so no rule could be tried on it.")
    about = f"{len(places)} regions of {len(samples.list())} bundled samples"
    if pair is not None:
        count = f"{len(places)} region{'' if len(places) == 1 else 's'}"
        about = f"{count} of {pair[1]} against {pair[0]}"
    notes += remarks(tried, given, is_own=pair is not None)
    about = f"Asked about {about}:"
    return Trial(title, about, tried_table(tried), tuple(lines), tuple(faults), tuple(notes))


@contextmanager
def _registered(rules: Mapping[str, Rule | None]) -> Iterator[None]:
    """Whatever is registered meanwhile, these rules are in the end."""
    try:
        yield
    finally:
        put_rules({PROBE: None, **rules})


# Rules


def _asked(tried: Tried, name: str, rule: Rule, place: Place, plugin: Plugin) -> float | None:
    """What a rule says about a region, None where that is no confidence; faults are noted."""
    answers = []
    for _ in range(2):
        try:
            answers.append(rule(place.region))
        except (Exception, SystemExit) as error:
            line = failed_at(error, rule, plugin.source)
            line = f"{line}: " if line else ""
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


def _count(tried: Mapping[str, Tried], asked: Asked) -> None:
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


def _defined(rule: Rule) -> str:
    code = getattr(rule, "__code__", None)
    return f"{Path(code.co_filename).name}, line {code.co_firstlineno}: " if code else ""


def _told(error: BaseException) -> str:
    told = words_of(error)
    if isinstance(error, AttributeError) and isinstance(getattr(error, "obj", None), Region):
        measures = [one for one in dir(Region) if not one.startswith("_")]
        near = nearest(str(error.name), measures)
        told += f"; did you mean {near}?" if near else "; see help(vde_nb.classify.Region)"
    return told
