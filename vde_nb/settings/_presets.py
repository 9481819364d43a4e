"""Presets: settings that go together, and what a method needs to be at its best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["DEFAULT_METHOD", "METHOD_DEFAULTS", "PRESETS"]

#: The recommended method.
DEFAULT_METHOD = "robust"

#: What a method sets differently from the declared defaults, in every preset but ``published``.
METHOD_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    # A tolerant heatmap holds no specks and thin cracks are what it is for: nothing is opened.
    "robust": {
        "align": "auto",
        "normalise": "local",
        "open_iterations": 0,
        "close_iterations": 3,
        "min_area": 16,
    },
    "semantic": {
        "align": "auto",
        "normalise": "local",
        "open_iterations": 0,
        "close_iterations": 3,
        "min_area": 64,
    },
    "normality": {
        "align": "auto",
        "normalise": "local",
        "false_alarms": 0.02,
        "open_iterations": 0,
        "close_iterations": 3,
        "min_area": 16,
    },
}

#: Settings a preset changes from their defaults: for every method (key ""), then for one.
PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "default": {},
    # Exactly the published notebooks. They outline with SAM, but neither numbers nor boxes
    # depend on that, so the preset asks for no segmenter.
    "published": {
        "": {
            "colour": "grey",
            "ssim_overflow": "wrap",
            "segmenter": "none",
            "classifier": "published",
            "order": "found",
        },
        "multi_fusion": {"close_iterations": 2},
        "ensemble": {"close_iterations": 2},
    },
    "sensitive": {
        "": {"threshold": 30, "thresholds": (20, 30, 40), "min_area": 36},
        "robust": {"threshold": 35, "min_area": 8},
        "semantic": {"threshold": 35},
        "normality": {"threshold": 35, "min_area": 8},
    },
    "strict": {
        "": {"threshold": 80, "thresholds": (70, 90, 110), "min_area": 200},
        "robust": {"threshold": 80, "min_area": 64},
        "semantic": {"threshold": 80},
        "normality": {"threshold": 80, "min_area": 64},
    },
}
