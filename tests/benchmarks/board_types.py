"""The six defects of bare circuit boards, as types somebody registers for such pictures.

Copper is dark. What was added touches none, one or several conductors; what was removed lies
inside of one, goes right through one, or bites into its border.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vde_nb.classify import Region, anomaly_type, remove_anomaly_type, topology

TYPES: dict[str, Callable[[Region], bool]] = {
    "spurious_copper": lambda r: _is(r, "added") and topology(r, bright=False).touches == 0,
    "spur": lambda r: _is(r, "added") and topology(r, bright=False).touches == 1,
    "short": lambda r: _is(r, "added") and topology(r, bright=False).touches >= 2,
    "pin_hole": lambda r: _is(r, "removed") and topology(r, bright=False).touches == 0,
    "open": lambda r: _is(r, "removed") and topology(r, bright=False).splits,
    "mousebite": lambda r: (
        _is(r, "removed")
        and topology(r, bright=False).touches > 0
        and not topology(r, bright=False).splits
    ),
}


def _is(region: Region, kind: str) -> bool:
    return topology(region, bright=False).kind == kind


@contextmanager
def board_types() -> Iterator[None]:
    """The types are registered inside."""
    for name, rule in TYPES.items():
        anomaly_type(name)(lambda region, rule=rule: float(rule(region)))  # type: ignore[misc]
    try:
        yield
    finally:
        for name in TYPES:
            remove_anomaly_type(name)
