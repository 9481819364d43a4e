"""Running a notebook from its first cell to its last, as CI and a stranger would."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

#: Seconds that one cell may take.
TIMEOUT = 120.0


class RunError(RuntimeError):
    """A cell raised, took too long, or left something behind; the message says which."""


@contextmanager
def own_surroundings() -> Iterator[None]:
    """Kernels started within see an empty cache, and draw as in a notebook."""
    kept = {name: os.environ.get(name) for name in ("VDE_NB_CACHE", "MPLBACKEND")}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as cache:
        os.environ["VDE_NB_CACHE"] = cache
        os.environ.pop("MPLBACKEND", None)
        try:
            yield
        finally:
            for name, value in kept.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def executed(notebook: NotebookNode, folder: Path, timeout: float = TIMEOUT) -> float:
    """Run all cells, in place, with this Python.

    Parameters
    ----------
    notebook : NotebookNode
        Its outputs are replaced.
    folder : Path
        The working folder.
    timeout : float
        Seconds that one cell may take.

    Returns
    -------
    float
        Seconds that it took, with the start of the kernel.

    Raises
    ------
    RunError
        A cell raised or took too long, or the notebook left files in the working folder.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    before = _listing(folder)
    started = time.monotonic()
    with own_surroundings():
        client = NotebookClient(
            notebook,
            timeout=math.ceil(timeout),  # older versions take whole seconds only
            resources={"metadata": {"path": str(folder)}},
            extra_arguments=["--log-level=ERROR"],  # else it warns of its own connection
            store_widget_state=False,
            record_timing=False,
        )
        # Without folders of kernels the only one is that of this very Python. Given here and not
        # above, it is shut down at the end.
        client.km = AsyncKernelManager(kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
        try:
            client.execute()
        except CellExecutionError as error:
            raise RunError(str(error)) from error
        except TimeoutError as error:
            raise RunError(f"a cell took longer than {timeout:g} s: {error}") from error
    took = time.monotonic() - started
    left = sorted(_listing(folder) - before)
    if left:
        raise RunError(f"it left something in the working folder: {', '.join(left)}")
    return took


def _listing(folder: Path) -> set[str]:
    """What lies there; other notebooks may be written meanwhile."""
    return {one.name for one in folder.iterdir() if one.suffix != ".ipynb"} - {"__pycache__"}
