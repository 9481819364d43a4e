"""Names, grades, and the registry of anomaly types."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from vde_nb.classify import (
    SEVERITIES,
    UNKNOWN,
    Region,
    _evidence,
    _registry,
    anomaly_type,
    anomaly_types,
    classify,
    remove_anomaly_type,
    reset_anomaly_types,
    rise,
    severity_by_area,
    type_by_shape,
)
from vde_nb.compare import compare
from vde_nb.errors import SettingError, VdeError


@pytest.fixture(autouse=True)
def _clean_registry() -> Iterator[None]:
    yield
    reset_anomaly_types()


def region(w: int = 30, h: int = 20) -> Region:
    reference = np.full((60, 80, 3), 90, np.uint8)
    current = reference.copy()
    current[10 : 10 + h, 5 : 5 + w] = (200, 20, 30)
    heat = np.zeros((60, 80), np.uint8)
    return Region((5, 10, w, h), np.ones((h, w), bool), reference, current, heat)


@pytest.mark.parametrize(
    ("w", "h", "expected"),
    [(31, 10, "scratch"), (30, 10, "missing_part"), (10, 20, "missing_part"), (9, 20, "spot")],
)
def test_types_by_shape_are_the_published_ones(w: int, h: int, expected: str) -> None:
    assert type_by_shape(w, h) == expected


@pytest.mark.parametrize(
    ("w", "h", "expected"),
    [(20, 25, "minor"), (3, 167, "moderate"), (40, 50, "moderate"), (3, 667, "major")],
)
def test_severities_by_area_are_the_published_ones(w: int, h: int, expected: str) -> None:
    assert severity_by_area(w, h) == expected


def test_a_registered_type_wins_when_it_is_surer_than_the_shape() -> None:
    @anomaly_type("red")
    def red(one: Region) -> float:
        r, g, b = one.mean_colour(one.current)
        return 0.9 if r > 2 * max(g, b) else 0.0

    @anomaly_type("unsure")
    def unsure(one: Region) -> float:
        return 0.5

    label = classify(region(), "rules")
    assert label.type == "red"
    assert label.evidence["confidence_red"] == 0.9
    assert label.evidence["confidence_unsure"] == 0.5
    assert classify(region(), "published").type == "missing_part"
    remove_anomaly_type("red")
    assert classify(region(), "rules").type == "missing_part"


def test_the_published_look_knows_nothing_of_the_built_in_rules() -> None:
    label = classify(region(), "rules")
    assert (label.type, label.severity) == ("missing_part", "moderate")
    assert set(label.evidence) == {"aspect_ratio", "box_area"}
    assert classify(region(), "rules", otherwise="deformation").type == "deformation"


def test_a_type_of_ones_own_competes_with_the_built_in_ones() -> None:
    sure = classify(region(), "evidence")
    assert sure.type == "spot" and sure.confidence > 0.8

    anomaly_type("paint")(lambda one: rise(one.tint, 10, 20))
    label = classify(region(), "evidence")
    assert label.type == "paint"
    assert label.confidence == 1.0
    assert next(iter(label.candidates)) == "paint"
    assert set(label.candidates) == set(anomaly_types())

    anomaly_type("paint")(lambda one: 0.5)
    assert classify(region(), "evidence").type == "spot"


def test_a_built_in_type_can_be_taken_away_replaced_and_brought_back() -> None:
    built_in = anomaly_types()
    assert len(built_in) == 11
    remove_anomaly_type("spot")
    assert "spot" not in classify(region(), "evidence").candidates
    anomaly_type("missing_part")(lambda one: 1.0)
    assert classify(region(), "evidence").type == "missing_part"
    assert classify(region(), "rules").evidence["confidence_missing_part"] == 1.0
    reset_anomaly_types()
    assert anomaly_types() == built_in
    assert classify(region(), "evidence").type == "spot"


def test_a_built_in_type_comes_back_in_its_place() -> None:
    built_in = anomaly_types()
    anomaly_type("paint")(lambda one: 0.5)
    remove_anomaly_type("spot")
    anomaly_type("spot")(lambda one: 0.5)
    assert anomaly_types() == (*built_in, "paint")


def test_types_may_come_and_go_while_a_region_is_named() -> None:
    def busy(one: Region) -> float:
        anomaly_type("more")(lambda one: 1.0)
        remove_anomaly_type("spot")
        reset_anomaly_types()
        return 0.0

    anomaly_type("busy")(busy)
    before = {*anomaly_types()}
    assert classify(region(), "evidence").candidates.keys() == before
    assert "busy" not in anomaly_types()


def test_what_is_no_function_is_no_rule() -> None:
    with pytest.raises(SettingError, match="a rule is a function"):
        anomaly_type("paint")(None)  # type: ignore[arg-type]


def test_without_any_rule_everything_is_unknown() -> None:
    for name in anomaly_types():
        remove_anomaly_type(name)
    label = classify(region(), "evidence")
    assert (label.type, label.confidence, label.candidates) == (UNKNOWN, 0.0, {})
    assert label.severity in SEVERITIES


def test_two_built_in_rules_that_are_equally_sure_leave_it_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    twins = dict.fromkeys(("spot", "added_part"), _registry.BUILT_IN["spot"])
    monkeypatch.setattr(_registry, "BUILT_IN", twins)
    reset_anomaly_types()
    label = classify(region(), "evidence")
    assert label.type == UNKNOWN
    assert label.confidence > 0.8
    monkeypatch.undo()


def test_the_evidence_that_tells_a_type_is_evidence_there_is() -> None:
    assert set(_evidence.TELLING) == set(anomaly_types())
    known = set(_evidence.ALWAYS + _evidence.MOTION)
    assert {name for names in _evidence.TELLING.values() for name in names} <= known
    assert all(isinstance(getattr(region(), name), float) for name in known)


def test_a_label_says_what_it_stands_on() -> None:
    label = classify(region(), "evidence")
    assert label.severity in SEVERITIES
    assert 0 < label.severity_score <= 1
    assert next(iter(label.evidence)) == "thickness"
    assert label.evidence["delta_e"] == pytest.approx(76, abs=2)
    assert all(isinstance(value, float) and np.isfinite(value) for value in label.evidence.values())
    confidences = list(label.candidates.values())
    assert confidences == sorted(confidences, reverse=True)
    assert label.confidence == pytest.approx(confidences[0], abs=1e-3)


def test_registered_types_reach_compare_even_on_a_warm_cache() -> None:
    reference = np.full((60, 80, 3), 30, np.uint8)
    current = reference.copy()
    current[10:30, 5:35] = 230
    assert compare(reference, current).anomalies[0].type != "paint"
    anomaly_type("paint")(lambda _: 1.0)
    assert compare(reference, current).anomalies[0].type == "paint"
    published = compare(reference, current, preset="published")
    assert published.anomalies[0].type == "missing_part"


def test_registering_again_replaces() -> None:
    anomaly_type("paint")(lambda _: 0.0)
    anomaly_type("paint")(lambda _: 1.0)
    assert anomaly_types().count("paint") == 1
    assert classify(region(), "rules").type == "paint"


@pytest.mark.parametrize("classifier", ["rules", "evidence"])
@pytest.mark.parametrize("answer", [None, "yes", 1.5, -0.1, float("nan")])
def test_a_rule_that_gives_no_confidence_is_told_in_words(answer: object, classifier: str) -> None:
    anomaly_type("odd")(lambda _: answer)  # type: ignore[arg-type, return-value]
    with pytest.raises(VdeError, match=r"'odd' returned .* must return a confidence from 0 to 1"):
        classify(region(), classifier)


def test_a_rule_that_raises_is_told_with_its_name_and_place() -> None:
    anomaly_type("broken")(lambda one: 1 / 0)
    with pytest.raises(VdeError, match=r"'broken' failed on the region at \(5, 10, 30, 20\): Zero"):
        classify(region(), "rules")


def failing(text: str, name: str) -> str:
    """What is said of a rule that is written in the file, or the cell, of that name."""
    space: dict[str, Any] = {"functools": functools}
    exec(compile(text, name, "exec"), space)
    anomaly_type("broken")(space["rule"])
    with pytest.raises(VdeError) as error:
        classify(region(), "rules")
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("/home/me/burrs.py", "(burrs.py, line 2)."),
        ("/tmp/ipykernel_123/456789.py", "(line 2 of its cell)."),
        (r"C:\Users\me\AppData\Local\Temp\ipykernel_123\456789.py", "(line 2 of its cell)."),
        ("/tmp/xpython_12/34.py", "(line 2 of its cell)."),
        ("<ipython-input-3-0a1b2c3d4e5f>", "(line 2 of its cell)."),
        ("/tmp/ipython-input-3-4123.py", "(line 2 of its cell)."),
        ("<stdin>", "(line 2)."),
    ],
)
def test_a_rule_that_raises_is_told_with_its_line(name: str, said: str) -> None:
    told = failing("def rule(region):\n    return 1 / 0\n", name)
    assert f"ZeroDivisionError: division by zero {said} Mend it" in told


HELPED = """
def helper(region):
    return {}[region.area]

