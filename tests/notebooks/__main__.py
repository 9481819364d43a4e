"""Run, clean and check the notebooks: ``python -m tests.notebooks --help``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .clean import cleaned
from .files import FOLDER, ROOT, every, read, text, write
from .first_cells import home
from .home import move
from .rules import faults
from .run import TIMEOUT, RunError, executed


def main(arguments: Sequence[str] | None = None) -> int:
    """The tool; what it returns is the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.notebooks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, what in (
        ("run", "run them from top to bottom, clean them, write them, check them"),
        ("clean", "take away what differs from run to run"),
        ("check", "list the rules they break"),
    ):
        one = commands.add_parser(name, help=what, description=what)
        one.add_argument("files", nargs="*", help="all of them when none is named")
        if name == "run":
            one.add_argument("--timeout", type=float, default=TIMEOUT, help="seconds for a cell")
    one = commands.add_parser("home", help="write another address of the repository everywhere")
    one.add_argument("address", metavar="OWNER/NAME")
    given = parser.parse_args(arguments)
    if given.command == "home":
        return _home(given.address)
    try:
        paths = [_path(name) for name in given.files] or every()
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    if given.command == "run":
        return max(_run(path, given.timeout) for path in paths)
    if given.command == "clean":
        for path in paths:
            _clean(path)
        return 0
    return max(_check(path) for path in paths)


def _path(name: str) -> Path:
    """A notebook by its path or its file name."""
    for path in (Path(name), FOLDER / name):
        if path.is_file():
            return path.resolve()
    raise FileNotFoundError(f"there is no notebook {name}")


def _run(path: Path, timeout: float) -> int:
    notebook = read(path)
    try:
        took = executed(notebook, path.parent, timeout)
    except RunError as error:
        print(f"{path.name}: {error}", file=sys.stderr)
        return 1
    write(cleaned(notebook), path)
    print(f"{path.name}: ran in {took:.1f} s, {path.stat().st_size / 1000:.0f} kB")
    return _check(path)


def _clean(path: Path) -> None:
    after = text(cleaned(read(path))).encode("utf-8")
    if after != path.read_bytes():
        path.write_bytes(after)
        print(f"{path.name}: cleaned")


def _check(path: Path) -> int:
    found = faults(path, home())
    for fault in found:
        print(f"{path.name}: {fault}")
    return 1 if found else 0


def _home(address: str) -> int:
    try:
        changed = move(ROOT, address)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    for path in changed:
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
