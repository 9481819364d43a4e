"""What all pairs of a run share, and what a process needs before its first pair."""

from __future__ import annotations

import os
import sys
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vde_nb._bands import use_threads
from vde_nb._version import __version__
from vde_nb.classify._registry import anomaly_types, user_rules
from vde_nb.classify._rules import BUILT_IN
from vde_nb.errors import SettingError, VdeError
from vde_nb.plugins import load_plugin

__all__ = [
    "IGNORE",
    "MODEL",
    "Plan",
    "Unfit",
    "own_process",
    "processors",
    "ready",
    "registered_types",
    "use_one_thread",
]

#: Files of a run that all its workers read.
IGNORE, MODEL = "ignore.png", "model.safetensors"

Bools = npt.NDArray[np.bool_]


class Unfit(VdeError):
    """A process cannot take part in a run as it is; no pair would fare better than the first."""


@dataclass(frozen=True)
class Plan:
    """What all pairs of a run share; it goes to the workers with every pair, so it is small.

    Attributes
    ----------
    out
        The folder of the run, absolute.
    key
        Stands for everything that decides what is found.
    method, preset, settings
        As for :func:`vde_nb.compare`, in plain values.
    boxes
        What is ignored, as boxes; None where nothing is, or where the mask is in :data:`IGNORE`.
    masked
        Whether there is such a file.
    save
        See :func:`vde_nb.batch._files.checked_save`.
    plugins
        Modules, and paths of ``.py`` files, that are imported first.
    digests
        Of their sources, one for each.
    types
        Anomaly types of the user's that have to be there.
    function
        Name of the function that describes pictures; empty where none does.
    model
        Path of the saved model of normality; it is called by its bare name in results.
    version
        Of vde-nb.
    process
        Stands for the process that runs. Others compute with one thread each; empty: all do as
        they like.
    """

    out: str
    key: str
    method: str
    preset: str
    settings: dict[str, Any] = field(hash=False)
    boxes: tuple[Any, ...] | None = field(default=None, hash=False)
    masked: bool = False
    save: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    function: str = ""
    model: str = ""
    version: str = __version__
    process: str = ""


#: What libraries that are loaded later ask how many threads they may start.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")

_lock = threading.Lock()
_own = uuid.uuid4().hex
_ready: tuple[str, str, Bools | None] | None = None


def ready(plan: Plan) -> Bools | None:
    """Make this process ready for the pairs of a run, once; the mask of what is ignored.

    Raises
    ------
    Unfit
        It or a plug-in is of another version, or it lacks what the user registered in the process
        that runs.
    """
    global _ready
    with _lock:
        known = _ready
        if known is not None and known[:2] == (plan.out, plan.key):
            return known[2]
        if plan.version != __version__:
            raise Unfit(
                f"A worker has vde-nb {__version__}, and the run is by {plan.version}: install "
                "the same version everywhere."
            )
        try:
            if plan.process not in ("", own_process()):
                use_one_thread()
            loaded = [load_plugin(name) for name in plan.plugins]
        except SettingError as error:
            raise Unfit(f"On a worker, {error}") from error
        for plugin, digest in zip(loaded, plan.digests, strict=True):
            if plugin.digest != digest:
                raise Unfit(
                    f"The plug-in {plugin.name} is another version on this worker, or was edited "
                    "while the run went on: have the same file everywhere and run it again."
                )
        _check_registered(plan)
        mask = _read_mask(Path(plan.out) / IGNORE) if plan.masked else None
        _ready = plan.out, plan.key, mask
        return mask


def processors() -> int:
    """How many processors there are for this process."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows do not tell
        return os.cpu_count() or 1


def own_process() -> str:
    """Stands for this process, and no other anywhere."""
    return f"{_own}-{os.getpid()}"  # a forked one has the same number drawn


def use_one_thread() -> None:
    """Have this process compute with one thread: there are as many processes as processors."""
    import cv2
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    os.environ.update(dict.fromkeys(_THREADS, "1"))
    cv2.setNumThreads(1)
    threadpool_limits(1)
    use_threads(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def registered_types() -> tuple[str, ...]:
    """What differs from the built-in anomaly types: the user's own, and ``-name`` of those gone."""
    gone = {*BUILT_IN} - {*anomaly_types()}
    return (*sorted(user_rules()), *sorted(f"-{name}" for name in gone))


def _check_registered(plan: Plan) -> None:
    from vde_nb.features import check_features
    from vde_nb.features.choosing import is_function
    from vde_nb.segment import check_segmenter

    lacking = ""
    mine = registered_types()
    more = sorted({*mine} - {*plan.types})
    if more and not {*plan.types} - {*mine}:
        raise Unfit(
            f"A worker has anomaly types that this run has not ({', '.join(more)}): plugins of an "
            "earlier run, or others who use it, registered them there. Restart the workers, or "
            "name the same plugins=[...]."
        )
    if mine != plan.types:
        differing = ", ".join(sorted({*mine} ^ {*plan.types})) or ", ".join(mine)
        lacking = f"the anomaly types of the run ({differing} differ)"
    elif plan.function and not is_function(plan.function):
        lacking = f"the function {plan.function} that describes pictures"
    else:
        try:
            check_segmenter(plan.settings.get("segmenter", "none"))
            check_features(plan.settings.get("features", "embedded"))
        except SettingError as error:
            lacking = f"a model of yours ({error})"
    if lacking:
        raise Unfit(
            f"A worker does not have {lacking}: what was registered in this process is not known "
            "in others. Put it into a module and name that with plugins=[...], or stay in this "
            "process with workers=0 or executor=ThreadPoolExecutor()."
        )


def _read_mask(path: Path) -> Bools:
    import cv2

    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise Unfit(f"A worker cannot read {path}: {error.strerror or error}.") from error
    pixels = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise Unfit(f"{path} is damaged: start the run again in a new folder.")
    mask: Bools = np.asarray(pixels, np.uint8) > 0
    return mask
