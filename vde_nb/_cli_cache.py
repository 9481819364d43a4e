"""``vde-nb cache``: what is kept in the cache folder, and how to get rid of it."""

from __future__ import annotations

import argparse
import json
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from vde_nb._console import safe, say
from vde_nb._text import byte_size

__all__ = ["SUMMARY", "add_options", "run"]

SUMMARY = "Say what is kept in the cache folder, or clear it."

_END = """\
exit status: 0 all is well, 2 an error, or something could not be removed
VDE_NB_CACHE names the folder, VDE_NB_CACHE_LIMIT how much of the disk embeddings may take (4GB;
0 keeps them in memory only). Notebooks that run keep what they have in memory."""

# What the download of a file may leave: the checksum the hub named, and an unfinished part.
_ENDINGS = ("", ".sha256", ".part", ".part.json")
# Which content the weights have, remembered beside them.
_DIGESTS = "digests.json"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``vde-nb cache`` takes to its parser."""
    parser.epilog = _END
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    actions = parser.add_subparsers(
        title="actions", dest="action", metavar="info|clear", required=True
    )

    def add(name: str, summary: str) -> argparse.ArgumentParser:
        return actions.add_parser(
            name, help=summary[0].lower() + summary[1:-1], description=summary, allow_abbrev=False
        )

    info = add("info", "Count what is kept.")
    info.add_argument("--json", action="store_true", help="print the counts as JSON")
    clear = add("clear", "Remove embeddings: pictures are encoded again when they are needed.")
    clear.add_argument(
        "--weights", action="store_true", help="remove weights in the cache folder, too"
    )


def run(options: argparse.Namespace) -> int:
    """Do what was asked for; the exit status."""
    return _info(options.json) if options.action == "info" else _clear(options.weights)


def _info(as_json: bool) -> int:
    from vde_nb._cache_folder import cache_folder
    from vde_nb.segment.embeddings import EmbeddingCache

    folder = cache_folder()
    kept = EmbeddingCache().info()
    notes = [*filter(None, [_unwritable(folder)]), *kept["notes"]]
    weights = folder / "weights"
    sizes = [size for path, size in _files(weights) if path != weights / _DIGESTS]
    if as_json:
        embeddings = {name: kept[name] for name in ("entries", "bytes", "limit", "models")}
        told = {
            "folder": str(folder),
            "embeddings": embeddings,
            "weights": {"files": len(sizes), "bytes": sum(sizes)},
        }
        say(json.dumps({**told, "notes": notes}, indent=2))
        return 0
    line = "  {:<22} {:>6}  {:>9}{}".format
    most = f" of {byte_size(kept['limit'])}"
    lines = [safe(folder), line("embeddings", kept["entries"], byte_size(kept["bytes"]), most)]
    lines += [
        line(f"  {safe(name)}", one["entries"], byte_size(one["bytes"]), "")
        for name, one in kept["models"].items()
    ]
    lines.append(line("files of weights", len(sizes), byte_size(sum(sizes)), ""))
    lines += [f"Note: {safe(note)}" for note in notes]
    say("\n".join(lines))
    return 0


def _unwritable(folder: Path) -> str:
    """Say why nothing can be kept in `folder`, in words; empty when something can.

    Only an attempt tells: rights say little about a file system that takes no files.
    """
    try:
        place = next(one for one in (folder, *folder.parents) if one.exists())
        with tempfile.TemporaryDirectory(prefix=".vde-nb-", dir=place):
            return ""
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return (
            f"{folder} cannot be written to ({reason}), so nothing is kept between sessions; "
            "VDE_NB_CACHE names another folder."
        )


def _clear(weights_too: bool) -> int:
    from vde_nb._cache_folder import cache_folder
    from vde_nb.segment.embeddings import EmbeddingCache

    cache, weights = EmbeddingCache(), cache_folder() / "weights"
    before = cache.info()["entries"]
    freed = cache.clear()
    stay = cache.info()["entries"]
    lines = [f"Freed {byte_size(freed)}: {_count(before - stay, 'embedding')}."]
    if stay:
        lines.append(f"{_count(stay, 'embedding')} could not be removed.")
    if weights_too:
        removed, failed = _remove_weights(weights)
        lines.append(f"Freed {byte_size(sum(removed))}: {_count(len(removed), 'file')} of weights.")
        lines += [f"{safe(path)} could not be removed." for path in failed]
        others = sum(path not in failed for path, _ in _files(weights))
        if others:
            where = safe(weights)
            lines.append(f"{_count(others, 'file')} in {where} not from a download: left there.")
        stay += len(failed)
    say("\n".join(lines))
    return 2 if stay else 0


def _remove_weights(folder: Path) -> tuple[list[int], list[Path]]:
    """Remove what bears the name of a download; bytes of each file, and files that stay."""
    removed, failed = [], []
    downloads = set(_downloads(folder))
    for path, size in list(_files(folder)):
        if path in downloads:
            try:
                path.unlink()
            except OSError:
                failed.append(path)
            else:
                removed.append(size)
    for home in {path.parent for path in downloads} - {folder}:
        with suppress(OSError):  # not there, or not empty
            home.rmdir()
    return removed, failed


def _downloads(folder: Path) -> Iterator[Path]:
    """Every place that :func:`vde_nb.segment.weights.download` may write to."""
    from vde_nb.segment.weights import all_models

    yield folder / _DIGESTS
    for home in folder.glob("timm--*"):  # any model of timm may have been asked for
        for name in ("config.json", "model.safetensors"):
            yield from (home / f"{name}{ending}" for ending in _ENDINGS)
    for model in all_models().values():
        if model.path is None:  # those that a user added lie elsewhere
            home = folder / model.name if model.repo else folder
            for name in ("config.json", model.file) if model.repo else (model.file,):
                yield from (home / f"{name}{ending}" for ending in _ENDINGS)


def _files(folder: Path) -> Iterator[tuple[Path, int]]:
    """Regular files under `folder` and their bytes; links are not followed."""
    with suppress(OSError):
        for path in sorted(folder.iterdir()):
            with suppress(OSError):
                known = path.lstat()
                if stat.S_ISDIR(known.st_mode):
                    yield from _files(path)
                elif stat.S_ISREG(known.st_mode):
                    yield path, known.st_size


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
