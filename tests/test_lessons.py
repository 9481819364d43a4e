"""Errors name the notebook that explains the thing."""

from __future__ import annotations

from pathlib import Path

import pytest

import vde_nb as vde
from vde_nb._lessons import LESSONS, lesson

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


@pytest.mark.parametrize("topic", LESSONS)
def test_there_is_such_a_notebook(topic: str) -> None:
    assert (NOTEBOOKS / f"{LESSONS[topic]}.ipynb").is_file()
    assert LESSONS[topic] in lesson(topic)


@pytest.mark.parametrize(
    ("how", "topic"),
    [
        ({"method": "hybird"}, "methods"),
        ({"segmenter": "sam9"}, "models"),
        ({"method": "semantic", "features": "dino9"}, "features"),
        ({"method": "normality"}, "normality"),
        ({"plugins": "nowhere.py"}, "types"),
    ],
)
def test_what_is_wrong_is_explained_there(how: dict[str, str], topic: str) -> None:
    pair = vde.samples.load("board")
    with pytest.raises(vde.SettingError, match=LESSONS[topic]):
        vde.compare(pair.reference, pair.current, **how)


def test_a_folder_of_labels_is_explained(tmp_path: Path) -> None:
    with pytest.raises(vde.SettingError, match=LESSONS["labels"]):
        vde.load_masks(tmp_path)
