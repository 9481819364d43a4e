"""Any picture -> a pair with known defects under known nuisances: a ruler for detectors."""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..errors import ImageError, SettingError
from ._content import content_of
from ._defects import KINDS
from ._nuisances import LIMITS, disturb, scaled, usual
from ._pair import SamplePair, Truth, TruthRegion
from ._plate import Edit, Plate

__all__ = ["checked_picture", "stress"]

_LEAST_SIDE = 96
_CHANGED = 6.0  # grey levels by which a pixel must differ to belong to the truth
_APART = 9  # pixels between two defects
_TRIES = 40  # edits of one kind that are looked at


def stress(
    image: npt.ArrayLike,
    seed: int = 0,
    *,
    defects: Sequence[str] | str | None = None,
    count: int | None = None,
    nuisances: str | Mapping[str, Any] = "usual",
    strength: float = 1.0,
    content: int | None = None,
) -> SamplePair:
    """Make a pair of any picture: defects with known outlines, and everything that is none.

    The current picture is the reference with `defects` put in and photographed again under
    `nuisances`. The truth stays in reference pixels, where the defects were drawn.

    Parameters
    ----------
    image : array_like of uint8, shape (H, W, 3) RGB or (H, W) grey
        The reference; at least 96 pixels on each side.
    seed : int
        0 or more. The same arguments give the same bytes. One seed is another defect in another
        picture; in pictures that hardly differ, as those of one camera do, it is the same one.
    defects : sequence of str, optional
        Kinds of defects: ``"missing"``, ``"added"``, ``"moved"``, ``"crack"``, ``"scratch"``,
        ``"stain"``, ``"recolour"``, ``"texture"``; ``()`` for none. By default odd seeds have
        defects of random kinds and even seeds have none, so that half of all pairs are sound.
    count : int, optional
        How many defects, 1 to 20. By default 1 to 3, and each of the given kinds at least once.
    nuisances : {"usual", "none"} or mapping
        ``"usual"`` draws a shift of up to 3 pixels, gamma or gain, noise, JPEG, and, each in one
        of three pictures, shadow, rotation, warp and blur. A mapping gives the amounts, such as
        ``{"shift": (2.3, -1.1), "jpeg": 70}``, of shift (dx, dy) in pixels, rotation in degrees,
        warp (largest displacement in pixels), blur (σ in pixels), shadow (share of the light,
        0 to 0.9), gamma, gain, bias (grey levels), noise (σ in grey levels) and jpeg (quality).
    strength : float
        Scales every nuisance, 0 (none) to 3.
    content : int, optional
        0 or more: mixed with `seed` in place of what the picture shows (its size, and how bright
        its parts are). One number gives the same choices in every picture, as far as it allows.

    Returns
    -------
    SamplePair
        Types in its truth are those of the product: missing_part, added_part, moved, crack,
        scratch, stain, colour_change, texture_change. `moved` is one region, the union of the old
        place and the new one.

    Raises
    ------
    SettingError
        An unknown kind or nuisance, a value outside its range, or a picture under 96 pixels.
    ImageError
        Not a picture of 8 bits, or nothing in it suits the defects that were asked for.

    Examples
    --------
    >>> from vde_nb import samples
    >>> picture = samples.load("label").reference
    >>> samples.stress(picture, 1, defects=("crack", "stain"))
    SamplePair('stress-1', 800×600, changes: crack, stain)
    >>> samples.stress(picture, 2).truth.regions
    ()
    """
    reference = checked_picture(image, "stress")
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral) or seed < 0:
        raise SettingError(f"seed must be a whole number, 0 or more, not {seed!r}")
    kinds = _kinds(defects)
    if count is not None and not (_is_number(count, 1, 20) and int(count) == count):
        raise SettingError(f"count must be a whole number from 1 to 20, not {count!r}")
    if not _is_number(strength, 0, 3):
        raise SettingError(f"strength must be a number from 0 to 3, not {strength!r}")
    if content is None:
        content = content_of(reference)
    elif isinstance(content, bool) or not isinstance(content, numbers.Integral) or content < 0:
        raise SettingError(f"content must be a whole number, 0 or more, not {content!r}")
    # Mixed with the picture's content: one seed is another defect in every picture.
    content = int(content)
    rng = np.random.Generator(np.random.PCG64([int(seed), 311, content]))
    light = np.random.Generator(np.random.PCG64([int(seed), 727, content]))
    amounts = _amounts(nuisances, light)
    damaged, regions = reference, []
    if kinds or (kinds is None and seed % 2):
        damaged, regions = _damaged(reference, rng, kinds, count)
    current = damaged.copy()
    if strength and amounts:
        current = disturb(damaged, scaled(amounts, float(strength)), light)
    mask = np.zeros(reference.shape[:2], np.bool_)
    for region in regions:
        mask |= region.mask
    for array in (reference, current, mask):
        array.setflags(write=False)
    said = ", ".join(amounts) if strength and amounts else "no nuisances"
    return SamplePair(
        f"stress-{int(seed)}",
        f"{len(regions)} defects put into a picture, photographed again with {said}.",
        reference,
        current,
        Truth(mask, tuple(regions)),
    )


