"""What the commands print, so that no pipe, terminal or file name upsets it."""

from __future__ import annotations

import os
import re
import sys
from typing import TextIO

__all__ = ["safe", "say", "shell_word"]


def say(text: str, *, to: TextIO | None = None, end: str = "\n") -> None:
    """Print, and bear that whoever reads has seen enough and closed the pipe.

    Raises
    ------
    OSError
        The stream cannot be written to, for another reason.
    """
    stream = to or sys.stdout
    try:
        print(text, file=stream, end=end, flush=True)
    except OSError as error:
        # What is left in the buffer must not fail once more when the interpreter shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if not isinstance(error, BrokenPipeError):
            raise


def safe(text: object, keep: str = "") -> str:
    """Write everything a terminal might obey as an escape, but for the letters to `keep`."""
    return "".join(
        one if one.isprintable() or one in keep else one.encode("unicode_escape").decode()
        for one in str(text)
    )


def shell_word(text: object) -> str:
    """Write a word of a command as a shell reads it, with escapes as :func:`safe` makes them.

    >>> print(shell_word("today.png"), shell_word("it's.png"))
    today.png 'it'"'"'s.png'
    """
    import shlex  # only where commands are told

    told = safe(text)
    if os.name != "nt":
        return shlex.quote(told)
    # cmd.exe knows no other quotation marks, and no name of a file holds these
    return told if re.fullmatch(r"[\w.:\\/~+-]+", told) else f'"{told}"'
