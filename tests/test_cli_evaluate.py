"""``vde-nb evaluate``: labelled pairs on the command line, as a person and as a CI job use it."""

from __future__ import annotations

import csv
import io
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import vde_nb as vde
from vde_nb import _cli_evaluate_output
from vde_nb.cli import main

QUICK = ("--method", "hybrid", "--segmenter", "none")
BOXES = {"one": [(30, 20, 30, 20)], "two": [(10, 10, 20, 20), (70, 40, 24, 18)], "sound": []}
MISSED = (90, 4, 12, 12)  # labelled, and nothing is there


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


def drawn(boxes: list[tuple[int, int, int, int]], shape: tuple[int, ...], ink: int) -> np.ndarray:
    pixels = np.full(shape, 90 if len(shape) == 3 else 0, np.uint8)
    for x, y, w, h in boxes:
        pixels[y : y + h, x : x + w] = ink
    return pixels


@pytest.fixture
def masks(tmp_path) -> Path:
    """Three pairs with painted masks."""
    folder = tmp_path / "painted"
    for name, boxes in BOXES.items():
        save(folder / "reference" / f"{name}.png", drawn([], (80, 120, 3), 0))
        save(folder / "current" / f"{name}.png", drawn(boxes, (80, 120, 3), 200))
        save(folder / "masks" / f"{name}.png", drawn(boxes, (80, 120), 255))
    return folder


@pytest.fixture
def coco(tmp_path) -> Path:
    """The same as COCO annotations, with types and with a label for which nothing is there."""
    folder = tmp_path / "coco"
    save(folder / "golden.png", drawn([], (80, 120, 3), 0))
    images, annotations = [], []
    for number, (name, boxes) in enumerate(BOXES.items(), 1):
        save(folder / f"{name}.png", drawn(boxes, (80, 120, 3), 200))
        image = {"id": number, "file_name": f"{name}.png", "reference_file_name": "golden.png"}
        images.append(image | {"width": 120, "height": 80})
        for box in [*boxes, *([MISSED] if name == "two" else [])]:
            annotations.append({"image_id": number, "category_id": 1, "bbox": list(box)})
    document = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "=added_part"}],
    }
    (folder / "labels.json").write_text(json.dumps(document))
    return folder


@pytest.fixture
def deeppcb(tmp_path) -> Path:
    folder = tmp_path / "boards"
    save(folder / "1_temp.jpg", drawn([], (80, 120, 3), 0))
    save(folder / "1_test.jpg", drawn(BOXES["one"], (80, 120, 3), 200))
    (folder / "1.txt").write_text("30 20 60 40 3\n")
    return folder


@pytest.fixture
def run(capsys):
    def run(*words: object) -> tuple[int, str, str]:
        status = main(["evaluate", *map(str, words)])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def refused(result: tuple[int, str, str]) -> str:
    status, out, err = result
    assert (status, out) == (2, "") and err.startswith("vde-nb: error: ") and err.count("\n") == 1
    return err


def figures(out: str) -> dict[str, str]:
    """The list of figures on the terminal."""
    lines = (line.split() for line in out.split("\n\n")[1].splitlines())
    return {words[0]: words[1] for words in lines}


# ---------------------------------------------------------------------------------------- layouts


def test_painted_masks_are_told_by_their_folders(run, masks):
    status, out, err = run(masks, *QUICK)
    assert (status, err) == (0, "")
    assert out.startswith("3 pairs (painted masks), 1 of them sound; method hybrid\n")
    assert "3 true, 3 found, 3 of them match at IoU > 0.33" in out
    found = figures(out)
    assert (found["f1"], found["false_alarm_rate"], found["type_accuracy"]) == (
        "1.000",
        "0.000",
        "–",
    )
    assert "Mistakes" not in out and "Written" not in out


def test_annotations_are_taken_by_name_or_from_a_folder_with_just_one_file(run, coco):
    by_name = run(coco / "labels.json", *QUICK)
    in_folder = run(coco, *QUICK)
    for status, out, _ in (by_name, in_folder):
        assert status == 0 and "COCO annotations in labels.json" in out
        assert figures(out)["recall"] == "0.750" and "=added_part" in out
        assert "two.png  missed" in out and str(MISSED) in out
    (coco / "other.json").write_text("{}")
    assert "several .json files (labels.json, other.json)" in refused(run(coco, *QUICK))


