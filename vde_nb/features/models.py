"""The registry of models that describe pictures: where their weights come from, which licence.

Nothing here imports a model's library or touches the network; :mod:`vde_nb.segment.weights` finds
and fetches the files as it does for the models that draw outlines.
"""

from __future__ import annotations

from vde_nb.segment.models import Model

__all__ = ["FEATURE_MODELS"]

#: Every model by its name, in the order of lists.
FEATURE_MODELS: dict[str, Model] = {}
