"""Evaluation: figures that agree with the standard ones, and files that are not trusted."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from sklearn.metrics import average_precision_score, roc_auc_score

from vde_nb import samples
from vde_nb.compare import compare
from vde_nb.errors import OutputError, SettingError
from vde_nb.evaluate import (
    LabelledPair,
    Report,
    auroc,
    average_precision,
    compare_methods,
    evaluate,
    iou,
    load_coco,
    load_deeppcb,
    load_masks,
    match_boxes,
    precision_recall,
)
from vde_nb.evaluate._curves import alarm_level, histogram
from vde_nb.export._rle import decode

WHITE = 200


def picture(*boxes: tuple[int, int, int, int], shape: tuple[int, int] = (80, 120)) -> np.ndarray:
    image = np.full((*shape, 3), 90, np.uint8)
    for x, y, w, h in boxes:
        image[y : y + h, x : x + w] = WHITE
    return image


def shown(
    shape: tuple[int, int] = (80, 120),
    boxes: tuple[tuple[int, int, int, int], ...] = (),
    heat: np.ndarray | None = None,
    types: tuple[str, ...] = (),
    **more: Any,
) -> Any:
    """Something like a comparison that found `boxes`."""
    if heat is None:
        heat = np.zeros(shape, np.uint8)
        for x, y, w, h in boxes:
            heat[y : y + h, x : x + w] = 200
    anomalies = [
        SimpleNamespace(box=box, type=kind, outline=np.ones((box[3], box[2]), bool))
        for box, kind in zip(boxes, types or ("spot",) * len(boxes), strict=True)
    ]
    blank = np.full((*heat.shape, 3), 90, np.uint8)
    return SimpleNamespace(
        reference=blank,
        current=blank,
        anomalies=anomalies,
        heatmap=heat,
        clean_heatmap=heat,
        threshold=50,
        mask=heat > 50,
        method="shown",
        **more,
    )


# Matching


def test_half_overlapping_boxes_have_an_iou_of_a_third():
    assert iou([(0, 0, 4, 4)], [(2, 0, 4, 4)])[0, 0] == pytest.approx(1 / 3)
    assert iou([], [(0, 0, 1, 1)]).shape == (0, 1)


def test_each_true_box_is_matched_once_however_often_it_was_found():
    assert len(match_boxes([(0, 0, 9, 9), (0, 0, 10, 10), (1, 1, 9, 9)], [(0, 0, 10, 10)])) == 1


def test_the_best_match_gives_way_where_that_saves_another():
    # Found 0 fits true 0 and 1, found 1 fits true 0 only: greedy by overlap would lose one.
    found = [(0, 0, 10, 10), (0, 4, 10, 10)]
    true = [(0, 1, 10, 10), (0, -4, 10, 10)]
    assert match_boxes(found, true, 0.4) == [(0, 1), (1, 0)]


boxes = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(1, 20), st.integers(1, 20)),
    max_size=7,
)


@given(found=boxes, true=boxes, seed=st.integers(0, 99))
@settings(deadline=None, max_examples=60)
def test_the_number_of_matches_does_not_depend_on_the_order(found, true, seed):
    matches = match_boxes(found, true, 0.2)
    assert len({i for i, _ in matches}) == len({j for _, j in matches}) == len(matches)
    assert all(iou([found[i]], [true[j]])[0, 0] > 0.2 for i, j in matches)
    shuffled = [found[i] for i in np.random.default_rng(seed).permutation(len(found))]
    assert len(match_boxes(shuffled, true, 0.2)) == len(matches)


# Curves


@given(seed=st.integers(0, 10_000), levels=st.sampled_from([2, 5, 256]))
@settings(deadline=None, max_examples=40)
def test_average_precision_and_auroc_agree_with_scikit_learn(seed, levels):
    rng = np.random.default_rng(seed)
    truth = np.concatenate([[True, False], rng.random(300) < 0.2])
    scores = np.clip(rng.integers(0, levels, 302) + truth * rng.integers(0, levels), 0, 255)
    heat = scores.astype(np.uint8)[None]
    counts = histogram(heat, truth[None]), histogram(heat, ~truth[None])
    assert average_precision(*counts) == pytest.approx(average_precision_score(truth, scores))
    assert auroc(scores[truth], scores[~truth]) == pytest.approx(roc_auc_score(truth, scores))


def test_precision_and_recall_end_with_everything_found():
    positives, negatives = np.zeros((2, 256), np.int64)
    positives[[250, 10]], negatives[100] = 3, 4
    precision, recall, levels = precision_recall(positives, negatives)
    assert levels.tolist() == [250, 100, 10]
    assert recall.tolist() == [0.5, 0.5, 1.0]
    assert precision.tolist() == pytest.approx([1.0, 3 / 7, 0.6])


def test_at_the_alarm_level_no_more_pairs_raise_the_alarm_than_allowed():
    scores = [5.0] * 10 + [9.0] * 90
    assert alarm_level(scores, 0.05) == 9.0
    assert alarm_level([1, 2, 3], 0.05) == 3.0
    assert math.isnan(alarm_level([]))


# Evaluation


def test_what_is_found_missed_and_made_up_is_counted():
    pairs = [
        (picture(), picture(), [(10, 10, 20, 20), (60, 30, 20, 20)]),
        (picture(), picture(), []),
    ]
    answers = iter([shown(boxes=((11, 10, 20, 20), (90, 60, 10, 10))), shown()])
    report = evaluate(pairs, lambda *_: next(answers))
    assert (report.found, report.true, report.matched) == (2, 2, 1)
    assert report.precision == report.recall == report.f1 == 0.5
    assert (report.pairs, report.sound_pairs, report.masked_pairs) == (2, 1, 1)
    assert report.false_alarm_rate == 0
    assert report.auroc == 1


def test_a_real_run_finds_a_plain_change_and_nothing_in_a_sound_pair():
    changed = picture((30, 20, 30, 25))
    mask = (changed != picture()).any(axis=2)
    report = evaluate(
        [(picture(), changed, mask), (picture(), picture(), np.zeros_like(mask))],
        "hybrid",
        segmenter="none",
        sweep=(30, 250),
    )
    assert report.f1 == 1 and report.pixel_iou > 0.5 and report.auroc == 1
    assert report.false_alarm_rate == 0 and report.method == "hybrid"
    assert [point.f1 for point in report.sweep] == [1.0, 0.0]
    assert report.types[""].recall_at_alarm == 1


def test_pixel_average_precision_is_that_of_all_pixels_of_all_pairs():
    rng = np.random.default_rng(3)
    masks = [rng.random((80, 120)) < share for share in (0.1, 0.02)]
    heats = [rng.integers(0, 200, (80, 120)).astype(np.uint8) + mask * 50 for mask in masks]
    heats = [heat.astype(np.uint8) for heat in heats]
    answers = iter(shown(heat=heat) for heat in heats)
    report = evaluate([(picture(), picture(), mask) for mask in masks], lambda *_: next(answers))
    expected = average_precision_score(np.ravel(masks), np.ravel(heats))
    assert report.pixel_ap == pytest.approx(expected)


def region(kind: str, box: tuple[int, int, int, int]) -> samples.TruthRegion:
    x, y, w, h = box
    mask = np.zeros((80, 120), bool)
    mask[y : y + h, x : x + w] = True
    return samples.TruthRegion(mask, kind, box)


def truth(*regions: samples.TruthRegion) -> samples.Truth:
    mask = np.zeros((80, 120), bool)
    for one in regions:
        mask |= one.mask
    return samples.Truth(mask, regions)


def test_a_type_is_not_blamed_for_the_pixels_of_another():
    crack, stain = region("crack", (10, 10, 30, 4)), region("stain", (60, 30, 30, 30))
    heat = np.zeros((80, 120), np.uint8)
    heat[stain.mask] = 220
    heat[crack.mask] = 90
    pairs = [(picture(), picture(), truth(crack, stain))]
    answer = shown(heat=heat, boxes=())
    report = evaluate(pairs, lambda *_: answer)
    assert report.types["crack"].pixel_ap == report.types["stain"].pixel_ap == 1
    heat[0, :60] = 150  # false heat, stronger than the crack, weaker than the stain
    report = evaluate(pairs, lambda *_: answer)
    assert report.types["crack"].pixel_ap == pytest.approx(120 / 180)
    assert report.types["stain"].pixel_ap == 1


def test_slack_forgives_the_border_of_a_region_and_nothing_else():
    stain = region("stain", (40, 30, 20, 20))
    heat = cv2.dilate(stain.mask.astype(np.uint8) * 200, np.ones((5, 5), np.uint8))
    pairs = [(picture(), picture(), truth(stain))]
    strict, slack = (
        evaluate(pairs, lambda *_: shown(heat=heat), slack=width).pixel_ap for width in (0, 2)
    )
    assert strict == pytest.approx(400 / 576) and slack == 1


def test_types_that_were_confused_are_told():
    regions = [region("crack", (10, 10, 30, 8)), region("stain", (60, 30, 30, 30))]
    answer = shown(boxes=tuple(one.box for one in regions), types=("scratch", "stain"))
    report = evaluate([(picture(), picture(), truth(*regions))], lambda *_: answer)
    assert report.type_accuracy == 0.5
    assert report.confusion == {("crack", "scratch"): 1, ("stain", "stain"): 1}
    assert "scratch" in repr(report.confusion_table)


def test_a_region_is_seen_at_the_alarm_level_only_if_sound_pairs_stay_below():
    stain = region("stain", (60, 30, 30, 30))
    weak, strong, noise = (np.zeros((80, 120), np.uint8) for _ in range(3))
    weak[stain.mask], strong[stain.mask], noise[0, 0] = 90, 200, 120
    pairs = [(picture(), picture(), truth(stain))] * 2 + [(picture(), picture(), [])]
    answers = iter(shown(heat=heat) for heat in (weak, strong, noise))
    report = evaluate(pairs, lambda *_: next(answers))
    assert report.alarm_level == 120
    assert report.types["stain"].recall_at_alarm == 0.5


def test_an_image_score_of_its_own_decides_the_alarm():
    stain = region("stain", (60, 30, 30, 30))
    defect = (picture(), picture(), truth(stain))
    # Inside of the stain one heatmap is above the threshold, 50; the other one is not.
    answers = iter(
        [
            shown(heat=np.where(stain.mask, 60, 0).astype(np.uint8), evidence_score=7.5),
            shown(heat=np.where(stain.mask, 30, 0).astype(np.uint8), evidence_score=7.5),
            shown(heat=np.full((80, 120), 40, np.uint8), evidence_score=3.0),
        ]
    )
    report = evaluate([defect, defect, (picture(), picture(), [])], lambda *_: next(answers))
    assert report.auroc == 1 and report.alarm_level == 3
    assert report.types["stain"].recall_at_alarm == 0.5


def test_stress_pairs_go_straight_in():
    reference = samples.load("label").reference[:300, :400].copy()
    pairs = (samples.stress(reference, seed, nuisances="none") for seed in range(4))
    report = evaluate(pairs, segmenter="none", method="hybrid")
    assert report.sound_pairs == 2 and report.auroc == 1
    assert report.milliseconds > 0


def test_methods_are_lined_up_in_one_table():
    pairs = ((picture(), picture((30, 20, 30, 25)), [(30, 20, 30, 25)]) for _ in range(2))
    table = compare_methods(pairs, ["hybrid", "multi_fusion"], segmenter="none")
    assert [row["method"] for row in table] == ["hybrid", "multi_fusion"]
    assert [report.pairs for report in table.reports] == [2, 2]
    assert "<table>" in table._repr_html_() and "F1" in repr(table)
    assert repr(Report.table(table.reports)) == repr(table)
    named = compare_methods([(picture(), picture(), [])], {"<b>": lambda *_: shown()})
    assert "<b>" not in named._repr_html_()


def test_a_report_is_shown_safely_and_written_once(tmp_path):
    stain = region("<script>", (60, 30, 30, 30))
    answer = shown(boxes=(stain.box,), types=("<i>",))
    report = evaluate([(picture(), picture(), truth(stain))], lambda *_: answer, name="<u>me")
    page = report._repr_html_()
    assert "<script>" not in page and "<i>" not in page and "<u>" not in page
    document = json.loads(report.to_json(tmp_path / "report.json"))
    assert document["figures"]["f1"] == 1.0 and document["figures"]["auroc"] is None
    assert json.loads((tmp_path / "report.json").read_text("utf-8")) == document
    with pytest.raises(OutputError, match="exists"):
        report.to_json(tmp_path / "report.json")


@pytest.mark.parametrize("full", [True, False])
def test_a_report_is_drawn_whatever_it_knows(full):
    stain = region("stain", (60, 30, 30, 30))
    pairs: list[Any] = [(picture(), picture(), truth(stain) if full else [])]
    found = shown(boxes=(stain.box,) if full else ())
    assert len(evaluate(pairs, lambda *_: found).plot()._repr_png_()) > 10_000


def test_the_table_of_types_counts_what_was_matched_whatever_it_is_called() -> None:
    crack, stain = region("crack", (10, 10, 30, 4)), region("stain", (60, 30, 30, 30))
    answer = shown(boxes=(stain.box,), types=("spot",))
    report = evaluate([(picture(), picture(), truth(crack, stain))], lambda *_: answer)
    counted = [(row["type"], row["true"], row["matched"]) for row in report.type_table]
    assert counted == [("crack", 1, 0), ("stain", 1, 1)]


def test_a_plot_without_a_sweep_leaves_no_place_empty() -> None:
    stain = region("stain", (60, 30, 30, 30))
    pairs = [(picture(), picture(stain.box), truth(stain))]
    alone = evaluate(pairs, "hybrid", segmenter="none").plot()
    swept = evaluate(pairs, "hybrid", segmenter="none", sweep=(20, 60)).plot()
    titles = ["Pixels of the heatmap", "Types", "True type and the type given"]
    assert [axes.get_title() for axes in alone.axes] == titles
    assert [axes.get_title() for axes in swept.axes] == [*titles, "Boxes by threshold"]


# What does not fit


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ((picture(), picture()), "pair 1 must be"),
        ((picture(), picture(), 7), "pair 1: the truth must be"),
        ((picture(), picture(), "boxes"), "pair 1: the truth must be"),
        ((picture(), picture(), [(1, 2, 3)]), r"\(1, 2, 3\) is no box"),
        ((picture(), picture(), [(1, 2, 3.5, 4)]), "whole pixels"),
        ((picture(), picture(), [((1, 2, 3, "4"), "crack")]), "is no box"),
        ((picture(), picture(), [(100, 10, 30, 10)]), r"\(100, 10, 30, 10\) does not lie in"),
        ((picture(), picture(), [(10, 10, 0, 10)]), "does not lie in"),
        ((picture(), picture(), np.zeros((80, 119), bool)), "119×80 pixels.*120×80"),
        ((picture(), picture(), np.zeros((80, 120), np.uint8)), "mask > 0 makes it one"),
    ],
)
def test_a_truth_that_does_not_fit_is_named(pair, said):
    with pytest.raises(SettingError, match=said):
        evaluate([pair], lambda *_: shown())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"min_iou": 1}, "min_iou must be"),
        ({"min_iou": True}, "min_iou must be"),
        ({"slack": -1}, "slack must be"),
        ({"alarm_rate": float("nan")}, "alarm_rate must be"),
        ({"method": lambda *_: shown(), "threshold": 9}, "threshold: .*not for functions"),
        ({"method": lambda *_: shown(), "ignore": [(0, 0, 9, 9)]}, "ignore: .*not for functions"),
        ({"method": lambda *_: shown(), "sweep": [9]}, "sweep: .*not for functions"),
        ({"method": "hybird"}, "hybrid"),
    ],
)
def test_a_wrong_option_is_named(options, said):
    with pytest.raises(SettingError, match=said):
        evaluate([(picture(), picture(), [])], **options)
    with pytest.raises(SettingError, match="no pairs"):
        evaluate([])


def test_what_is_ignored_is_not_missed() -> None:
    hidden, open_ = (10, 10, 20, 20), (60, 40, 20, 20)
    pairs = [(picture(), picture(hidden, open_), [(hidden, "stain"), (open_, "stain")])]
    options = {"method": "hybrid", "segmenter": "none"}
    assert evaluate(pairs, ignore=[hidden], **options).recall == 1
    assert evaluate(pairs, ignore=[(10, 10, 20, 10)], **options).true == 1, "half of it is ignored"
    assert evaluate(pairs, ignore=[(10, 10, 20, 9)], **options).true == 2
    assert evaluate(pairs, ignore=[hidden, open_], **options).sound_pairs == 1
    assert evaluate(pairs, ignore=np.ones((80, 120), bool), **options).true == 0


def test_ignored_pixels_of_a_true_region_are_not_missed_either() -> None:
    whole, rest = np.zeros((80, 120), bool), np.zeros((80, 120), bool)
    whole[10:30, 10:50] = rest[10:30, 10:35] = True
    options = {"method": "hybrid", "segmenter": "none", "ignore": [(35, 0, 30, 80)]}
    one, other = (
        evaluate([(picture(), picture((10, 10, 40, 20)), truth)], **options)
        for truth in (whole, rest)
    )
    assert one.true == 1 and (one.pixel_ap, one.pixel_iou) == (other.pixel_ap, other.pixel_iou)


def test_a_function_may_need_plugins_which_are_loaded_before_the_first_pair(tmp_path: Path) -> None:
    path = tmp_path / "stamp.py"
    path.write_text("from pathlib import Path\nPath(__file__).with_name('ran').touch()\n")

    def method(*_: Any) -> Any:
        assert (tmp_path / "ran").exists()
        return shown()

    evaluate([(picture(), picture(), [])], method, plugins=path)
    path.write_text("import time\ntime.sleep(0.5)\n")
    options = {"method": "hybrid", "segmenter": "none", "plugins": path}
    assert evaluate([(picture(), picture(), [])], **options).milliseconds < 500


# Files


def save(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return path


def test_painted_masks_are_matched_by_name(tmp_path):
    for stem, boxes in (("a", [(30, 20, 30, 25)]), ("b", [])):
        save(tmp_path / "reference" / f"{stem}.png", picture())
        save(tmp_path / "current" / f"{stem}.png", picture(*boxes))
        save(tmp_path / "masks" / f"{stem}.png", (picture(*boxes) != 90).all(axis=2) * 1)
    pairs = load_masks(tmp_path)
    assert [pair.name for pair in pairs] == ["a", "b"]
    report = evaluate(pairs, "hybrid", segmenter="none")
    assert report.f1 == 1 and report.sound_pairs == 1
    (tmp_path / "masks" / "b.png").unlink()
    with pytest.raises(SettingError, match=r"masks has no picture for .*b\.png; each pair"):
        load_masks(tmp_path)
    save(tmp_path / "masks" / "b.png", np.zeros((20, 20)))
    with pytest.raises(SettingError, match=r"b\.png: the truth is about 20×20 pixels"):
        evaluate(load_masks(tmp_path), "hybrid", segmenter="none")


def test_deeppcb_is_read_with_its_types(tmp_path):
    for end in ("temp", "test"):
        save(tmp_path / f"1_{end}.jpg", picture())
    text = tmp_path / "1.txt"
    text.write_text("10 20 30 44 1\n\n50,20,60,30,6\n")
    (pair,) = load_deeppcb(tmp_path)
    regions = pair.known().regions
    assert [(one.box, one.type) for one in regions] == [
        ((10, 20, 20, 24), "open"),
        ((50, 20, 10, 10), "pin_hole"),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("10 20 30 44", "line 2: '10 20 30 44' cannot be understood"),
        ("10 20 x 44 1", "line 2.*cannot be understood"),
        ("10 20 30 44 9", "line 2: there is no type 9"),
        ("30 20 10 44 1", "line 2: '30 20 10 44 1' is no box"),
        ("100 20 130 44 1", r"1\.txt, line 2: the box .* does not lie in the picture"),
    ],
)
def test_a_damaged_line_is_named_with_its_file(tmp_path, line, said):
    for end in ("temp", "test"):
        save(tmp_path / f"1_{end}.jpg", picture())
    (tmp_path / "1.txt").write_text(f"10 20 30 44 1\n{line}\n")
    with pytest.raises(SettingError, match=said):
        evaluate(load_deeppcb(tmp_path), lambda *_: shown())


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingError, match=r"There is no folder .*nowhere"):
        load_deeppcb(tmp_path / "nowhere")
    with pytest.raises(
        SettingError, match=r"no folder .*nowhere.* hold the folders reference, current and masks"
    ):
        load_masks(tmp_path / "nowhere")
    with pytest.raises(SettingError, match=r"no pairs\.txt"):
        load_deeppcb(tmp_path)
    (tmp_path / "pairs.txt").write_text("7\n")
    with pytest.raises(SettingError, match=r"7_temp\.jpg is missing"):
        load_deeppcb(tmp_path)
    (tmp_path / "pairs.txt").write_text("../7\n")
    with pytest.raises(SettingError, match="is no name of a pair"):
        load_deeppcb(tmp_path)


def test_the_real_deeppcb_is_evaluated(data):
    pairs = load_deeppcb(data / "deeppcb")
    assert len(pairs) == 120
    report = evaluate(pairs[:2], "hybrid", segmenter="none", preset="published")
    assert report.true == sum(len(pair.known().regions) for pair in pairs[:2])
    assert math.isnan(report.pixel_ap) and set(report.types) <= {
        "open",
        "short",
        "mousebite",
        "spur",
        "spurious_copper",
        "pin_hole",
    }


SHAPE = (80, 120)


def coco(tmp_path: Path, annotation: dict[str, Any], **changes: Any) -> Path:
    save(tmp_path / "ref.png", picture())
    save(tmp_path / "cur.png", picture())
    document = {
        "images": [
            {
                "id": 1,
                "file_name": "cur.png",
                "reference_file_name": "ref.png",
                "height": 80,
                "width": 120,
            }
        ],
        "categories": [{"id": 5, "name": "crack"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 5, **annotation}],
        **changes,
    }
    file = tmp_path / "coco.json"
    file.write_text(json.dumps(document))
    return file


def drawn(pair: LabelledPair) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    for one in pair.known().regions:
        x, y, w, h = one.box
        assert one.mask is not None
        mask[y : y + h, x : x + w] |= one.mask
    return mask


@given(seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=15)
def test_run_lengths_of_pycocotools_are_read_exactly(tmp_path_factory, seed):
    rng = np.random.default_rng(seed)
    mask = cv2.GaussianBlur(rng.random(SHAPE), (0, 0), 3) > 0.51
    mask[40, 60] = True
    packed = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    packed = {"size": [int(v) for v in packed["size"]], "counts": packed["counts"].decode()}
    folder = tmp_path_factory.mktemp("coco")
    (pair,) = load_coco(coco(folder, {"segmentation": packed}))
    assert (drawn(pair) == mask).all()
    assert pair.known().regions[0].type == "crack"
    runs = np.diff(np.flatnonzero(np.diff(np.r_[0, mask.T.ravel(), 0])), prepend=0).tolist()
    runs.append(mask.size - sum(runs))
    runs = runs if runs[-1] else runs[:-1]
    (pair,) = load_coco(coco(folder, {"segmentation": {"size": [80, 120], "counts": runs}}))
    assert (drawn(pair) == mask).all()


@pytest.mark.parametrize(
    "polygon",
    [
        [10, 10, 50, 10, 50, 40, 10, 40],
        [10.5, 10.2, 70.9, 30.1, 22.4, 66.6],
        [0, 0, 120, 0, 120, 80, 0, 80],
    ],
)
def test_polygons_cover_what_pycocotools_says(tmp_path, polygon):
    packed = coco_mask.frPyObjects([polygon], *SHAPE)[0]
    theirs = decode({"size": list(SHAPE), "counts": packed["counts"].decode()})
    (pair,) = load_coco(coco(tmp_path, {"segmentation": [polygon]}))
    ours = drawn(pair)
    assert (ours & theirs).sum() / (ours | theirs).sum() > 0.97


def test_boxes_alone_will_do_and_a_golden_picture_can_serve_all(tmp_path):
    file = coco(tmp_path, {"bbox": [10.4, 20, 5.2, 8]})
    (pair,) = load_coco(file, reference=tmp_path / "ref.png")
    assert pair.known().regions[0].box == (10, 20, 6, 8)
    assert not pair.known().has_masks


def test_what_we_write_as_coco_we_can_read(tmp_path):
    current = picture((30, 20, 30, 25))
    save(tmp_path / "ref.png", picture())
    file = save(tmp_path / "cur.png", current)
    comparison = compare(tmp_path / "ref.png", file, method="hybrid", segmenter="none")
    comparison.to_coco(tmp_path / "coco.json")
    text = (tmp_path / "coco.json").read_text().replace(str(file), "cur.png")
    (tmp_path / "coco.json").write_text(text)
    (pair,) = load_coco(tmp_path / "coco.json", reference=tmp_path / "ref.png")
    assert (drawn(pair) == comparison.anomalies[0].mask).all()


def runs_of(counts: Any) -> dict[str, Any]:
    return {"segmentation": {"size": [80, 120], "counts": counts}}


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        ({}, r"annotations\[0\]: bbox must be"),
        ({"bbox": [1, 2, 3]}, "bbox must be"),
        ({"bbox": [100, 10, 50, 10]}, r"annotations\[0\]: the box .* does not lie"),
        ({"bbox": [float("nan"), 1, 2, 3]}, "bbox must be"),
        ({"category_id": 6}, "no category with the id 6"),
        ({"image_id": 9}, "no image with the id 9"),
        ({"image_id": "1"}, "image_id must be a whole number"),
        ({"segmentation": [[1, 2, 3, 4]]}, "polygons"),
        ({"segmentation": [[1, 2, 300, 4, 5, 6]]}, "leaves the picture"),
        ({"segmentation": "mask"}, "polygons"),
        (runs_of([10, 10**12]), "do not fill"),
        (runs_of([-5, 9605]), "do not fill"),
        (runs_of([9600]), "covers no pixel"),
        (runs_of(""), "damaged"),
        (runs_of("~~~"), "damaged"),
        (runs_of("oooooooooooo0"), "damaged"),
        (runs_of("o"), "damaged"),
        (runs_of("11"), "do not fill"),
        (runs_of(7), "counts must be"),
        ({"segmentation": {"size": [8000000, 12000], "counts": [1]}}, "of the size"),
    ],
)
def test_a_damaged_annotation_is_named_and_harmless(tmp_path, annotation, said):
    with pytest.raises(SettingError, match=said):
        load_coco(coco(tmp_path, annotation))


def image(**changes: Any) -> dict[str, Any]:
    usual = {"id": 1, "file_name": "cur.png", "reference_file_name": "ref.png"}
    return {"images": [{**usual, "height": 80, "width": 120, **changes}]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"images": {}}, "images must be a list"),
        ({"categories": [3]}, "categories must be a list of objects"),
        ({"categories": [{"id": 5}]}, r"categories\[0\]: name must be a text"),
        (image(file_name="../secret.png"), "lies outside"),
        (image(file_name="/etc/passwd"), "lies outside"),
        (image(reference_file_name="..\x00"), "no name of a file"),
        (image(file_name="none.png"), "there is no file"),
        (image(reference_file_name=None), "must be a text"),
        (image(height=10**9, width=10**9), "cannot have"),
        ({"images": image()["images"] * 2}, "used twice"),
    ],
)
def test_a_damaged_document_is_named_and_leads_nowhere(tmp_path, changes, said):
    with pytest.raises(SettingError, match=said):
        load_coco(coco(tmp_path, {"bbox": [1, 2, 3, 4]}, **changes))


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, '"x"', "\ufffd", "1" * 10_000])
def test_a_file_that_is_no_coco_is_refused(tmp_path, text):
    (tmp_path / "coco.json").write_text(text)
    with pytest.raises(SettingError, match=r"coco\.json"):
        load_coco(tmp_path / "coco.json")


# Mistakes


def judged(*cases: tuple[Any, tuple[Any, ...]], **options: Any) -> Report:
    """A report on pairs of what is true and what was found, each with its types."""
    pairs = [
        LabelledPair(picture(), picture(), truth_of(true), f"n{i}")
        for i, (true, _) in enumerate(cases)
    ]
    answers = iter(
        [
            shown(boxes=tuple(b for b, _ in found), types=tuple(t for _, t in found))
            for _, found in cases
        ]
    )
    return evaluate(pairs, lambda *_: next(answers), **options)


def truth_of(true: Any) -> Any:
    from vde_nb.evaluate._truth import _truth

    return _truth(list(true), "truth")


def test_every_mistake_is_kept_with_its_kind_and_place() -> None:
    report = judged(
        ([((10, 10, 20, 20), "crack"), ((60, 40, 10, 10), "stain")],
         (((10, 10, 20, 20), "scratch"), ((90, 10, 8, 8), "spot"))),
        ([], (((5, 5, 9, 9), "spot"),)),
    )  # fmt: skip
    told = [(one.pair, one.kind, one.box, one.true, one.given) for one in report.mistakes]
    assert told == [
        ("n0", "missed", (60, 40, 10, 10), "stain", ""),
        ("n0", "false alarm", (90, 10, 8, 8), "", "spot"),
        ("n1", "false alarm", (5, 5, 9, 9), "", "spot"),
        ("n0", "misnamed", (10, 10, 20, 20), "crack", "scratch"),
    ]
    assert report.true - report.matched == 1 and report.found - report.matched == 2
    assert [one["mistake"] for one in report.mistake_table] == [one[1] for one in told]
    assert [one["kind"] for one in json.loads(report.to_json())["mistakes"]] == [
        one[1] for one in told
    ]


def test_a_miss_by_a_hair_tells_its_overlap() -> None:
    """Half of a box that was found apart from it: the place is right, the box is not."""
    report = judged(([((10, 10, 20, 20), "")], (((20, 10, 20, 20), "spot"),)), min_iou=0.5)
    assert [round(one.overlap, 3) for one in report.mistakes] == [0.333, 0.333]
    assert judged(([((10, 10, 20, 20), "")], ()), min_iou=0.5).mistakes[0].overlap == 0


def test_a_truth_without_types_is_never_misnamed() -> None:
    report = judged(([((10, 10, 20, 20), "")], (((10, 10, 20, 20), "spot"),)))
    assert report.mistakes == ()


def test_a_cutting_shows_the_box_and_does_not_keep_the_picture() -> None:
    rng = np.random.default_rng(0)
    reference = rng.integers(0, 255, (400, 600, 3), np.uint8)
    pair = LabelledPair(reference, reference, truth_of([((570, 380, 12, 10), "spot")]), "corner")
    report = evaluate([pair], "hybrid", segmenter="none")
    (one,) = report.mistakes
    x, y, w, h = one.window
    assert (x + w, y + h) == (600, 400)  # moved to the inside at the border
    assert one.reference is not None and one.reference.base is None
    assert np.array_equal(one.reference, reference[y : y + h, x : x + w])
    assert one.true_boxes == ((570, 380, 12, 10),) and one.found_boxes == ()


def test_a_cutting_of_a_large_region_is_small() -> None:
    reference = np.full((500, 700, 3), 90, np.uint8)
    pair = LabelledPair(reference, reference, truth_of([((50, 50, 600, 300), "stain")]), "large")
    (one,) = evaluate([pair], "hybrid", segmenter="none").mistakes
    assert one.current is not None and max(one.current.shape[:2]) == 160


def test_one_bad_pair_does_not_hide_the_others_and_memory_is_bounded() -> None:
    many = tuple(((x, y, 4, 4), "spot") for y in range(0, 70, 6) for x in range(0, 110, 6))
    report = judged(([], many), ([], many[:1]), *[([], many)] * 12)
    assert len(report.mistakes) == 1000
    pictured = [one.pair for one in report.mistakes if one.reference is not None]
    assert len(pictured) <= 48 and pictured.count("n0") == 6 and pictured.count("n1") == 1


def test_mistakes_are_drawn_some_of_each_kind() -> None:
    many = tuple(((x, 10, 4, 4), "spot") for x in range(0, 60, 10))
    report = judged(([((80, 40, 10, 10), "$x$")], many))
    figure = report.plot_mistakes(most=3)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert len(titles) == 3
    assert titles[0].startswith("missed") and titles[1].startswith("false alarm")
    assert figure._suptitle.get_text() == "<lambda>: 1 missed, 6 made up"
    assert figure._repr_png_().startswith(b"\x89PNG")
    shares = [axes.get_position().width for axes in figure.axes if axes.get_title()]
    assert min(shares) > 0.4  # two in a row: letters that a classroom can read
    assert min(axes.title.get_fontsize() for axes in figure.axes) >= 11
    alone = report.plot_mistakes("missed")
    assert sum(bool(axes.get_title()) for axes in alone.axes) == 1


def test_a_report_without_mistakes_says_so() -> None:
    figure = judged(([], ())).plot_mistakes(("missed", "false alarm", "misnamed"))
    assert figure._suptitle.get_text() == "<lambda>: 0 missed, 0 made up, 0 misnamed"
    assert figure._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "said"),
    [({"kinds": "mised"}, "kinds='mised'"), ({"most": 0}, "most=0"), ({"most": True}, "most=True")],
)
def test_what_cannot_be_drawn_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        judged(([], ())).plot_mistakes(**options)
