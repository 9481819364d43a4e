"""No cell of a table that we write is a formula to a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.security import hostile

#: What spreadsheets take for the beginning of a formula (OWASP, CSV Injection).
BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")
#: What some of them drop before they look, and what East Asian keyboards type.
OTHERS = ("\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
FORMULA = 'cmd|"/C calc"!A1'


def anomalies(text: str, folder: Path) -> list[str]:
    return [hostile.comparison(text).to_csv()]


def series(text: str, folder: Path) -> list[str]:
    made = hostile.series(text)
    return [made.to_csv(), made.tracks_csv()]


def run_reviews(text: str, folder: Path) -> list[str]:
    open_run = pytest.importorskip("vde_nb.batch.run").open_run
    run = open_run(hostile.run_folder(folder / "run", text))
    path = folder / "reviews.csv"
    run.reviews.to_csv(path)
    return [path.read_bytes().decode("utf-8-sig")]


def run_results(text: str, folder: Path) -> list[str]:
    from tests.robustness import seeds
    from vde_nb.batch._final import write_results

    row = seeds.row() | dict.fromkeys(("name", "reference", "current", "error"), text)
    row["given"] = {text: text}
    write_results(folder, [(row, {"id": row["id"]})])
    return [(folder / "results.csv").read_bytes().decode("utf-8-sig")]


MAKERS = (anomalies, series, run_reviews, run_results)


@pytest.mark.parametrize("make", MAKERS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("start", (*BEGINNINGS, *OTHERS), ids=ascii)
def test_no_cell_is_a_formula(
    make: Callable[[str, Path], list[str]], start: str, tmp_path: Path
) -> None:
    cells = [
        cell
        for text in make(f"{start}{FORMULA}", tmp_path)
        for line in csv.reader(io.StringIO(text, newline=""))
        for cell in line
    ]
    assert any(FORMULA in cell for cell in cells)
    for cell in cells:
        assert not cell.startswith((*BEGINNINGS, *OTHERS)) or _is_number(cell), cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("make", MAKERS[:2], ids=lambda one: one.__name__)
def test_a_name_with_commas_quotes_and_lines_stays_one_cell(
    make: Callable[[str, Path], list[str]], tmp_path: Path
) -> None:
    name = 'a,"b"\r\nc;d'
    for text in make(name, tmp_path):
        lines = list(csv.reader(io.StringIO(text, newline="")))
        assert len({len(line) for line in lines}) == 1
        assert any(name in cell for line in lines for cell in line)
