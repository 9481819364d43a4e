"""What went wrong, in words for the person who looks at the panel."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from traitlets import TraitError

from vde_nb.errors import VdeError

__all__ = ["Trouble", "in_words"]

#: Characters of a traceback that are kept: its end says most.
_DETAILS = 8000


@dataclass(frozen=True)
class Trouble:
    """An error as it is shown: a title, a sentence or two, and details to unfold."""

    title: str
    message: str
    details: str = ""

    def to_dict(self) -> dict[str, str]:
        """For the viewer."""
        return {"title": self.title, "message": self.message, "details": self.details}


def in_words(error: BaseException, doing: str, title: str = "") -> Trouble:
    """Say what went wrong.

    Parameters
    ----------
    error
        What was raised. What vde-nb raises on purpose is shown as it is.
    doing
        What was being done, to go on after "Something went wrong while".
    title
        Heading; empty for one made of `doing`.

    Examples
    --------
    >>> in_words(ZeroDivisionError("division by zero"), "comparing").message
    'Something went wrong while comparing: division by zero (ZeroDivisionError).'
    """
    heading = title or f"A problem while {doing}"
    if isinstance(error, (VdeError, TraitError)):
        return Trouble(heading, str(error))
    if isinstance(error, TypeError) and str(error).startswith("There is no setting"):
        return Trouble(heading, str(error))
    details = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    if isinstance(error, MemoryError):
        message = f"There was not enough memory while {doing}. Smaller pictures need less."
    else:
        said = " ".join(str(error).split())
        said = f"{said[:300]} ({type(error).__name__})" if said else type(error).__name__
        message = f"Something went wrong while {doing}: {said}."
    return Trouble(heading, message, details[-_DETAILS:])
