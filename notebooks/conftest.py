"""For tests only: notebooks run again are compared with what they hold, pictures by their size."""

from tests.notebooks.nbval_pictures import pytest_collect_file

__all__ = ["pytest_collect_file"]
