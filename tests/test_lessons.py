"""Errors name the notebook that explains the thing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import vde_nb as vde
from vde_nb._lessons import LESSONS, lesson, taught, without_lesson
from vde_nb.align import register
from vde_nb.batch.rules import parse_rule

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


PICTURE = np.zeros((64, 64, 3), np.uint8)


@pytest.mark.parametrize(
    ("call", "topic"),
    [
        (lambda: vde.compare_many("nowhere.csv", out="run"), "runs"),
        (lambda: vde.compare_many(("golden", "today"), out="run"), "runs"),
        (lambda: vde.compare_many(7, out="run"), "runs"),
        (lambda: parse_rule("mayor>0"), "runs"),
        (lambda: parse_rule(""), "runs"),
        (lambda: register(PICTURE, PICTURE, model="projective"), "registration"),
        (lambda: vde.Normality.fit("nowhere"), "normality"),
        (lambda: vde.Normality.fit(PICTURE), "normality"),
        (lambda: vde.Normality.fit([PICTURE], model="pca"), "normality"),
        (lambda: vde.Normality.fit([PICTURE], modle="memory"), "normality"),
        (lambda: vde.Normality.fit([]), "normality"),
        (lambda: vde.Normality.fit(["nowhere.png"]), "normality"),
        (lambda: vde.anomaly_type("two words"), "types"),
        (lambda: vde.anomaly_type("burr")(0.5), "types"),  # type: ignore[arg-type]
        (lambda: vde.load_plugin("nowhere.py"), "types"),
        (lambda: vde.load_masks("nowhere"), "labels"),
        (lambda: vde.load_coco("nowhere.json"), "labels"),
        (lambda: vde.compare(PICTURE, PICTURE, treshold=3), "settings"),
        (lambda: vde.compare(PICTURE, PICTURE, preset="published "), "settings"),
        (lambda: vde.compare(PICTURE, PICTURE, align="projective"), "registration"),
        (lambda: vde.compare(PICTURE, PICTURE, normalise="locally"), "registration"),
        (lambda: vde.compare(PICTURE, PICTURE, ignore=[(1, 2, 3)]), "ignore"),
        (lambda: vde.compare(PICTURE, PICTURE, ignore=np.zeros((9, 9), bool)), "ignore"),
        (lambda: vde.Panel(PICTURE, PICTURE, ignore="sky"), "ignore"),
        (lambda: vde.Panel(pairs=7), "panel"),
        (lambda: vde.Panel(pairs=[]), "panel"),
    ],
)
def test_it_is_explained_once_and_at_the_end(
    call: Callable[[], object], topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((vde.VdeError, TypeError)) as error:
        call()
    told = str(error.value)
    assert told.endswith(lesson(topic))
    assert told.count("Explained in") == 1
    assert without_lesson(told)[-1] in ".?)", "what is before it is a sentence of its own"
    assert not without_lesson(told).endswith("..")


def test_the_first_lesson_is_the_nearest() -> None:
    with pytest.raises(vde.SettingError) as error, taught("runs"), taught("types"):
        raise vde.SettingError("no such thing")
    assert str(error.value) == f"no such thing.{lesson('types')}"


def test_what_is_no_mistake_of_a_setting_is_left_alone() -> None:
    with pytest.raises(vde.MissingExtraError) as error, taught("runs"):
        raise vde.MissingExtraError('pip install "vde-nb[batch]"')
    assert str(error.value) == 'pip install "vde-nb[batch]"'


def test_a_row_of_a_run_is_not_the_place_to_learn(tmp_path: Path) -> None:
    @vde.anomaly_type("broken")
    def broken(region: object) -> float:
        return 1 / 0

    pair = vde.samples.load("board")
    try:
        run = vde.compare_many(
            [(pair.reference, pair.current)], out=tmp_path / "run", workers=0, progress=False
        )
    finally:
        vde.remove_anomaly_type("broken")
    (row,) = run.rows()
    assert "ZeroDivisionError" in row["error"]
    assert "Explained" not in row["error"]
