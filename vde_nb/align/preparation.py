"""From two pictures of one size to two that can be compared pixel by pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from vde_nb._bands import for_each_band
from vde_nb._buffers import empty, zeros
from vde_nb.align._levels import Level, is_large
from vde_nb.align.light import Light, apply_light, estimate_light
from vde_nb.align.nudge import evidence_level, nudged
from vde_nb.align.registration import Registration, register
from vde_nb.images import Box
from vde_nb.settings import AlignSettings
from vde_nb.stages import Staged, Stages

__all__ = ["Prepared", "prepare"]

UInt8 = npt.NDArray[np.uint8]
Bool = npt.NDArray[np.bool_]

_ROWS = 128
_NOTHING = np.empty((0, 0, 3), np.uint8)


@dataclass(frozen=True, eq=False)
class Prepared:
    """The two pictures on one grid and, where that was asked for, under one light.

    Attributes
    ----------
    reference
        ``(H, W, 3)`` RGB uint8, as it was handed over.
    current
        The current picture on the reference's grid. Where it shows nothing, and where differences
        are to be ignored, it holds the reference's pixels.
    levelled
        `current` under the light of the reference; the same array when nothing was levelled.
    valid
        ``(H, W)`` bool, the pixels that are compared; a value of None: all.
    registration
        What was found about the motion, None when it was not asked for.
    light
        What was found about the light, None when it was not asked for.
    others
        More pictures of the reference's state, on its grid and under its light.
    """

    reference: Staged[UInt8]
    current: Staged[UInt8]
    levelled: Staged[UInt8]
    valid: Staged[Bool | None]
    registration: Registration | None = None
    light: Staged[Light] | None = None
    others: tuple[Staged[UInt8], ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found and done, in words."""
        notes = self.registration.notes if self.registration is not None else ()
        if self.light is not None and self.light.value.note:
            notes = (*notes, self.light.value.note)
        return notes


def prepare(
    reference: Staged[UInt8],
    current: Staged[UInt8],
    box: Box | None,
    ignore: Staged[Bool] | None,
    settings: AlignSettings,
    stage: Stages,
    others: Sequence[Staged[UInt8]] = (),
) -> Prepared:
    """Register and level the current picture, as far as `settings` ask for it.

    Parameters
    ----------
    reference, current
        ``(H, W, 3)`` RGB uint8 of one size.
    box
        Where `current` is real; None: everywhere.
    ignore
        ``(H, W)`` bool, where differences do not matter, in reference pixels.
    settings
        What to do.
    stage
        Runs and keeps the stages.
    others
        More pictures of the reference's state, of its size. They are registered and levelled,
        too, but not nudged, and what they do not show is no reason not to compare.

    Returns
    -------
    Prepared
        The pictures on one grid, and where they can be compared.
    """
    registration: Staged[Registration] | None = None
    shown: Staged[Bool] | None = None
    if settings.align != "off":
        registration = stage(
            "registration",
            _registered,
            reference,
            current,
            model=settings.align,
            flow=settings.flow,
            box=box,
        )
    if any(settings.nudge):
        registration = _by_hand(reference, current, registration, box, settings, stage)
    if registration is not None and registration.value.moved:
        current = _part(registration, "current")
        if not registration.value.valid.all():
            shown = _part(registration, "valid")
    elif box is not None:
        shown = stage("valid", _inside, reference.value.shape[:2], box)
    if ignore is not None:
        shown = stage("valid", _but, shown or Staged(None, "all"), ignore)
        current = stage("ignore", _filled, current, reference, ignore)
    valid: Staged[Bool | None] = Staged(None, "all") if shown is None else shown  # type: ignore[assignment]
    light: Staged[Light] | None = None
    levelled = current
    if settings.normalise != "off":
        light = stage(
            "light", estimate_light, reference, current, valid, local=settings.normalise == "local"
        )
        if light.value.changed:
            levelled = stage("levelling", apply_light, current, light, reference, valid)
    return Prepared(
        reference,
        current,
        levelled,
        valid,
        _whole(registration.value, current.value) if registration else None,
        light,
        tuple(_alike(reference, other, settings, stage) for other in others),
    )


def _alike(
    reference: Staged[UInt8], other: Staged[UInt8], settings: AlignSettings, stage: Stages
) -> Staged[UInt8]:
    """One more picture of the reference's state on its grid, under its light."""
    one = prepare(reference, other, None, None, replace(settings, nudge=(0.0, 0.0)), stage)
    return one.levelled


def _registered(
    reference: UInt8, current: UInt8, *, model: str, flow: bool, box: Box | None
) -> Registration:
    found = register(reference, current, model=model, residual=flow, valid=box)
    # The picture handed over may be written into later; a result that is kept must not hold it.
    return found if found.moved else replace(found, current=_NOTHING)


def _by_hand(
    reference: Staged[UInt8],
    current: Staged[UInt8],
    found: Staged[Registration] | None,
    box: Box | None,
    settings: AlignSettings,
    stage: Stages,
) -> Staged[Registration]:
    """What was found, and the nudge on top; the search and what it is measured on are kept."""
    level = stage("nudge", evidence_level, reference, current, box=box)
    by = settings.nudge[0], settings.nudge[1]
    start: Staged[Any] = found or Staged(None, "as it is")
    return stage("nudge", _nudged, reference, current, start, level, box=box, by=by)


def _nudged(
    reference: UInt8,
    current: UInt8,
    found: Registration | None,
    level: Level | None,
    *,
    box: Box | None,
    by: tuple[float, float],
) -> Registration:
    made = nudged(reference, current, found, level, box=box, by=by)
    return made if made.moved else replace(made, current=_NOTHING)  # as in _registered


def _whole(found: Registration, current: UInt8) -> Registration:
    """A kept registration with the picture it is about.

    Of a large picture, the one in which what is ignored is filled is all there is room for.
    """
    if found.moved and not is_large(current.shape):
        return found
    return replace(found, current=current)


def _part(whole: Staged[Registration], name: str) -> Staged[Any]:
    """One array of a registration as a result of its own."""
    key = None if whole.key is None else (name, whole.key)
    return Staged(getattr(whole.value, name), key)


def _inside(shape: tuple[int, int], box: Box) -> Bool:
    x, y, w, h = box
    inside = zeros(shape, np.bool_)
    inside[y : y + h, x : x + w] = True
    return inside


def _but(valid: Bool | None, ignore: Bool) -> Bool:
    out: Bool = empty(ignore.shape, np.bool_)

    def band(first: int, end: int) -> None:
        np.logical_not(ignore[first:end], out=out[first:end])
        if valid is not None:
            out[first:end] &= valid[first:end]

    height, width = ignore.shape
    for_each_band(band, height, width, _ROWS)
    return out


def _filled(current: UInt8, reference: UInt8, ignore: Bool) -> UInt8:
    out: UInt8 = empty(current.shape, np.uint8)

    def band(first: int, end: int) -> None:
        out[first:end] = current[first:end]
        np.copyto(out[first:end], reference[first:end], where=ignore[first:end, :, None])

    height, width = ignore.shape
    for_each_band(band, height, width, _ROWS)
    return out
