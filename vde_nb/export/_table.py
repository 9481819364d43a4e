"""One row per anomaly: CSV, and pandas."""

from __future__ import annotations

import csv
import io
import os
from typing import TYPE_CHECKING, Any

from vde_nb._text import defused, readable
from vde_nb._write import write_atomically
from vde_nb.errors import MissingExtraError

if TYPE_CHECKING:
    from vde_nb.comparison import Comparison

__all__ = ["to_csv", "to_frame"]

_COLUMNS = (
    "number",
    "type",
    "severity",
    "score",
    "area",
    "x",
    "y",
    "w",
    "h",
    "centroid_x",
    "centroid_y",
    "image_name",
    "reference_name",
    "origin",
    "verdict",
    "comment",
    "type_found",
)


def to_csv(
    comparison: Comparison,
    path: str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
) -> str:
    r"""One row per anomaly as CSV text (RFC 4180: lines end in ``\r\n``).

    Text that a spreadsheet would take for a formula gets an apostrophe before it.

    Parameters
    ----------
    comparison
        What :func:`vde_nb.compare` returned.
    path
        Where to write it as well, as UTF-8; see :func:`vde_nb._write.write_atomically`.
    overwrite
        Replace the file if it exists.

    Raises
    ------
    OutputError
        The file exists, or cannot be written.
    """
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    writer.writerows([defused(value) for value in row] for row in _rows(comparison))
    text = buffer.getvalue()
    if path is not None:
        write_atomically(path, text, overwrite=overwrite)
    return text


def to_frame(comparison: Comparison) -> Any:
    """One row per anomaly as a pandas DataFrame, with the columns of :func:`to_csv`.

    Raises
    ------
    MissingExtraError
        pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtraError("to_frame() needs pandas: pip install pandas") from error
    return pd.DataFrame(_rows(comparison), columns=list(_COLUMNS))


def _rows(comparison: Comparison) -> list[tuple[Any, ...]]:
    names = readable(comparison.image_name), readable(comparison.reference_name)
    return [
        (
            int(anomaly.number),
            anomaly.type,
            anomaly.severity,
            float(anomaly.score),
            int(anomaly.area),
            *(int(value) for value in anomaly.box),
            *(float(value) for value in anomaly.centroid),
            *names,
            anomaly.origin,
            anomaly.verdict or "",
            readable(anomaly.comment),
            anomaly.type_found,
        )
        for anomaly in comparison.anomalies
    ]
