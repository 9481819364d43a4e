"""The notebooks of the set keep the rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from .files import every
from .first_cells import home
from .rules import faults


@pytest.mark.parametrize("path", every(), ids=lambda path: path.stem)
def test_it_keeps_the_rules(path: Path) -> None:
    assert [str(one) for one in faults(path, home())] == []


def test_the_numbers_are_without_gaps_or_doubles() -> None:
    numbers = [int(path.name[:2]) for path in every()]
    assert numbers == list(range(1, len(numbers) + 1))
