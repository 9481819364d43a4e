"""When pictures were taken: by what was handed over, their names, or what the camera wrote in."""

from __future__ import annotations

import numbers
import os
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from vde_nb._lessons import taught
from vde_nb.errors import SettingError

__all__ = ["Timeline", "given_times", "taken_at", "timeline"]

_DATE = r"(?P<year>(?:19|20)\d\d)(?P<sep>[-_.]?)(?P<month>\d\d)(?P=sep)(?P<day>\d\d)"
_BETWEEN = r"(?:[T_\-. /\\]|\s+at\s+)*"
_CLOCK = r"(?P<hour>\d\d)[-_.:h ]?(?P<minute>\d\d)"
_SECOND = r"[-_.:m ]?(?P<second>\d\d)(?:[.,_]?(?P<milli>\d{3}))?"
#: How names tell a time, the most telling first. Digits beside it would make it another number.
_FORMS = tuple(
    re.compile(rf"(?<!\d){form}(?!\d)", re.IGNORECASE)
    for form in (
        _DATE + _BETWEEN + _CLOCK + _SECOND,
        _DATE + _BETWEEN + _CLOCK,
        r"(?P<unix>1\d{9})(?:[._]?(?P<part>\d{3}))?",
        _DATE,
    )
)
#: Digits that may be a clock or may count: those after a date with nothing telling between, and
#: seconds since 1970. What follows them may make them a clock.
_RUNS = tuple(
    re.compile(rf"(?<!\d){form}(?!\d|[-_.:m ]?\d\d(?!\d))", re.IGNORECASE)
    for form in (
        _DATE + r"[_\-. /\\]*(?P<run>\d{6}|\d{4})",
        r"(?P<run>1\d{9}(?:\d{3})?)",
    )
)
#: A date and what is a clock for sure.
_CLOCKED = re.compile(
    rf"(?<!\d){_DATE}(?:{_BETWEEN}\d\d[-_.:h ]\d\d|(?:T|\s+at\s+)\d{{4}})", re.IGNORECASE
)
#: Hours by which the clock of a camera and that of its computer may differ: time zones.
_ZONES = timedelta(hours=14)
_EXIF, _ORIGINAL, _SPLIT = 0x8769, 0x9003, 0x9291


@dataclass(frozen=True)
class Timeline:
    """Pictures in the order in which they were taken.

    Attributes
    ----------
    times
        For each picture, in the order it was handed over; None for all where nothing tells them.
    order
        Numbers of the pictures, from 0, the earliest first.
    source
        What told the times: ``"given"``, ``"file names"``, ``"EXIF"`` or ``"order"``.
    notes
        What a user should know, in words.
    """

    times: tuple[datetime | None, ...]
    order: tuple[int, ...]
    source: str
    notes: tuple[str, ...] = ()


def timeline(
    names: Sequence[str], given: Sequence[datetime] | None = None, *, sort: bool = True
) -> Timeline:
    """Put pictures in order.

    Times that were handed over win, then times in all the names, then what the camera wrote into
    all the files (EXIF DateTimeOriginal). Times of some pictures only, the same time for several,
    and names against EXIF tell no order: then it stays the one in which they came. Digits that
    rise by one from picture to picture count, whatever clock they could be: ``20260101_0007`` is
    the seventh picture of a day beside ``20260101_0006``, and seven past midnight alone.

    Parameters
    ----------
    names
        Paths of files, or whatever the pictures are called.
    given
        Their times, see `given_times`.
    sort
        Whether the order may be another one than that of `names`. A stream is worked off as it
        comes; there, times that go back tell nothing.

    Returns
    -------
    Timeline
        Times are naive, as cameras write them.

    Examples
    --------
    >>> found = timeline(["cam_20261123T143000.jpg", "cam_20261123T140000.jpg"])
    >>> found.order, found.source, found.times[0].isoformat()
    ((1, 0), 'file names', '2026-11-23T14:30:00')
    >>> found.notes[0]
    'Times were read from the names of the files; the first is 2026-11-23 14:00:00.'
    >>> timeline(["a.png", "b.png"])
    Timeline(times=(None, None), order=(0, 1), source='order', notes=())
    """
    if given is not None:
        return _ordered(list(given), "given", sort)
    counted = _counted(names)
    by_name, some = (None, 0) if counted else _by_names(names)
    by_camera = [taken_at(name) for name in names]
    whole = all(time is not None for time in by_camera) and bool(names)
    camera = [time for time in by_camera if time is not None]
    if by_name is not None and whole and (apart := _apart(by_name, camera)):
        return _as_they_came(
            len(names),
            f"The times in the names of the files and those their camera wrote into them (EXIF) "
            f"{apart}.",
        )
    if by_name is not None:
        return _ordered(by_name, "file names", sort)
    if whole:
        return _ordered(camera, "EXIF", sort)
    if counted:
        return _as_they_came(
            len(names),
            f"The digits in the names of the files, such as {counted!r}, are taken for a counter, "
            "not for a clock; hand over times=[...] if they tell the time.",
        )
    if camera or some:
        count = max(len(camera), some)
        return _as_they_came(
            len(names), f"Only {count} of {len(names)} pictures tell when they were taken."
        )
    return Timeline((None,) * len(names), tuple(range(len(names))), "order")


