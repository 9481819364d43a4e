"""Models that describe pictures, loaded once for the whole process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import TYPE_CHECKING

from vde_nb._progress import report
from vde_nb.features._neural import NeuralFeatures
from vde_nb.segment._device import out_of_memory, pick_device, pick_precision
from vde_nb.segment.embeddings import shared

if TYPE_CHECKING:
    from vde_nb.features._network import VitNetwork
    from vde_nb.segment.models import Model
    from vde_nb.segment.weights import Weights

__all__ = ["open_model", "release"]

_MOST_LOADED = 2  # networks in memory: they weigh up to 1.2 GB each
_PATIENCE = 60.0  # seconds for which a slow attempt to download that failed is not made again

_ready: OrderedDict[Hashable, VitNetwork] = OrderedDict()
_ready_lock, _opening = threading.Lock(), threading.Lock()


def open_model(
    model: Model,
    layers: str = "middle",
    zoom: float = 0.0,
    *,
    device: str = "auto",
    precision: str = "auto",
    disk: bool = True,
) -> NeuralFeatures:
    """A model, ready to describe pictures; its weights are downloaded where they must be.

    Parameters
    ----------
    layers, zoom
        As the settings ``feature_layers`` and ``feature_zoom``.
    device, precision
        As :func:`vde_nb.segment._device.pick_device` and ``pick_precision`` take them.
    disk
        Keep embeddings, in memory and on the disk.

    Raises
    ------
    WeightsError
        The weights are not to be had, or not what they should be.
    SettingError
        A setting or the device makes no sense.
    MissingExtraError
        What runs it is not installed.
    """
    from vde_nb.segment.weights import obtain

    weights = obtain(model, patience=_PATIENCE)
    place = pick_device(device)
    exact = pick_precision(precision, place)
    remark = ""
    try:
        network = _network(weights, layers, place, exact)
    except Exception as error:
        if not out_of_memory(error) or place == "cpu":
            raise
        network = _network(weights, layers, "cpu", "fp32")
        remark = f"{model.title} runs on the CPU: there is not enough memory for it on the GPU."
    return NeuralFeatures(
        model.name,
        model.title,
        network,
        spare=lambda: _network(weights, layers, "cpu", "fp32"),
        weights=f"{model.architecture} {weights.digest}",
        layers=layers,
        zoom=zoom,
        cache=shared() if disk else None,
        remark=remark,
    )


def _network(weights: Weights, layers: str, device: str, precision: str) -> VitNetwork:
    """The network, loaded unless it is at hand; the two used last stay loaded."""
    key = (weights.model, weights.digest, layers, device, precision)
    found = _find(key)
    if found is not None:
        return found
    while not _opening.acquire(timeout=0.1):
        report(f"{weights.model.title} waits for another model to be loaded")
    try:
        found = _find(key)  # another thread may have loaded it meanwhile
        if found is None:
            report(f"{weights.model.title} is being loaded")
            found = _opened(weights, layers, device, precision)
            with _ready_lock:
                _ready[key] = found
                while len(_ready) > _MOST_LOADED:
                    _ready.popitem(last=False)
        return found
    finally:
        _opening.release()


def _opened(weights: Weights, layers: str, device: str, precision: str) -> VitNetwork:
    if weights.model.backend == "timm":
        from vde_nb.features._timm import open_timm

        return open_timm(weights, layers, device, precision)
    from vde_nb.features._vit import open_vit

    return open_vit(weights, layers, device, precision)


def _find(key: Hashable) -> VitNetwork | None:
    with _ready_lock:
        found = _ready.get(key)
        if found is not None:
            _ready.move_to_end(key)
        return found


def release() -> None:
    """Let go of all loaded models; those in use go when their work is done."""
    with _ready_lock:
        _ready.clear()
