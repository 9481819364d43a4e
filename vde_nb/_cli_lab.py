"""``vde-nb lab``: from the terminal to the panel, in a JupyterLab of this environment."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vde_nb._cli_settings import add_plugin, folder_of
from vde_nb._console import safe, say, shell_word
from vde_nb._panel_notebook import is_same, literal, notebook
from vde_nb.errors import MissingExtraError, OutputError, SettingError

if TYPE_CHECKING:
    from vde_nb.batch.run import Run

__all__ = ["SUMMARY", "add_options", "run"]

SUMMARY = "Open the panel on pictures, in JupyterLab."

_END = """\
What REF and CUR are:
  two pictures                   the panel with this pair
  two folders                    all pictures that have the same name in both, one after the other
  one folder, that of a run      what vde-nb batch --out wrote, worst pair first, to be reviewed
  nothing                        a bundled pair, to try it

A notebook of one cell is written, and JupyterLab opens it: press Shift+Enter there. Ctrl-C here
ends JupyterLab. The same command opens the same notebook again, as it was saved; for other
pictures there is another notebook, vde-nb-panel-2.ipynb and so on, unless --out names one.

exit status: that of JupyterLab (0 when Ctrl-C ended it), 2 an error
example: vde-nb lab golden.png today.png
         vde-nb lab runs/today --out review.ipynb"""

_FILE = "vde-nb-panel.ipynb"
_MOST = 1000  # notebooks of this name with a number
_WIDTH = 88  # of a line of the cell, as formatters have it by default
_MANIFEST = "run.json"
_PATIENCE = 3  # so often JupyterLab is asked to end, the next time it is not asked any more
_SECONDS = 15.0  # so long it may take to end, kernels included; usually it takes one
#: Not ``python -m jupyterlab``, which would import what lies in the working folder, such as a
#: random.py beside somebody's pictures, in the place of what JupyterLab is made of.
_LAB = (
    "import sys; sys.path[:] = filter(None, sys.path); "
    "from jupyterlab.labapp import main; sys.exit(main())"
)
#: Rows of a run that are asked where their pictures lie.
_ROWS = 500
_SAMPLE = """\
import vde_nb as vde

pair = vde.samples.load("tyre")  # bundled; for files: vde.Panel("golden.png", "today.png")
panel = vde.Panel(pair.reference, pair.current)
panel"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``vde-nb lab`` takes to its parser."""
    parser.usage, parser.epilog = "%(prog)s [REF [CUR]] [--out FILE.ipynb] [options]", _END
    add = parser.add_argument
    add("reference", metavar="REF", nargs="?", help="picture or folder of how it should be; a run")
    add("current", metavar="CUR", nargs="?", help="picture or folder to be checked")
    add("--out", metavar="FILE", type=folder_of, help=f"the notebook [default {_FILE}]")
    add("--overwrite", action="store_true", help="replace a notebook that opens something else")
    add(
        "--root",
        metavar="DIR",
        type=folder_of,
        help="files below it may be opened from the panel [default: the notebook's folder]",
    )
    add_plugin(parser)
    add = parser.add_argument_group("JupyterLab").add_argument
    add("--port", metavar="N", type=_port, help="where it listens [default: the first free one]")
    add("--no-browser", action="store_true", help="open no browser: print the address only")
    add("--allow-root", action="store_true", help="let root run it, as in a container")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: a whole number from 1 to 65535")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Do what was asked for; the exit status of JupyterLab."""
    from vde_nb._extras import not_installed

    target = _target(Path(_FILE) if options.out is None else options.out)
    code = _code(options, target.parent)
    lacking = not_installed("jupyterlab", "ipykernel")
    if lacking:
        raise MissingExtraError(
            f'The panel needs {" and ".join(lacking)}: pip install "vde-nb[lab]". What needs '
            "nothing more: vde-nb compare REF CUR --out report --save html writes the same viewer "
            "as a page for any browser."
        )
    document = notebook(code)
    if options.out is None and not options.overwrite:
        target = _free(target, document)
    if not options.overwrite and _is_there(target, document):
        say(f"Opened again as it is: {safe(target)}")
    else:
        from vde_nb._write import write_atomically

        write_atomically(target, document, overwrite=options.overwrite)
        say(f"Written: {safe(target)}")
    if not options.allow_root and getattr(os, "geteuid", lambda: 1)() == 0:
        say(
            "vde-nb: note: you are root, whom JupyterLab refuses without --allow-root, unless its "
            "own configuration says otherwise",
            to=sys.stderr,
        )
    say("JupyterLab starts: press Shift+Enter there, and the panel appears. Ctrl-C here ends it.\n")
    return _serve(_command(options, target))