def _ordered(times: list[datetime], source: str, sort: bool) -> Timeline:
    """Sort by time, or stay in the order of arrival where the times tell none."""
    steps = list(pairwise(times))
    notes = []
    if source != "given":
        double = len(times) - len(set(times))
        if double:
            where = {"file names": "in the names of the files", "EXIF": "their camera wrote"}
            return _as_they_came(
                len(times), f"The times {where[source]} are the same for {double + 1} pictures."
            )
        where = {"file names": "the names of the files", "EXIF": "what the camera wrote (EXIF)"}
        first_of_all = min(times).isoformat(" ", "seconds")
        notes = [f"Times were read from {where[source]}; the first is {first_of_all}."]
    if all(first <= second for first, second in steps):
        return Timeline(tuple(times), tuple(range(len(times))), source, tuple(notes))
    if not sort:
        number = next(i for i, (first, second) in enumerate(steps) if second < first)
        return _as_they_came(
            len(times), f"The times go back after picture {number + 1}, in a stream."
        )
    order = tuple(sorted(range(len(times)), key=lambda i: (times[i], i)))
    said = "The pictures did not come in the order of their times; they were sorted by them."
    return Timeline(tuple(times), order, source, (*notes, said))


def _as_they_came(count: int, why: str) -> Timeline:
    note = f"{why} The pictures are taken in the order in which they came, without times."
    return Timeline((None,) * count, tuple(range(count)), "order", (note,))


def _apart(names: Sequence[datetime], camera: Sequence[datetime]) -> str:
    """In what two clocks disagree; empty if they tell one order, a time zone apart at most."""
    order = sorted(range(len(names)), key=lambda i: names[i])
    if any(camera[i] > camera[j] for i, j in pairwise(order)):
        return "tell different orders"
    most = max(abs(one - other) for one, other in zip(names, camera, strict=True))
    if most <= _ZONES:
        return ""
    hours = most / timedelta(hours=1)
    return f"are up to {hours / 24:.0f} days apart" if hours >= 48 else f"are {hours:.0f} h apart"


# Names --------------------------------------------------------------------------------------------


def _by_names(names: Sequence[str]) -> tuple[list[datetime] | None, int]:
    """Times in all names, or None; and in how many names there is one."""
    if not names:
        return None, 0
    # One series is named in one way: what only some names seem to tell is something else.
    texts, most = _texts(names), 0
    for shown in texts:
        for form in _FORMS:
            found = [_told(form, text) for text in shown]
            times = [time for time in found if time is not None]
            if len(times) == len(names):
                if form is _FORMS[-1] and len(set(times)) < len(times):
                    continue  # several on a day: the date alone is no time
                return times, len(times)
            most = max(most, len(times) if form is not _FORMS[-1] else 0)
    # Or in two, as when a clock leaves out the seconds at full minutes.
    best = [next((t for form in _FORMS[:3] if (t := _told(form, text))), None) for text in texts[0]]
    times = [time for time in best if time is not None]
    return (times, len(times)) if len(times) == len(names) else (None, max(most, len(times)))


def _texts(names: Sequence[str]) -> list[list[str]]:
    """Where names may tell something: alone, and with the folder they are in."""
    paths = [PurePath(name.replace("\\", "/")) for name in names]
    return [[path.stem for path in paths], ["/".join(path.parts[-2:]) for path in paths]]


def _counted(names: Sequence[str]) -> str:
    """Digits of the first name, if it is with them that all names count; else empty."""
    for shown in _texts(names):
        if len(shown) < 2 or all(_CLOCKED.search(text) for text in shown):
            continue
        for form in _RUNS:
            found = [list(form.finditer(text)) for text in shown]
            if all(found) and _counts([matches[-1] for matches in found]):
                return found[0][-1]["run"]
    return ""


def _counts(found: Sequence[re.Match[str]]) -> bool:
    """Whether runs of digits rise by one, within each day or on through them, or are no clock."""
    runs = [match["run"] for match in found]
    days: dict[tuple[str | None, ...], list[int]] = {}
    for match in found:
        day = tuple(match.groupdict().get(part) for part in ("year", "month", "day"))
        days.setdefault(day, []).append(int(match["run"]))
    if len({len(run) for run in runs}) == 1:
        steps = {b - a for day in days.values() for a, b in pairwise(sorted(day))}
        through = {b - a for a, b in pairwise(sorted(map(int, runs)))}
        # Some may have been deleted; as clocks these would all be right after midnight.
        low = 1 in steps and max(map(int, runs)) < 60 and None not in next(iter(days))
        if steps == {1} or low or (through == {1} and len(runs) > 2):
            return True
    return None not in next(iter(days)) and not all(map(_is_clock, runs))


