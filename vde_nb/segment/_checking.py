"""Whether weights are what they are called: checksums held against those that are known."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from vde_nb.errors import WeightsError
from vde_nb.segment._digests import checksum_of, note_checksum
from vde_nb.segment._download import file_hash
from vde_nb.segment._identify import Found, identify

if TYPE_CHECKING:
    from vde_nb.segment.weights import Weights

__all__ = ["VARIABLE", "gone", "problem", "remedy", "said", "verify"]

#: Names a file or folder where weights are looked for first.
VARIABLE = "VDE_NB_WEIGHTS"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAMES = {"sha256": "SHA-256", "md5": "MD5"}
# Of the size in the table, less the MB it is rounded to: some of those sizes are estimates.
_WHOLE = 0.9


def problem(weights: Weights, *, read: bool = True) -> str:
    """Say in words why weights are not those that were published, and what to do about it.

    A file is read once; the verdict is remembered as long as its size and its time stay the same,
    also by later processes. What a user added is not checked: nothing is known about it.

    Parameters
    ----------
    weights
        As they were found.
    read
        Read a large file that was not checked before. Otherwise only what is remembered counts,
        and its size.

    Returns
    -------
    str
        Empty when they are right, or when there is nothing to hold them against.
    """
    if weights.model.path is not None:
        return ""
    files = weights.files
    if not files:
        return f"{gone(weights)} {remedy(weights)}"
    expected = _expected(weights, files)
    is_sure = len(expected) == len(files)
    told = ""
    try:
        for file, digest in expected.items():
            algorithm, _, begin = digest.partition(":")
            found = checksum_of(file, algorithm, weights.model.title, read=read)
            is_sure &= bool(found)
            if found and not found.startswith(begin):
                told = _mismatch(file, algorithm, found, begin)
                break
        if not (is_sure or told):
            told = _cut_off(weights, files)
    except OSError as error:
        told = _unreadable(weights, error)
    return f"{told} {remedy(weights)}" if told else ""


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
        return gone(weights)
    expected = _expected(weights, files)
    try:
        if weights.where != "given" and len(expected) < len(files):
            told = _cut_off(weights, files)
            if told:
                return told
        if model.backend == "transformers" or not expected:
            found = _identified(weights)
            if found.architecture != model.architecture:
                return (
                    f"{weights.path} holds a {found.architecture}, and {model.title} is a "
                    f"{model.architecture}."
                )
        for file, digest in expected.items():
            algorithm, _, begin = digest.partition(":")
            checksum = file_hash(file, algorithm, model.title)
            note_checksum(file, algorithm, checksum)
            if not checksum.startswith(begin):
                return _mismatch(file, algorithm, checksum, begin)
    except WeightsError as error:
        return str(error)
    except OSError as error:
        return _unreadable(weights, error)
    return ""


def _identified(weights: Weights) -> Found:
    """What the weights are, whatever their model is for."""
    from vde_nb.features.models import is_feature_model

    model = weights.model
    if not is_feature_model(model):
        return identify(weights.path)
    from vde_nb.features._identify import identify_features

    # a file of timm does not say what it is
    return identify_features(weights.path, model.architecture if model.backend == "timm" else "")


def remedy(weights: Weights) -> str:
    """What to do about weights that are wrong, as a sentence."""
    command = f"vde-nb weights download {weights.model.name}"
    if weights.model.path is not None:
        return "Get it again from where it came."
    if weights.where == VARIABLE:
        return f"Delete it, or unset {VARIABLE}; then run `{command}`."
    return f"To get it again, run `{command} --force`."


def gone(weights: Weights) -> str:
    """Say that weights which were found are not there."""
    return (
        f"{weights.model.title} is not at {weights.path} (any more): the weights were moved, or "
        "only a part of them is there."
    )


def said(file: Path) -> Path:
    """Where it lies what the hub said about `file`, in the form of the program sha256sum."""
    return file.with_name(f"{file.name}.sha256")


def _mismatch(file: Path, algorithm: str, found: str, begin: str) -> str:
    kind = _NAMES.get(algorithm, algorithm)
    short = "" if len(begin) == len(found) else "beginning with "
    return f"{file} is not the published file: its {kind} is {found}, not {short}{begin}."


def _cut_off(weights: Weights, files: list[Path]) -> str:
    size = sum(file.stat().st_size for file in files) / 1e6
    if size >= _WHOLE * weights.model.megabytes - 1:
        return ""
    return (
        f"{weights.path} is cut off, or another file: {size:.0f} of {weights.model.megabytes} MB."
    )


def _unreadable(weights: Weights, error: OSError) -> str:
    return f"{error.filename or weights.path} cannot be read: {error.strerror}."


def _expected(weights: Weights, files: list[Path]) -> dict[Path, str]:
    """Checksums that are known, by the file."""
    model = weights.model
    is_ours = weights.where != "given" and bool(model.digest) and len(files) == 1
    # The hub's own library may have fetched a later version: there the hub's word counts.
    if is_ours and weights.where != "hub cache":
        return {files[0]: model.digest}
    known = {}
    for file in files:
        with suppress(OSError, UnicodeDecodeError, IndexError):
            name = file.resolve().name  # in the hub's cache a link to a file called by its SHA-256
            if said(file).is_file():
                name = said(file).read_text(encoding="ascii").split()[0]
            if _SHA256.fullmatch(name):
                known[file] = f"sha256:{name}"
    return known or ({files[0]: model.digest} if is_ours else {})
