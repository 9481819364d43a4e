"""Pairs from COCO annotations. The file comes from outside: nothing in it is taken for granted."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from vde_nb._lessons import lesson
from vde_nb._paths import absent
from vde_nb.errors import SettingError
from vde_nb.evaluate._truth import Bools, GroundTruth, LabelledPair, TrueRegion
from vde_nb.export import _rle

if TYPE_CHECKING:
    from typing import TypeGuard

__all__ = ["load_coco"]

_FINE = 4  # polygons are drawn at this many times the size; a pixel is in if half of it is
_LARGEST = 200_000_000  # pixels a mask may have
# A count of compressed run lengths: groups of 5 bits, all but the last marked by the sixth bit.
_RUNS = re.compile(r"([P-o]{0,6}[0-O])*", re.ASCII)


def load_coco(
    path: str | os.PathLike[str],
    root: str | os.PathLike[str] | None = None,
    *,
    reference: str | os.PathLike[str] | None = None,
) -> list[LabelledPair]:
    """Load pairs whose true changes are COCO annotations of the current pictures.

    Parameters
    ----------
    path
        The JSON file. Its ``images`` name the current pictures (``file_name``); its
        ``annotations`` are the changes, with a ``bbox`` and, if it is known, a ``segmentation``:
        polygons, or run lengths, compressed or not. The type is the name of the category.
    root
        Folder the pictures are in; by default that of `path`.
    reference
        A picture that is the reference of all of them, or a folder that holds one of the same
        name for each. By default each image says so itself, as ``reference_file_name``.

    Returns
    -------
    list of LabelledPair
        In the order of ``images``. Pictures are read when their turn comes.

    Raises
    ------
    SettingError
        A file is missing, lies outside of `root`, or something in the JSON cannot be understood;
        the message says which image or annotation.
    """
    file = Path(path).expanduser()
    folder = Path(root).expanduser() if root is not None else file.parent
    document = _read(file)
    categories = {
        _whole(file, f"categories[{i}]", entry, "id"): _text(
            file, f"categories[{i}]", entry, "name"
        )
        for i, entry in enumerate(_entries(file, document, "categories"))
    }
    images: dict[int, tuple[str, Mapping[str, Any]]] = {}
    for i, entry in enumerate(_entries(file, document, "images")):
        where = f"images[{i}]"
        number = _whole(file, where, entry, "id")
        if number in images:
            raise SettingError(f"{file}, {where}: the id {number} is used twice.")
        images[number] = where, entry
    regions: dict[int, list[TrueRegion]] = {number: [] for number in images}
    for i, entry in enumerate(_entries(file, document, "annotations")):
        where = f"annotations[{i}]"
        number = _whole(file, where, entry, "image_id")
        if number not in images:
            raise SettingError(f"{file}, {where}: there is no image with the id {number}.")
        category = _whole(file, where, entry, "category_id")
        if category not in categories:
            raise SettingError(f"{file}, {where}: there is no category with the id {category}.")
        regions[number].append(_region(file, where, entry, images[number], categories[category]))
    return [
        LabelledPair(
            _reference(file, where, entry, folder, reference),
            _picture(file, where, folder, _text(file, where, entry, "file_name")),
            GroundTruth(tuple(regions[number]), _size(file, where, entry), f"{file}, {where}"),
            _text(file, where, entry, "file_name"),
        )
        for number, (where, entry) in images.items()
    ]


def _read(file: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(file.read_text("utf-8"))
    except FileNotFoundError as error:
        raise SettingError(f"{absent(str(file))}{lesson('labels')}") from error
    except OSError as error:
        raise SettingError(f"{file} cannot be read: {error.strerror or error}.") from error
    except RecursionError:
        raise SettingError(f"{file} is nested too deeply to be COCO annotations.") from None
    except ValueError as error:  # bad JSON, with line and column, or no UTF-8
        raise SettingError(f"{file} is no JSON: {error}.") from error
    if not isinstance(document, dict):
        raise SettingError(f"{file} must hold an object with images, annotations and categories.")
    return document


def _entries(file: Path, document: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    entries = document.get(name)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise SettingError(f"{file}: {name} must be a list of objects.")
    return entries


def _whole(file: Path, where: str, entry: Mapping[str, Any], name: str) -> int:
    value = entry.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise SettingError(f"{file}, {where}: {name} must be a whole number, not {value!r:.60}.")
    return value


def _text(file: Path, where: str, entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str) or not value:
        raise SettingError(f"{file}, {where}: {name} must be a text, not {value!r:.60}.")
    return value


def _size(file: Path, where: str, entry: Mapping[str, Any]) -> tuple[int, int]:
    height, width = (_whole(file, where, entry, name) for name in ("height", "width"))
    if height < 1 or width < 1 or height * width > _LARGEST:
        raise SettingError(f"{file}, {where}: a picture cannot have {width}×{height} pixels.")
    return height, width


def _picture(file: Path, where: str, folder: Path, name: str) -> Path:
    """Return the path of a picture; a name cannot lead out of the folder."""
    try:
        path = (folder / name).resolve()
        inside = path.is_relative_to(folder.resolve())
        there = inside and path.is_file()
    except (OSError, ValueError, RuntimeError) as error:
        raise SettingError(f"{file}, {where}: {name!r:.200} is no name of a file.") from error
    if not inside:
        raise SettingError(f"{file}, {where}: {name!r:.200} lies outside of the folder {folder}.")
    if not there:
        raise SettingError(f"{file}, {where}: there is no file {path}.")
    return path


def _reference(
    file: Path,
    where: str,
    entry: Mapping[str, Any],
    folder: Path,
    given: str | os.PathLike[str] | None,
) -> Path:
    if given is None:
        if "reference_file_name" not in entry:
            raise SettingError(
                f"{file}, {where}: it has no reference_file_name; pass reference=, a picture or a "
                "folder of pictures of the same names."
            )
        return _picture(file, where, folder, _text(file, where, entry, "reference_file_name"))
    path = Path(given).expanduser()
    if path.is_dir():
        return _picture(file, where, path, _text(file, where, entry, "file_name"))
    if not path.is_file():
        raise SettingError(f"reference: there is no file or folder {path}.")
    return path


def _region(
    file: Path,
    where: str,
    entry: Mapping[str, Any],
    image: tuple[str, Mapping[str, Any]],
    kind: str,
) -> TrueRegion:
    """Check one annotation; its mask, if it has one, is drawn as well."""
    height, width = _size(file, *image)
    said = f"{file}, {where}"
    drawn = entry.get("segmentation")
    if drawn:
        mask = _mask(said, drawn, height, width)
        if not mask.any():
            raise SettingError(f"{said}: the segmentation covers no pixel.")
        x, y, w, h = cv2.boundingRect(mask.view(np.uint8))
        inside = np.ascontiguousarray(mask[y : y + h, x : x + w])
        return TrueRegion((x, y, w, h), kind, inside, said)
    box = entry.get("bbox")
    if not _numbers(box, 4):
        raise SettingError(f"{said}: bbox must be [x, y, w, h], not {box!r:.60}.")
    x, y = math.floor(box[0]), math.floor(box[1])
    right, bottom = math.ceil(box[0] + box[2]), math.ceil(box[1] + box[3])
    if not (0 <= x < right <= width and 0 <= y < bottom <= height):
        raise SettingError(
            f"{said}: the box {box} does not lie in the picture of {width}×{height} pixels."
        )
    return TrueRegion((x, y, right - x, bottom - y), kind, None, said)


def _numbers(values: Any, count: int | None = None) -> TypeGuard[list[float]]:
    """Tell whether this is a list of finite numbers that a picture can hold."""
    return (
        isinstance(values, list)
        and (count is None or len(values) == count)
        and all(
            isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e6
            for value in values
        )
    )


def _mask(said: str, drawn: Any, height: int, width: int) -> Bools:
    if isinstance(drawn, dict):
        return _runs(said, drawn, height, width)
    polygons = drawn if isinstance(drawn, list) else [None]
    if not all(_numbers(one) and len(one) >= 6 and len(one) % 2 == 0 for one in polygons):
        raise SettingError(
            f"{said}: segmentation must be run lengths or polygons [x, y, x, y, x, y, …]."
        )
    mask = np.zeros((height, width), np.bool_)
    for one in polygons:
        points = np.asarray(one, np.float64).reshape(-1, 2)
        if points.min() < -1 or (points.max(axis=0) > (width + 1, height + 1)).any():
            raise SettingError(f"{said}: a polygon leaves the picture of {width}×{height} pixels.")
        _fill(mask, points)
    return mask


def _fill(mask: Bools, points: Any) -> None:
    """Draw a polygon; ``(0, 0)`` is the corner of the first pixel, not its middle."""
    height, width = mask.shape
    low = np.clip(np.floor(points.min(axis=0)).astype(int), 0, (width - 1, height - 1))
    high = np.clip(np.ceil(points.max(axis=0)).astype(int), low + 1, (width, height))
    columns, rows = (int(value) for value in high - low)
    fine = np.zeros((rows * _FINE, columns * _FINE), np.uint8)
    # The middle of a fine pixel is at a half; and drawn pixels reach half a pixel further out.
    corners = (points - low) * _FINE - 0.5
    cv2.fillPoly(fine, [np.rint(corners * 16).astype(np.int32)], (255,), shift=4)
    share = cv2.resize(fine, (columns, rows), interpolation=cv2.INTER_AREA)
    mask[low[1] : high[1], low[0] : high[0]] |= share > 127


def _runs(said: str, drawn: Mapping[str, Any], height: int, width: int) -> Bools:
    """Draw run lengths, after making sure that they fill the picture, not the memory."""
    size, counts = drawn.get("size"), drawn.get("counts")
    if size != [height, width]:
        raise SettingError(
            f"{said}: the segmentation is of the size {size!r:.40}, the picture of "
            f"{[height, width]} (height, width)."
        )
    if isinstance(counts, str):
        if not counts or not _RUNS.fullmatch(counts):
            raise SettingError(f"{said}: the run lengths are damaged.")
        runs = _rle.counts_from_text(counts).tolist()
    elif isinstance(counts, list) and all(type(run) is int for run in counts):
        runs = counts
    else:
        raise SettingError(f"{said}: counts must be a text or a list of whole numbers.")
    if any(run < 0 for run in runs) or sum(runs) != height * width:
        raise SettingError(f"{said}: the run lengths do not fill {width}×{height} pixels.")
    values = np.arange(len(runs)) % 2 == 1
    flat = np.repeat(values, np.asarray(runs, np.int64))
    return np.ascontiguousarray(flat.reshape(width, height).T)
