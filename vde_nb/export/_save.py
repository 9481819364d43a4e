"""A comparison as a folder of files."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import partial
from mmap import ACCESS_READ, mmap
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from vde_nb._buffers import limited
from vde_nb._native import LARGE
from vde_nb._png import png, png_of_rows, write_png
from vde_nb._scratch_file import folder as scratch_folder
from vde_nb._write import expand, write_all
from vde_nb.errors import OutputError, SettingError
from vde_nb.export._coco import to_coco
from vde_nb.export._report import to_html
from vde_nb.export._results import to_json
from vde_nb.export._table import to_csv
from vde_nb.settings import nearest

if TYPE_CHECKING:
    from vde_nb.comparison import Anomaly, Comparison

__all__ = ["FILES", "USUAL", "chosen_files", "save"]

#: What can be saved: name, file, and what makes its content.
FILES: dict[str, tuple[str, Callable[[Comparison], bytes | str]]] = {
    "annotated": ("annotated.png", lambda comparison: _png(comparison.annotated())),
    "heatmap": ("heatmap.png", lambda comparison: _png(comparison.heatmap)),
    "mask": ("mask.png", lambda comparison: _png(comparison.mask)),
    "reference": ("reference.png", lambda comparison: _png(comparison.reference)),
    "current": ("current.png", lambda comparison: _png(comparison.current)),
    "results": ("results.json", to_json),
    "coco": ("coco.json", to_coco),
    "csv": ("anomalies.csv", to_csv),
    "html": ("report.html", to_html),
}
#: What is saved where nothing else is asked for.
USUAL = ("annotated", "heatmap", "results")
_MASKS = "masks"
_MEGABYTES = 128  # of main memory for what is drawn of a large picture
_WHAT = (*FILES, _MASKS)


def save(
    comparison: Comparison,
    folder: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    what: str | Iterable[str] = USUAL,
) -> dict[str, Path]:
    """Write a comparison into a folder: all of the files, or none.

    Parameters
    ----------
    comparison
        What :func:`vde_nb.compare` returned.
    folder
        Where to; made if it does not exist.
    overwrite
        Replace files that exist. Other files in the folder stay, so that of an earlier save with
        more anomalies some of its ``masks/`` are left.
    what
        ``"all"``, or any of

        - ``"annotated"``, ``"reference"``, ``"current"``: PNG pictures;
        - ``"heatmap"``: ``heatmap.png``, the heat itself in 8-bit grey;
        - ``"mask"``: ``mask.png``, 255 where something changed;
        - ``"masks"``: ``masks/001_<type>.png`` for each anomaly, 255 inside its outline;
        - ``"results"``: ``results.json``; ``"coco"``: ``coco.json``; ``"csv"``: ``anomalies.csv``;
        - ``"html"``: ``report.html``.

    Returns
    -------
    dict
        The path of each of `what`; for ``"masks"`` their folder, missing when there is no anomaly.

    Raises
    ------
    SettingError
        `what` names something that cannot be saved.
    OutputError
        A file exists, or cannot be written.
    """
    names = chosen_files(what)
    root = expand(folder)
    contents: dict[Path, Callable[[], bytes | str]] = {}
    paths: dict[str, Path] = {}
    for name in names:
        if name in FILES:
            file, make = FILES[name]
            paths[name] = root / file
            contents[root / file] = partial(_made, make, comparison)
        elif comparison.anomalies:
            paths[name] = root / _MASKS
            for anomaly in comparison.anomalies:
                contents[root / _MASKS / _mask_name(anomaly)] = partial(_mask_png, anomaly)
    write_all(contents, overwrite=overwrite)
    return paths


def chosen_files(what: str | Iterable[str]) -> tuple[str, ...]:
    asked = (what,) if isinstance(what, str) else tuple(what)
    for name in asked:
        if name not in (*_WHAT, "all"):
            close = nearest(name, _WHAT)
            hint = f" Did you mean {close}?" if close else ""
            raise SettingError(
                f"what={name!r} cannot be saved: {', '.join(_WHAT)}, or 'all'.{hint}"
            )
    return _WHAT if "all" in asked else tuple(dict.fromkeys(asked))


def _mask_name(anomaly: Anomaly) -> str:
    """File name of an anomaly's mask: ASCII, so that archives and other systems can keep it.

    Types are made of letters of any alphabet; the number in front tells masks apart.
    """
    plain = unicodedata.normalize("NFKD", anomaly.type).encode("ascii", "ignore").decode()
    short = re.sub(r"[^A-Za-z0-9_-]+", "_", plain)[:40] or "anomaly"
    return f"{anomaly.number:03d}_{short}.png"


def _mask_png(anomaly: Anomaly) -> bytes:
    """The mask of a whole picture, made while it is written: only its box is there."""
    height, width = anomaly.shape
    x, y, w, h = anomaly.box

    def rows(first: int, end: int) -> npt.NDArray[np.bool_]:
        part = np.zeros((end - first, width), np.bool_)
        top, bottom = max(first, y), min(end, y + h)
        if top < bottom:
            part[top - first : bottom - first, x : x + w] = anomaly.outline[top - y : bottom - y]
        return part

    return png_of_rows(height, width, rows)


def _png(picture: npt.NDArray[Any]) -> bytes:
    """A picture as a PNG file; that of a large one lies in a scratch file, and is read from it."""
    height, width = picture.shape[:2]
    if height * width <= LARGE:
        return png(picture)
    channels, where = 3 if picture.ndim == 3 else 1, scratch_folder()
    try:
        with TemporaryFile(prefix="vde-nb-", dir=where) as file:
            write_png(file, height, width, lambda a, b: picture[a:b], channels=channels)
            file.flush()
            # A map is as good as bytes for whoever writes it into another file.
            return cast("bytes", mmap(file.fileno(), 0, access=ACCESS_READ))
    except OSError as error:
        raise OutputError(
            f"A scratch file in {where} cannot be written: {error.strerror or error}; free some "
            "space, or name another folder in the environment variable VDE_NB_SCRATCH."
        ) from error


def _made(make: Callable[[Comparison], bytes | str], comparison: Comparison) -> bytes | str:
    """Content of a file; what is drawn for it of a large picture lies in a scratch file."""
    height, width = comparison.pair.shape
    if height * width <= LARGE:
        return make(comparison)
    # The comparison itself may hold all the memory that is allowed.
    with limited(_MEGABYTES):
        return make(comparison)
