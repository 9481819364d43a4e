"""Saved models of normality: what goes into the file, and a model from what came out of it.

One file (see :mod:`vde_nb.normality._container`) holds the arrays of every kind of model, and as
JSON what is no array: settings, the features and what their answers depend on, calibration, names
and times of the normal pictures. Those pictures, the reference among them, are PNG files in it, so
that a model that was read can go on learning.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from vde_nb._progress import report
from vde_nb._version import __version__
from vde_nb._write import expand, write_atomically
from vde_nb.errors import MissingExtraError, OutputError, SettingError, VdeError, WeightsError
from vde_nb.features._user import is_lasting
from vde_nb.images import Picture
from vde_nb.normality._bank import Bank
from vde_nb.normality._calibrate import Calibration, Fitted
from vde_nb.normality._choose import PIXELS, Choice, Trial
from vde_nb.normality._container import (
    Arrays,
    check_room,
    pack,
    packed_picture,
    unpack,
    unpacked_picture,
)
from vde_nb.normality._kinds import KINDS
from vde_nb.normality.base import Bool, Frame, Grid
from vde_nb.normality.normality import Normality, Parts
from vde_nb.settings import Settings

if TYPE_CHECKING:
    from vde_nb.features.base import Extractor

__all__ = ["ENDING", "load", "save", "target_of"]

#: How files of saved models end, by which a panel finds them.
ENDING = ".normality.safetensors"

_NOTHING = np.zeros((0, 0, 0), np.float16)


def target_of(path: str | os.PathLike[str]) -> Path:
    """The file that :func:`save` writes for this name.

    Parameters
    ----------
    path
        A name. One without ``.safetensors`` at its end gets ``.normality.safetensors``; ``~`` is
        the home folder.

    Raises
    ------
    OutputError
        It is no name of a file.

    Examples
    --------
    >>> target_of("line").name, target_of("line.safetensors").name
    ('line.normality.safetensors', 'line.safetensors')
    """
    target = expand(path)
    if target.name in ("", ".."):
        raise OutputError(f"{os.fspath(path)!r} is a folder; give the name of a file in it.")
    if target.name.endswith(".safetensors"):
        return target
    return target.with_name(target.name + ENDING)


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
        Where to, see :func:`target_of`.
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
    SettingError
        Its features are a function without a version, which no other session could tell from
        another function of that name.
    """
    target = target_of(path)
    parts = model._parts
    if not is_lasting(parts.identity):
        raise SettingError(
            f"This model describes pictures with {parts.features!r}, a function without a version, "
            "and could not be used in another session: "
            f"vde_nb.add_features({parts.features!r}, function, version='1') before fitting."
        )
    bank = parts.bank if normals else Bank((), np.zeros(0), parts.bank.seen)
    arrays: Arrays = {"reference": packed_picture(parts.reference.array)}
    for kind, part in parts.choice.parts.items():
        arrays |= {f"kind.{kind}.{name}": array for name, array in part.kind.arrays().items()}
    for number, frame in enumerate(bank):
        report("Saving normal pictures", number / len(bank))
        arrays[f"normal.{number}"] = packed_picture(frame.levelled)
        if frame.valid is not None:
            arrays[f"shown.{number}"] = packed_picture(frame.valid)
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
        more. Nothing is downloaded.

    Raises
    ------
    WeightsError
        There is no such file, it is damaged, not a saved model or of another version, or the
        weights of the features' model are not on this machine.
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
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        IndexError,
        ArithmeticError,
        cv2.error,
    ) as error:
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
    return Normality(parts)


@dataclass(frozen=True, eq=False)
class _Undescribed(Bank):
    """Normal pictures as a file holds them: described as soon as another one is added.

    Attributes
    ----------
    extractor
        Opens what describes them.
    """

    extractor: Callable[[], Extractor] = field(kw_only=True)

    def added(self, frame: Frame, weight: float, fade: float, limit: int) -> Bank:
        """As :meth:`Bank.added`; what it returns is a usual bank."""
        described = Bank(self._described, self.weights, self.seen)
        return described.added(frame, weight, fade, limit)

    @cached_property  # so that learning that was cancelled is quicker the next time
    def _described(self) -> tuple[Frame, ...]:
        extractor = self.extractor()
        frames = []
        for number, frame in enumerate(self):
            report("Describing the normal pictures", number / len(self))
            # As it was when it was learned: on the reference and under its light already.
            values = extractor(frame.levelled, frame.name).values.astype(np.float16)
            frames.append(replace(frame, values=values))
        return tuple(frames)


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
    how = about["features"]
    settings = Settings.from_dict(
        {**about["settings"], "feature_layers": how["layers"], "feature_zoom": how["zoom"]}
    )
    choice, grid = _choice(arrays, about, path), _grid(arrays, about)
    count, seed, limit = (int(about[name]) for name in ("seen", "seed", "cache_bytes"))
    model, features = about["model"], str(how["name"])
    if count < len(about["normals"]) or seed < 0 or limit < 1 or model not in ("auto", *KINDS):
        raise ValueError((count, seed, limit, model))
    check_room(arrays, grid.shape, settings.images.max_megapixels)
    reference = unpacked_picture(arrays["reference"], grid.shape)
    reference.setflags(write=False)
    bank = _bank(arrays, about, grid.shape)
    if features and len(bank):
        opened = partial(_opened, features, settings)
        bank = _Undescribed(bank.frames, bank.weights, bank.seen, extractor=opened)
    return Parts(
        Picture(reference, str(about["reference"]["name"]), _words(about["reference"]["notes"])),
        settings,
        features,
        str(how["identity"]),
        grid,
        bank,
        choice,
        model,
        seed,
        limit,
        tuple((str(name), str(why)) for name, why in about["skipped"]),
        _words(about["remarks"]),
    )