def _target(out: Path) -> Path:
    """Where the notebook goes, absolute; its name must be one that JupyterLab opens."""
    target = Path(os.path.abspath(out))  # noqa: PTH100 - keeps links
    is_text = not any("\ud800" <= one <= "\udfff" for one in target.name)  # an address holds it
    if target.suffix != ".ipynb" or target.name.startswith(".") or not is_text:
        raise SettingError(
            f"--out {out} is no name of a notebook: one that ends in .ipynb, is UTF-8, and does "
            "not begin with a dot."
        )
    if not target.parent.is_dir():
        raise OutputError(f"There is no folder {target.parent} for the notebook; make it first.")
    return target


# What is opened


def _code(options: argparse.Namespace, folder: Path) -> str:
    """The code of the cell, after a look at what it will open."""
    given = [one for one in (options.reference, options.current) if one is not None]
    if "" in given:
        raise SettingError("'' is no picture and no folder.")
    more = []
    if options.root is not None:
        if not options.root.is_dir():
            raise SettingError(f"--root: there is no folder {options.root}.")
        more.append(f"root={_path(options.root, folder)}")
    if options.plugin:
        more.append(f"plugins=[{', '.join(_plugin(one, folder) for one in options.plugin)}]")
    if not given:
        if more:
            raise SettingError("--root and --plugin are for pictures of yours: give REF and CUR.")
        return _SAMPLE
    paths = [Path(os.path.expanduser(one)) for one in given]  # noqa: PTH111 - as folder_of
    if len(paths) == 1:
        _check_run(given[0], paths[0], folder, options.root or folder)
        words = [f"run={_path(paths[0], folder)}"]
    else:
        _check_pair(given, paths)
        words = [_path(one, folder) for one in paths]
    made = f"panel = vde.Panel({', '.join([*words, *more])})"
    if len(made) > _WIDTH:
        lines = "".join(f"    {word},\n" for word in [*words, *more])
        made = f"panel = vde.Panel(\n{lines})"
    return f"import vde_nb as vde\n\n{made}\npanel"


def _check_pair(given: Sequence[str], paths: Sequence[Path]) -> None:
    """Refuse what the panel could not open, before anything is written."""
    from vde_nb.images import load

    inside = [one.is_dir() for one in paths]
    if all(inside):
        from vde_nb.panel._pairs import folder_pairs

        pairs, alone = folder_pairs(*paths)
        lone = f", {_counted(alone, 'picture')} without a partner of the same name"
        say(f"{_counted(pairs, 'pair')}{lone if alone else ''}")
    elif any(inside):
        folder, other = given if inside[0] else reversed(given)
        raise SettingError(
            f"{folder} is a folder, {other} is none: give two pictures, or two folders."
        )
    else:
        for one in given:
            load(one, name=one)


def _counted(things: Sequence[object], what: str) -> str:
    return f"{len(things)} {what}{'' if len(things) == 1 else 's'}"


def _check_run(given: str, path: Path, folder: Path, root: Path) -> None:
    if not path.is_dir():
        if path.exists():
            raise SettingError(
                f"{given} is one picture: give two, the reference and the current one."
            )
        raise SettingError(f"{given} does not exist: give two pictures, two folders, or a run.")
    if not (path / _MANIFEST).is_file():
        raise SettingError(
            f"{given} is one folder: give two, first the references, then what is to be checked; "
            f"or the folder of a run, in which there is a {_MANIFEST}."
        )
    from vde_nb.batch import open_run

    found = open_run(path)
    if not len(found):
        raise SettingError(f"The run {given} holds no pairs yet.")
    outside = _outside(found, folder, root)
    if outside:
        say(
            "vde-nb: note: the panel opens files below "
            f"{safe(root)}, and this run has others; for those add --root {shell_word(outside)}",
            to=sys.stderr,
        )


def _outside(found: Run, folder: Path, root: Path) -> str:
    """The folder to be named as root so that a run's pictures are opened; empty where they are.

    The panel looks for them from `folder`, where the cell runs, and opens what lies below `root`.
    """
    texts = [found.manifest.get(name) for name in ("root", "source")]
    base, source = (Path(one if isinstance(one, str) and "\0" not in one else "") for one in texts)
    bases = [folder / base, folder / source.parent, folder, root]
    needed: set[str] = set()
    is_lost = False
    for row in islice(found.rows(), _ROWS):
        for text in filter(None, (row["reference"], row["current"])):
            if there := next((one for one in bases if _is_file(one / text)), None):
                needed.add(os.path.realpath((there / text).parent))
            elif there := next((one for one in _near(found) if _is_file(one / text)), None):
                needed.add(os.path.realpath(there))
                is_lost = True
    try:
        common = os.path.commonpath(needed)
    except ValueError:  # two drives, or nothing is found at all
        return ""
    is_below = Path(common).is_relative_to(os.path.realpath(root))
    # a run may come from anybody: one row of it must not talk people into opening a whole disk
    is_all = Path(common).parent == Path(common)
    return "" if is_all or (is_below and not is_lost) else common


