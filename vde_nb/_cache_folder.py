"""Where vde-nb keeps what is costly to make or to fetch again: embeddings and weights.

``VDE_NB_CACHE`` names the folder; otherwise it is the platform's place for such files, such as
``~/.cache/vde-nb``. Everything in it may be deleted at any time.
"""

from __future__ import annotations

import os
from pathlib import Path

from vde_nb.errors import SettingError

__all__ = ["cache_folder", "make_folder"]


def cache_folder() -> Path:
    """Name the cache folder; it need not exist, and is not made.

    Embeddings lie in ``embeddings`` under it, weights in ``weights``.

    Returns
    -------
    Path
        Absolute, so that a later change of the working folder moves nothing.

    Raises
    ------
    SettingError
        ``VDE_NB_CACHE`` begins with the home folder of somebody unknown.
    """
    named = os.environ.get("VDE_NB_CACHE", "")
    if not named:
        from platformdirs import user_cache_dir

        return Path(user_cache_dir("vde-nb", appauthor=False)).absolute()
    try:
        return Path(named).expanduser().absolute()
    except RuntimeError as error:
        raise SettingError(
            f"VDE_NB_CACHE={named!r} is no folder: {error} Write the path in full."
        ) from error


def make_folder(folder: Path) -> Path:
    """Make `folder` and those above it that are missing, readable by nobody but their owner.

    An embedding shows roughly what its picture shows. A folder that exists keeps its rights.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    OSError
        It cannot be made, or something else has its name.
    """
    # `Path.mkdir(parents=True)` gives the folders above the rights that everything gets.
    for one in (*reversed(folder.parents), folder):
        if not one.is_dir():
            one.mkdir(mode=0o700, exist_ok=True)
    return folder
