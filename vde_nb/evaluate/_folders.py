"""Pairs from folders of files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from vde_nb._decode import ENDINGS
from vde_nb._lessons import lesson
from vde_nb._paths import absent
from vde_nb.errors import SettingError
from vde_nb.evaluate._truth import GroundTruth, LabelledPair, TrueRegion, of_mask
from vde_nb.images import load

__all__ = ["load_deeppcb", "load_masks"]

_LOSSY = {".jpg", ".jpeg", ".webp"}
_MASKED = "reference, current and masks"
_DEEPPCB_FILES = ("_temp.jpg", "_test.jpg", ".txt")
_DEEPPCB_TYPES = {
    1: "open",
    2: "short",
    3: "mousebite",
    4: "spur",
    5: "spurious_copper",
    6: "pin_hole",
}


def load_masks(folder: str | os.PathLike[str]) -> list[LabelledPair]:
    """Load pairs whose true changes are painted.

    Parameters
    ----------
    folder
        Holds the folders ``reference``, ``current`` and ``masks`` with pictures of the same names
        (what comes after the dot may differ). In a mask, pixels brighter than half of its
        brightest one have changed; a mask that is black all over means that nothing has.

    Returns
    -------
    list of LabelledPair
        Sorted by name. Files are read when their turn comes.

    Raises
    ------
    SettingError
        A folder or a file is missing.
    """
    parts = ("reference", "current", "masks")
    root = _folder(folder, f" It must hold the folders {_MASKED}, with pictures of the same names.")
    if lacking := [name for name in parts if not (root / name).is_dir()]:
        raise SettingError(
            f"{root} lacks the folder {', '.join(lacking)}: pictures are looked for in its folders "
            f"{_MASKED}, under the same names.{lesson('labels')}"
        )
    files = {name: _by_stem(root / name) for name in parts}
    for name, there in files.items():
        for here in files.values():
            for stem in sorted(here.keys() - there.keys()):
                raise SettingError(
                    f"{root / name} has no picture for {here[stem]}; each pair needs "
                    "all three, a black mask if nothing has changed."
                )
    if not files["current"]:
        raise SettingError(f"{root}: there are no pictures in reference, current and masks.")
    return [
        LabelledPair(
            files["reference"][stem], current, partial(_painted, files["masks"][stem]), stem
        )
        for stem, current in sorted(files["current"].items())
    ]


def load_deeppcb(folder: str | os.PathLike[str]) -> list[LabelledPair]:
    """Load pairs of printed circuit boards in the layout of DeepPCB.

    Tang et al., "Online PCB defect detector on a new PCB defect dataset", 2019. Its boxes are drawn
    8 to 12 px around the defects, and ours are tight: ``evaluate(pairs, box_margin=8)`` widens ours
    before they are matched.

    Parameters
    ----------
    folder
        Holds ``NAME_temp.jpg`` (reference), ``NAME_test.jpg`` (current) and ``NAME.txt`` with a
        line ``x1 y1 x2 y2 type`` for each defect, type 1 open, 2 short, 3 mousebite, 4 spur,
        5 spurious_copper, 6 pin_hole. ``pairs.txt`` may list the names.

    Returns
    -------
    list of LabelledPair
        In the order of ``pairs.txt``, else sorted by name.

    Raises
    ------
    SettingError
        A file is missing, or a line of it cannot be understood; the message names both.
    """
    root = _folder(folder)
    listed = root / "pairs.txt"
    if listed.is_file():
        names = [line.strip() for _, line in _lines(listed)]
    else:
        names = sorted(path.name[: -len("_temp.jpg")] for path in root.glob("*_temp.jpg"))
    if not names:
        raise SettingError(f"{root}: there is no pairs.txt and no file NAME_temp.jpg in it.")
    pairs = []
    for name in names:
        if Path(name).name != name:
            raise SettingError(f"{listed}: {name!r} is no name of a pair in this folder.")
        reference, current, text = (root / f"{name}{end}" for end in _DEEPPCB_FILES)
        for path in (reference, current, text):
            if not path.is_file():
                raise SettingError(
                    f"{path} is missing: every pair needs {name}_temp.jpg, "
                    f"{name}_test.jpg and {name}.txt."
                )
        regions = tuple(_defect(f"{text}, line {number}", line) for number, line in _lines(text))
        pairs.append(LabelledPair(reference, current, GroundTruth(regions), name))
    return pairs


def _defect(where: str, line: str) -> TrueRegion:
    """Read a line ``x1 y1 x2 y2 type``."""
    try:
        left, top, right, bottom, kind = (int(word) for word in line.replace(",", " ").split())
    except ValueError:
        raise SettingError(
            f"{where}: {line.strip()!r} cannot be understood; it must be five whole numbers, "
            "x1 y1 x2 y2 type."
        ) from None
    if kind not in _DEEPPCB_TYPES:
        raise SettingError(f"{where}: there is no type {kind}; types are 1 to 6.")
    if not (0 <= left < right and 0 <= top < bottom):
        raise SettingError(f"{where}: {line.strip()!r} is no box; x1 < x2 and y1 < y2 are needed.")
    return TrueRegion((left, top, right - left, bottom - top), _DEEPPCB_TYPES[kind], where=where)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file that are not empty, with their numbers from 1."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{path} cannot be read as text: {error}.") from error
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield number, line


def _folder(folder: str | os.PathLike[str], needed: str = "") -> Path:
    path = Path(folder).expanduser()
    if not path.is_dir():
        given = os.fspath(folder)
        told = f"{path} is no folder." if path.exists() else absent(given, folder=True)
        raise SettingError(f"{told}{needed}{lesson('labels')}")
    return path


def _by_stem(folder: Path) -> dict[str, Path]:
    """Return the pictures of a folder by their names without the ending."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in ENDINGS and not path.name.startswith("."):
            if path.stem in found:
                raise SettingError(f"{found[path.stem]} and {path} have the same name; keep one.")
            found[path.stem] = path
    return found


def _painted(path: Path) -> GroundTruth:
    """Read a mask."""
    levels = load(path, name=str(path)).array.max(axis=2)
    brightest = int(levels.max())
    if path.suffix.lower() in _LOSSY and brightest < 64:
        brightest = 255  # black but for what the compression left
    truth = of_mask(np.asarray(levels > brightest / 2, np.bool_))
    return GroundTruth(truth.regions, truth.shape, str(path))
