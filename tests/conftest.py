"""Shared by all tests."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

#: Real pictures with ground truth; they stand beside the repository and are never copied into it.
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test, nor a notebook's kernel, reads or writes the user's own cache of encodings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VDE_NB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module", autouse=True)
def few_objects() -> None:
    """What is there before a module's tests is not gone through by each of their collections.

    Thousands of tests and the libraries they load leave millions of objects; closing a panel
    collects garbage, which took seconds among them.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real pictures."""
    if not DATA.is_dir():
        pytest.skip(f"the real pictures are not here: {DATA}")
    return DATA
