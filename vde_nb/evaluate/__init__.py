"""Ground truth -> numbers: how much of what truly changed was found, and how much that had not.

>>> from vde_nb import samples
>>> from vde_nb.evaluate import evaluate
>>> report = evaluate([samples.load("label")], segmenter="none")
>>> report.true, report.precision >= 0
(5, True)

:func:`evaluate` runs a method over pairs with known truth and returns a :class:`Report`;
:func:`compare_methods` does so for several methods and lines the reports up. Pairs come from
:mod:`vde_nb.samples`, from your own arrays, or from files: :func:`load_masks`, :func:`load_coco`,
:func:`load_deeppcb`.
"""

from vde_nb._boxes import iou
from vde_nb.evaluate._coco import load_coco
from vde_nb.evaluate._curves import auroc, average_precision, precision_recall
from vde_nb.evaluate._folders import load_deeppcb, load_masks
from vde_nb.evaluate._match import match_boxes
from vde_nb.evaluate._mistakes import Mistake
from vde_nb.evaluate._report import MethodTable, Report, TypeReport
from vde_nb.evaluate._run import compare_methods, evaluate
from vde_nb.evaluate._truth import GroundTruth, LabelledPair, TrueRegion

__all__ = [
    "GroundTruth",
    "LabelledPair",
    "MethodTable",
    "Mistake",
    "Report",
    "TrueRegion",
    "TypeReport",
    "auroc",
    "average_precision",
    "compare_methods",
    "evaluate",
    "iou",
    "load_coco",
    "load_deeppcb",
    "load_masks",
    "match_boxes",
    "precision_recall",
]


def __dir__() -> list[str]:
    return sorted(__all__)
