"""Weights of the models: found where they are, otherwise downloaded, and checked.

They are looked for in ``VDE_NB_WEIGHTS`` (a file or folder, or several), in the cache folder of
vde-nb, and in the cache of the Hugging Face hub, in this order. What is downloaded goes into the
cache folder of vde-nb, also from the hub: the hub's own library throws away what has arrived when
it is interrupted, and cannot be stopped while it works.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vde_nb._cache_folder import cache_folder
from vde_nb.errors import SettingError, WeightsError
from vde_nb.segment._digests import content_digest
from vde_nb.segment._download import FetchError, fetch, file_hash
from vde_nb.segment._identify import identify, weights_in
from vde_nb.segment._partial import write_afresh
from vde_nb.segment.models import MODELS, Model

__all__ = ["Weights", "download", "find", "folders", "note", "obtain", "verify"]

_VARIABLE = "VDE_NB_WEIGHTS"
_HUB = "https://huggingface.co"
# What says how a model of transformers wants its input; not every folder has one.
_INPUT = ("preprocessor_config.json", "processor_config.json")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


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
        if self.model.backend == "transformers":
            return weights_in(self.path)
        return [self.path] if _is_file(self.path) else []

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
            raise WeightsError(_gone(self))
        if self.model.backend == "transformers":
            said = (self.path / name for name in _INPUT)
            files = [*files, self.path / "config.json", *filter(_is_file, said)]
        return content_digest(files, self.model.title)


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
            return Weights(model, path, _VARIABLE)
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
            return f"{_VARIABLE} names {place}, which is not there."
        if not any(_at(model, place) or _below(model, place) for model in MODELS.values()):
            return (
                f"{_VARIABLE} names {place}, which holds no weights by the names they have "
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
    for name in os.environ.get(_VARIABLE, "").split(os.pathsep):
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


def _names(model: Model) -> tuple[str, ...]:
    """What a folder of the model may be called: ours, and as people and the hub do."""
    whose, _, name = model.repo.partition("/")
    return model.name, name, f"{whose}--{name}", f"models--{whose}--{name}"


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
        places = (folder / model.file, folder / model.name / model.file)
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


def obtain(model: Model) -> Weights:
    """Find the weights of `model`, otherwise download them.

    Raises
    ------
    WeightsError
        As for :func:`download`.
    """
    return find(model) or download(model)


def download(
    model: Model, *, force: bool = False, schemes: Collection[str] = ("https",)
) -> Weights:
    """Download the weights of `model` into the cache folder, unless they are here.

    An interrupted download goes on where it stopped. The file gets its name when it is whole and
    its checksum right.

    Parameters
    ----------
    force
        Download them even if they are here.
    schemes
        Of addresses that are allowed.

    Raises
    ------
    WeightsError
        They cannot be had; the message says where they are, where to put them, and what is used
        meanwhile. With ``VDE_NB_OFFLINE=1`` or ``HF_HUB_OFFLINE=1`` nothing is tried.
    """
    found = None if force else find(model)
    if found is not None:
        return found
    if model.path is not None:
        raise WeightsError(_gone(Weights(model, model.path, "given")))
    try:
        _own()
    except SettingError as error:  # of VDE_NB_CACHE
        raise WeightsError(f"{model.title} cannot be downloaded: {error}") from error
    offline = _offline()
    if offline:
        raise WeightsError(_advice(model, f"{offline} forbids it"))
    try:
        return _from_hub(model, schemes) if model.repo else _from_address(model, schemes)
    except FetchError as error:
        why = str(error)
        if model.access and error.status in (401, 403):
            why = f"it is given only to those who asked ({why}): {model.access}"
        raise WeightsError(_advice(model, why)) from error


def _from_address(model: Model, schemes: Collection[str]) -> Weights:
    target = _own() / model.file
    fetch(model.address, target, digest=model.digest, what=model.title, schemes=schemes)
    return Weights(model, target, "cache")


def _from_hub(model: Model, schemes: Collection[str]) -> Weights:
    folder = _own() / model.name
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
    if named.startswith("sha256:") and not model.digest:
        # What the hub said, for `verify`; in the form of the program sha256sum.
        with suppress(OSError):
            write_afresh(_said(target), f"{named.partition(':')[2]}  {model.file}\n")
    return Weights(model, folder, "cache")


def _said(file: Path) -> Path:
    return file.with_name(f"{file.name}.sha256")


def _token() -> str:
    """What `hf auth login` left, for the models that are given to known people only."""
    with suppress(ImportError):
        from huggingface_hub import get_token

        return get_token() or ""
    return ""


def _offline() -> str:
    """The variable that forbids the network, with its value; empty when none does."""
    for name in ("VDE_NB_OFFLINE", "HF_HUB_OFFLINE"):
        value = os.environ.get(name, "")
        if value.strip().lower() in ("1", "on", "true", "yes"):
            return f"{name}={value}"
    return ""


def _gone(weights: Weights) -> str:
    return (
        f"{weights.model.title} is not at {weights.path} (any more): the weights were moved, or "
        "only a part of them is there."
    )


def _advice(model: Model, why: str) -> str:
    files = f"config.json and {model.file}" if model.repo else model.file
    folder = _own() / model.name if model.repo else _own()
    problem = note()
    return (
        f"{model.title} cannot be downloaded: {why}. Address: {model.address}. To do it by hand, "
        f"put {files} into {folder}{'' if not problem else f'. {problem[:-1]}'}. Meanwhile the "
        "embedded segmenter, graphcut, draws the outlines."
    )


# --- checking


def verify(weights: Weights) -> str:
    """Read the weights whole and say what is wrong with them, in words; empty when nothing is.

    The checksum is held against the one of the registry, otherwise against what the hub said when
    the file was downloaded. Of a file of the user's own only the make-up is checked.

    Raises
    ------
    MissingExtraError
        Only the model's library can tell, and it is not installed.
    """
    model, files = weights.model, weights.files
    if not files:
        return _gone(weights)
    expected = _expected(weights, files)
    try:
        if weights.where != "given" and len(expected) < len(files):
            size = sum(file.stat().st_size for file in files) / 1e6
            if size < model.megabytes - 1:
                return f"{weights.path} is cut off: {size:.0f} of {model.megabytes} MB."
        if model.backend == "transformers" or not expected:
            found = identify(weights.path)
            if found.architecture != model.architecture:
                return (
                    f"{weights.path} holds a {found.architecture}, and {model.title} is a "
                    f"{model.architecture}."
                )
        for file, digest in expected.items():
            algorithm, _, begin = digest.partition(":")
            checksum = file_hash(file, algorithm, model.title)
            if not checksum.startswith(begin):
                return (
                    f"{file} is not what it should be: its {algorithm.upper()} is {checksum} and "
                    f"should {'be' if len(begin) == len(checksum) else 'begin with'} {begin}."
                )
    except WeightsError as error:
        return str(error)
    except OSError as error:
        return f"{error.filename or weights.path} cannot be read: {error.strerror}."
    return ""


def _expected(weights: Weights, files: list[Path]) -> dict[Path, str]:
    """Checksums that are known, by the file."""
    model = weights.model
    if weights.where != "given" and model.digest and len(files) == 1:
        return {files[0]: model.digest}
    known = {}
    for file in files:
        with suppress(OSError, UnicodeDecodeError, IndexError):
            said = file.resolve().name  # in the hub's cache a link to a file called by its SHA-256
            if _is_file(_said(file)):
                said = _said(file).read_text(encoding="ascii").split()[0]
            if _SHA256.fullmatch(said):
                known[file] = f"sha256:{said}"
    return known
