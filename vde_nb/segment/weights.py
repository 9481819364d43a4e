"""Weights of the models: found where they are, otherwise downloaded, and checked.

They are looked for in ``VDE_NB_WEIGHTS`` (a file or folder, or several), in the cache folder of
vde-nb, and in the cache of the Hugging Face hub, in this order. What is downloaded goes into the
cache folder of vde-nb, also from the hub: the hub's own library throws away what has arrived when
it is interrupted, and cannot be stopped while it works.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Hashable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vde_nb._cache_folder import cache_folder
from vde_nb.errors import SettingError, WeightsError
from vde_nb.segment._checking import VARIABLE, gone, problem, remedy, said, verify
from vde_nb.segment._digests import content_digest, note_checksum
from vde_nb.segment._download import FetchError, fetch
from vde_nb.segment._identify import weights_in
from vde_nb.segment._partial import write_afresh
from vde_nb.segment.models import MODELS, Model

__all__ = [
    "Weights",
    "all_models",
    "download",
    "find",
    "folders",
    "note",
    "obtain",
    "offline",
    "problem",
    "remedy",
    "verify",
]

_HUB = "https://huggingface.co"
# What says how a model of transformers wants its input; not every folder has one.
_INPUT = ("preprocessor_config.json", "processor_config.json")
_COMMIT = re.compile(r"[0-9a-f]{40}")
# Backends whose models lie in a folder of their own.
_IN_FOLDERS = ("transformers", "timm")
# An attempt to download that fails faster than this many seconds is made again at once.
_SLOW = 0.1
# What an attempt depends on besides the model.
_SURROUNDINGS = ("VDE_NB_OFFLINE", "HF_HUB_OFFLINE", "HF_ENDPOINT", "VDE_NB_CACHE")
_failures: dict[Hashable, tuple[float, str]] = {}


@dataclass(frozen=True)
class Weights:
    """Weights that are on this machine.

    Attributes
    ----------
    model
        What they are of.
    path
        A file, or a folder with ``config.json`` and ``model.safetensors``.
    where
        How they were found: ``"VDE_NB_WEIGHTS"``, ``"cache"``, ``"hub cache"`` or ``"given"``.
    """

    model: Model
    path: Path
    where: str

    @property
    def files(self) -> list[Path]:
        """The files that hold tensors; empty when something is missing."""
        if self._in_folder:
            return weights_in(self.path)
        return [self.path] if _is_file(self.path) else []

    @property
    def _in_folder(self) -> bool:
        # a model of timm that a user added may be a file
        return self.model.backend in _IN_FOLDERS and not _is_file(self.path)

    @property
    def digest(self) -> str:
        """Names the content: 32 hexadecimal digits, the same wherever the files lie.

        Raises
        ------
        WeightsError
            They are not there any more.
        """
        files = self.files
        if not files:
            raise WeightsError(gone(self))
        if self._in_folder:
            said = (self.path / name for name in _INPUT)
            files = [*files, self.path / "config.json", *filter(_is_file, said)]
        return content_digest(files, self.model.title)


def all_models() -> dict[str, Model]:
    """Every model by its name: those that draw outlines, then those that describe pictures."""
    from vde_nb.features.models import FEATURE_MODELS  # which is made of `Model`

    return {**MODELS, **FEATURE_MODELS}


# --- finding


def folders() -> list[Path]:
    """Where weights are looked for, in this order; not all of them need exist."""
    return list(dict.fromkeys([*_named(), *_own_if_any(), _hub_cache()]))


def find(model: Model) -> Weights | None:
    """Say where the weights of `model` are on this machine; None when they are not.

    Cheap: looks at names only.
    """
    if model.path is not None:
        given = Weights(model, model.path, "given")
        return given if given.files else None
    for place in _named():
        path = _at(model, place) or _below(model, place)
        if path is not None:
            return Weights(model, path, VARIABLE)
    for place in _own_if_any():
        path = _below(model, place)
        if path is not None:
            return Weights(model, path, "cache")
    path = _in_hub(model, _hub_cache())
    return Weights(model, path, "hub cache") if path is not None else None


def note() -> str:
    """Say what is wrong with ``VDE_NB_WEIGHTS``, in words; empty when nothing is."""
    for place in _named():
        if not _exists(place):
            return f"{VARIABLE} names {place}, which is not there."
        if not any(_at(model, place) or _below(model, place) for model in all_models().values()):
            return (
                f"{VARIABLE} names {place}, which holds no weights by the names they have "
                "(`vde-nb weights list`); a checkpoint of your own is added with add_model()."
            )
    return ""


def _own() -> Path:
    return cache_folder() / "weights"


def _own_if_any() -> list[Path]:
    """The cache folder, or nothing where ``VDE_NB_CACHE`` makes no sense: nothing is kept then."""
    with suppress(SettingError):
        return [_own()]
    return []


def _named() -> list[Path]:
    places = []
    for name in os.environ.get(VARIABLE, "").split(os.pathsep):
        if name.strip():
            with suppress(RuntimeError):  # a home folder of somebody unknown
                places.append(Path(name.strip()).expanduser().absolute())
    return places


def _hub_cache() -> Path:
    """Where the hub's library keeps its files, by the variables it obeys."""
    home = os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")  # noqa: PTH118
    hub = os.path.join(os.environ.get("HF_HOME") or home, "hub")  # noqa: PTH118
    name = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or hub
    return Path(os.path.expanduser(os.path.expandvars(name))).absolute()  # noqa: PTH111


