"""COCO annotations: what tools for labelling and training read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from vde_nb._text import readable
from vde_nb._version import __version__
from vde_nb._write import write_atomically
from vde_nb.export._rle import encode
from vde_nb.export._text import dump

if TYPE_CHECKING:
    from vde_nb.comparison import Anomaly, Comparison

__all__ = ["to_coco"]

_IMAGE_ID = 1


def to_coco(
    comparison: Comparison,
    path: str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
) -> str:
    """COCO annotations of the current picture as text.

    Masks are compressed run lengths with ``iscrowd`` 0; severity, number and origin stand in
    `attributes`, and what a review says: verdict (empty: not decided), comment and type found.

    Parameters
    ----------
    comparison
        What :func:`vde_nb.compare` returned.
    path
        Where to write it as well; see :func:`vde_nb._write.write_atomically`.
    overwrite
        Replace the file if it exists.

    Raises
    ------
    OutputError
        The file exists, or cannot be written.
    """
    height, width = comparison.pair.shape
    types = sorted({anomaly.type for anomaly in comparison.anomalies})
    categories = {name: number for number, name in enumerate(types, 1)}
    document = {
        "info": {"description": "Changes found by vde-nb", "version": __version__},
        "licenses": [],
        "images": [
            {
                "id": _IMAGE_ID,
                "file_name": readable(comparison.image_name),
                "width": int(width),
                "height": int(height),
            }
        ],
        "categories": [
            {"id": number, "name": name, "supercategory": "anomaly"}
            for name, number in categories.items()
        ],
        "annotations": [
            _annotation(anomaly, categories[anomaly.type]) for anomaly in comparison.anomalies
        ],
    }
    text = dump(document)
    if path is not None:
        write_atomically(path, text, overwrite=overwrite)
    return text


def _annotation(anomaly: Anomaly, category: int) -> dict[str, Any]:
    return {
        "id": int(anomaly.number),
        "image_id": _IMAGE_ID,
        "category_id": category,
        "bbox": _bounds(anomaly),
        "area": int(np.count_nonzero(anomaly.outline)),
        "iscrowd": 0,
        "segmentation": encode(anomaly.outline, anomaly.box, anomaly.shape),
        "score": float(anomaly.score),
        "attributes": _attributes(anomaly),
    }


def _attributes(anomaly: Anomaly) -> dict[str, Any]:
    made = {
        "severity": anomaly.severity,
        "number": int(anomaly.number),
        "origin": anomaly.origin,
    }
    if anomaly.reviewed:
        made["verdict"] = anomaly.verdict or ""
        made["comment"] = readable(anomaly.comment)
        made["type_found"] = anomaly.type_found
    return made


def _bounds(anomaly: Anomaly) -> list[int]:
    """Box of the mask, which may be smaller than the anomaly's own."""
    columns = np.flatnonzero(anomaly.outline.any(axis=0))
    rows = np.flatnonzero(anomaly.outline.any(axis=1))
    left, top = int(columns[0]), int(rows[0])
    width, height = int(columns[-1]) - left + 1, int(rows[-1]) - top + 1
    return [int(anomaly.x) + left, int(anomaly.y) + top, width, height]