def _choice(arrays: Arrays, about: Mapping[str, Any], path: Path) -> Choice:
    parts = {}
    for name, saved in about["kinds"].items():
        if name not in KINDS:
            raise WeightsError(
                f"{path} holds a kind of model {name[:40]!r}, which this version of vde-nb does "
                f"not have: {', '.join(KINDS)}. Use the version it was saved with, "
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
    trials = tuple(
        Trial(one["kind"], float(one["found"]), float(one["evidence"]), int(one["defects"]))
        for one in about["trials"]
    )
    if about["kind"] not in parts or not {trial.kind for trial in trials} <= KINDS.keys():
        raise ValueError(about["kind"])
    return Choice(about["kind"], parts, _words(about["outliers"]), trials)


def _grid(arrays: Arrays, about: Mapping[str, Any]) -> Grid:
    """How the cells lie on the picture, which is as large as the arrays in the file say."""
    said = about["grid"]
    height, width = (int(side) for side in said["shape"])
    cell_w, cell_h = (float(side) for side in said["cell"])
    for name in about["kinds"]:
        if name == PIXELS:
            continue
        rows, columns = arrays[f"kind.{name}.scale"].shape
        # The last cells may hang over, and a small picture is but a part of one.
        for side, covered in ((height, rows * cell_h), (width, columns * cell_w)):
            if not 0.99 * side <= covered <= 2 * side + 64:
                raise ValueError(said)
    # Of every pixel the file holds a mean and a deviation: whoever claims a huge picture to make
    # this reserve memory has to send a huge file.
    if any(
        arrays[f"kind.{PIXELS}.{name}"].shape != (3, height, width)
        for name in ("mean", "deviation")
    ):
        raise ValueError(said)
    return Grid((height, width), (cell_w, cell_h), bool(said["positional"]))


def _bank(arrays: Arrays, about: Mapping[str, Any], shape: tuple[int, int]) -> Bank:
    """The normal pictures, without embeddings."""
    frames, weights = [], []
    for number, saved in enumerate(about["normals"]):
        shown: Bool | None = None
        if f"shown.{number}" in arrays:
            shown = unpacked_picture(arrays[f"shown.{number}"], shape)[..., 0] > 0
        frames.append(
            Frame(
                str(saved["name"]),
                unpacked_picture(arrays[f"normal.{number}"], shape),
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


def _opened(features: str, settings: Settings) -> Extractor:
    from vde_nb.features import open_features

    how = settings.difference
    return open_features(features, how.feature_layers, how.feature_zoom)


def _check_features(parts: Parts, path: Path) -> None:
    """Refuse a model whose features are not here, or answer otherwise than they did."""
    if not parts.features:
        return
    try:
        _check_weights(parts.features)
        found = _opened(parts.features, parts.settings)
    except (SettingError, WeightsError, MissingExtraError) as error:
        # The kind of error stays: what it is about is what is to be done.
        raise type(error)(
            f"{path} was fitted with the features {parts.features[:80]!r}, which cannot be had "
            f"here: {error}"
        ) from error
    if found.identity != parts.identity:
        raise SettingError(
            f"{path} was fitted with the features {parts.features!r} as they were then "
            f"({parts.identity}); here they are others ({found.identity}), whose distances mean "
            "something else. Bring back what has changed (weights, function, version of vde-nb), "
            "or fit the model again. A function of yours keeps its identity over sessions when it "
            "is added with vde_nb.add_features(name, function, version=...)."
        )


def _check_weights(features: str) -> None:
    """Refuse weights that would be downloaded: what a file names was not asked for by anyone."""
    from vde_nb.features import check_features
    from vde_nb.features.models import model_called
    from vde_nb.segment.weights import find

    check_features(features, installed=True)
    model = model_called(features)
    if model is None or model.path is not None or find(model) is not None:
        return
    size = f"{model.megabytes} MB from " if model.megabytes else ""
    first = f"First {model.access}. " if model.access else ""
    raise WeightsError(
        f"the weights of {model.title} are not on this machine, and reading a saved model "
        f"downloads nothing. {first}Run `vde-nb weights download {model.name}` ({size}"
        f"{model.address}), then read it again."
    )


def _words(values: Any) -> tuple[str, ...]:
    return tuple(str(value) for value in values)


def _made_with(about: Any) -> str:
    version = about.get("made_with") if isinstance(about, Mapping) else None
    return str(version)[:20] if version else "of an unknown version"
