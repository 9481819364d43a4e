"""``vde-nb normality``: learn from a folder, judge another one."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

import vde_nb as vde
from vde_nb import samples
from vde_nb._cli_normality import _table_of
from vde_nb.cli import main
from vde_nb.normality._choose import Trial


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("line")
    rng = np.random.default_rng(5)
    scene = samples.load("wall").reference[:240, :320]
    for part, count in (("good", 6), ("today", 3)):
        (root / part).mkdir()
        for number in range(count):
            picture = scene + rng.normal(0, 3, scene.shape)
            if part == "today" and number == 1:
                picture[100:140, 150:200] = (200, 60, 60)
            levels = np.clip(picture, 0, 255).astype(np.uint8)[..., ::-1]
            name = f"2026-11-23_{8 + number:02}-30-00.png"
            assert cv2.imwrite(str(root / part / name), levels)
    (root / "good" / "2026-11-23_23-00-00.png").write_bytes(b"not a picture")
    return root


@pytest.fixture(scope="module")
def model(folders: Path) -> Path:
    path = folders / "line.normality.safetensors"
    words = ["normality", "fit", str(folders / "good"), "--out", str(path)]
    assert main([*words, "--kind", "variation", "--no-align"]) == 0
    return path


def test_a_model_is_fitted_and_what_was_skipped_is_named(folders, model, capsys):
    out = folders / "second.normality.safetensors"
    words = ["normality", "fit", str(folders / "good"), "--out", str(out), "--no-align"]
    assert main([*words, "--kind", "variation"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "6 normal pictures" in told and "2026-11-23_23-00-00.png" in told
    assert f"Written: {out}" in told
    assert out.stat().st_size > 1000


def test_a_model_that_is_there_is_not_replaced_unasked(folders, model, monkeypatch, capsys):
    before = model.read_bytes()
    monkeypatch.setattr(vde.Normality, "fit", lambda *_, **__: pytest.fail("worked for nothing"))
    for name in (model, folders / "line"):  # one file by two names
        assert main(["normality", "fit", str(folders / "good"), "--out", str(name)]) == 2
        error = capsys.readouterr().err
        assert "--overwrite" in error and str(model) in error
    assert model.read_bytes() == before


def test_a_folder_is_not_replaced_by_a_model_though_told_to_overwrite(folders, capsys):
    words = ["normality", "fit", str(folders / "good"), "--out", str(folders / "today")]
    assert main([*words, "--overwrite"]) == 2
    assert "is a folder" in capsys.readouterr().err
    assert not (folders / "today.normality.safetensors").exists()


def test_the_file_is_told_by_the_name_it_really_has(folders, tmp_path, capsys):
    words = ["normality", "fit", str(folders / "good"), "--out", str(tmp_path / "short")]
    assert main([*words, "--kind", "variation", "--no-align", "--small"]) == 0
    told = capsys.readouterr().out
    (written,) = tmp_path.iterdir()
    assert f"Written: {written}\n" in told and written.name == "short.normality.safetensors"


def test_what_was_tried_is_told_as_a_table(capsys):
    trials = [Trial("variation", 0.5, 1.234, 24), Trial("memory", 0.875, 2.0, 24)]
    head, *rows = _table_of(trials)[2].splitlines()
    assert head.split()[0] == "kind" and [row.split()[0] for row in rows] == ["variation", "memory"]
    assert rows[0].split()[1:] == ["50%", "1.23"] and "24" in _table_of(trials)[1]
    assert _table_of([]) == []


def test_a_series_of_which_nothing_could_be_judged_is_an_error(folders, model, tmp_path, capsys):
    (tmp_path / "a.png").write_bytes(b"not a picture")
    assert main(["normality", "series", str(model), str(tmp_path)]) == 2
    told = capsys.readouterr()
    assert "Not one of the pictures" in told.err and "a.png" in told.out
    assert "No anomalies" not in told.out
    good = (folders / "good" / "2026-11-23_08-30-00.png").read_bytes()
    (tmp_path / "b.png").write_bytes(good)
    assert main(["normality", "series", str(model), str(tmp_path)]) == 0
    assert "No anomalies. 1 not judged." in capsys.readouterr().out


def test_a_series_is_told_frame_by_frame_and_written(folders, model, tmp_path, capsys):
    words = [
        "normality",
        "series",
        str(model),
        str(folders / "today"),
        "--out",
        str(tmp_path / "r"),
    ]
    assert main(words) == 1
    told = capsys.readouterr().out
    assert "2026-11-23_09-30-00.png" in told and "1 anomaly over time" in told
    rows = list(csv.DictReader((tmp_path / "r" / "series.csv").read_text().splitlines()))
    assert [int(row["count"]) for row in rows] == [0, 1, 0]
    assert cv2.imread(str(tmp_path / "r" / "series.png")) is not None
    tracks = list(csv.DictReader((tmp_path / "r" / "tracks.csv").read_text().splitlines()))
    assert [one["frames"] for one in tracks] == ["1"]
    assert main(words) == 2  # nothing is replaced unasked
    assert "--overwrite" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 1


def test_a_model_learns_more_on_the_command_line(folders, tmp_path, capsys):
    out = tmp_path / "third.normality.safetensors"
    words = ["normality", "fit", str(folders / "good"), "--out", str(out), "--no-align"]
    assert main([*words, "--kind", "variation"]) == 0
    more = str(folders / "today" / "2026-11-23_08-30-00.png")
    assert main(["normality", "update", str(out), more, "--half-life", "10"]) == 0
    told = capsys.readouterr().out
    assert "learnt from 7 normal pictures" in " ".join(told.split())
    assert main(["normality", "update", str(out), more, "--half-life", "0"]) == 2
    assert "half_life must be" in capsys.readouterr().err


def test_one_picture_is_judged_by_compare_without_a_reference(folders, model, capsys):
    picture = str(folders / "today" / "2026-11-23_09-30-00.png")
    assert main(["compare", picture, "--method", "normality", "--model", str(model)]) == 1
    assert "1 anomaly" in capsys.readouterr().out
    assert main(["compare", picture, "--method", "normality"]) == 2
    assert "vde-nb normality fit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["fit", "nowhere", "--out", "x.normality.safetensors"], "There is no folder nowhere in "),
        (["fit", ".", "--out", "no/such/folder/x"], "There is no folder"),
        (["series", "nothing.safetensors", "."], "nothing.safetensors"),
        (["series"], "required: MODEL, FOLDER"),
    ],
)
def test_what_is_wrong_is_said_in_words(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["normality", *words]) == 2
    error = capsys.readouterr().err
    assert told in error and "Traceback" not in error
