"""What is written of a large picture is the same, and is made without copies of it."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vde_nb import _draw, compare, figure
from vde_nb._buffers import budget, limited
from vde_nb._png import png, png_of_rows
from vde_nb.comparison import Comparison
from vde_nb.errors import OutputError
from vde_nb.export import _interactive, _rle, _save
from vde_nb.export._rle import decode, encode


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    """Three changes, a part that is ignored, and lines enough for several bands."""
    rng = np.random.default_rng(1)
    reference = cv2.blur(rng.integers(0, 256, (900, 1300, 3), dtype=np.uint8), (9, 9))
    current = reference.copy()
    current[100:160, 200:300] = 255
    cv2.circle(current, (900, 500), 60, (200, 20, 20), -1)
    cv2.line(current, (100, 800), (700, 640), (10, 10, 10), 9)
    return compare(
        reference, current, method="hybrid", segmenter="none", ignore=[(0, 0, 90, 900)], cache=None
    )


def test_a_picture_made_row_by_row_is_the_same_file() -> None:
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (700, 800, 3), dtype=np.uint8)
    mask = rng.random((2000, 900)) > 0.99
    assert png_of_rows(700, 800, lambda a, b: colours[a:b], channels=3) == png(colours)
    assert png_of_rows(2000, 900, lambda a, b: mask[a:b]) == png(mask)
    assert np.array_equal(cv2.imdecode(np.frombuffer(png(mask), np.uint8), -1), mask * 255)


def test_there_is_one_copy_of_a_png_while_it_is_made() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3000, 1500, 3), dtype=np.uint8)
    png(noise[:100])
    tracemalloc.start()
    data = png(noise)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # what grows is larger than what is in it by an eighth; bands of 1 MB are on their way
    assert peak < 1.3 * len(data) + 8_000_000


@settings(max_examples=40, deadline=None)
@given(
    w=st.integers(1, 30),
    h=st.integers(1, 30),
    most=st.integers(1, 200),
    full=st.booleans(),
    seed=st.integers(0, 99),
)
def test_run_lengths_are_the_same_whatever_is_looked_at_in_one_go(
    w: int, h: int, most: int, full: bool, seed: int
) -> None:
    outline = np.random.default_rng(seed).random((h, w)) > (-1 if full else 0.5)
    box, shape = (3, 0, w, h), (h + seed % 3, w + 5)
    whole = encode(outline, box, shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_rle, "_MOST", most)
        assert encode(outline, box, shape) == whole
    assert decode(whole)[:h, 3 : 3 + w].tolist() == outline.tolist()


def test_every_file_of_a_large_comparison_is_that_of_a_small_one(
    comparison: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = comparison.save(tmp_path / "small", what="all")
    monkeypatch.setattr(_save, "LARGE", 1000)
    monkeypatch.setattr(_save, "_MEGABYTES", 1)
    seen = []
    draw = figure.draw

    def noted(*given: object, **options: object) -> None:
        now = budget()
        seen.append(now is not None and now.mapped > 0)
        draw(*given, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(figure, "draw", noted)
    large = comparison.save(tmp_path / "large", what="all")
    assert small.keys() == large.keys()
    names = [path.relative_to(tmp_path / "small") for path in (tmp_path / "small").rglob("*.*")]
    assert len(names) == 9 + len(comparison.anomalies)
    for name in names:
        one, other = (tmp_path / folder / name for folder in ("small", "large"))
        assert one.read_bytes() == other.read_bytes()
    assert seen == [True]


def test_a_scratch_folder_that_is_gone_is_an_error_that_names_it(
    comparison: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_save, "LARGE", 1000)
    monkeypatch.setenv("VDE_NB_SCRATCH", str(tmp_path / "gone"))
    with pytest.raises(OutputError, match="VDE_NB_SCRATCH"):
        comparison.save(tmp_path / "out", what="heatmap")
    assert not (tmp_path / "out").exists()


def test_the_mask_of_an_anomaly_is_written_as_it_is(comparison: Comparison, tmp_path: Path) -> None:
    comparison.save(tmp_path, what="masks")
    for anomaly, path in zip(
        comparison.anomalies, sorted((tmp_path / "masks").iterdir()), strict=True
    ):
        assert path.read_bytes() == png(anomaly.mask)


def test_what_was_not_compared_is_darkened_as_ever(comparison: Comparison) -> None:
    assert comparison.valid is not None
    expected = comparison.current.copy()
    left_out = ~comparison.valid
    expected[left_out] = expected[left_out] * figure._DIM
    drawn = comparison.annotated(opacity=0, outlines=False, boxes=False, labels=False)
    assert np.array_equal(drawn, expected)


@pytest.mark.parametrize("kind", ["crack", "environmental"])
def test_a_region_is_tinted_in_bands_without_a_seam(
    kind: str, comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    anomalies = [replace(one, type=kind) for one in comparison.anomalies]
    whole = replace(comparison, anomalies=anomalies).annotated()
    monkeypatch.setattr(_draw, "_BAND", 700)
    assert np.array_equal(replace(comparison, anomalies=anomalies).annotated(), whole)


def test_an_annotated_picture_may_lie_in_a_scratch_file(comparison: Comparison) -> None:
    usual = comparison.annotated()
    with limited(1) as now:
        scratch = comparison.annotated()
        assert now.mapped >= scratch.nbytes
        assert np.array_equal(usual, scratch)
    # it outlives the limit
    assert np.array_equal(usual, scratch)


def test_a_report_of_a_huge_picture_does_not_count_at_every_threshold(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = json.loads(_interactive.data(comparison))
    assert document["counts"][comparison.threshold] == len(comparison.anomalies)
    monkeypatch.setattr(_interactive, "_MOST_COUNTED", 1000)
    monkeypatch.setattr("vde_nb.viewer.payload.region_counts", None)  # and nothing asks it to
    assert json.loads(_interactive.data(comparison))["counts"] is None
