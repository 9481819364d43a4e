"""Which notebook explains what: errors point to it."""

from __future__ import annotations

__all__ = ["LESSONS", "lesson"]

#: Names of notebooks in the repository's folder, without their ending.
LESSONS = {
    "methods": "04_methods_side_by_side",
    "models": "03_sam_prompts",
    "features": "07_semantic",
    "normality": "08_time_series",
    "types": "09_new_anomaly_type",
    "labels": "10_evaluate_your_folder",
    "runs": "11_batch_and_dask",
}


def lesson(topic: str) -> str:
    """A sentence that names the notebook about a topic, to be put behind an error's.

    >>> lesson("methods")
    ' Explained in notebooks/04_methods_side_by_side.ipynb.'
    """
    return f" Explained in notebooks/{LESSONS[topic]}.ipynb."
