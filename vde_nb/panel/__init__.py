"""The panel: two pictures and what differs between them, in a notebook cell.

:class:`~vde_nb.panel.panel.Panel` is what people use; everything else here is one of its parts.
"""

from vde_nb.panel.panel import Panel

__all__ = ["Panel"]


def __dir__() -> list[str]:
    return sorted(__all__)
