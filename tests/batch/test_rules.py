"""Rules that say which pairs fail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vde_nb import SettingError
from vde_nb.batch.rules import MEASURES, Rule, parse_rule

ROW = {
    "status": "changed",
    "anomalies": 3,
    "types": {"crack": 2, "odd name": 1},
    "severities": {"minor": 2, "moderate": 0, "major": 1},
    "change": 1.5,
    "ssim": 0.97,
    "score": None,
    "largest": 240,
    "unlike": True,
}
LOST = {**ROW, "status": "error", "anomalies": None, "types": {}, "change": None, "ssim": None}


def fails(text: str, row: dict = ROW) -> bool:
    return parse_rule(text, types=["crack", "spot-2"])(row)


@pytest.mark.parametrize(
    "text",
    [
        "major>0",
        "major > 0 or change > 2",
        "change>=1.5 and change<=1.5 and change==1.5 and not change!=1.5",
        "crack == 2",
        "type:crack>1",
        'type:"odd name" == 1',
        "type: 'odd name' == 1",
        "0 < major",
        "minor > moderate",
        "not (major > 5 or minor > 5)",
        "NOT major > 5 AND minor > 1",
        "largest > 1e2",
        "ssim < .98",
        "change > -1",
        "spot-2 == 0",
        "error == 0",
        "unlike > 0",
    ],
)
def test_a_row_is_judged_as_the_rule_reads(text):
    assert fails(text)
    assert not fails(f"not ({text})")


def test_and_binds_closer_than_or():
    assert fails("major>0 or minor>9 and change>9")
    assert not fails("(major>0 or minor>9) and change>9")


def test_what_is_not_known_fails_no_comparison():
    for sign in (">", ">=", "<", "<=", "==", "!="):
        assert not fails(f"score {sign} 1")
        assert not fails(f"crack {sign} 0", LOST), "nothing was counted there"
        assert not fails(f"minor {sign} 0", LOST)


def test_pictures_of_another_scene_can_fail():
    assert not fails("unlike > 0", {**ROW, "unlike": False})
    assert not fails("unlike > 0", LOST) and not fails("unlike == 0", LOST), "nobody looked"


def test_a_pair_that_could_not_be_compared_is_an_error():
    assert fails("error > 0", LOST) and not fails("error > 0")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("mayor>0", "Did you mean 'major'"),
        ("crak > 0", "Did you mean 'crack'"),
        ("major=0", "write '=='"),
        ("major>0 && minor>0", "write 'and'"),
        ("major>0 | minor>0", "write 'or'"),
        ("!major>0", "write 'not'"),
        ("major<>0", "write '!='"),
        ("change>2%", "is '%'"),
        ("major", "the end; expected one of > >="),
        ("major>", "the end; expected a number"),
        ("(major>0", "expected ')'"),
        ("major>0)", "is ')'; expected 'and' or 'or'"),
        ("major>0 minor>0", "is 'minor'; expected 'and' or 'or'"),
        ("0<major<3", "not chained"),
        ("1>0", "two numbers"),
        ("major>0 or 1>0", "two numbers"),
        ("change>1e999", "too large"),
        ("major>0x10", "'0'"),
        ("major>1_000", "'1'"),
        ("or", "expected a number or a name"),
        ("", "is text such as"),
        ("__import__('os')>0", "__import__"),
        ("major.__class__>0", "'.'"),
        ("lambda>0", "neither"),
        ("(" * 51 + "major>0" + ")" * 51, "50 brackets"),
        ("not " * 51 + "major>0", "50 brackets"),
        ("major>0" + " " * 1000 + "x", "at most 1000 letters"),
    ],
)
def test_what_is_no_rule_is_told_with_its_place(text, told):
    with pytest.raises(SettingError) as error:
        fails(text)
    assert told in str(error.value)


@pytest.mark.parametrize("value", [None, 3, b"major>0", ["major>0"]])
def test_a_rule_is_text(value):
    with pytest.raises(SettingError, match="is text such as"):
        parse_rule(value)


def test_the_same_name_twice_is_no_comparison_of_numbers():
    assert fails("major>0 and major>0 and major<9")


def test_a_type_that_only_workers_know_is_named_with_its_kind():
    assert parse_rule("type:of_a_plugin > 0").names == {"type:of_a_plugin"}
    with pytest.raises(SettingError, match="type:of_a_plugin"):
        parse_rule("of_a_plugin > 0")


def test_a_registered_type_is_known():
    assert parse_rule("scratch > 0 or missing_part>0").names == {
        "type:scratch",
        "type:missing_part",
    }


def test_a_rule_says_what_it_is():
    rule = parse_rule(" major>0 ")
    assert str(rule) == "major>0" and rule == parse_rule("major>0") and "_test" not in repr(rule)
    assert rule.names == {"major"}


names = st.sampled_from([*MEASURES, "crack"])
signs = {
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


def value(name: str) -> float | None:
    if name == "error":
        return 0
    return {**ROW, **ROW["severities"], **ROW["types"]}[name]


@st.composite
def written(draw) -> tuple[str, bool]:
    name, sign = draw(names), draw(st.sampled_from(list(signs)))
    number = draw(st.integers(-3, 300) | st.floats(-3, 300).map(lambda x: round(x, 3)))
    known = value(name)
    return f"{name} {sign} {number}", known is not None and signs[sign](known, number)


rules = st.recursive(
    written(),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda p: (f"({p[0][0]}) or ({p[1][0]})", p[0][1] or p[1][1])),
        st.tuples(inner, inner).map(
            lambda p: (f"({p[0][0]}) and ({p[1][0]})", p[0][1] and p[1][1])
        ),
        inner.map(lambda one: (f"not ({one[0]})", not one[1])),
    ),
    max_leaves=6,
)


@given(rules)
def test_any_rule_says_what_python_would(rule):
    text, expected = rule
    assert fails(text) is expected


@given(st.text(max_size=60) | st.text(alphabet="()<>=!&|'\" .0aenotrmj:-", max_size=60))
def test_any_other_text_is_an_error_for_people_or_a_rule(text):
    try:
        assert isinstance(parse_rule(text), Rule)
    except SettingError as error:
        assert str(error)
