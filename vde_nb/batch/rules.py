"""Rules that say which pairs fail: ``"major>0 or change>2"``.

A rule is text that may come from a command line or from a stranger's run, so it is read by the
small parser below and nothing of it is ever run as Python. The grammar::

    rule       = both { "or" both }
    both       = one { "and" one }
    one        = "not" one | "(" rule ")" | value sign value
    value      = number | name | "type:" name | 'type:"any text"'
    sign       = ">" | ">=" | "<" | "<=" | "==" | "!="
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from vde_nb._lessons import taught
from vde_nb.errors import SettingError
from vde_nb.settings import nearest

__all__ = ["MEASURES", "Rule", "parse_rule"]

#: What a rule can ask of a pair beside the counts of types.
MEASURES: Mapping[str, str] = {
    "anomalies": "how many were found",
    "minor": "minor ones",
    "moderate": "moderate ones",
    "major": "major ones",
    "change": "changed pixels in percent",
    "ssim": "structural similarity, 1 = identical",
    "score": "the worst place, 1 = the level of what counts as unchanged",
    "largest": "area of the largest anomaly in pixels",
    "unlike": "1 for two pictures that do not look like the same scene, else 0",
    "error": "1 for a pair that could not be compared, else 0",
}

_LONGEST = 1000  # letters of a rule
_DEEPEST = 50  # brackets and "not" inside of each other: each takes a call of the parser

_SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_SEVERITIES = ("minor", "moderate", "major")
_KEYWORDS = ("and", "or", "not")
#: What people write who know it from elsewhere.
_MEANT = {"=": "==", "&&": "and", "&": "and", "||": "or", "|": "or", "!": "not", "<>": "!="}
#: Brackets and signs stand by themselves; names of types hold "-", as there is no subtraction.
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?![\w.])
      | type:\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<plain>[\w-]+))
      | (?P<name>[^\W\d][\w-]*)
      | (?P<sign>>=|<=|==|!=|<>|>|<|\(|\))
      | (?P<wrong>&&|\|\||\S)
    )""",
    re.VERBOSE,
)

Row: TypeAlias = Mapping[str, Any]
_Test: TypeAlias = Callable[[Row], bool]
_Value: TypeAlias = Callable[[Row], "float | None"]


@dataclass(frozen=True)
class Rule:
    """A rule that was read; call it with a row of a run.

    Attributes
    ----------
    text
        As it was written.
    names
        What it asks for: measures, and types of anomalies as ``type:crack``.
    """

    text: str
    names: frozenset[str]
    _test: _Test = field(repr=False, compare=False)

    def __call__(self, row: Row) -> bool:
        """Whether the rule applies to a row: the pair fails by it.

        Of a pair that could not be compared only ``error`` is known; a comparison with what is
        not known is false.
        """
        return self._test(row)

    def __str__(self) -> str:
        return self.text


def parse_rule(text: str, types: Iterable[str] = ()) -> Rule:
    """Read a rule.

    Parameters
    ----------
    text
        Comparisons of numbers with ``anomalies``, ``minor``, ``moderate``, ``major``, ``change``,
        ``ssim``, ``score``, ``largest``, ``unlike``, ``error`` or the name of a type of anomalies
        (how many of it there are), joined by ``and``, ``or``, ``not`` and brackets.
        ``type:crack`` and ``type:"any text"`` stand for a type whatever its name, also for one
        that is not known here, such as of a plugin that only workers import.
    types
        Names of types that are known beside the registered ones.

    Returns
    -------
    Rule
        Called with a row of a run, it says whether the pair fails.

    Raises
    ------
    SettingError
        The text is no rule; the message says where, and what was expected.

    Examples
    --------
    >>> rule = parse_rule("major > 0 or change > 2")
    >>> row = {"status": "changed", "change": 0.5, "severities": {"major": 1}}
    >>> rule(row), rule({**row, "severities": {"major": 0}})
    (True, False)
    """
    with taught("runs"):
        if not isinstance(text, str) or not text.strip():
            raise SettingError(f"A rule is text such as 'major>0 or change>2', not {text!r}.")
        if len(text) > _LONGEST:
            raise SettingError(f"A rule has at most {_LONGEST} letters; this one has {len(text)}.")
        return _Parser(text, types).rule()


@dataclass(frozen=True)
class _Word:
    kind: str  # "number", "type", "name", "sign", "end"
    text: str
    at: int