def _near(found: Run) -> Iterator[Path]:
    """Folders that a run may have been started in."""
    yield Path.cwd()
    yield from found.folder.parents


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _path(path: Path, folder: Path) -> str:
    """`path` as a literal for the cell, which runs in `folder`: relative where it lies below."""
    from vde_nb.images import URL

    # links are kept, but what lies above one is not known by its name
    full = Path((os.path.realpath if ".." in path.parts else os.path.abspath)(path))
    below = str(full.relative_to(folder)) if full.is_relative_to(folder) else str(full)
    # a name may look like an address, or like a user's folder
    return literal(str(full) if below.startswith("~") or URL.match(below) else below)


def _plugin(given: str, folder: Path) -> str:
    if not given.endswith(".py"):
        return literal(given)
    path = Path(os.path.expanduser(given))  # noqa: PTH111 - as folder_of
    if not path.is_file():
        raise SettingError(f"--plugin: there is no file {given}.")
    return _path(path, folder)


def _is_there(target: Path, document: str) -> bool:
    """Whether the notebook is there already, perhaps saved with what came of it.

    Raises
    ------
    OutputError
        Something else is there.
    """
    if not os.path.lexists(target):
        return False
    if is_same(target, document):
        return True
    raise OutputError(
        f"{target} is there already, and opens something else: give another name with --out, or "
        "--overwrite to replace it."
    )


def _free(target: Path, document: str) -> Path:
    """The file of the same name and a number, if need be, that is this notebook or not there."""
    for number in range(2, _MOST):
        if not os.path.lexists(target) or is_same(target, document):
            break
        target = target.with_name(_FILE.replace(".", f"-{number}."))
    return target


# The server


def _command(options: argparse.Namespace, target: Path) -> list[str]:
    from urllib.parse import quote

    words = [sys.executable, "-c", _LAB]
    words.append(f"--ServerApp.root_dir={target.parent}")
    # both the browser and the printed address open the notebook itself
    words.append(f"--LabApp.default_url=/lab/tree/{quote(target.name, safe='')}")
    words.append("--ServerApp.answer_yes=True")  # one Ctrl-C is enough
    if options.port is not None:
        words.append(f"--ServerApp.port={options.port}")
    words += ["--no-browser"] if options.no_browser else []
    words += ["--allow-root"] if options.allow_root else []
    return words


def _serve(command: Sequence[str]) -> int:
    """Run JupyterLab until it ends; its exit status.

    What asks this process to end is passed on, and the end of JupyterLab ends this one. Ctrl-C in
    a terminal reaches both, so JupyterLab hears of it twice, which it bears. Nobody waits for ever
    for one that hangs: it is killed, and its kernels end when they miss it.
    """
    import signal
    import subprocess
    import threading

    heard: list[int] = []

    def give_up() -> None:
        say(
            f"vde-nb: note: JupyterLab did not end within {_SECONDS:g} seconds, and is killed",
            to=sys.stderr,
        )
        process.kill()

    late = threading.Timer(_SECONDS, give_up)
    late.daemon = True

    def pass_on(number: int, frame: object) -> None:
        heard.append(number)
        if len(heard) == 1:
            late.start()
        if os.name != "nt":  # there Ctrl-C reaches all of a console, and terminate() kills
            (process.kill if len(heard) > _PATIENCE else process.terminate)()

    usual: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows lacks some
            # what nohup has it ignore stays ignored
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                usual[number] = signal.getsignal(number)
    try:
        if signal.SIGINT in usual:
            # Inherited until JupyterLab has a handler of its own: one who presses Ctrl-C while it
            # starts gets no traceback.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        process = subprocess.Popen(command)  # noqa: S603 - words of ours, no shell
        for number in usual:
            signal.signal(number, pass_on)
        status = process.wait()
    finally:
        late.cancel()
        for number, handler in usual.items():
            signal.signal(number, handler)
    if status < 0 and heard:  # before it had a handler
        return 128 + heard[0]
    return status if status >= 0 else 128 - status