def _exists(path: Path) -> bool:
    with suppress(OSError):
        return path.exists()
    return False


def _is_file(path: Path) -> bool:
    with suppress(OSError):
        return path.is_file() and path.stat().st_size > 0
    return False


def _is_model(folder: Path) -> bool:
    return _is_file(folder / "config.json") and bool(weights_in(folder))


def _folder_of(model: Model) -> str:
    """Name of the folder in the cache: no file of Windows may have the colon of ``timm:``."""
    return model.name.replace(":", "--")


def _names(model: Model) -> tuple[str, ...]:
    """What a folder of the model may be called: ours, and as people and the hub do."""
    whose, _, name = model.repo.partition("/")
    return _folder_of(model), name, f"{whose}--{name}", f"models--{whose}--{name}"


def _at(model: Model, place: Path) -> Path | None:
    """`place` when it is itself what `model` needs.

    Files of the hub have the same names whatever they are of, so a folder must be called after its
    model.
    """
    if not model.repo:
        return place if place.name == model.file and _is_file(place) else None
    folder = place.parent if place.name == model.file else place
    called = {part.name for part in (folder, *list(folder.parents)[:2])}  # .../snapshots/<commit>
    return folder if called & set(_names(model)) and _is_model(folder) else None


def _below(model: Model, folder: Path) -> Path | None:
    """What `model` needs, in `folder`."""
    if not model.repo:
        places = (folder / model.file, folder / _folder_of(model) / model.file)
        return next((place for place in places if _is_file(place)), None)
    for name in (*_names(model), model.repo):
        if _is_model(folder / name):
            return folder / name
    return _in_hub(model, folder)


def _in_hub(model: Model, hub: Path) -> Path | None:
    """The best complete snapshot in a folder laid out as the hub's cache."""
    if not model.repo:
        return None
    folder = hub / _names(model)[-1]
    commits = [model.revision]
    with suppress(OSError, ValueError):
        commits.append((folder / "refs" / "main").read_text(encoding="ascii").strip())
    places = [folder / "snapshots" / one for one in commits if _COMMIT.fullmatch(one)]
    with suppress(OSError):
        rest = [place for place in (folder / "snapshots").iterdir() if place.is_dir()]
        places += sorted(rest, key=lambda place: (place.stat().st_mtime_ns, place), reverse=True)
    return next((place for place in places if _is_model(place)), None)


# --- getting


def obtain(model: Model, *, patience: float = 0.0) -> Weights:
    """Find the weights of `model`, otherwise download them; they are those that were published.

    Parameters
    ----------
    model
        As for :func:`download`.
    patience
        Seconds for which a slow attempt to download that failed is not made again: a blocked
        network may answer slowly, and a slider asks often.

    Returns
    -------
    Weights
        Where they are.

    Raises
    ------
    WeightsError
        As for :func:`download`.
    """
    if not patience or find(model) is not None:
        return download(model)
    attempt = model, *map(os.environ.get, _SURROUNDINGS)
    started = time.monotonic()
    failed = _failures.get(attempt)
    if failed is not None and started - failed[0] < patience:
        raise WeightsError(failed[1])
    try:
        return download(model)
    except WeightsError as error:
        if time.monotonic() - started > _SLOW:
            _failures[attempt] = time.monotonic(), str(error)
        raise


