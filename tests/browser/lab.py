"""A JupyterLab of one's own: nothing of the user's configuration, nothing from the network."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import nbformat
import psutil

#: News and update notices ask servers elsewhere; the others cost time and prove nothing here.
DISABLED = (
    "@jupyterlab/apputils-extension:announcements",
    "@jupyterlab/extensionmanager-extension",
    "@jupyterlab/lsp-extension",
    "@jupyterlab/fileeditor-extension:language-server",
    "@jupyterlab/notebook-extension:language-server",
    "@jupyterlab/help-extension:launch-classic",
)
SETTINGS: dict[str, dict[str, Any]] = {
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
    # A notebook is saved when a test saves it.
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
    "@jupyterlab/completer-extension/manager": {"autoCompletion": False},
}
START = 60.0


class LabError(RuntimeError):
    """JupyterLab did not start; the message ends with what it printed."""


class Lab:
    """A server on a free port of 127.0.0.1, protected by a token.

    Parameters
    ----------
    home : Path
        An empty folder: configuration, data, run-time files and the notebooks go below it.
    **environment : str
        Environment variables of the server and its kernels.
    """

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self._environment = environment
        #: Where notebooks lie, and what a kernel's working directory is.
        self.notebooks = home / "notebooks"
        self.token = os.urandom(16).hex()
        self.url = ""
        self._log = home / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Lab:
        self.notebooks.mkdir(parents=True)
        config = self._folder("config")
        settings = self._folder("settings")
        (config / "labconfig").mkdir()
        (config / "labconfig" / "page_config.json").write_text(
            json.dumps({"disabledExtensions": dict.fromkeys(DISABLED, True)})
        )
        for name, values in SETTINGS.items():
            path = settings / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
        environment = {
            **os.environ,
            **self._environment,
            "JUPYTER_CONFIG_DIR": str(config),
            "JUPYTER_DATA_DIR": str(self._folder("data")),
            "JUPYTER_RUNTIME_DIR": str(self._folder("runtime")),
            "JUPYTERLAB_SETTINGS_DIR": str(settings),
            "JUPYTERLAB_WORKSPACES_DIR": str(self._folder("workspaces")),
            "IPYTHONDIR": str(self._folder("ipython")),
            # The kernels' own warnings about debugging frozen modules are not news.
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "jupyterlab",
                    "--no-browser",
                    "--allow-root",
                    "--ServerApp.ip=127.0.0.1",
                    "--ServerApp.port=0",
                    f"--ServerApp.root_dir={self.notebooks}",
                    f"--IdentityProvider.token={self.token}",
                    "--ServerApp.jpserver_extensions={'jupyter_lsp': False, "
                    "'jupyter_server_terminals': False, 'notebook_shim': False}",
                    "--LabApp.expose_app_in_browser=True",
                    "--LabApp.extension_manager=readonly",
                ],
                env=environment,
                cwd=self.notebooks,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def write(self, name: str, cells: Sequence[str]) -> Path:
        """A notebook of code cells in the folder of notebooks."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
            metadata={
                "kernelspec": {
                    "name": "python3",
                    "display_name": "Python 3 (ipykernel)",
                    "language": "python",
                }
            },
        )
        path = self.notebooks / name
        nbformat.write(notebook, path)
        return path

    def copy(self, notebook: Path) -> Path:
        """A copy of a notebook's file in the folder of notebooks."""
        return Path(shutil.copy(notebook, self.notebooks))

    def address(self, name: str) -> str:
        """Where the browser finds a notebook, alone on its page."""
        return f"{self.url}doc/tree/{name}?token={self.token}"

    @property
    def process(self) -> psutil.Process:
        """The server; its children are the kernels."""
        assert self._process is not None
        return psutil.Process(self._process.pid)

    def _folder(self, name: str) -> Path:
        path = self.home / name
        path.mkdir()
        return path

    def _wait(self) -> None:
        """Until it tells its address and answers."""
        assert self._process is not None
        until = time.monotonic() + START
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            for info in (self.home / "runtime").glob("jpserver-*.json"):
                with contextlib.suppress(OSError, ValueError):
                    server = json.loads(info.read_text())
                    self.url = f"http://127.0.0.1:{server['port']}{server['base_url']}"
                    urllib.request.urlopen(
                        f"{self.url}api/status?token={self.token}", timeout=5
                    ).close()
                    return
            time.sleep(0.05)
        raise LabError(
            f"JupyterLab did not start:\n{self._log.read_text(errors='replace')[-3000:]}"
        )

    def _stop(self) -> None:
        """The server and everything it started, in any case."""
        if self._process is None:
            return
        family: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess):
            family = self.process.children(recursive=True)
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._process.kill()
        self._process.wait()
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        self._process = None