@functools.lru_cache
def deep(region):
    return helper(region)

class Rule:
    def __call__(self, region):
        return deep(region)

    def method(self, region):
        return deep(region)

def two(number, region):
    return deep(region)
"""


@pytest.mark.parametrize(
    "last",
    ["Rule()", "Rule().method", "functools.partial(two, 3)", "deep", "lambda one: deep(one)"],
)
def test_the_line_is_the_innermost_one_of_the_rules_own_file(last: str) -> None:
    assert "(burrs.py, line 3). Mend it" in failing(f"{HELPED}rule = {last}\n", "burrs.py")


def test_a_rule_that_fails_within_another_file_is_told_where_it_calls_that() -> None:
    text = "import json\n\ndef rule(region):\n    return json.loads('{')\n"
    assert "(burrs.py, line 4). Mend it" in failing(text, "burrs.py")


def test_a_rule_without_lines_is_told_without() -> None:
    told = failing("rule = len\n", "burrs.py")
    assert "has no len(). Mend it" in told


@pytest.mark.parametrize("name", ["", "two words", "<b>", "x" * 65, 3])
def test_a_name_that_would_not_print_is_refused(name: object) -> None:
    with pytest.raises(SettingError, match="letters, digits"):
        anomaly_type(name)  # type: ignore[arg-type]


def test_forgetting_the_brackets_is_explained() -> None:
    with pytest.raises(SettingError, match='@anomaly_type\\("burr"\\)'):

        @anomaly_type  # type: ignore[arg-type]
        def burr(one: Region) -> float:
            return 1.0


def test_a_classifier_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SettingError, match="no classifier 'magic': evidence, rules, published"):
        classify(region(), "magic")


def test_removing_what_is_not_there_is_refused() -> None:
    with pytest.raises(SettingError, match="No anomaly type 'ghost'"):
        remove_anomaly_type("ghost")


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [(5, 4, 8, 0.25), (5, 8, 4, 0.75), (9, 4, 8, 1), (1, 4, 8, 0), (4, 4, 4, 1), (3, 4, 4, 0)],
)
def test_a_soft_threshold_rises_falls_and_steps(
    value: float, low: float, high: float, expected: float
) -> None:
    assert rise(value, low, high) == expected