def _is_clock(run: str) -> bool:
    return int(run[:2]) < 24 and int(run[2:4]) < 60 and int(run[4:] or 0) < 60


def _told(form: re.Pattern[str], text: str) -> datetime | None:
    """Time in a name by one form, the last one if there are several."""
    for match in reversed(list(form.finditer(text))):
        part = match.groupdict()
        try:
            if part.get("unix"):
                thousandths = int(part["part"] or 0)
                return _unix(int(part["unix"])) + timedelta(milliseconds=thousandths)
            return datetime(
                int(part["year"]),
                int(part["month"]),
                int(part["day"]),
                int(part.get("hour") or 0),
                int(part.get("minute") or 0),
                int(part.get("second") or 0),
                1000 * int(part.get("milli") or 0),
            )
        except ValueError:
            continue
    return None


def _unix(seconds: float) -> datetime:
    return datetime(1970, 1, 1) + timedelta(seconds=seconds)


# EXIF ---------------------------------------------------------------------------------------------


def taken_at(path: str | os.PathLike[str]) -> datetime | None:
    """EXIF DateTimeOriginal of a picture file; None where there is none, or no such file.

    Only the head of the file is read.
    """
    try:
        if not Path(path).is_file():
            return None
        from PIL import Image

        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # of all a file may be warned about, nothing matters here
            with Image.open(path) as image:
                block = image.getexif().get_ifd(_EXIF)
        text = str(block[_ORIGINAL]).strip("\0 ")
        time = datetime.strptime(text[:19], "%Y:%m:%d %H:%M:%S")
        part = re.sub(r"\D", "", str(block.get(_SPLIT, "")))[:6]
        return time + timedelta(seconds=float(f"0.{part or 0}"))
    except Exception:  # Pillow meets damaged files with a dozen kinds of errors
        return None


# Handed over --------------------------------------------------------------------------------------


def given_times(times: Iterable[Any] | None, count: int | None = None) -> list[datetime] | None:
    """Check times that a person handed over.

    Parameters
    ----------
    times
        One per picture: `datetime`, ISO text ("2026-11-23T14:30"), `numpy.datetime64`, or seconds
        since 1970. Times with a zone are turned into UTC. None for all: unknown.
    count
        Number of pictures, where it is known.

    Returns
    -------
    list of datetime or None
        Naive; None where nothing is known.

    Raises
    ------
    SettingError
        One of them is no time, or there are more or fewer than pictures.
    """
    if times is None:
        return None
    with taught("normality"):
        return _checked(times, count)


def _checked(times: Iterable[Any], count: int | None) -> list[datetime] | None:
    if isinstance(times, (str, bytes)) or not isinstance(times, Iterable):
        raise SettingError(f"times must be a list, one per picture, not {times!r}.")
    listed = list(times)
    unknown = bool(listed) and all(time is None for time in listed)  # as Series.times has it
    found = [] if unknown else [_given(number, time) for number, time in enumerate(listed, 1)]
    if count is not None and len(listed) != count:
        raise SettingError(
            f"times: {len(listed)} for {count} pictures; hand over one for each picture."
        )
    if unknown:
        return None
    zones = {time.tzinfo is None for time in found}
    if len(zones) > 1:
        raise SettingError("Some of the times have a time zone and some have none.")
    if zones == {False}:
        found = [_universal(number, time) for number, time in enumerate(found, 1)]
    return found


def _universal(number: int, time: datetime) -> datetime:
    try:
        return time.astimezone(timezone.utc).replace(tzinfo=None)
    except OverflowError as error:
        raise SettingError(
            f"times: number {number} is {time}, which in UTC is outside of the years 1 to 9999."
        ) from error


def _given(number: int, time: Any) -> datetime:
    if isinstance(time, datetime) and time == time:  # pandas' NaT says it is one, and equals none
        return time
    makers: tuple[tuple[type | tuple[type, ...], Callable[[Any], datetime]], ...] = (
        (str, lambda text: datetime.fromisoformat(text.strip().replace("Z", "+00:00"))),
        (np.datetime64, lambda one: one.astype("datetime64[us]").item()),
        (numbers.Real, lambda seconds: _unix(float(seconds))),
    )
    for kind, make in makers:
        if isinstance(time, kind) and not isinstance(time, bool):
            try:
                made = make(time)
            except (ValueError, OverflowError, TypeError):
                break
            if isinstance(made, datetime):
                return made
    raise SettingError(
        f"times: number {number} is {time!r}, which is no time. Use datetime objects or text like "
        "'2026-11-23T14:30:00'."
    )
