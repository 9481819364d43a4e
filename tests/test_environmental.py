"""What is taken for a shadow or a reflection is told apart wherever it is drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vde_nb as vde
from vde_nb.classify import anomaly_types
from vde_nb.figure import annotated, type_colour
from vde_nb.panel._patches import types_patch


@pytest.fixture(scope="module")
def found() -> Any:
    """A grey square that turned light, found by pixels."""
    reference = np.full((240, 320, 3), 90, np.uint8)
    current = reference.copy()
    current[60:180, 80:240] = 200
    return vde.compare(reference, current, method="hybrid", segmenter="none")


def with_type(found: Any, name: str) -> Any:
    return replace(found, anomalies=tuple(replace(one, type=name) for one in found.anomalies))


def test_its_colour_is_that_of_no_other_type() -> None:
    assert type_colour("environmental") not in {type_colour(name) for name in anomaly_types()}


def test_it_is_hatched_in_the_annotated_picture(found: Any) -> None:
    plain, hatched = (
        annotated(with_type(found, name), outlines=False, boxes=False, labels=False)
        for name in ("stain", "environmental")
    )
    inside = slice(90, 150), slice(120, 200)
    assert len(np.unique(plain[inside].reshape(-1, 3), axis=0)) == 1
    colours, counts = np.unique(hatched[inside].reshape(-1, 3), axis=0, return_counts=True)
    assert len(colours) == 2, "stripes and what lies between them"
    assert [200, 200, 200] in colours.tolist()
    assert 0.2 < counts.min() / counts.sum() < 0.5


def test_people_can_say_that_something_is_environmental(found: Any) -> None:
    patch = types_patch(found)
    assert "environmental" in patch["types"]
    assert patch["types"].count("environmental") == 1
    again = types_patch(with_type(found, "environmental"))
    assert again["types"] == patch["types"]
    assert again["colours"]["type"]["environmental"] == "#998ec3"


def test_it_has_one_name() -> None:
    from vde_nb import _draw, describe, explain
    from vde_nb.methods import base, semantic

    assert base.ENVIRONMENTAL == "environmental"
    for module in (_draw, describe, explain, semantic):
        assert module.ENVIRONMENTAL is base.ENVIRONMENTAL
        source = Path(str(module.__file__)).read_text("utf-8")
        assert "ENVIRONMENTAL =" not in source
