"""Types and severities: the evidence, the rules, and the registry users add their own to."""

from vde_nb.classify._classify import UNKNOWN, classify
from vde_nb.classify._label import SEVERITIES, Label
from vde_nb.classify._memory import recall, remember
from vde_nb.classify._moves import as_move, pair_moves
from vde_nb.classify._published import SHAPE_TYPES, severity_by_area, type_by_shape
from vde_nb.classify._region import Region
from vde_nb.classify._registry import (
    anomaly_type,
    anomaly_types,
    remove_anomaly_type,
    reset_anomaly_types,
)
from vde_nb.classify._rules import rise
from vde_nb.classify._topology import Topology, topology

__all__ = [
    "SEVERITIES",
    "SHAPE_TYPES",
    "UNKNOWN",
    "Label",
    "Region",
    "Topology",
    "anomaly_type",
    "anomaly_types",
    "as_move",
    "classify",
    "pair_moves",
    "recall",
    "remember",
    "remove_anomaly_type",
    "reset_anomaly_types",
    "rise",
    "severity_by_area",
    "topology",
    "type_by_shape",
]


def __dir__() -> list[str]:
    return sorted(__all__)
