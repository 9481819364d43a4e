"""Names, grades, and the registry of anomaly types."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from vde_nb.classify import (
    Region,
    anomaly_type,
    anomaly_types,
    classify,
    remove_anomaly_type,
    severity_by_area,
    type_by_shape,
)
from vde_nb.compare import compare
from vde_nb.errors import SettingError, VdeError


@pytest.fixture(autouse=True)
def _clean_registry() -> Iterator[None]:
    yield
    for name in anomaly_types():
        remove_anomaly_type(name)


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


def test_registered_types_reach_compare_even_on_a_warm_cache() -> None:
    reference = np.full((60, 80, 3), 30, np.uint8)
    current = reference.copy()
    current[10:30, 5:35] = 230
    assert compare(reference, current).anomalies[0].type == "missing_part"
    anomaly_type("paint")(lambda _: 1.0)
    assert compare(reference, current).anomalies[0].type == "paint"
    published = compare(reference, current, preset="published")
    assert published.anomalies[0].type == "missing_part"


def test_registering_again_replaces() -> None:
    anomaly_type("paint")(lambda _: 0.0)
    anomaly_type("paint")(lambda _: 1.0)
    assert anomaly_types() == ("paint",)
    assert classify(region(), "rules").type == "paint"


@pytest.mark.parametrize("answer", [None, "yes", 1.5, -0.1, float("nan")])
def test_a_rule_that_gives_no_confidence_is_told_in_words(answer: object) -> None:
    anomaly_type("odd")(lambda _: answer)  # type: ignore[arg-type, return-value]
    with pytest.raises(VdeError, match=r"'odd' returned .* must return a confidence from 0 to 1"):
        classify(region(), "rules")


def test_a_rule_that_raises_is_told_with_its_name_and_place() -> None:
    anomaly_type("broken")(lambda one: 1 / 0)
    with pytest.raises(VdeError, match=r"'broken' failed on the region at \(5, 10, 30, 20\): Zero"):
        classify(region(), "rules")


@pytest.mark.parametrize("name", ["", "two words", "<b>", "x" * 65, 3])
def test_a_name_that_would_not_print_is_refused(name: object) -> None:
    with pytest.raises(SettingError, match="letters, digits"):
        anomaly_type(name)  # type: ignore[arg-type]


def test_forgetting_the_brackets_is_explained() -> None:
    with pytest.raises(SettingError, match='@anomaly_type\\("burr"\\)'):

        @anomaly_type  # type: ignore[arg-type]
        def burr(one: Region) -> float:
            return 1.0


def test_removing_what_is_not_there_is_refused() -> None:
    with pytest.raises(SettingError, match="No anomaly type 'ghost'"):
        remove_anomaly_type("ghost")
