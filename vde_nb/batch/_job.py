"""One pair as it goes to a worker, and what the worker does with it."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2

from vde_nb._lessons import without_lesson
from vde_nb.batch._files import write_files
from vde_nb.batch._identity import Stamps, is_as_it_was
from vde_nb.batch._plan import MODEL, Plan, Unfit, ready
from vde_nb.batch._row import Row, error_row, found_row
from vde_nb.compare import compare
from vde_nb.comparison import Comparison
from vde_nb.errors import MissingExtraError, OutputError, SettingError, VdeError, WeightsError

__all__ = ["Job", "outcome", "work"]

#: What the system says when there is no room left: every pair to come would fare the same.
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, eq=False)
class Job:
    """One pair; it can be pickled.

    Attributes
    ----------
    plan
        What it shares with all others.
    about
        `id`, `number`, `name`, `reference`, `current` (as text) and `given`, as of a row.
    reference, current
        Sources; paths are absolute. A reference of None: a single picture.
    stamps
        Its files as they were when they were hashed.
    problem
        What is wrong with it, in words: nothing is computed then.
    """

    plan: Plan
    about: Mapping[str, Any]
    reference: Any = field(repr=False)
    current: Any = field(repr=False)
    stamps: Stamps = ()
    problem: str = ""


def work(job: Job) -> dict[str, Any]:
    """Compare a pair; nothing that goes wrong with it is raised.

    Returns
    -------
    dict
        ``row`` and ``timings``; or ``stop``, in words, where no other pair would fare better, and
        ``full``, whether that is because the disk is full.
    """
    started = time.perf_counter()
    stages: dict[str, float] = {}
    try:
        mask = ready(job.plan)
        row = _row(job, mask, stages)
    except Unfit as error:
        return {"stop": str(error), "full": False}
    except Exception as error:
        if any(one.errno in _FULL for one in _causes(error, OSError)):
            return {"stop": str(error), "full": True}
        row = _failed(job, error)
    return outcome(row, time.perf_counter() - started, stages)


def outcome(row: Row, seconds: float, stages: Mapping[str, float] | None = None) -> dict[str, Any]:
    """What :func:`work` returns."""
    timings = {
        "id": row["id"],
        "seconds": round(seconds, 6),
        "stages_ms": {name: round(float(ms), 3) for name, ms in (stages or {}).items()},
        "worker": _own_name(),
    }
    return {"row": row, "timings": timings}


def _row(job: Job, mask: Any, stages: dict[str, float]) -> Row:
    plan = job.plan
    if job.problem:
        raise SettingError(job.problem)
    out = Path(plan.out)
    if not (out / "run.json").is_file():
        raise OutputError(
            f"This worker cannot reach the folder of the run, {out}: it has to be on a disk that "
            "all machines share, under the same path."
        )
    if not is_as_it_was(job.stamps):
        raise _ChangedError("A picture was written again while the run was going on.")
    ignore = mask if plan.masked else plan.boxes
    options: dict[str, Any] = {
        "method": plan.method,
        "preset": plan.preset,
        "ignore": ignore,
        "progress": _silent,  # nobody watches a worker's bars
        "cache": None,
        **plan.settings,
    }
    if plan.model:
        options["model"] = plan.model
    if job.current is None or job.reference is None:
        found = compare(job.reference if job.current is None else job.current, **options)
    else:
        found = compare(job.reference, job.current, **options)
    stages.update(found.timings)
    row = found_row(job.about, found, [])
    started = time.perf_counter()
    files = write_files(_repeatable(found, job), out, job.about["id"], plan.save)
    stages["files"] = (time.perf_counter() - started) * 1000
    return found_row(job.about, found, files) if files else row


def _repeatable(found: Comparison, job: Job) -> Comparison:
    """The comparison without what differs from run to run: times, and folders of this machine."""
    pair = found.pair
    names = {"reference": job.about["reference"], "current": job.about["current"]}
    pictures = {
        side: replace(getattr(pair, side), name=name) for side, name in names.items() if name
    }
    settings = found.settings
    if job.plan.model and Path(job.plan.model) == Path(job.plan.out) / MODEL:
        difference = replace(settings.difference, model=MODEL)
        settings = replace(settings, difference=difference)
    return replace(found, pair=replace(pair, **pictures), settings=settings, timings={})


def _failed(job: Job, error: Exception) -> Row:
    message = without_lesson(str(error)) or type(error).__name__
    for text, path in zip(
        (job.about["reference"], job.about["current"]), (job.reference, job.current), strict=True
    ):
        if text and isinstance(path, str):
            message = message.replace(path, text)  # as the user wrote it, on whatever machine
    if not isinstance(error, VdeError):
        message = f"{type(error).__name__}: {message}"
    kind = "MemoryError" if _is_memory(error) else type(error).__name__.lstrip("_")
    return error_row(job.about, message, kind, retry=_may_pass(error), method=job.plan.method)


class _ChangedError(VdeError):
    """A file is not what it was."""


_ChangedError.__name__ = "ChangedError"


def _may_pass(error: Exception) -> bool:
    """Whether the same pair may fare better another time."""
    if isinstance(error, (OSError, MissingExtraError, WeightsError, _ChangedError)):
        return True
    if not isinstance(error, VdeError) or _is_memory(error):
        return True
    # A picture that is missing, or on a disk that does not answer. Pillow's OSErrors have no errno.
    return any(cause.errno is not None for cause in _causes(error, OSError))


def _is_memory(error: Exception) -> bool:
    if any(_causes(error, MemoryError)):
        return True
    return any(
        getattr(one, "code", None) == cv2.Error.StsNoMem for one in _causes(error, cv2.error)
    )


def _causes(error: BaseException, kind: type[Any]) -> Iterator[Any]:
    """Those of `kind` among an error, what it came from and what that came from."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        if isinstance(one, kind):
            yield one
        one = one.__cause__ or one.__context__


def _silent(text: str) -> None:
    """Listen to what is being done, and say nothing."""


def _own_name() -> str:
    """What to call this worker in timings."""
    distributed = sys.modules.get("distributed")
    if distributed is not None:
        try:
            return str(distributed.get_worker().name)
        except ValueError:  # a process that only submits
            pass
    return str(os.getpid())