def checked_picture(image: npt.ArrayLike, caller: str) -> npt.NDArray[np.uint8]:
    """Return a copy of the picture in three channels, or say what `caller` needs."""
    picture = np.asarray(image)
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[..., 0]
    if (
        picture.dtype != np.uint8
        or picture.ndim not in (2, 3)
        or picture.shape[2:] not in ((), (3,))
    ):
        raise ImageError(
            f"{caller}() needs a picture as array of uint8, (H, W, 3) RGB or (H, W) grey, not "
            f"{picture.dtype} {picture.shape}. vde_nb.images.load() makes one of anything."
        )
    if min(picture.shape[:2]) < _LEAST_SIDE:
        height, width = picture.shape[:2]
        raise SettingError(
            f"the picture has {width}×{height} pixels: defects need at least {_LEAST_SIDE} on each "
            "side"
        )
    if picture.ndim == 2:
        return np.repeat(picture[..., None], 3, axis=2)
    return np.array(picture, order="C")


def _is_number(value: object, low: float, high: float) -> bool:
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return number and math.isfinite(value) and low <= value <= high  # type: ignore[arg-type,operator]


def _near(what: str, name: object, names: Iterable[str]) -> SettingError:
    """Say which names there are, the nearest first."""
    known = list(names)
    near = difflib.get_close_matches(str(name), known, n=2, cutoff=0.5)
    hint = f": did you mean {' or '.join(map(repr, near))}?" if near else "."
    return SettingError(f"there is no {what} {name!r}{hint} There are {', '.join(known)}.")


def _kinds(defects: Sequence[str] | str | None) -> tuple[str, ...] | None:
    if defects is None:
        return None
    kinds = (defects,) if isinstance(defects, str) else tuple(defects)
    for kind in kinds:
        if kind not in KINDS:
            raise _near("defect", kind, KINDS)
    return kinds


