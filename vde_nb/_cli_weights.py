"""``vde-nb weights list|download|verify``: weights of models that draw outlines, or describe."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from vde_nb._console import safe, say
from vde_nb.errors import SettingError, WeightsError
from vde_nb.settings import nearest

if TYPE_CHECKING:
    from vde_nb.segment.models import Model
    from vde_nb.segment.weights import Weights

__all__ = ["SUMMARY", "add_options", "run"]

SUMMARY = "List, download and check the weights of models."

_END = """\
exit status: 0 all is well, 1 verify found something wrong, 2 an error
VDE_NB_WEIGHTS names a file or folder where weights are looked for first, VDE_NB_CACHE the folder
that they are downloaded to; with VDE_NB_OFFLINE=1 nothing is downloaded."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``vde-nb weights`` takes to its parser."""
    parser.epilog = _END
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    actions = parser.add_subparsers(
        title="actions", dest="action", metavar="list|download|verify", required=True
    )

    def add(name: str, summary: str) -> argparse.ArgumentParser:
        action = actions.add_parser(
            name, help=summary[0].lower() + summary[1:-1], description=summary, allow_abbrev=False
        )
        # every command has it, at its end too
        action.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
        return action

    add("list", "List the models, and where their weights are.")
    download = add("download", "Download weights; an interrupted download goes on.")
    download.add_argument(
        "names",
        metavar="NAME",
        nargs="+",
        help="of a model, see list, or such as timm:vit_small_patch14_dinov2.lvd142m",
    )
    download.add_argument("--force", action="store_true", help="also if they are here already")
    verify = add("verify", "Read weights whole and compare their checksums.")
    verify.add_argument("names", metavar="NAME", nargs="*", help="of a model [default: all here]")


def run(options: argparse.Namespace) -> int:
    """Do what was asked for; the exit status."""
    return _ACTIONS[options.action](options)


def _say(text: str) -> None:
    say(safe(text, keep="\n"))


def _list(options: argparse.Namespace) -> int:
    from vde_nb._table import Table
    from vde_nb.features.models import is_feature_model
    from vde_nb.segment.weights import all_models, find, folders, note, offline, problem

    models = all_models()
    found = {name: find(model) for name, model in models.items()}
    # no gigabytes are read for a list
    wrong = {name: problem(one, read=False) for name, one in found.items() if one}
    forbidden = offline()
    otherwise = "not here" if forbidden else "download them"
    rows = [
        {
            "name": name,
            "title": model.title,
            "for": "features" if is_feature_model(model) else "outlines",
            "licence": model.licence,
            "size": f"{model.megabytes} MB",
            "weights": f"{'damaged, ' if wrong.get(name) else ''}{_place(found[name])}"
            or otherwise,
        }
        for name, model in models.items()
    ]
    lines = [repr(Table(rows)), ""]
    if forbidden and not all(found.values()):
        lines.append(f"{forbidden}: nothing is downloaded.")
    elif not all(found.values()):
        lines.append("Download them with: vde-nb weights download NAME")
        lines += [
            f"{model.title}: first {model.access}."
            for name, model in models.items()
            if model.access and not found[name]
        ]
    lines += filter(None, wrong.values())
    lines.append(f"Looked for in: {', '.join(map(_short, folders()))}")
    lines += [*filter(None, [note()]), *_missing()]
    _say("\n".join(lines))
    return 0


def _missing() -> list[str]:
    """What has to be installed before models run."""
    from vde_nb._extras import not_installed
    from vde_nb.segment.models import MODELS

    missing = not_installed("torch", "segment_anything", "transformers")
    lines = [f'To use them, install {", ".join(missing)}: pip install "vde-nb[sam]"']
    return (lines if missing else []) + [
        f"{model.title} needs {module}: pip install {module}"
        for model in MODELS.values()
        for module in not_installed(*model.requires)
    ]


def _download(options: argparse.Namespace) -> int:
    from vde_nb.segment.weights import download, find

    failed: WeightsError | None = None
    # a misspelt name is told before anything is downloaded
    for model in [_model(name) for name in dict.fromkeys(options.names)]:
        try:
            found = download(model, force=options.force)
        except WeightsError as error:
            if failed:  # each on a line of its own; the last is told like any error
                say(f"vde-nb: error: {safe(failed)}", to=sys.stderr)
            failed = error
        else:
            _say(f"{model.title}: {_place(found)}")
            first = find(model)
            if first and first != found:
                _say(f"{model.title}: {_place(first)} goes before it.")
    if failed:
        raise failed
    return 0


def _verify(options: argparse.Namespace) -> int:
    from vde_nb.segment.weights import all_models, find, remedy, verify

    wrong = 0
    known = all_models()
    names = list(dict.fromkeys(options.names)) or [n for n, one in known.items() if find(one)]
    for model in [_model(name) for name in names]:
        found = find(model)
        trouble = verify(found) if found else f"not here: vde-nb weights download {model.name}"
        if found and trouble:
            trouble = f"{trouble} {remedy(found)}"
        _say(f"{model.name}: {trouble or f'right, {_place(found)}'}")
        wrong += bool(trouble)
    if not names:
        _say("No weights are here.")
    return 1 if wrong else 0


def _model(name: str) -> Model:
    """The model of that name, whatever it is for."""
    from vde_nb.features.models import model_called
    from vde_nb.segment.models import MODELS
    from vde_nb.segment.weights import all_models

    model = MODELS.get(name) or model_called(name)
    if model is None:
        known = all_models()
        close = nearest(name, known)
        hint = f" Did you mean {close}?" if close else ""
        raise SettingError(f"There is no model {name!r}: {', '.join(known)}.{hint}")
    return model


def _place(found: Weights | None) -> str:
    return f"{found.where}: {_short(found.path)}" if found else ""


def _short(path: Path) -> str:
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except (RuntimeError, ValueError):
        return str(path)


_ACTIONS: dict[str, Callable[[argparse.Namespace], int]] = {
    "list": _list,
    "download": _download,
    "verify": _verify,
}
