"""Shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

#: Real pictures with ground truth; they stand beside the repository and are never copied into it.
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real pictures."""
    if not DATA.is_dir():
        pytest.skip(f"the real pictures are not here: {DATA}")
    return DATA
