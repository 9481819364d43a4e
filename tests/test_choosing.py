"""Which segmenter a name stands for, and what is used, and said, when it is not ready."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vde_nb as vde
from tests.sam_models import tiny, tiny_sam
from vde_nb.segment import choosing, embeddings
from vde_nb.segment.choosing import choose, segmenter_entries
from vde_nb.segment.models import MODELS
from vde_nb.settings import SegmentSettings

SQUARE = (40, 30, 30, 20)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VDE_NB_OFFLINE", "1")
    monkeypatch.setenv("VDE_NB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("VDE_NB_WEIGHTS", raising=False)
    monkeypatch.setattr(choosing, "_failures", {})


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sam(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def toy(checkpoint: Path) -> Iterator[str]:
    vde.add_model("toy", checkpoint, "Toy SAM")
    yield "toy"
    vde.remove_model("toy")


@pytest.fixture
def pair() -> tuple[Any, Any]:
    reference = np.random.default_rng(0).integers(60, 70, (90, 120, 3), np.uint8)
    current = reference.copy()
    x, y, w, h = SQUARE
    current[y : y + h, x : x + w] = (200, 60, 40)
    return reference, current


def settings(name: str, **others: Any) -> SegmentSettings:
    return SegmentSettings(segmenter=name, **others)


def test_the_embedded_ones_need_nothing() -> None:
    for name in ("graphcut", "none"):
        chosen = choose(settings(name))
        assert (chosen.name, chosen.notes) == (name, ())
        assert chosen.make().name == name


def test_a_wrong_name_names_the_nearest() -> None:
    with pytest.raises(vde.SettingError, match="'sam_vit_b'"):
        choose(settings("sam_vitb"))


def test_without_weights_graph_cut_draws_and_the_note_tells_what_to_do(pair: Any) -> None:
    pytest.importorskip("torch")  # or that is what is told
    result = vde.compare(*pair, segmenter="sam_vit_b", cache=None)
    assert result.outlined_by == "Graph cut"
    note = " ".join(result.notes)
    assert "sam_vit_b_01ec64.pth" in note and "https://dl.fbaipublicfiles.com" in note
    assert "graphcut" in note
    assert [one.outline.sum() for one in result.anomalies] == [
        one.outline.sum() for one in vde.compare(*pair, cache=None).anomalies
    ]


def test_without_weights_nothing_is_asked_of_the_network_at_every_move_of_a_slider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("torch")
    asked: list[str] = []

    def obtain(model: Any) -> Any:
        asked.append(model.name)
        raise vde.WeightsError("blocked")

    monkeypatch.setattr("vde_nb.segment.weights.obtain", obtain)
    monkeypatch.setattr(choosing, "_SLOW", -1.0)
    for _ in range(3):
        (note,) = choose(settings("sam_vit_l")).notes
        assert note.startswith("blocked") and "graphcut, draws the outlines" in note
    assert asked == ["sam_vit_l"]
    monkeypatch.delenv("VDE_NB_OFFLINE")  # what forbade it may be gone
    choose(settings("sam_vit_l"))
    assert len(asked) == 2


def test_auto_without_any_model_is_graph_cut_and_says_so(pair: Any) -> None:
    result = vde.compare(*pair, segmenter="auto")
    assert result.outlined_by == "Graph cut"
    assert any("segmenter='auto'" in note for note in result.notes)


def test_auto_takes_what_is_ready_and_prefers_small_models_on_a_cpu(
    toy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = choose(settings("auto", sam_device="cpu"))
    assert chosen.name == toy
    assert chosen.notes == ("Toy SAM draws the outlines (segmenter='auto').",)
    small = dataclasses.replace(MODELS[toy], name="small", speed=1, quality=9)
    large = dataclasses.replace(MODELS[toy], name="large", speed=9, quality=1)
    for one in (large, small):
        monkeypatch.setitem(MODELS, one.name, one)
    assert choose(settings("auto", sam_device="cpu")).name == "small"
    monkeypatch.setattr("vde_nb.segment.choosing._is_slow", lambda device: False)
    assert choose(settings("auto")).name == "large"


def test_a_model_outlines_and_its_evidence_reaches_the_anomaly(toy: str, pair: Any) -> None:
    result = vde.compare(*pair, segmenter=toy)
    assert result.outlined_by == "Toy SAM"
    evidence = result.anomalies[0].evidence
    assert {"sam_mask_iou", "sam_mask_shift", "sam_in_reference", "sam_in_current"} <= set(evidence)
    again = result.again(threshold=60)
    assert again.timings["segmentation"] < 5000 and again.outlined_by == "Toy SAM"


def test_a_published_model_goes_before_one_nobody_has_ranked(
    toy: str, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VDE_NB_WEIGHTS", str(checkpoint.parent))
    shipped = dataclasses.replace(
        MODELS[toy], name="shipped", path=None, file=checkpoint.name, speed=50
    )
    monkeypatch.setitem(MODELS, "shipped", shipped)
    assert choose(settings("auto", sam_device="cpu")).name == "shipped"


def test_a_damaged_file_is_told_and_something_else_draws(
    toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pair: Any
) -> None:
    (tmp_path / "sam_vit_b_01ec64.pth").write_bytes(b"cut off" * 100)
    monkeypatch.setenv("VDE_NB_WEIGHTS", str(tmp_path))
    named = vde.compare(*pair, segmenter="sam_vit_b", cache=None)
    assert named.outlined_by == "Graph cut"
    assert any("sam_vit_b_01ec64.pth" in note and "graphcut" in note for note in named.notes)
    best = vde.compare(*pair, segmenter="auto", cache=None)
    assert best.outlined_by == "Toy SAM"
    assert segmenter_entries()["sam_vit_b"].how == "damaged: vde-nb weights verify sam_vit_b"
    with pytest.raises(vde.WeightsError):
        vde.predictor("sam_vit_b")


def test_what_cannot_be_opened_is_passed_over_and_named(
    toy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tiny_sam(tmp_path)
    monkeypatch.setenv("VDE_NB_WEIGHTS", str(tmp_path))
    broken = dataclasses.replace(MODELS[toy], name="broken", path=None, file=file.name, speed=1)
    monkeypatch.setitem(MODELS, "broken", dataclasses.replace(broken, title="Broken"))
    file.write_bytes(file.read_bytes()[:-200])
    chosen = choose(settings("auto", sam_device="cpu"))
    assert chosen.name == toy
    assert any(note.startswith("Broken was passed over") for note in chosen.notes)


def test_pictures_that_change_behind_our_back_are_not_kept_under_their_old_name(
    toy: str, pair: Any
) -> None:
    reference, current = pair
    first = vde.compare(reference, current.copy(), segmenter=toy)
    embeddings.shared().clear()
    changed = current.copy()
    second = vde.compare(reference, changed, segmenter="none")
    changed[:] = changed[::-1, ::-1]
    second.again(segmenter=toy)
    fresh = vde.compare(reference, current.copy(), segmenter=toy, cache=None)
    assert [one.outline.tobytes() for one in fresh.anomalies] == [
        one.outline.tobytes() for one in first.anomalies
    ]
    assert fresh.anomalies[0].evidence == first.anomalies[0].evidence


def test_a_model_that_does_not_fit_on_the_gpu_runs_on_the_cpu_and_says_so(
    toy: str, monkeypatch: pytest.MonkeyPatch, pair: Any
) -> None:
    from vde_nb.segment import neural

    opened = neural.open_backend

    def full(weights: Any, *, device: str = "auto", **others: Any) -> Any:
        if device != "cpu":
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return opened(weights, device=device, **others)

    monkeypatch.setattr(neural, "open_backend", full)
    neural.release()
    result = vde.compare(*pair, segmenter=toy, cache=None)
    neural.release()
    assert result.outlined_by == "Toy SAM"
    assert any("runs on the CPU" in note for note in result.notes)


def test_another_prompt_does_not_change_what_the_first_outlined(toy: str, pair: Any) -> None:
    result = vde.compare(*pair, segmenter=toy, sam_zoom="on")
    first = {"box": (8, 8, 12, 10)}
    alone = result.prompted([first]).anomalies
    both = result.prompted([first, {"box": (90, 14, 10, 10)}]).anomalies
    (mine,) = [one for one in alone if one.origin == "prompted"]
    assert any(
        one.box == mine.box and (one.outline == mine.outline).all()
        for one in both
        if one.origin == "prompted"
    )


def test_prompts_are_answered_by_the_model(toy: str, pair: Any) -> None:
    result = vde.compare(*pair, segmenter=toy)
    marked = result.prompted([{"points": [(10, 10)]}, {"box": (70, 50, 20, 20)}])
    assert sum(one.origin == "prompted" for one in marked.anomalies) == 2
    assert marked.outlined_by == "Toy SAM"


def test_other_weights_under_the_same_name_are_not_mistaken_for_the_old(
    toy: str, tmp_path: Path
) -> None:
    before = choose(settings(toy)).identity
    vde.add_model(toy, tiny_sam(tmp_path, seed=1), "Toy SAM")
    assert choose(settings(toy)).identity != before


def test_every_line_of_the_list_says_what_to_do(toy: str) -> None:
    entries = segmenter_entries()
    assert list(entries)[:3] == ["graphcut", "none", "auto"]
    for entry in entries.values():
        assert entry.ready == (entry.how == "")
    assert entries["sam_vit_b"].how == "download 375 MB"
    assert entries[toy].ready


def test_what_is_not_installed_is_said_before_work_is_done(
    monkeypatch: pytest.MonkeyPatch, pair: Any
) -> None:
    monkeypatch.setattr(
        choosing, "not_installed", lambda *names: [n for n in names if n == "torch"]
    )
    assert 'pip install "vde-nb[sam]"' in segmenter_entries()["sam_vit_b"].how
    with pytest.raises(vde.MissingExtraError, match=r"vde-nb\[sam\]"):
        vde.compare(*pair, segmenter="sam_vit_b", cache=None)


def test_settings_of_models_are_noted_where_no_model_is_used(pair: Any) -> None:
    result = vde.compare(*pair, sam_zoom="on")
    assert "sam_zoom is not used by segmenter='graphcut'." in result.notes


def test_work_on_a_model_is_told_and_can_be_stopped(tmp_path: Path, pair: Any) -> None:
    vde.add_model("told", tiny("sam2", tmp_path / "m"), "Told")
    told: list[str] = []
    try:
        vde.compare(*pair, segmenter="told", progress=told.append)
        assert any("Told reads the current picture" in line for line in told)

        def stop(line: str) -> None:
            if "reads" in line:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            vde.compare(pair[0], pair[1][::-1].copy(), segmenter="told", progress=stop)
        assert vde.compare(*pair, segmenter="told").outlined_by == "Told"
    finally:
        vde.remove_model("told")


def test_a_predictor_of_ones_own(toy: str) -> None:
    predictor = vde.predictor(toy)
    picture = np.random.default_rng(1).integers(0, 255, (60, 80, 3), np.uint8)
    embedded = predictor.embed(picture)
    found = predictor.predict(embedded, [vde.Prompt(box=(5, 5, 20, 20))])
    assert len(found) == 1
    assert found[0].mask((0, 0, 80, 60)).shape == (60, 80)
    with pytest.raises(vde.SettingError, match="no model"):
        vde.predictor("graphcut")
