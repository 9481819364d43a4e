"""What is added up over the pairs: counts, histograms and a few cuttings, never a picture."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb.comparison import Comparison
from vde_nb.detect import Box
from vde_nb.evaluate._curves import (
    LEVELS,
    Counts,
    alarm_level,
    auroc,
    average_precision,
    histogram,
    precision_recall,
)
from vde_nb.evaluate._match import match_boxes
from vde_nb.evaluate._mistakes import Mistakes
from vde_nb.evaluate._report import Report, SweepPoint, TypeReport
from vde_nb.evaluate._truth import Bools, GroundTruth, TrueRegion

__all__ = ["Tally"]


def _counts() -> Counts:
    return np.zeros(LEVELS, np.int64)


@dataclass
class _OfType:
    """What is added up for one type."""

    true: int = 0
    matched: int = 0
    pixels: Counts = field(default_factory=_counts)
    others: Counts = field(default_factory=_counts)


@dataclass(frozen=True)
class _Peak:
    """How strongly a true region of a pair was seen."""

    type: str
    score: float  # of the image
    seen: float  # highest level inside of the region
    wanted: float  # the level it has to exceed; NaN: the alarm level itself


class Tally:
    """Counts over pairs, and the report they make.

    Parameters
    ----------
    min_iou
        Boxes match if their IoU is larger.
    slack
        Pixels around a true region that count neither way.
    alarm_rate
        Share of sound pairs that may raise a false alarm.
    box_margin
        Pixels by which found boxes are widened before they are matched.
    """

    def __init__(self, min_iou: float, slack: int, alarm_rate: float, box_margin: int = 0) -> None:
        self.min_iou, self.slack, self.alarm_rate = min_iou, slack, alarm_rate
        self.box_margin = box_margin
        self.found = self.true = self.matched = self.pairs = 0
        self.sound_scores: list[float] = []
        self.defect_scores: list[float] = []
        self.false_alarms = 0
        self.positives, self.negatives = _counts(), _counts()
        self.common = self.union = self.masked_pairs = 0
        self.types: dict[str, _OfType] = {}
        self.confusion: Counter[tuple[str, str]] = Counter()
        self.peaks: list[_Peak] = []
        self.sweeps: dict[int, list[int]] = {}
        self.seconds = 0.0
        self.mistakes = Mistakes()

    def add(
        self, truth: GroundTruth, comparison: Comparison, seconds: float, name: str = ""
    ) -> None:
        """Count one pair."""
        self.pairs += 1
        self.seconds += seconds
        self._boxes(truth, comparison, name)
        self._image(truth, comparison)
        if truth.has_masks:
            self._pixels(truth, comparison)

    def _of_type(self, name: str) -> _OfType:
        return self.types.setdefault(name, _OfType())

    def _boxes(self, truth: GroundTruth, comparison: Comparison, name: str) -> None:
        found, true = comparison.anomalies, truth.regions
        boxes = self._widened(comparison)
        matches = match_boxes(boxes, [one.box for one in true], self.min_iou)
        self.found += len(found)
        self.true += len(true)
        self.matched += len(matches)
        for region in true:
            self._of_type(region.type).true += 1
        for i, j in matches:
            self._of_type(true[j].type).matched += 1
            if true[j].type:
                self.confusion[true[j].type, found[i].type] += 1
        self.mistakes.add(name, comparison, true, matches)

    def _widened(self, comparison: Comparison) -> list[Box]:
        """The found boxes with their margin, cut to the picture."""
        height, width = comparison.heatmap.shape
        boxes = []
        for x, y, w, h in (one.box for one in comparison.anomalies):
            left, top = max(0, x - self.box_margin), max(0, y - self.box_margin)
            right = min(width, x + w + self.box_margin)
            bottom = min(height, y + h + self.box_margin)
            boxes.append((left, top, right - left, bottom - top))
        return boxes

    def _image(self, truth: GroundTruth, comparison: Comparison) -> None:
        heat = comparison.clean_heatmap
        own = getattr(comparison, "evidence_score", None)
        score = float(heat.max()) if own is None else float(own)
        if not truth.regions:
            self.sound_scores.append(score)
            self.false_alarms += bool(comparison.anomalies)
            return
        self.defect_scores.append(score)
        wanted = math.nan if own is None else float(comparison.threshold)
        for region in truth.regions:
            x, y, w, h = region.box
            inside = heat[y : y + h, x : x + w]
            seen = inside.max() if region.mask is None else inside[region.mask].max()
            self.peaks.append(_Peak(region.type, score, float(seen), wanted))

    def _pixels(self, truth: GroundTruth, comparison: Comparison) -> None:
        heat = comparison.heatmap
        true = _union(truth.regions, heat.shape)
        outlined = np.zeros(heat.shape, np.bool_)
        for anomaly in comparison.anomalies:
            x, y, w, h = anomaly.box
            outlined[y : y + h, x : x + w] |= anomaly.outline
        self.masked_pairs += 1
        self.common += int(np.count_nonzero(true & outlined))
        self.union += int(np.count_nonzero(true | outlined))
        ground = ~true
        if self.slack and truth.regions:
            reach = np.ones((2 * self.slack + 1,) * 2, np.uint8)
            ground = cv2.dilate(true.view(np.uint8), reach) == 0
        negatives = histogram(heat, ground)
        self.negatives += negatives
        if truth.regions:
            self.positives += histogram(heat, true)
        for name in {region.type for region in truth.regions}:
            of_type = self._of_type(name)
            # Other true regions are neither: they are in neither histogram.
            of_type.others += negatives
            own = _union((one for one in truth.regions if one.type == name), heat.shape)
            of_type.pixels += histogram(heat, own)

    def sweep(self, truth: GroundTruth, threshold: int, comparison: Comparison) -> None:
        """Count the boxes of one pair at another threshold."""
        counts = self.sweeps.setdefault(threshold, [0, 0, 0])
        found = self._widened(comparison)
        true = [one.box for one in truth.regions]
        counts[0] += len(match_boxes(found, true, self.min_iou))
        counts[1] += len(found)
        counts[2] += len(true)

    def report(self, method: str) -> Report:
        """Make the report."""
        level = alarm_level(self.sound_scores, self.alarm_rate)
        hits = self._hits(level)
        correct = sum(count for (true, found), count in self.confusion.items() if true == found)
        named = sum(self.confusion.values())
        curve: tuple[npt.NDArray[Any], ...] = (np.zeros(0), np.zeros(0), np.zeros(0, np.int64))
        if self.positives.any():
            curve = precision_recall(self.positives, self.negatives)
        return Report(
            method=method,
            pairs=self.pairs,
            sound_pairs=len(self.sound_scores),
            masked_pairs=self.masked_pairs,
            min_iou=self.min_iou,
            slack=self.slack,
            alarm_rate=self.alarm_rate,
            found=self.found,
            true=self.true,
            matched=self.matched,
            pixel_iou=self.common / self.union if self.union else math.nan,
            pixel_ap=average_precision(self.positives, self.negatives),
            auroc=auroc(self.defect_scores, self.sound_scores),
            false_alarm_rate=_share(self.false_alarms, len(self.sound_scores)),
            alarm_level=level,
            type_accuracy=_share(correct, named),
            types={
                name: TypeReport(
                    true=one.true,
                    matched=one.matched,
                    pixel_ap=average_precision(one.pixels, one.others),
                    recall_at_alarm=hits.get(name, math.nan),
                )
                for name, one in sorted(self.types.items())
            },
            confusion=dict(sorted(self.confusion.items())),
            curve=curve,
            sweep=tuple(SweepPoint(key, *counts) for key, counts in sorted(self.sweeps.items())),
            milliseconds=1000 * _share(self.seconds, self.pairs),
            mistakes=self.mistakes.all(),
        )

    def _hits(self, level: float) -> Mapping[str, float]:
        """Share of the regions of each type that is seen while few sound pairs raise the alarm."""
        if math.isnan(level):
            return {}
        hits: dict[str, list[bool]] = {}
        for peak in self.peaks:
            wanted = level if math.isnan(peak.wanted) else peak.wanted
            hits.setdefault(peak.type, []).append(peak.score > level and peak.seen > wanted)
        return {name: _share(sum(seen), len(seen)) for name, seen in hits.items()}


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _union(regions: Iterable[TrueRegion], shape: tuple[int, ...]) -> Bools:
    """Draw regions that have masks."""
    mask = np.zeros(shape, np.bool_)
    for region in regions:
        x, y, w, h = region.box
        assert region.mask is not None
        mask[y : y + h, x : x + w] |= region.mask
    return mask
