"""Which notebook explains what: errors point to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from vde_nb.errors import SettingError

__all__ = ["LESSONS", "lesson", "taught", "without_lesson"]

#: Names of notebooks in the repository's folder, without their ending.
LESSONS = {
    "panel": "02_panel",
    "models": "03_sam_prompts",
    "methods": "04_methods_side_by_side",
    "settings": "04_methods_side_by_side",
    "registration": "06_registration_and_light",
    "features": "07_semantic",
    "normality": "08_time_series",
    "types": "09_new_anomaly_type",
    "labels": "10_evaluate_your_folder",
    "runs": "11_batch_and_dask",
    "ignore": "13_packaging",
}

_LESSON = re.compile(r" Explained in notebooks/\w+\.ipynb\.$")


def lesson(topic: str) -> str:
    """A sentence that names the notebook about a topic, to be put behind an error's.

    >>> lesson("methods")
    ' Explained in notebooks/04_methods_side_by_side.ipynb.'
    """
    return f" Explained in notebooks/{LESSONS[topic]}.ipynb."


def without_lesson(text: str) -> str:
    """`text` as one line of many says it: it is not the place to learn.

    >>> without_lesson("There is no method 'x'." + lesson("methods"))
    "There is no method 'x'."
    """
    return _LESSON.sub("", text)


@contextmanager
def taught(topic: str) -> Iterator[None]:
    """Setting errors that arise within name the notebook about a topic, if they name none."""
    try:
        yield
    except SettingError as error:
        text = str(error)
        if not _LESSON.search(text):
            stop = "" if text.endswith((".", "?", ".)")) else "."
            error.args = (f"{text}{stop}{lesson(topic)}",)
        raise
