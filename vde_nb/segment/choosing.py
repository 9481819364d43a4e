"""Which segmenter a name stands for, whether it is ready, and what is used when it is not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from vde_nb._extras import not_installed
from vde_nb._lessons import lesson
from vde_nb.errors import MissingExtraError, SettingError, WeightsError
from vde_nb.segment.base import Segmenter
from vde_nb.segment.graphcut import GraphCut
from vde_nb.segment.none import KeepMask
from vde_nb.settings import SegmentSettings, nearest

if TYPE_CHECKING:
    from vde_nb.segment.models import Model
    from vde_nb.segment.predictor import Predictor

__all__ = [
    "Chosen",
    "Entry",
    "check_segmenter",
    "choose",
    "describe_segmenter",
    "predictor",
    "segmenter_entries",
]

#: What each backend imports; the extra [sam] installs all of it.
_NEEDS = {
    "segment_anything": ("torch", "torchvision", "segment_anything"),
    "transformers": ("torch", "torchvision", "transformers", "safetensors"),
}
#: An attempt to download that takes so many seconds and fails is not made again for so many: a
#: blocked network may answer slowly, and a slider asks often.
_SLOW, _PATIENCE = 0.1, 60.0
#: What an attempt depends on besides the model.
_SURROUNDINGS = ("VDE_NB_OFFLINE", "HF_HUB_OFFLINE", "HF_ENDPOINT", "VDE_NB_CACHE")
_failures: dict[Hashable, tuple[float, str]] = {}


@dataclass(frozen=True)
class Entry:
    """One line of the table of segmenters.

    Attributes
    ----------
    name
        What users choose it by.
    title
        What people see.
    summary
        One sentence.
    ready
        Whether it runs without fetching or installing anything.
    how
        Empty when it is ready; else what to do, in a few words: ``"download 375 MB"``.
    model
        The trained model behind it, None for what is embedded.
    """

    name: str
    title: str
    summary: str
    ready: bool = True
    how: str = ""
    model: Model | None = None


_EMBEDDED = (
    Entry(
        "graphcut",
        "Graph cut",
        "Embedded, no weights: the heatmap as evidence, the edges of both pictures as border.",
    ),
    Entry("none", "None", "Keeps the detected mask."),
    Entry("auto", "Automatic", "The best model that is ready without a download, else graph cut."),
)
_MAKE: dict[str, Callable[[], Segmenter]] = {"graphcut": GraphCut, "none": KeepMask}


def segmenter_entries() -> dict[str, Entry]:
    """Every segmenter by its name: what is embedded, then the models."""
    from vde_nb.segment.models import MODELS

    found = {entry.name: entry for entry in _EMBEDDED}
    return {**found, **{name: _model_entry(model) for name, model in MODELS.items()}}


def _model_entry(model: Model) -> Entry:
    from vde_nb.segment.weights import find, problem

    how = _missing(model)
    if not how:
        weights = find(model)
        how = f"download {model.megabytes} MB"
        if weights is not None:
            is_damaged = problem(weights, read=False)  # as far as it is known already
            how = f"damaged: vde-nb weights verify {model.name}" if is_damaged else ""
    return Entry(model.name, model.title, _summary(model), not how, how, model)


def _missing(model: Model) -> str:
    """What is to be installed before the model runs, in a few words; empty for nothing."""
    for module in not_installed(*_NEEDS[model.backend]):
        return f'needs {module}: pip install "vde-nb[sam]"'
    for module in not_installed(*model.requires):
        return f"needs {module}: pip install {module}"
    return ""


def _summary(model: Model) -> str:
    return f"{model.family}, {model.parameters:g} million parameters, {model.licence}"


def describe_segmenter(name: str) -> tuple[str, str]:
    """Title and summary, without looking whether it is ready: that asks the disk."""
    from vde_nb.segment.models import MODELS

    for entry in _EMBEDDED:
        if entry.name == name:
            return entry.title, entry.summary
    model = MODELS.get(name)
    return (name, "") if model is None else (model.title, _summary(model))


def check_segmenter(name: str, *, installed: bool = False) -> str:
    """`name`, when there is a segmenter of that name, and what it needs is `installed`.

    Raises
    ------
    SettingError
        There is none; the message lists the nearest.
    MissingExtraError
        What runs the model is not installed; only with `installed`.
    """
    if name in _MAKE:
        return name
    from vde_nb.segment.models import MODELS

    known = [entry.name for entry in _EMBEDDED] + list(MODELS)
    if name not in known:
        close = nearest(name, known)
        hint = f" Did you mean {close}?" if close else ""
        raise SettingError(
            f"There is no segmenter {name!r}: {', '.join(known)}.{hint}{lesson('models')}"
        )
    if installed and name in MODELS:
        missing = _missing(MODELS[name])
        if missing:
            raise MissingExtraError(f"{MODELS[name].title} {missing}")
    return name


@dataclass(frozen=True)
class Chosen:
    """A segmenter that can be made.

    Attributes
    ----------
    name
        Its own name, also when another was asked for.
    title
        What people see.
    identity
        Changes when its answers may: the digest of a model's weights.
    notes
        What there is to say about the choice, in words.
    make
        Makes it.
    """

    name: str
    title: str
    identity: Hashable
    notes: tuple[str, ...]
    make: Callable[[], Segmenter]


def choose(settings: SegmentSettings) -> Chosen:
    """The segmenter that `settings` ask for, or the embedded one with a note that says why.

    Weights that are not here are downloaded, see :func:`vde_nb.segment.weights.obtain`; for
    ``"auto"`` nothing is.

    Raises
    ------
    SettingError
        There is no segmenter of that name, or no such device.
    MissingExtraError
        A model was asked for by name, and what runs it is not installed.
    """
    name = check_segmenter(settings.segmenter)
    if name in _MAKE:
        return _embedded(name)
    if name == "auto":
        return _automatic(settings)
    try:
        return _named(settings)
    except WeightsError as error:
        return _embedded(
            "graphcut", f"{error} Meanwhile the embedded segmenter, graphcut, draws the outlines."
        )


def predictor(name: str = "auto", **settings: Any) -> Predictor:
    """A loaded model, for prompts of your own: each picture is encoded once and then kept.

    Parameters
    ----------
    name
        Of a model, see :func:`vde_nb.segmenters`; ``"auto"``: the best that is ready.
    **settings
        ``sam_device``, ``sam_precision``, ``sam_compile``.

    Returns
    -------
    Predictor
        Its ``embed(image)`` and ``predict(embedded, prompts)`` do the work.

    Raises
    ------
    SettingError
        There is no such model, or for ``"auto"`` none that is ready.
    WeightsError, MissingExtraError
        The weights cannot be had; what runs the model is not installed.
    """
    from vde_nb.segment.neural import SamSegmenter

    wanted = SegmentSettings(segmenter=check_segmenter(name), **settings)
    if name in _MAKE:
        raise SettingError(f"{name} is no model; vde_nb.segmenters() lists those there are.")
    chosen = _automatic(wanted) if name == "auto" else _named(wanted)
    made = chosen.make()
    if not isinstance(made, SamSegmenter) or made.predictor is None:
        raise SettingError("No model is ready; vde_nb.segmenters() lists those that can be had.")
    return made.predictor


def _named(settings: SegmentSettings) -> Chosen:
    """The model of that name, downloaded where it must be."""
    from vde_nb.segment.models import MODELS

    return _neural(MODELS[check_segmenter(settings.segmenter, installed=True)], settings)


def _embedded(name: str, *notes: str) -> Chosen:
    title = next(entry.title for entry in _EMBEDDED if entry.name == name)
    return Chosen(name, title, name, notes, _MAKE[name])


def _automatic(settings: SegmentSettings) -> Chosen:
    ready = [entry.model for entry in segmenter_entries().values() if entry.ready and entry.model]
    if ready:
        is_slow = _is_slow(settings.sam_device)
        # Nobody has ranked what a user added: it comes behind.
        ready.sort(
            key=lambda one: (one.path is not None, one.speed if is_slow else one.quality, one.name)
        )
    notes: list[str] = []
    for model in ready:
        try:
            chosen = _neural(model, settings)
        except (WeightsError, MissingExtraError) as error:
            notes.append(f"{model.title} was passed over: {error}")
            continue
        notes.insert(0, f"{model.title} draws the outlines (segmenter='auto').")
        return replace(chosen, notes=tuple(notes))
    return _embedded(
        "graphcut",
        "Graph cut draws the outlines (segmenter='auto'): no model is ready; "
        "vde_nb.segmenters() lists those that can be had.",
        *notes,
    )


def _is_slow(device: str) -> bool:
    """Whether encoding a picture takes seconds."""
    from vde_nb.segment._device import pick_device

    return pick_device(device) == "cpu"


def _neural(model: Model, settings: SegmentSettings) -> Chosen:
    from vde_nb.segment.neural import SamOptions, SamSegmenter, predictor_for
    from vde_nb.segment.weights import find, obtain

    weights = find(model)
    if weights is None:
        attempt = model, *map(os.environ.get, _SURROUNDINGS)
        failed = _failures.get(attempt)
        started = time.monotonic()
        if failed is not None and started - failed[0] < _PATIENCE:
            raise WeightsError(failed[1])
        try:
            weights = obtain(model)
        except WeightsError as error:
            if time.monotonic() - started > _SLOW:
                _failures[attempt] = time.monotonic(), str(error)
            raise
    options = SamOptions(
        device=settings.sam_device,
        precision=settings.sam_precision,
        compile=settings.sam_compile,
        multimask={"one": False, "three": True}.get(settings.sam_masks, "auto"),
        clip=settings.sam_clip,
        min_island=settings.sam_islands,
        views=settings.sam_views,
        zoom=settings.sam_zoom,
    )
    # Opened now, so that a file which is not what it should be is told here, where another
    # segmenter can take its place; a model that was opened before is at hand.
    opened = predictor_for(model.name, options)
    identity = (model.name, weights.digest)
    make = partial(SamSegmenter, model.name, options, opened)
    return Chosen(model.name, model.title, identity, (), make)
