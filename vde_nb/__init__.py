"""vde-nb: compare a reference picture with a current one; find, outline, name, grade changes.

>>> import vde_nb as vde
>>> pair = vde.samples.load("tyre")
>>> result = vde.compare(pair.reference, pair.current)
>>> len(result.anomalies) == len(pair.truth.regions)
True

Start with :func:`compare`. :func:`methods`, :func:`segmenters` and :func:`features` list what
there is to choose from, :mod:`vde_nb.samples` has pictures to try it on, :func:`anomaly_type` adds
a type of yours, :func:`load_plugin` loads such types from a file, :func:`evaluate` measures how
much of what changed is found, :class:`Normality` learns from pictures of a scene how it may look,
and :func:`compare_many` compares thousands of pairs.
"""

import importlib
from typing import Any

from vde_nb._version import __version__
from vde_nb.classify import (
    anomaly_type,
    anomaly_types,
    remove_anomaly_type,
    reset_anomaly_types,
)
from vde_nb.compare import compare
from vde_nb.comparison import Anomaly, Comparison
from vde_nb.errors import (
    ImageError,
    MissingExtraError,
    OutputError,
    SettingError,
    VdeError,
    WeightsError,
)
from vde_nb.evaluate import compare_methods, evaluate, load_coco, load_deeppcb, load_masks
from vde_nb.features import add_features, remove_features
from vde_nb.images import ImagePair, load_pair
from vde_nb.listing import features, methods, segmenters
from vde_nb.plugins import load_plugin
from vde_nb.reviewing import Review
from vde_nb.segment import Prompt, predictor
from vde_nb.segment.models import add_model, remove_model
from vde_nb.settings import Settings

# Only what stands here is public; `compare`, `evaluate` and `methods` are the functions, although
# modules of these names exist: they are imported above, before the functions take the names.
__all__ = [
    "Anomaly",
    "Comparison",
    "ImageError",
    "ImagePair",
    "MissingExtraError",
    "Normality",
    "OutputError",
    "Panel",
    "Prompt",
    "Review",
    "SettingError",
    "Settings",
    "VdeError",
    "WeightsError",
    "__version__",
    "add_features",
    "add_model",
    "anomaly_type",
    "anomaly_types",
    "compare",
    "compare_many",
    "compare_methods",
    "evaluate",
    "features",
    "load_coco",
    "load_deeppcb",
    "load_masks",
    "load_pair",
    "load_plugin",
    "methods",
    "open_run",
    "predictor",
    "remove_anomaly_type",
    "remove_features",
    "remove_model",
    "reset_anomaly_types",
    "samples",
    "segmenters",
]


def __getattr__(name: str) -> Any:
    if name == "samples":  # draws with Pillow, which comparing two files does without
        return importlib.import_module("vde_nb.samples")
    if name == "Normality":  # comparing two pictures does without it
        return importlib.import_module("vde_nb.normality").Normality
    if name == "Panel":  # needs the notebook's widgets, which comparing does without
        return importlib.import_module("vde_nb.panel").Panel
    if name in ("compare_many", "open_run"):  # runs need what one comparison does without
        return getattr(importlib.import_module("vde_nb.batch"), name)
    raise AttributeError(f"module 'vde_nb' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
