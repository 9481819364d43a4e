"""What weights of unknown origin describe pictures with, told without running any of it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vde_nb.errors import WeightsError
from vde_nb.segment._identify import Found, shapes_in, weights_in

__all__ = ["colours_of", "config_of", "identify_features"]

#: By the `model_type` of config.json: family and class of transformers.
_TYPES = {
    "dinov2": ("DINOv2", "Dinov2Model"),
    "dinov2_with_registers": ("DINOv2", "Dinov2WithRegistersModel"),
    "dinov3_vit": ("DINOv3", "DINOv3ViTModel"),
}
_LARGEST = 1 << 20  # bytes of a configuration
#: Mean and deviation of colours in [0, 1] on which nearly every model was trained.
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

Colours = tuple[tuple[float, float, float], tuple[float, float, float]]


def identify_features(path: str | os.PathLike[str], architecture: str = "") -> Found:
    """Say what the weights at `path` are.

    Parameters
    ----------
    path
        A folder with ``config.json`` and ``model.safetensors``, as ``save_pretrained`` of
        transformers writes it or the hub holds models of timm; or a ``.safetensors`` file of a
        model of timm.
    architecture
        Name of the model in timm, for a file; a folder says it itself.

    Raises
    ------
    WeightsError
        It is missing or damaged, or of another kind.
    MissingExtraError
        safetensors is not installed.
    """
    try:
        place = Path(path).expanduser().absolute()
        is_folder, is_file = place.is_dir(), place.is_file()
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(f"{path!r} is no model: {error}.") from error
    if is_folder:
        family, backend, kind = _kind(place)
        files = weights_in(place)
        if not files:
            raise WeightsError(
                f"{place} holds no model.safetensors. Weights in pickle files (.bin, .pt) are not "
                "read; save the model again as safetensors."
            )
    elif is_file and place.suffix == ".safetensors" and architecture:
        family, backend, kind, files = "timm", "timm", architecture, [place]
    elif is_file:
        raise WeightsError(
            f"{place} does not say what it is: give a folder with its config.json, or a "
            ".safetensors file and architecture='...', the name of the model in timm."
        )
    else:
        raise WeightsError(f"{place} is no model: there is no such file or folder.")
    shapes = {name: shape for file in files for name, shape in shapes_in(file).items()}
    size = sum(file.stat().st_size for file in files)
    millions = round(sum(map(math.prod, shapes.values())) / 1e6, 1)
    return Found(place, family, backend, kind, millions, round(size / 1e6), files[0].name)


def _kind(folder: Path) -> tuple[str, str, str]:
    """Family, backend and architecture of a folder."""
    config = config_of(folder)
    kind = config.get("model_type")
    if isinstance(kind, str) and kind in _TYPES:
        family, name = _TYPES[kind]
        return family, "transformers", name
    named = config.get("architecture")  # as timm writes it
    if isinstance(named, str) and "pretrained_cfg" in config:
        return "timm", "timm", named
    raise WeightsError(
        f"{folder} holds a model of the type {kind!r}, which is not used to describe pictures: "
        f"its config.json must say one of {', '.join(_TYPES)}, or be one of timm."
    )


def config_of(folder: Path) -> dict[str, Any]:
    """The ``config.json`` of a folder.

    Raises
    ------
    WeightsError
        It is missing, or no configuration.
    """
    return _json(folder / "config.json")


def _json(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > _LARGEST:
            raise WeightsError(f"{file} is too long for a configuration. Get it again.")
        return dict(json.loads(file.read_bytes()))
    except FileNotFoundError:
        raise WeightsError(
            f"{file.parent} is no model: it has no {file.name}. Get it from where the weights are."
        ) from None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "it is damaged, or no configuration"
        raise WeightsError(f"{file} cannot be read: {reason}. Get it again.") from error


def colours_of(path: Path) -> Colours:
    """Mean and deviation of the colours, in [0, 1], that the model at `path` was trained on.

    From ``preprocessor_config.json`` (transformers) or ``config.json`` (timm) where they say it,
    else those of ImageNet.

    Raises
    ------
    WeightsError
        A file says something else than three numbers each.
    """
    if not path.is_dir():
        return _IMAGENET
    for name, keys in (
        ("preprocessor_config.json", ("image_mean", "image_std")),
        ("config.json", ("mean", "std")),
    ):
        file = path / name
        if not file.is_file():
            continue
        content = _json(file)
        said = content.get("pretrained_cfg", content)
        if isinstance(said, Mapping) and all(key in said for key in keys):
            try:
                mean, deviation = (_three(said[key]) for key in keys)
                if min(deviation) > 0:
                    return mean, deviation
            except (TypeError, ValueError):
                pass
            raise WeightsError(
                f"{file} cannot be used: {' and '.join(keys)} must be three numbers each."
            )
    return _IMAGENET


def _three(numbers: Any) -> tuple[float, float, float]:
    red, green, blue = (float(number) for number in numbers)
    if not all(map(math.isfinite, (red, green, blue))):
        raise ValueError
    return red, green, blue
