"""What a comparison can be written as; :class:`vde_nb.Comparison` has a method for each.

All of it is made from the comparison alone: the same comparison gives the same bytes, except for
the timings.
"""

from vde_nb._png import png
from vde_nb.export._coco import to_coco
from vde_nb.export._report import to_html
from vde_nb.export._results import results, schema, to_json
from vde_nb.export._save import save
from vde_nb.export._table import to_csv, to_frame

__all__ = [
    "png",
    "results",
    "save",
    "schema",
    "to_coco",
    "to_csv",
    "to_frame",
    "to_html",
    "to_json",
]


def __dir__() -> list[str]:
    return sorted(__all__)
