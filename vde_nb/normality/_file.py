"""Saved models of normality: what goes into the file, and a model from what came out of it.

One file (see :mod:`vde_nb.normality._container`) holds the arrays of every kind of model, and as
JSON what is no array: settings, the features and what their answers depend on, calibration, names
and times of the normal pictures. Those pictures, the reference among them, are PNG files in it, so
that a model that was read can go on learning.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._png import png
from vde_nb._progress import report
from vde_nb._version import __version__
from vde_nb._write import expand, write_atomically
from vde_nb.errors import MissingExtraError, SettingError, VdeError, WeightsError
from vde_nb.images import Picture, Source
from vde_nb.normality._bank import Bank
from vde_nb.normality._calibrate import Calibration, Fitted
from vde_nb.normality._choose import Choice, Trial
from vde_nb.normality._container import Arrays, pack, unpack
from vde_nb.normality._kinds import KINDS
from vde_nb.normality.base import Bool, Frame, Grid, UInt8
from vde_nb.normality.normality import Normality, Parts
from vde_nb.settings import Settings

__all__ = ["ENDING", "load", "save"]

#: How files of saved models end, by which a panel finds them.
ENDING = ".normality.safetensors"

_NOTHING = np.zeros((0, 0, 0), np.float16)


def save(
    model: Normality,
    path: str | os.PathLike[str],
    overwrite: bool = False,
    normals: bool = True,
) -> Path:
    """Write a model into one file, whole or not at all.

    Parameters
    ----------
    model
        The model.
    path
        Where to. A name without ``.safetensors`` at its end gets ``.normality.safetensors``.
    overwrite
        Replace a file that exists.
    normals
        Whether the normal pictures go into the file. Without them it is much smaller and shows
        nothing of them, but a model that is read from it cannot be updated.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        The file exists or cannot be written; nothing is left behind.
    """
    target = expand(path)
    if not target.name.endswith(".safetensors"):
        target = target.with_name(target.name + ENDING)
    parts = model._parts
    bank = parts.bank if normals else Bank((), np.zeros(0), parts.bank.seen)
    arrays: Arrays = {"reference": _packed(parts.reference.array)}
    for kind, part in parts.choice.parts.items():
        arrays |= {f"kind.{kind}.{name}": array for name, array in part.kind.arrays().items()}
    for number, frame in enumerate(bank):
        report("Saving normal pictures", number / len(bank))
        arrays[f"normal.{number}"] = _packed(frame.levelled)
        if frame.valid is not None:
            arrays[f"shown.{number}"] = _packed(frame.valid)
    return write_atomically(target, pack(arrays, _about(parts, bank)), overwrite=overwrite)


def load(path: str | os.PathLike[str]) -> Normality:
    """Read a saved model.

    Parameters
    ----------
    path
        A file from :func:`save`.

    Returns
    -------
    Normality
        It finds what the saved one found. Its normal pictures are described again when it learns
        more.

    Raises
    ------
    WeightsError
        There is no such file, it is damaged, not a saved model or of another version, or the
        weights of the features' model cannot be had.
    SettingError
        The features it was fitted with do not exist here, or give other answers than then.
    MissingExtraError
        What the features or the kind of model need is not installed.
    """
    try:
        place = expand(path)
    except VdeError as error:
        raise WeightsError(f"{path!r} is no file of a saved model: {error}") from error
    arrays, about = unpack(place)
    try:
        parts = _parts(arrays, about, place)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        # A file whose digest is right and whose content is not was made up, or by another version.
        raise WeightsError(
            f"{place} cannot be used: it was saved by vde-nb {_made_with(about)}, this is "
            f"{__version__}, and what it holds does not fit. Fit the model again."
        ) from error
    _check_features(parts, place)
    if parts.signature != about.get("signature"):
        raise WeightsError(
            f"{place} was saved by vde-nb {_made_with(about)}, which computed its evidence in "
            f"another way than this version, {__version__}: fit the model again."
        )
    return _Saved(parts)


class _Saved(Normality):
    """A model whose normal pictures have no embeddings yet."""

    def update(
        self, image: Source, weight: float = 1.0, half_life: float | None = None
    ) -> Normality:
        """As :meth:`Normality.update`; the first time, all normal pictures are described anew."""
        parts = self._parts
        frames = list(parts.bank)
        if parts.features and any(frame.values.size == 0 for frame in frames):
            for number, frame in enumerate(frames):
                report("Describing the normal pictures", number / len(frames))
                values = self.described(frame.levelled, frame.valid, frame.name).values
                frames[number] = replace(frame, values=values)
            bank = replace(parts.bank, frames=tuple(frames))
            self._parts = replace(parts, bank=bank)
        return super().update(image, weight, half_life)


def _about(parts: Parts, bank: Bank) -> dict[str, Any]:
    """What is no array, as JSON holds it."""
    choice = parts.choice
    return {
        "made_with": __version__,
        "signature": parts.signature,
        "settings": parts.settings.to_dict(),
        "features": {
            "name": parts.features,
            "identity": parts.identity,
            "layers": parts.settings.difference.feature_layers,
            "zoom": parts.settings.difference.feature_zoom,
        },
        "grid": asdict(parts.grid),
        "reference": {"name": parts.reference.name, "notes": list(parts.reference.notes)},
        "kind": choice.kind,
        "kinds": {
            name: {"facts": dict(part.kind.facts()), "calibration": asdict(part.calibration)}
            for name, part in choice.parts.items()
        },
        "outliers": list(choice.outliers),
        "trials": [asdict(trial) for trial in choice.trials],
        "normals": [
            {
                "name": frame.name,
                "weight": float(weight),
                "time": None if frame.time is None else frame.time.isoformat(),
            }
            for frame, weight in zip(bank, bank.weights, strict=True)
        ],
        "seen": bank.seen,
        "model": parts.model,
        "seed": parts.seed,
        "cache_bytes": parts.cache_bytes,
        "skipped": [list(one) for one in parts.skipped],
        "remarks": list(parts.remarks),
    }


def _parts(arrays: Arrays, about: Mapping[str, Any], path: Path) -> Parts:
    """Everything a model is made of; any error a wrong value leads to goes through."""
    grid = about["grid"]
    height, width = (int(side) for side in grid["shape"])
    cell_w, cell_h = (float(side) for side in grid["cell"])
    shape = height, width
    if not (min(cell_w, cell_h) >= 1e-3 and max(cell_w, cell_h) < 1e6):
        raise ValueError(grid)
    reference = _picture(arrays["reference"], shape)
    reference.setflags(write=False)
    how = about["features"]
    settings = Settings.from_dict(
        {**about["settings"], "feature_layers": how["layers"], "feature_zoom": how["zoom"]}
    )
    return Parts(
        Picture(reference, str(about["reference"]["name"]), _words(about["reference"]["notes"])),
        settings,
        str(how["name"]),
        str(how["identity"]),
        Grid(shape, (cell_w, cell_h), bool(grid["positional"])),
        _bank(arrays, about, shape),
        _choice(arrays, about, path),
        str(about["model"]),
        int(about["seed"]),
        int(about["cache_bytes"]),
        tuple((str(name), str(why)) for name, why in about["skipped"]),
        _words(about["remarks"]),
    )


def _choice(arrays: Arrays, about: Mapping[str, Any], path: Path) -> Choice:
    parts = {}
    for name, saved in about["kinds"].items():
        if name not in KINDS:
            raise WeightsError(
                f"{path} holds a kind of model {name!r}, which this version of vde-nb does not "
                f"have: {', '.join(KINDS)}. Use the version it was saved with, "
                f"{_made_with(about)}, or fit the model again."
            )
        own = f"kind.{name}."
        kind = KINDS[name].restore(
            {key.removeprefix(own): array for key, array in arrays.items() if key.startswith(own)},
            saved["facts"],
        )
        law = Calibration(**saved["calibration"])
        if not (np.isfinite([law.location, law.scale, law.count]).all() and law.scale > 0):
            raise ValueError(law)
        parts[name] = Fitted(kind, law)
    if not parts:
        raise ValueError("no kind of model")
    trials = tuple(Trial(**trial) for trial in about["trials"])
    return Choice(str(about["kind"]), parts, _words(about["outliers"]), trials)


def _bank(arrays: Arrays, about: Mapping[str, Any], shape: tuple[int, int]) -> Bank:
    """The normal pictures, without embeddings."""
    frames, weights = [], []
    for number, saved in enumerate(about["normals"]):
        shown: Bool | None = None
        if f"shown.{number}" in arrays:
            shown = _picture(arrays[f"shown.{number}"], shape, cv2.IMREAD_GRAYSCALE) > 0
        frames.append(
            Frame(
                str(saved["name"]),
                _picture(arrays[f"normal.{number}"], shape),
                shown,
                _NOTHING,
                None if saved["time"] is None else datetime.fromisoformat(saved["time"]),
            )
        )
        weights.append(float(saved["weight"]))
    found = np.array(weights, np.float64)
    if not (np.isfinite(found).all() and (found > 0).all()):
        raise ValueError("weights")
    return Bank(tuple(frames), found, int(about["seen"]))


def _check_features(parts: Parts, path: Path) -> None:
    """Refuse a model whose features are not here, or answer otherwise than they did."""
    if not parts.features:
        return
    from vde_nb.features import open_features

    how = parts.settings.difference
    try:
        found = open_features(parts.features, how.feature_layers, how.feature_zoom)
    except (SettingError, WeightsError, MissingExtraError) as error:
        # The kind of error stays: what it is about is what is to be done.
        raise type(error)(
            f"{path} was fitted with the features {parts.features!r}, which cannot be had here: "
            f"{error}"
        ) from error
    if found.identity != parts.identity:
        raise SettingError(
            f"{path} was fitted with the features {parts.features!r} as they were then "
            f"({parts.identity}); here they are others ({found.identity}), whose distances mean "
            "something else. Bring back what has changed (weights, function, version of vde-nb), "
            "or fit the model again. A function of yours keeps its identity over sessions when it "
            "is added with vde_nb.features' add_features(name, function, version=...)."
        )


def _packed(picture: UInt8 | Bool) -> UInt8:
    return np.frombuffer(png(picture), np.uint8)


def _picture(data: npt.NDArray[Any], shape: tuple[int, int], how: int = cv2.IMREAD_COLOR) -> UInt8:
    """Open a PNG file that must have this shape; RGB, or grey as asked for."""
    start = data[:24].tobytes()
    width, height = (int.from_bytes(start[i : i + 4], "big") for i in (16, 20))
    # What it would take in memory is in its first bytes: nothing larger is ever opened.
    if data.dtype != np.uint8 or start[:8] != b"\x89PNG\r\n\x1a\n" or (height, width) != shape:
        raise ValueError("not a picture of the size of the reference")
    found = cv2.imdecode(data, how)
    if found is None or found.shape[:2] != shape or found.dtype != np.uint8:
        raise ValueError("a picture that cannot be opened")
    if how == cv2.IMREAD_COLOR:
        found = cv2.cvtColor(found, cv2.COLOR_BGR2RGB)
    return np.asarray(found, np.uint8)


def _words(values: Any) -> tuple[str, ...]:
    return tuple(str(value) for value in values)


def _made_with(about: Any) -> str:
    version = about.get("made_with") if isinstance(about, Mapping) else None
    return str(version)[:20] if version else "of an unknown version"