class _Parser:
    """Recursive descent over the words of one rule, one method for each line of the grammar."""

    def __init__(self, text: str, types: Iterable[str]) -> None:
        self._text = text
        self._types = types
        self._words = list(self._split())
        self._next = 0
        self._names: set[str] = set()

    def rule(self) -> Rule:
        test = self._or(0)
        if self._word.kind != "end":
            raise self._wrong("'and' or 'or'")
        return Rule(self._text.strip(), frozenset(self._names), test)

    def _split(self) -> Iterable[_Word]:
        at, end = 0, len(self._text.rstrip())
        while at < end:
            found = _TOKEN.match(self._text, at)
            assert found is not None  # the last alternative takes anything
            kind = str(found.lastgroup)
            if kind == "wrong":
                told = found["wrong"]
                meant = _MEANT.get(told)
                hint = f"; write {meant!r}" if meant else ""
                raise SettingError(f"{self._where(found.start(kind))} is {told!r}{hint}.")
            yield _Word(
                "type" if kind in ("double", "single", "plain") else kind,
                found[kind],
                found.start(kind),
            )
            at = found.end()
        yield _Word("end", "", end)

    @property
    def _word(self) -> _Word:
        return self._words[self._next]

    def _take(self, kind: str, *texts: str) -> _Word | None:
        word = self._word
        lower = word.text.lower() if word.kind == "name" else word.text
        if word.kind != kind or (texts and lower not in texts):
            return None
        self._next += 1
        return word

    def _or(self, depth: int) -> _Test:
        return self._joined(self._and, "or", any, depth)

    def _and(self, depth: int) -> _Test:
        return self._joined(self._one, "and", all, depth)

    def _joined(
        self,
        part: Callable[[int], _Test],
        word: str,
        join: Callable[[Iterable[bool]], bool],
        depth: int,
    ) -> _Test:
        tests = [part(depth)]
        while self._take("name", word):
            tests.append(part(depth))
        return tests[0] if len(tests) == 1 else lambda row: join(test(row) for test in tests)

    def _one(self, depth: int) -> _Test:
        if depth > _DEEPEST:
            raise SettingError(
                f"The rule has more than {_DEEPEST} brackets or 'not' inside of each other."
            )
        if self._take("name", "not"):
            inner = self._one(depth + 1)
            return lambda row: not inner(row)
        if self._take("sign", "("):
            inner = self._or(depth + 1)
            if not self._take("sign", ")"):
                raise self._wrong("')'")
            return inner
        return self._comparison()

    def _comparison(self) -> _Test:
        start, known = self._word.at, len(self._names)
        left = self._value()
        word = self._take("sign", *_SIGNS)
        if word is None:
            raise self._wrong(f"one of {' '.join(_SIGNS)}")
        right, compare = self._value(), _SIGNS[word.text]
        if len(self._names) == known and not self._asks(start):
            raise SettingError(
                f"{self._where(start)} are compared two numbers: one side must be a name, such as "
                "major or change."
            )
        if self._word.kind == "sign" and self._word.text in _SIGNS:
            raise self._wrong("'and' or 'or': comparisons are not chained")

        def test(row: Row) -> bool:
            one, other = left(row), right(row)
            return one is not None and other is not None and compare(one, other)

        return test

    def _asks(self, start: int) -> bool:
        """Whether a name stands between the letter `start` and here."""
        return any(
            word.kind in ("name", "type") for word in self._words[: self._next] if word.at >= start
        )

    def _value(self) -> _Value:
        if word := self._take("number"):
            number = float(word.text)
            if not math.isfinite(number):
                raise SettingError(f"{self._where(word.at)} is {word.text}, which is too large.")
            return lambda row: number
        if word := self._take("type"):
            return self._count(word.text)
        if self._word.kind == "name" and self._word.text.lower() not in _KEYWORDS:
            return self._named()
        raise self._wrong("a number or a name such as major or change")

    def _named(self) -> _Value:
        from vde_nb.classify import anomaly_types

        word, self._next = self._word, self._next + 1
        name = word.text
        if name in MEASURES:
            self._names.add(name)
            return lambda row: _measure(row, name)
        known = {*anomaly_types(), *self._types}
        if name in known:
            return self._count(name)
        close = nearest(name, {*MEASURES, *known})
        hint = f" Did you mean {close}?" if close else ""
        raise SettingError(
            f"{self._where(word.at)} is {name!r}, which is neither one of {', '.join(MEASURES)} "
            f"nor a type of anomalies that is known here.{hint} (A type that only a plugin knows "
            f"is written type:{name}.)"
        )

    def _count(self, name: str) -> _Value:
        self._names.add(f"type:{name}")

        def count(row: Row) -> float | None:
            if row.get("status") == "error":
                return None
            return _number((row.get("types") or {}).get(name, 0))

        return count

    def _where(self, at: int) -> str:
        return f"In the rule {self._text.strip()!r}, at letter {at + 1},"

    def _wrong(self, expected: str) -> SettingError:
        word = self._word
        told = "the end" if word.kind == "end" else repr(word.text)
        meant = f" (write {_MEANT[word.text]!r})" if word.text in _MEANT else ""
        return SettingError(f"{self._where(word.at)} is {told}{meant}; expected {expected}.")


def _measure(row: Row, name: str) -> float | None:
    failed = row.get("status") == "error"
    if name == "error":
        return float(failed)
    if failed:  # a count of none would say that nothing is there
        return None
    if name == "unlike":
        return float(row.get("unlike", False))
    if name in _SEVERITIES:
        return _number((row.get("severities") or {}).get(name))
    return _number(row.get(name))


def _number(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
