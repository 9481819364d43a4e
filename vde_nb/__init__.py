"""Compare a reference picture with a current one: find, outline, name and grade what changed.

>>> import vde_nb as vde
>>> pair = vde.samples.load("tyre")
>>> result = vde.compare(pair.reference, pair.current)
>>> len(result.anomalies) == len(pair.truth.regions)
True

A tour, in the order that most people take; ``help(vde.compare)`` and so on
say the rest::

     1. result = vde.compare("golden.png", "today.png")
        What changed: a vde.Comparison. Also of bytes, arrays, PIL pictures.
     2. result, result.anomalies, result.plot(), result.explain()
        Look: a vde.Anomaly has box, type, severity, score, mask, evidence.
     3. result.again(threshold=60)
        Computes what depends on it, no more; result.settings: vde.Settings.
     4. result.save("out"), .to_json(), .to_coco(), .to_csv(), .to_html()
        Pictures, results.json, COCO, a table, a page for the browser.
     5. vde.Panel("golden.png", "today.png")
        The same by hand, in a notebook cell: wipe, mark, review. In code:
        result.prompted([vde.Prompt(...)]), .reviewed([vde.Review(...)]).
     6. run = vde.compare_many(("golden/", "today/"), out="run")
        Thousands of pairs, on all processors; vde.open_run("run") reads it.
     7. model = vde.Normality.fit("good/")
        Learn from many pictures what may vary; model.compare(), .series().
     8. @vde.anomaly_type("burr")
        A type of yours; vde.load_plugin("burrs.py") loads it from a file.
     9. report = vde.evaluate(vde.load_masks("labelled/"))
        How much is found; report.plot_mistakes() shows what is not. Also
        vde.load_coco, vde.load_deeppcb; vde.compare_methods for several.
    10. vde.methods(), .segmenters(), .features(), .anomaly_types()
        What there is; vde.samples.list() names pictures with known changes.

The repository's folder ``notebooks`` shows each step at work, beginning with
``01_quickstart.ipynb``.

Less often needed: ``vde.load_pair`` reads two pictures into a
``vde.ImagePair``, ``vde.predictor`` is a trained model by itself,
``vde.add_model`` and ``vde.add_features`` add models and features of yours;
``remove_model``, ``remove_features``, ``remove_anomaly_type`` and
``reset_anomaly_types`` take away what was added. Every error that vde-nb raises
on purpose is a ``vde.VdeError``: ``ImageError``, ``SettingError``,
``OutputError``, ``MissingExtraError`` or ``WeightsError``.
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
from vde_nb.settings import Settings, nearest

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
    close = nearest(name, __all__)
    hint = f". Did you mean {close}?" if close else ""
    raise AttributeError(f"module 'vde_nb' has no attribute {name!r}{hint}")


def __dir__() -> list[str]:
    return sorted(__all__)
