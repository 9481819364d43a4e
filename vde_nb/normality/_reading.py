"""Reading normal pictures one after the other, whichever way they come."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import TYPE_CHECKING

from vde_nb._lessons import lesson
from vde_nb._progress import report
from vde_nb.errors import ImageError
from vde_nb.images import Picture, Source
from vde_nb.normality._bank import Bank, Reservoir
from vde_nb.normality._prepare import Preparer, choose_reference, read
from vde_nb.normality._times import timeline
from vde_nb.settings import Settings

if TYPE_CHECKING:
    from vde_nb.features.base import Extractor

__all__ = ["Stream", "listed"]

_FIRST = 5  # pictures that are looked at before one is made the reference
_LEAST_SIDE = 7  # pixels; as for any comparison
_LISTED = 5  # names in a note, at most


class Stream:
    """Normal pictures on their way into a bank.

    Parameters
    ----------
    found
        Names and sources.
    settings
        How pictures are read and prepared.
    extractor
        What describes them; None where only pixels are looked at.
    reference
        The picture all are brought onto; None: one of the first.

    Attributes
    ----------
    skipped
        Pictures that could not be used, ``(name, why)``.
    remarks
        What happened, in words.
    preparer
        Brings pictures onto the reference.
    """

    def __init__(
        self,
        found: Iterator[tuple[str, Source]],
        settings: Settings,
        extractor: Extractor | None,
        reference: Source | None,
    ) -> None:
        self.skipped: list[tuple[str, str]] = []
        self.remarks: list[str] = []
        self._settings = settings
        pictures = self._readable(found)
        if reference is not None:
            name = os.fsdecode(reference) if isinstance(reference, (str, os.PathLike)) else ""
            picture = read(name or "the reference", reference, settings)
        else:
            first = list(islice(pictures, _FIRST))
            if not first:
                raise ImageError(_none(self.skipped))
            number = choose_reference(first)
            picture = first[number]
            self.remarks.append(f"The reference is {picture.name}, {_why(number)}.")
            pictures = chain(first, pictures)
        height, width = picture.array.shape[:2]
        if min(height, width) < _LEAST_SIDE:
            raise ImageError(
                f"{picture.name} has {width}\u00d7{height} pixels; comparing needs {_LEAST_SIDE} "
                "on each side at least."
            )
        # Its owner may write into it later; a reference is kept.
        array = picture.array.copy()
        array.setflags(write=False)
        self.preparer = Preparer(replace(picture, array=array), settings, extractor)
        self._pictures = pictures

    def _readable(self, found: Iterator[tuple[str, Source]]) -> Iterator[Picture]:
        for name, source in found:
            try:
                yield read(name, source, self._settings)
            except ImageError as error:
                self.skipped.append((name, _short(str(error), name)))

    def bank(self, seed: int, limit: int) -> Bank:
        """Read all pictures, and keep as many as fit into `limit` bytes."""
        reservoir = Reservoir(limit, seed)
        known: set[str] = set()
        copies: list[str] = []
        for picture in self._pictures:
            # A copy says nothing about what varies, and would make the others look alike.
            if picture.key in known:
                copies.append(picture.name)
                continue
            known.add(picture.key)
            report(f"Normality: {reservoir.seen + 1} pictures", None)
            place = reservoir.place()
            if place is None:
                continue
            try:
                frame, notes = self.preparer.frame(picture, learn=True)
            except ImageError as error:
                reservoir.refuse()
                self.skipped.append((picture.name, _short(str(error), picture.name)))
                continue
            self.remarks += [f"{picture.name}: {note}" for note in notes]
            reservoir.put(place, frame)
        if copies:
            self.remarks.append(
                f"Left out, because they are identical to earlier ones: {listed(copies)}."
            )
        bank = reservoir.bank()
        if not len(bank):
            raise ImageError(_none(self.skipped))
        times = timeline(bank.names).times
        dated = (replace(frame, time=time) for frame, time in zip(bank, times, strict=True))
        return replace(bank, frames=tuple(dated))


def _why(number: int) -> str:
    return "the first picture" if number == 0 else "as the first picture is unlike the others"


def _short(reason: str, name: str) -> str:
    return reason.removeprefix(name).strip().rstrip(".")


def _none(skipped: list[tuple[str, str]]) -> str:
    if not skipped:
        return f"There is no normal picture to learn from: images is empty.{lesson('normality')}"
    said = listed([f"{name} ({why})" for name, why in skipped])
    return f"None of the normal pictures can be used: {said}.{lesson('normality')}"


def listed(names: list[str]) -> str:
    """The first of many names, and how many more there are."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
