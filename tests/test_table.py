"""Tables of what there is: read by programs row by row, by people at a glance."""

from __future__ import annotations

import pytest

import vde_nb as vde
from vde_nb._table import Table


def test_a_sentence_that_is_too_long_is_folded_under_its_column() -> None:
    rows = [
        {"name": "one", "what": "Short."},
        {"name": "another", "what": "A sentence that goes on and on, " * 4 + "to its end."},
    ]
    head, one, *folded = repr(Table(rows)).splitlines()
    assert (head, one) == ("name     what", "one      Short.")
    assert len(folded) > 1 and folded[0].startswith("another  A sentence")
    assert all(line.startswith(" " * 9) for line in folded[1:])
    assert max(map(len, folded)) <= 79
    assert " ".join(line[9:] for line in folded) == rows[1]["what"]


def test_what_fits_is_shown_as_it_is() -> None:
    table = Table([{"name": "wide", "cell": "two  blanks"}, {"name": "", "cell": ""}])
    assert repr(table) == "name  cell\nwide  two  blanks\n"
    assert repr(Table([])) == "" and Table([]).columns == ()


def test_a_word_longer_than_the_line_stays_whole() -> None:
    assert repr(Table([{"name": "x", "path": "p" * 200}])).endswith("x     " + "p" * 200)


@pytest.mark.parametrize("what", [vde.methods, vde.segmenters, vde.features])
def test_lists_of_what_there_is_show_in_a_terminal_and_in_a_notebook(what: object) -> None:
    table = what()  # type: ignore[operator]
    shown = table._repr_html_()
    assert shown.startswith("<table>") and shown.count("<tr>") == len(table) + 1
    names = [row["name"] for row in table]
    assert names and all(f">{name}</td>" in shown for name in names)
    lines = repr(table).splitlines()
    assert lines[0].split()[:2] == ["name", "title"]
    assert max(map(len, lines)) <= max(79, lines[0].index("what") + 48)
    assert [line.split()[0] for line in lines[1:] if not line.startswith(" ")] == names