def test_references_of_annotations_can_be_given(run, coco, tmp_path):
    text = (coco / "labels.json").read_text().replace('"reference_file_name"', '"nothing"')
    (tmp_path / "labels.json").write_text(text)
    words = (tmp_path / "labels.json", "--root", coco, *QUICK)
    assert "give --reference, a picture or a folder" in refused(run(*words))
    status, out, _ = run(*words, "--reference", coco / "golden.png")
    assert status == 0 and figures(out)["recall"] == "0.750"


def test_the_layout_of_deeppcb_is_known_and_boxes_can_be_widened(run, deeppcb):
    status, out, _ = run(deeppcb, *QUICK)
    assert status == 0 and out.startswith("1 pair (the layout of DeepPCB), 0 of them sound")
    assert "mousebite" in out and figures(out)["recall"] == "1.000"
    (deeppcb / "1.txt").write_text("14 4 76 56 3\n")  # drawn with 16 pixels of air
    assert figures(run(deeppcb, *QUICK)[1])["recall"] == "0.000"
    assert figures(run(deeppcb, *QUICK, "--box-margin", "12")[1])["recall"] == "1.000"


def test_names_that_no_type_has_are_told(run, coco):
    told = "Nothing is called =added_part here"
    assert told in run(coco, *QUICK)[1]
    labels = coco / "labels.json"
    labels.write_text(labels.read_text().replace("=added_part", "added_part"))
    assert "Nothing is called" not in run(coco, *QUICK)[1]


def test_settings_plugins_and_ignored_places_arrive(run, masks, tmp_path):
    _, out, _ = run(masks, *QUICK, "--ignore", "0,0,60,80")
    assert "1 true, 1 found" in out
    _, out, _ = run(masks, *QUICK, "--threshold", "250")
    assert "3 true, 0 found" in out and figures(out)["precision"] == "–"
    plugin = tmp_path / "patches.py"
    plugin.write_text(
        'import vde_nb as vde\n@vde.anomaly_type("patch")\ndef patch(region):\n    return 1.0\n'
    )
    status, out, _ = run(masks, *QUICK, "--plugin", plugin, "--json", "--classifier", "evidence")
    vde.load_plugin(plugin).remove()
    assert status == 0 and {one["given"] for one in json.loads(out)["confusion"]} <= {"patch"}
    _, out, _ = run(masks, "--preset", "published")
    assert "method hybrid" in out
    _, out, _ = run(masks, *QUICK, "--sweep", "50", "250")
    assert "threshold  precision  recall     f1\n       50      1.000   1.000  1.000\n" in out


def test_it_says_the_same_as_evaluate(run, coco):
    _, out, _ = run(coco, *QUICK, "--min-iou", "0.5", "--slack", "2", "--json")
    told, pairs = json.loads(out), vde.load_coco(coco / "labels.json")
    report = vde.evaluate(pairs, "hybrid", segmenter="none", min_iou=0.5, slack=2)
    expected = json.loads(report.to_json())
    for one in (told, expected):
        del one["figures"]["milliseconds"]
    assert told == expected


# ----------------------------------------------------------------------------------------- output


def test_report_mistakes_and_plots_are_written_to_a_folder(run, coco, tmp_path):
    out = tmp_path / "new" / "measured"
    status, said, _ = run(coco, *QUICK, "--out", out)
    assert status == 0
    assert {one.name for one in out.iterdir()} == set(_cli_evaluate_output.FILES)
    assert all(f"\n  {out / name}" in said for name in _cli_evaluate_output.FILES)
    assert json.loads((out / "report.json").read_text("utf-8"))["boxes"]["true"] == 4
    for name in ("report.png", "mistakes.png"):
        assert min(cv2.imread(str(out / name)).shape[:2]) > 200
    rows = list(csv.DictReader(io.StringIO((out / "mistakes.csv").read_text("utf-8"))))
    (missed,) = [row for row in rows if row["mistake"] == "missed"]
    assert missed["true"] == "'=added_part", "no spreadsheet runs a name"
    assert tuple(int(missed[name]) for name in "xywh") == MISSED
    assert (missed["pair"], float(missed["overlap"])) == ("two.png", 0)