def download(
    model: Model, *, force: bool = False, schemes: Collection[str] = ("https",)
) -> Weights:
    """Download the weights of `model` into the cache folder, unless they are here.

    An interrupted download goes on where it stopped. The file gets its name when it is whole and
    its checksum right.

    Parameters
    ----------
    model
        See :func:`vde_nb.segment.models.get_model`.
    force
        Download them even if they are here.
    schemes
        Of addresses that are allowed.

    Returns
    -------
    Weights
        Where they are now.

    Raises
    ------
    WeightsError
        They cannot be had; the message says where they are and where to put them. With
        ``VDE_NB_OFFLINE=1`` or ``HF_HUB_OFFLINE=1`` nothing is tried. Or what is here is not what
        was published, see :func:`problem`.
    """
    found = None if force else find(model)
    if found is not None:
        told = problem(found)
        if told:
            raise WeightsError(told)
        return found
    if model.path is not None:
        raise WeightsError(gone(Weights(model, model.path, "given")))
    try:
        _own()
    except SettingError as error:  # of VDE_NB_CACHE
        raise WeightsError(f"{model.title} cannot be downloaded: {error}") from error
    forbidden = offline()
    if forbidden:
        raise WeightsError(_advice(model, f"{forbidden} forbids it"))
    try:
        return _from_hub(model, schemes) if model.repo else _from_address(model, schemes)
    except FetchError as error:
        why = str(error)
        if model.access and error.status in (401, 403):
            why = f"it is given only to those who asked ({why}): {model.access}"
        raise WeightsError(_advice(model, why)) from error


def _from_address(model: Model, schemes: Collection[str]) -> Weights:
    target = _own() / model.file
    named = fetch(model.address, target, digest=model.digest, what=model.title, schemes=schemes)
    _learn(target, named)
    return Weights(model, target, "cache")


def _from_hub(model: Model, schemes: Collection[str]) -> Weights:
    folder = _own() / _folder_of(model)
    start = os.environ.get("HF_ENDPOINT", "").rstrip("/") or _HUB
    address = f"{start}/{model.repo}/resolve/{model.revision or 'main'}/"
    token = _token() if model.access else ""
    fetch(
        address + "config.json",
        folder / "config.json",
        what=model.title,
        token=token,
        schemes=schemes,
        unchecked=True,  # the hub names checksums of its large files only
    )
    target = folder / model.file
    named = fetch(
        address + model.file,
        target,
        digest=model.digest,
        what=model.title,
        token=token,
        schemes=schemes,
    )
    _learn(target, named)
    if named.startswith("sha256:") and not model.digest:
        # What the hub said, for `verify`; in the form of the program sha256sum.
        with suppress(OSError):
            write_afresh(said(target), f"{named.partition(':')[2]}  {model.file}\n")
    return Weights(model, folder, "cache")


def _learn(file: Path, checksum: str) -> None:
    """Remember what a download was found to be, so that it is not read again for that."""
    algorithm, _, digits = checksum.partition(":")
    if digits:
        note_checksum(file, algorithm, digits)


def _token() -> str:
    """What `hf auth login` left, for the models that are given to known people only."""
    with suppress(ImportError):
        from huggingface_hub import get_token

        return get_token() or ""
    return ""


def offline() -> str:
    """The variable that forbids the network, with its value; empty when none does."""
    for name in ("VDE_NB_OFFLINE", "HF_HUB_OFFLINE"):
        value = os.environ.get(name, "")
        if value.strip().lower() in ("1", "on", "true", "yes"):
            return f"{name}={value}"
    return ""


def _incomplete(model: Model) -> str:
    """Say which half of a model of the hub is missing where the other lies; usually nothing."""
    if not model.repo:
        return ""
    places = [place / name for place in _places() for name in (*_names(model), model.repo)]
    named = [place for place in _named() if place.name in _names(model)]
    for folder in (*named, *places):
        has_config, has_weights = _is_file(folder / "config.json"), bool(weights_in(folder))
        if has_config != has_weights:
            missing = model.file if has_config else "config.json"
            return f"in {folder} {missing} is missing"
    return ""


def _places() -> list[Path]:
    return [*_named(), *_own_if_any()]


def _advice(model: Model, why: str) -> str:
    files = f"config.json and {model.file}" if model.repo else model.file
    folder = _own() / _folder_of(model) if model.repo else _own()
    problems = filter(None, (_incomplete(model), note().removesuffix(".")))
    told = "; ".join((why, *problems))
    return (
        f"{model.title} cannot be downloaded: {told}. Address: {model.address}. To do it by hand, "
        f"put {files} into {folder}."
    )
