"""The published pipelines, step by step as their notebooks describe them: what ours is held to.

Slow on purpose: no step is merged with another, every mask is made.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from skimage.metrics import structural_similarity

KERNEL = np.ones((3, 3), np.uint8)
WEIGHTS = np.linspace(0.1, 1.0, 10)
THRESHOLDS = (30, 50, 70)


def maps(reference: np.ndarray, current: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """SSIM score, |Δ| and the SSIM difference as published (with the cast that wraps)."""
    first = cv2.cvtColor(reference, cv2.COLOR_RGB2GRAY)
    second = cv2.cvtColor(current, cv2.COLOR_RGB2GRAY)
    score, similarity = structural_similarity(first, second, full=True)
    different = ((1 - similarity) * 255).astype("uint8")
    return float(score), cv2.absdiff(first, second), different


def cleaned(heat: np.ndarray, threshold: float, closings: int) -> np.ndarray:
    _, mask = cv2.threshold(heat, threshold, 255, cv2.THRESH_BINARY)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, KERNEL, iterations=2)
    return cv2.morphologyEx(mask, cv2.MORPH_CLOSE, KERNEL, iterations=closings)


def regions(mask: np.ndarray) -> list[dict[str, Any]]:
    found = []
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for contour in contours:
        x, y, w, h = cv2.boundingRect(contour)
        if w * h < 100:
            continue
        severity = "major" if w * h > 2000 else "moderate" if w * h > 500 else "minor"
        kind = "scratch" if w / h > 3 else "spot" if w / h < 0.5 else "missing_part"
        found.append({"x": x, "y": y, "w": w, "h": h, "type": kind, "severity": severity})
    return found


def report(score: float, mask: np.ndarray) -> dict[str, Any]:
    return {
        "ssim_score": score,
        "change_score_percent": np.count_nonzero(mask) / mask.size * 100,
        "anomalies": regions(mask),
    }


def hybrid(reference: np.ndarray, current: np.ndarray) -> dict[str, Any]:
    score, absolute, different = maps(reference, current)
    heat = cv2.addWeighted(absolute, 0.5, different, 0.5, 0)
    return report(score, cleaned(heat, 50, 3))


def multi_fusion_masks(reference: np.ndarray, current: np.ndarray) -> list[np.ndarray]:
    _, absolute, different = maps(reference, current)
    return [
        cleaned(cv2.addWeighted(different, weight, absolute, 1 - weight, 0), threshold, 2)
        for weight in WEIGHTS
        for threshold in THRESHOLDS
    ]


def multi_fusion(reference: np.ndarray, current: np.ndarray) -> dict[str, Any]:
    score, _, _ = maps(reference, current)
    return report(score, np.maximum.reduce(multi_fusion_masks(reference, current)))
