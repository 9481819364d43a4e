"""From whatever is handed over to frames on the grid of the reference and under its light."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._decode import ENDINGS
from vde_nb._lessons import lesson
from vde_nb._paths import absent, shown
from vde_nb._text import natural
from vde_nb.align import prepare
from vde_nb.errors import ImageError, SettingError
from vde_nb.images import ImagePair, Picture, Source, load, load_pair
from vde_nb.normality._even import evened
from vde_nb.normality.base import Bool, Frame, UInt8
from vde_nb.settings import Settings
from vde_nb.stages import Staged, Stages

if TYPE_CHECKING:
    from vde_nb.features.base import Extractor

__all__ = ["STRANGER", "Preparer", "choose_reference", "read", "sources"]

#: Confidence of the registration below which a picture seems to show another scene.
STRANGER = 0.05
_FEW = 4  # pictures among which the first can be told to be unlike the others
_UNLIKE = 3.0  # times as far from the others as they are from each other
_THUMB = 48  # pixels
_COARSE, _AGREE, _APART = 24, 0.4, 10.0  # pixels; correlation and grey levels of one scene

_NOTHING = np.zeros((0, 0, 0), np.float16)


def sources(images: Iterable[Source] | str | os.PathLike[str]) -> Iterator[tuple[str, Source]]:
    """Name and source of every picture of a list, a folder or a generator, in order.

    Raises
    ------
    SettingError
        The folder holds no picture, or `images` is one picture instead of several.
    """
    if isinstance(images, (str, os.PathLike)):
        yield from _folder(os.fsdecode(images))
        return
    if isinstance(images, np.ndarray) and images.ndim < 4:
        raise SettingError(
            "images is one picture: hand over a list of pictures, [picture, ...]."
            f"{lesson('normality')}"
        )
    if isinstance(images, (bytes, bytearray, memoryview)) or not isinstance(images, Iterable):
        raise SettingError(
            f"images must be a folder or several pictures, not {type(images).__name__}."
            f"{lesson('normality')}"
        )
    numbers = count(1)  # enumerate() would hold on to a picture until it has the next one
    for source in images:
        number, named = next(numbers), isinstance(source, (str, os.PathLike))
        yield os.fsdecode(source) if named else f"picture {number}", source  # type: ignore[arg-type]
        del source


def _folder(given: str) -> Iterator[tuple[str, Source]]:
    folder = Path(given).expanduser()
    if not folder.is_dir():
        told = f"{given} is no folder." if folder.exists() else absent(given, folder=True)
        raise SettingError(f"{told} Give a folder or a list of pictures.{lesson('normality')}")
    names = [path.name for path in folder.iterdir() if _is_picture(path)]
    if not names:
        raise SettingError(
            f"There is no picture in the folder {folder}{_instead(folder)}.{lesson('normality')}"
        )
    for name in sorted(names, key=natural):
        yield str(folder / name), folder / name


def _instead(folder: Path, most: int = 3) -> str:
    """What else is in there: it may be the wrong one, or the pictures lie one deeper."""
    inside = sorted(
        shown(path.name) + "/" * path.is_dir()
        for path in folder.iterdir()
        if not path.name.startswith(".")
    )
    if not inside:
        return ", it is empty"
    more = f" and {len(inside) - most} more" if len(inside) > most else ""
    return f", only {', '.join(inside[:most])}{more}"


def _is_picture(path: Path) -> bool:
    # Hidden ones are no pictures: macOS leaves a "._a.png" beside each "a.png" on a stick.
    seems = path.suffix.lower() in ENDINGS and not path.name.startswith(".")
    return seems and not path.is_dir()


def read(name: str, source: Source, settings: Settings) -> Picture:
    """Load one picture under its name; :class:`ImageError` where it cannot be read."""
    return load(source, name=name, max_megapixels=settings.images.max_megapixels)


def choose_reference(first: list[Picture]) -> int:
    """Which of the first pictures is the reference: the first, unless it is unlike the others.

    Parameters
    ----------
    first
        Some pictures of the series.

    Returns
    -------
    int
        0; or, where that one shows something else, the one nearest to the median of all.
    """
    if len(first) < _FEW:
        return 0
    small = []
    for picture in first:
        grey = cv2.cvtColor(picture.array, cv2.COLOR_RGB2GRAY)
        thumb = cv2.resize(grey, (_THUMB, _THUMB), interpolation=cv2.INTER_AREA)
        levels = thumb.astype(np.float32)
        small.append((levels - levels.mean()) / (levels.std() + 4))
    apart = np.abs(np.stack(small) - np.median(small, axis=0)).mean(axis=(1, 2))
    if apart[0] <= _UNLIKE * np.median(apart[1:]) + 0.1:
        return 0
    return int(np.argmin(apart))


def _alike(one: UInt8, two: UInt8) -> bool:
    """Whether two pictures agree in the large, whatever their light."""
    size = _COARSE, _COARSE
    small = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in (one, two)]
    first, second = (image.astype(np.float64).mean(axis=2) for image in small)
    spread = float(first.std() * second.std())
    if spread < 1:
        return bool(np.abs(first - second).mean() < _APART)
    return float(((first - first.mean()) * (second - second.mean())).mean()) > _AGREE * spread


@dataclass(frozen=True, eq=False)
class Preparer:
    """Brings pictures onto the reference.

    Attributes
    ----------
    reference
        The reference.
    settings
        How pictures are fitted, registered and levelled.
    extractor
        What describes them; None where pixels are enough.
    """

    reference: Picture
    settings: Settings
    extractor: Extractor | None = None

    def frame(
        self, picture: Picture, time: datetime | None = None, *, learn: bool = False
    ) -> tuple[Frame, list[str]]:
        """One picture as a frame, and notes on what had to be done to it.

        A picture of another scene is refused where something is to be learnt from it only: as a
        picture to be judged, it is simply far from normal.

        Raises
        ------
        ImageError
            It has other proportions; or it is to be learnt and shows another scene.
        """
        pair = self._paired(picture)
        done = prepare(
            Staged(self.reference.array, None),
            Staged(pair.current.array, None),
            pair.valid,
            None,
            self.settings.align,
            Stages(None),
        )
        found = done.registration
        unsure = found is not None and found.confidence < STRANGER
        if learn and unsure and not _alike(self.reference.array, done.levelled.value):
            raise ImageError(f"{picture.name} does not show the scene of the reference.")
        notes = [note.removeprefix("current: ") for note in pair.notes if "current: " in note]
        levelled = done.levelled.value
        if levelled is pair.current.array:
            levelled = levelled.copy()  # its owner may write into it later; a frame is kept
        return self.described(picture.name, levelled, done.valid.value, time), notes

    def _paired(self, picture: Picture) -> ImagePair:
        """The reference, and the picture at its size."""
        if picture.array.shape == self.reference.array.shape:
            return ImagePair(self.reference, picture)
        fit = self.settings.images.fit
        try:
            return load_pair(self.reference.array, picture.array, fit=fit)
        except ImageError as error:
            raise ImageError(str(error).replace("current is", f"{picture.name} is", 1)) from None

    def described(
        self, name: str, levelled: UInt8, valid: Bool | None, time: datetime | None = None
    ) -> Frame:
        """A frame of a picture that is on the reference's grid already."""
        if valid is not None and valid.all():
            valid = None
        if self.settings.align.normalise == "local":
            levelled = evened(levelled, self.reference.array, valid)
        values: npt.NDArray[np.floating[Any]] = _NOTHING
        if self.extractor is not None:
            values = self.extractor(levelled, name).values.astype(np.float16)
        return Frame(name, levelled, valid, values, time)
