"""A small read-only table that shows itself as text and, in a notebook, as HTML."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vde_nb._text import escaped

__all__ = ["Table"]

#: Letters in a line of text, and the least that the last column gets of them.
_WIDTH, _LEAST = 79, 48


class Table(Sequence[Mapping[str, Any]]):
    """Rows of a table, each a mapping from column to value.

    A sequence: ``len(table)``, ``table[0]["name"]``, ``for row in table``. The last value of a
    notebook cell shows as a table; as text, sentences in the last column are folded.

    Parameters
    ----------
    rows
        All with the same columns.

    Examples
    --------
    >>> Table([{"name": "hybrid", "ready": True}, {"name": "ensemble", "ready": True}])
    name      ready
    hybrid    yes
    ensemble  yes
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = tuple(dict(row) for row in rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        return self._rows[index]

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self._rows)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self._rows[0]) if self._rows else ()

    def _cells(self) -> list[list[str]]:
        words = {True: "yes", False: "no"}
        return [
            [words[value] if isinstance(value, bool) else str(value) for value in row.values()]
            for row in self._rows
        ]

    def __repr__(self) -> str:
        lines = [list(self.columns), *self._cells()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        start = sum(widths[:-1]) + 2 * len(widths[:-1])
        # The last column is where sentences stand, which would run over the edge of a terminal.
        room = max(_WIDTH - start, _LEAST)
        shown = []
        for *cells, last in filter(None, lines):
            head = "".join(
                cell.ljust(width + 2) for cell, width in zip(cells, widths[:-1], strict=True)
            )
            first, *rest = [last] if len(last) <= room else _folded(last, room)
            shown += [(head + first).rstrip(), *(" " * start + part for part in rest)]
        return "\n".join(shown)

    def _repr_html_(self) -> str:
        def line(tag: str, cells: Sequence[str]) -> str:
            inner = "".join(
                f'<{tag} style="text-align:left">{escaped(cell)}</{tag}>' for cell in cells
            )
            return f"<tr>{inner}</tr>"

        body = "".join(line("td", cells) for cells in self._cells())
        return f"<table><thead>{line('th', self.columns)}</thead><tbody>{body}</tbody></table>"


def _folded(text: str, width: int) -> list[str]:
    """Text in lines between words, of `width` letters where its words allow it."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