def _amounts(nuisances: str | Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Check the nuisances, or draw them."""
    if isinstance(nuisances, str):
        if nuisances not in ("usual", "none"):
            raise _near("set of nuisances", nuisances, ("usual", "none"))
        return usual(rng) if nuisances == "usual" else {}
    for name, value in nuisances.items():
        if name not in LIMITS:
            raise _near("nuisance", name, LIMITS)
        low, high, _ = LIMITS[name]
        if name == "shift":
            if not (
                isinstance(value, Sequence)
                and len(value) == 2
                and all(_is_number(step, low, high) for step in value)
            ):
                raise SettingError(
                    f"shift must be (dx, dy), two numbers from {low:g} to {high:g}, not {value!r}"
                )
        elif not _is_number(value, low, high):
            raise SettingError(f"{name} must be a number from {low:g} to {high:g}, not {value!r}")
    return dict(nuisances)


def _damaged(
    reference: npt.NDArray[np.uint8],
    rng: np.random.Generator,
    kinds: tuple[str, ...] | None,
    count: int | None,
) -> tuple[npt.NDArray[np.uint8], list[TruthRegion]]:
    """Put the defects in, one after the other, apart from each other."""
    drawn = int(rng.integers(1, 4))
    wanted = count if count is not None else max(drawn, len(kinds or ()))
    pool = list(kinds or rng.permutation(list(KINDS)).tolist())
    plate = Plate.of(reference, rng)
    regions: list[TruthRegion] = []
    queue = [pool[i % len(pool)] for i in range(wanted)]
    spare = pool[wanted:] if kinds is None else []
    for place, kind in enumerate(queue):
        made = _put(plate, kind)
        while made is None and spare:
            made = _put(plate, kind := spare.pop())
        if made is not None:
            plate, mask = made
            regions.append(_region(mask, KINDS[kind][1]))
        # What nobody asked for may be left out; what was asked for may not.
        elif not regions and kinds is None:
            continue
        elif count is not None or (kinds is not None and place < len(kinds)):
            raise ImageError(
                f"found no place in this picture for a defect of the kind {kind!r}: it takes "
                "something there to be changed visibly, and room. Try another seed or picture."
            )
    return plate.picture, regions


def _put(plate: Plate, kind: str) -> tuple[Plate, npt.NDArray[np.bool_]] | None:
    """Try edits until one can be seen; return the plate with it, and what it changed."""
    for number, edit in enumerate(KINDS[kind][0](plate)):
        if number >= _TRIES:
            break
        new, mask = _applied(plate, edit)
        if mask is None:
            continue
        reach = np.ones((2 * _APART + 1, 2 * _APART + 1), np.uint8)
        room = plate.room & ~cv2.dilate(mask.view(np.uint8), reach).view(np.bool_)
        return Plate(new, room, plate.rng, plate.colour), mask
    return None


def _applied(
    plate: Plate, edit: Edit
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_] | None]:
    """Return the picture after an edit and the pixels that visibly changed, or None if too few."""
    window = edit.stamp.window
    old = plate.picture[window]
    levels = np.clip(edit.pixels, 0, 255)
    if not plate.colour:  # to the last bit: a camera without colour sees none
        levels = np.repeat(levels.mean(axis=2, keepdims=True), 3, axis=2)
    new = np.rint(levels).astype(np.uint8)
    change = np.abs(new.astype(np.int16) - old).max(axis=2)
    shown = edit.stamp.alpha if edit.shown is None else edit.shown.alpha_like(edit.stamp)
    seen = (change > _CHANGED) & (shown > 0.05)
    pad = edit.closing
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (edit.closing, edit.closing))
    wide = np.pad(seen.view(np.uint8), pad)
    cv2.morphologyEx(wide, cv2.MORPH_CLOSE, kernel, wide)
    closed = _without_specks(np.ascontiguousarray(wide[pad:-pad, pad:-pad]))
    if edit.solid:
        outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(closed, outlines, -1, (1,), cv2.FILLED)
    area = int(np.count_nonzero(closed))
    whole = int(np.count_nonzero(shown > 0.5))
    if area < 30 or area < 0.45 * whole or change[closed > 0].mean() < edit.least:
        return plate.picture, None
    mask = np.zeros(plate.room.shape, np.bool_)
    mask[window] = closed > 0
    picture = plate.picture.copy()
    picture[window] = np.where(edit.stamp.alpha[..., None] > 0, new, old)
    return picture, mask


def _without_specks(mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Drop crumbs of a few pixels beside the defect."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count <= 2:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA]
    keep = areas >= max(0.04 * areas[1:].max(), 6)
    keep[0] = False
    return np.asarray(keep[labels], np.uint8)


def _region(mask: npt.NDArray[np.bool_], kind: str) -> TruthRegion:
    x, y, w, h = cv2.boundingRect(mask.view(np.uint8))
    mask.setflags(write=False)
    return TruthRegion(mask, kind, (x, y, w, h))
