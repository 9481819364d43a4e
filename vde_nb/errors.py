"""Errors that are meant to be read by the person who caused them.

Every error raised on purpose by vde-nb derives from :class:`VdeError` *and* from the built-in
exception a Python programmer would expect, so both ``except VdeError`` and ``except ValueError``
work. A message names the file or argument, says what is wrong with it, and what to do.
"""

from __future__ import annotations

__all__ = [
    "ImageError",
    "MissingExtraError",
    "OutputError",
    "SettingError",
    "VdeError",
    "WeightsError",
]


class VdeError(Exception):
    """Base of every error vde-nb raises on purpose."""


class ImageError(VdeError, ValueError):
    """A picture cannot be read, or two pictures cannot be compared."""


class SettingError(VdeError, ValueError):
    """A setting has a value outside its range, or of the wrong kind."""


class OutputError(VdeError, OSError):
    """A result cannot be written where it was asked for."""


class MissingExtraError(VdeError, ImportError):
    """Something optional is needed; the message names the extra that installs it."""


class WeightsError(VdeError, RuntimeError):
    """A model's weights are missing, cannot be had, or are not what they should be."""
