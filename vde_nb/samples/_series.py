"""A fixed camera over days: normal pictures, then frames in which anomalies come, stay and go."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

import cv2
import numpy as np
import numpy.typing as npt

from .._png import png
from .._write import expand, write_all
from ..errors import SettingError
from ._daylight import Daylight
from ._events import SampleEvent
from ._noise import Array
from ._nuisances import disturb, scaled, usual
from ._pair import Truth, TruthRegion
from ._plate import grey, soften

__all__ = ["SampleSeries", "Shots", "filmed"]

_T = TypeVar("_T")

_START = datetime(2026, 6, 1, 6, 30)
_STEP = timedelta(minutes=30)
_PER_DAY = 24  # 6:30 to 18:00: at night the camera sleeps
_LEAST = 12  # pixels from which a region of the truth counts
_DIRT = 0.45  # share of the light that dirt takes at most, at drift 1


class Shots(Sequence[_T], Generic[_T]):
    """Pictures (or truths) that are made when they are asked for, the same ones each time.

    A list of a thousand pictures would fill the memory; this one holds none.
    """

    def __init__(self, make: Callable[[int], _T], numbers: range) -> None:
        self._make = make
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> _T: ...
    @overload
    def __getitem__(self, index: slice) -> Shots[_T]: ...
    def __getitem__(self, index: int | slice) -> _T | Shots[_T]:
        if isinstance(index, slice):
            return Shots(self._make, self._numbers[index])
        return self._make(self._numbers[index])

    def __repr__(self) -> str:
        return f"<{len(self)} made when asked for>"


@dataclass(frozen=True, eq=False, repr=False)
class SampleSeries:
    """What a fixed camera saw, and what truly happened.

    Pictures are made when they are asked for and not kept: take `list(series.normals)` where they
    are needed often. They are (H, W, 3) uint8 RGB, read-only, and differ in light, noise and
    fractions of a pixel, as a camera's do.

    Attributes
    ----------
    name : str
        Name of the sample, or "series" for a picture of yours.
    description : str
        One sentence for people.
    reference : ndarray of uint8, shape (H, W, 3)
        The scene itself, in even light, without noise; the truth has its coordinates. Read-only.
    normals : sequence of ndarray
        Pictures without an anomaly, to learn from.
    frames : sequence of ndarray
        What came after them.
    normal_times, times : tuple of datetime
        When `normals` and `frames` were taken.
    truth : sequence of Truth
        For each frame what is there that does not belong, in the coordinates of the reference.
    events : tuple of SampleEvent
        The anomalies, each with the frames in which it is there.
    """

    name: str
    description: str
    reference: npt.NDArray[np.uint8]
    normals: Shots[npt.NDArray[np.uint8]]
    frames: Shots[npt.NDArray[np.uint8]]
    normal_times: tuple[datetime, ...]
    times: tuple[datetime, ...]
    truth: Shots[Truth]
    events: tuple[SampleEvent, ...]

    @property
    def anomalous(self) -> npt.NDArray[np.bool_]:
        """For each frame whether anything is there that does not belong, shape (frames,)."""
        there = {frame for event in self.events for frame in event.frames}
        return np.array([frame in there for frame in range(len(self.frames))], np.bool_)

    def __repr__(self) -> str:
        height, width = self.reference.shape[:2]
        said = ", ".join(f"{event.type} {event.story}" for event in self.events)
        return (
            f"SampleSeries({self.name!r}, {width}\u00d7{height}, {len(self.normals)} normals + "
            f"{len(self.frames)} frames, events: {said or 'none'})"
        )

    def save(
        self, folder: str | Path, overwrite: bool = False, *, lossless: bool = False
    ) -> tuple[Path, Path]:
        """Write the series as a camera would, with the time in each file name.

        Parameters
        ----------
        folder : str or Path
            Where to; made if it does not exist. It gets ``normal/`` and ``frames/`` with files like
            ``2026-06-01_06-30-00.jpg``, ``truth/`` with a mask for each frame, and
            ``events.json``.
        overwrite : bool
            Replace files that are there already.
        lossless : bool
            PNG, eight times as large, instead of JPEG of quality 95.

        Returns
        -------
        tuple of Path
            ``folder/normal`` and ``folder/frames``.

        Raises
        ------
        OutputError
            One of the files exists and `overwrite` is not set, or writing fails. Nothing is
            written then.
        """
        root = expand(folder)
        suffix, encode = (".png", png) if lossless else (".jpg", _jpeg)
        contents: dict[Path, Callable[[], bytes | str]] = {}
        for part, shots, times in (
            ("normal", self.normals, self.normal_times),
            ("frames", self.frames, self.times),
        ):
            for number, time in enumerate(times):
                contents[root / part / f"{_stamped(time)}{suffix}"] = partial(
                    _encoded, encode, shots, number
                )
        for number, time in enumerate(self.times):
            contents[root / "truth" / f"{_stamped(time)}.png"] = partial(
                lambda number: png(self.truth[number].mask), number
            )
        contents[root / "events.json"] = self._told
        write_all(contents, overwrite=overwrite)
        return root / "normal", root / "frames"

    def _told(self) -> str:
        """Return the events as JSON."""
        said = [
            {
                "number": event.number,
                "type": event.type,
                "story": event.story,
                "box": list(event.box),
                "frames": [_stamped(self.times[frame]) for frame in event.frames],
            }
            for event in self.events
        ]
        return json.dumps({"name": self.name, "events": said}, indent=1) + "\n"


def filmed(
    name: str,
    description: str,
    picture: npt.NDArray[np.uint8],
    margin: int,
    events: tuple[SampleEvent, ...],
    normals: int,
    frames: int,
    seed: int,
    nuisances: str,
    strength: float,
    drift: float,
) -> SampleSeries:
    """Set the camera up.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H + 2 margin, W + 2 margin, 3)
        The clean scene; what comes in at the border is real where there is a margin.
    margin : int
        Pixels of `picture` around what the camera sees.
    events : tuple of SampleEvent
        In the coordinates of the picture without its margin.
    name, description, normals, frames, seed, nuisances, strength, drift
        See `vde_nb.samples.series`, already checked.
    """
    inner = slice(margin, picture.shape[0] - margin), slice(margin, picture.shape[1] - margin)
    reference = np.ascontiguousarray(picture[inner])
    reference.setflags(write=False)
    times = tuple(_time(i) for i in range(normals + frames))
    days = Daylight(seed, not grey(reference))
    dirt = _dirt(picture.shape[:2], seed) if drift else None

    def shot(number: int) -> npt.NDArray[np.uint8]:
        """Take picture `number` of all, the normals first."""
        frame = number - normals
        levels = picture.astype(np.float32)
        for event in events:
            share = event.share(frame)
            if share:
                event.layer.add_to(levels, share, margin)
        if dirt is not None and frame > 0:
            levels *= 1 - np.float32(drift * _DIRT * frame / max(frames - 1, 1)) * dirt[..., None]
        rng = np.random.Generator(np.random.PCG64([seed, 929, number]))
        out = _taken(levels, days, times[number], rng, nuisances, strength, inner)
        out.setflags(write=False)
        return out

    def truth(frame: int) -> Truth:
        mask = np.zeros(reference.shape[:2], np.bool_)
        regions = []
        for event in events:
            share = event.share(frame)
            grown = event.layer.grown(share) if share else None
            if grown is None or np.count_nonzero(grown) < _LEAST:
                continue
            grown.setflags(write=False)
            mask |= grown
            x, y, w, h = cv2.boundingRect(grown.view(np.uint8))
            regions.append(TruthRegion(grown, event.type, (x, y, w, h)))
        mask.setflags(write=False)
        return Truth(mask, tuple(regions))

    return SampleSeries(
        name,
        description,
        reference,
        Shots(shot, range(normals)),
        Shots(shot, range(normals, normals + frames)),
        times[:normals],
        times[normals:],
        Shots(truth, range(frames)),
        events,
    )


def _time(number: int) -> datetime:
    """Return when picture `number` is taken."""
    day, slot = divmod(number, _PER_DAY)
    return _START + timedelta(days=day) + slot * _STEP


def _stamped(time: datetime) -> str:
    return time.strftime("%Y-%m-%d_%H-%M-%S")


def _taken(
    levels: Array,
    days: Daylight,
    time: datetime,
    rng: np.random.Generator,
    nuisances: str,
    strength: float,
    inner: tuple[slice, slice],
) -> npt.NDArray[np.uint8]:
    """Photograph the scene as it is at this moment."""
    amounts: dict[str, Any] = {}
    if nuisances == "day":
        # The light falls on the scene, so it moves with it under a camera that gives.
        light = days.light(levels.shape[:2], time, rng)
        amounts = days.camera(time, rng)
        if strength:
            levels *= light if strength == 1 else light ** np.float32(strength)
    elif nuisances == "usual":
        amounts = usual(rng)
    amounts = scaled(amounts, strength)
    # Compression comes last, and sees what the camera saw.
    late: dict[str, Any] = {
        name: amounts.pop(name) for name in ("noise", "jpeg") if name in amounts
    }
    seen = np.rint(np.clip(levels, 0, 255)).astype(np.uint8)
    if amounts:
        seen = disturb(seen, amounts, rng)
    seen = np.ascontiguousarray(seen[inner])
    return disturb(seen, late, rng) if late else seen


def _dirt(shape: tuple[int, ...], seed: int) -> Array:
    """Return where dirt gathers, 0 to 1: blotches of several sizes."""
    rng = np.random.Generator(np.random.PCG64([seed, 881]))
    field = np.zeros(shape[:2], np.float32)
    for sigma in (1.5, 5.0, 16.0):
        blur = soften(rng.standard_normal(shape[:2], np.float32), sigma)
        field += blur / max(float(blur.std()), 1e-6)
    return np.asarray(np.clip(0.45 + 0.25 * field, 0, 1), np.float32)


def _encoded(
    encode: Callable[[npt.NDArray[np.uint8]], bytes],
    shots: Shots[npt.NDArray[np.uint8]],
    number: int,
) -> bytes:
    return encode(shots[number])


def _jpeg(picture: npt.NDArray[np.uint8]) -> bytes:
    ok, packed = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95]
    )
    if not ok:
        raise SettingError("the picture cannot be written as JPEG")
    return bytes(packed.tobytes())