def test_what_is_there_is_kept_and_told_before_any_work(run, coco, tmp_path, monkeypatch):
    run(coco, *QUICK, "--out", tmp_path / "out")
    before = {one.name: one.read_bytes() for one in (tmp_path / "out").iterdir()}
    with monkeypatch.context() as patch:
        work = pytest.fail
        patch.setattr(sys.modules["vde_nb.evaluate"], "evaluate", lambda *_, **__: work("worked"))
        assert "--overwrite" in refused(run(coco, *QUICK, "--out", tmp_path / "out"))
    assert {one.name: one.read_bytes() for one in (tmp_path / "out").iterdir()} == before
    words = (coco, *QUICK, "--out", tmp_path / "out", "--overwrite", "--min-iou", "0.9")
    assert run(*words)[0] == 0
    assert (tmp_path / "out" / "report.json").read_bytes() != before["report.json"]


def test_json_is_the_report_and_nothing_else(run, masks):
    status, out, err = run(masks, *QUICK, "--json")
    assert (status, err) == (0, "") and json.loads(out)["figures"]["f1"] == 1.0
    assert run(masks, *QUICK, "--quiet") == (0, "", "")


def test_the_summary_is_narrow_and_a_long_list_is_cut(run, coco):
    document = json.loads((coco / "labels.json").read_text())
    for at in range(20):
        box = {"image_id": 3, "category_id": 1, "bbox": [4 * at, 70, 3, 3]}
        document["annotations"].append(box)
    (coco / "labels.json").write_text(json.dumps(document))
    _, out, _ = run(coco, *QUICK)
    assert max(map(len, out.splitlines())) <= 100
    mistakes = json.loads(run(coco, *QUICK, "--json")[1])["mistakes"]
    assert f"and {len(mistakes) - _cli_evaluate_output._ROWS} more; --out DIR writes them" in out
    assert out.count(" missed ") == _cli_evaluate_output._ROWS


def test_a_terminal_sees_progress_and_a_pipe_does_not(masks):
    words = [sys.executable, "-m", "vde_nb", "evaluate", str(masks), *QUICK]
    root = Path(vde.__file__).parents[1]
    done = subprocess.run(words, cwd=root, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")  # Windows has none
    here, there = pty.openpty()
    size = struct.pack("HHHH", 24, 80, 0, 0)  # nothing is drawn on a terminal without columns
    pytest.importorskip("fcntl").ioctl(there, termios.TIOCSWINSZ, size)
    with subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE, stderr=there) as process:
        os.close(there)
        said = os.read(here, 65536)
        assert b"3 true" in process.communicate(timeout=60)[0]
    os.close(here)
    assert b" 0/3 " in said


def test_names_from_annotations_make_no_lines_of_their_own(run, coco):
    labels = coco / "labels.json"
    document = json.loads(labels.read_text())
    document["categories"][0]["name"] = "added_part\nFailed:\n  \x1b[31mnothing"
    labels.write_text(json.dumps(document))
    _, out, _ = run(coco, *QUICK)
    assert "Failed:" not in out.splitlines() and "\x1b" not in out
    assert "added_part\\nFailed:" in out


def test_pictures_of_annotations_may_lie_in_folders_that_masks_have_too(run, coco):
    for name in ("reference", "current"):
        (coco / name).mkdir()
    assert "COCO annotations in labels.json" in run(coco, *QUICK)[1]


# ----------------------------------------------------------------------------------------- limits


def test_a_figure_below_its_limit_is_status_1(run, coco):
    assert run(coco, *QUICK, "--fail-under", "recall=0.75,precision=1")[0] == 0
    status, out, _ = run(coco, *QUICK, "--fail-under", "recall=0.95,precision=1")
    assert status == 1 and out.endswith("Failed:\n  recall 0.750 is under 0.95\n")
    assert run(coco, *QUICK, "--fail-over", "false_alarm_rate=0,milliseconds=60000")[0] == 0
    status, out, _ = run(coco, *QUICK, "--fail-over", "milliseconds=0.001")
    assert status == 1 and "is over 0.001" in out


