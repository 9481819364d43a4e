"""Finding a Chromium to drive."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

#: Names under which systems install it.
COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

#: A container has neither the namespaces of the sandbox nor a GPU, and nothing may phone home.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

REMEDY = (
    "no Chromium was found: install one (apt-get install chromium, or playwright install chromium)"
    " or name one in the environment variable VDE_NB_CHROMIUM"
)


class NotFoundError(RuntimeError):
    """There is no browser; the message says what to do."""


def find(playwright: Any) -> str:
    """The program: the one that is named, Playwright's own, or the system's.

    Raises
    ------
    NotFoundError
        There is none, or the one that is named does not exist.
    """
    named = os.environ.get("VDE_NB_CHROMIUM")
    if named:
        program = shutil.which(named)
        if program is None:
            raise NotFoundError(f"VDE_NB_CHROMIUM is {named!r}, and there is no such program")
        return program
    own = Path(playwright.chromium.executable_path)
    if own.is_file():
        return str(own)
    for command in COMMANDS:
        program = shutil.which(command)
        if program is not None:
            return program
    raise NotFoundError(REMEDY)