def test_limits_may_be_given_apart_and_count_without_a_summary_too(run, coco):
    limits = ("--fail-under", "f1=0.1", "--fail-under", "recall=0.9")
    assert run(coco, *QUICK, *limits, "--quiet") == (
        1,
        "",
        "vde-nb: failed: recall 0.750 is under 0.9\n",
    )
    status, out, err = run(coco, *QUICK, *limits, "--json")
    assert status == 1 and json.loads(out) and "recall 0.750" in err


def test_a_limit_just_missed_is_told_with_enough_digits(run, coco):
    _, out, _ = run(coco, *QUICK, "--fail-under", "recall=0.7501")
    assert "recall 0.7500 is under 0.7501" in out
    _, out, _ = run(coco, *QUICK, "--fail-under", "recall=0.75000001")
    assert "recall 0.75000000 is under 0.75000001" in out
    status, out, _ = run(coco, *QUICK, "--threshold", "255", "--fail-under", "recall=1e-30")
    assert status == 1 and " is under 1e-30" in out


def test_a_figure_that_nobody_can_tell_never_passes(run, masks):
    status, out, _ = run(masks, *QUICK, "--fail-under", "type_accuracy=0.5")
    assert status == 1 and "type_accuracy cannot be told from these pairs" in out


# ------------------------------------------------------------------------------ things go wrong


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere"], "Give a folder of labelled pairs"),
        (["{coco}/golden.png"], "is no .json file"),
        (["{masks}/masks"], "holds no labelled pairs: neither folders reference, current, masks"),
        (["{masks}", "--root", "."], "--root: for COCO annotations"),
        (["{coco}", "--overwrite"], "give --out DIR as well"),
        (["{coco}", "--out", "{coco}/golden.png"], "is a file"),
        (["{coco}", "--fail-under", "f1"], "'f1' is no limit: write f1=, a number from 0 to 1"),
        (["{coco}", "--fail-under", "f1=90"], "'f1=90' is no limit"),
        (["{coco}", "--fail-under", "f1=nan"], "'f1=nan' is no limit"),
        (["{coco}", "--fail-under", "recal=0.9"], "did you mean 'recall'?"),
        (["{coco}", "--fail-under", "milliseconds=9"], "it is one for --fail-over"),
        (["{coco}", "--fail-over", "f1=0.9"], "it is one for --fail-under"),
        (["{coco}", "--min-iou", "1"], "'1' is not allowed: a number from 0, less than 1"),
        (["{coco}", "--box-margin", "65"], "'65' is not allowed: a whole number from 0 to 64"),
        (["{coco}", "--sweep", "300"], "'300' is not allowed: a whole number from 0 to 255"),
        (["--sweep", "20", "40", "{coco}"], "SOURCE stands before --sweep"),
        (["{coco}", "--threshold", "300"], "whole number from 0 to 255"),
        (["{coco}", "--fail-udner", "f1=1"], "did you mean --fail-under"),
        (["{coco}", "--method", "hybird"], "Did you mean 'hybrid'?"),
        ([], "the following arguments are required: SOURCE"),
    ],
)
def test_a_wrong_word_is_one_line_that_helps(run, masks, coco, words, told):
    given = [word.format(coco=coco, masks=masks) for word in words]
    assert told in refused(run(*given))


def test_what_a_folder_lacks_is_told_with_the_notebook_that_explains_it(run, masks):
    (masks / "masks" / "two.png").unlink()
    assert f"{masks / 'masks'} has no picture for" in refused(run(masks, *QUICK))
    (masks / "masks").rename(masks / "truth")
    told = refused(run(masks, *QUICK))
    assert "lacks the folder masks" in told and "10_evaluate_your_folder.ipynb" in told


def test_a_picture_that_cannot_be_read_is_named(run, masks):
    (masks / "current" / "two.png").write_bytes(b"not a picture")
    assert f"{masks / 'current' / 'two.png'}" in refused(run(masks, *QUICK))
