"""One notebook open in JupyterLab, and what a person or a script does with it."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Page

from .lab import Lab
from .wire import NOTE_FRAMES, Frame

NARROW, WIDE = 600, 1400
HEIGHT = 1200

#: What Lab and the browser say by themselves; nothing of it comes from a widget.
NOT_OURS = (
    r"favicon",
    r"/lsp/",
    r"/api/(settings|workspaces|translations|kernels|sessions|contents|me)\b",
    r"Failed to load resource: net::ERR_(ABORTED|CONNECTION)",
    r"WebSocket is (closed|already)",
    r"WebSocket connection to .* failed",
    r"Download the React DevTools",
    r"Third-party cookie",
    r"\[Deprecation\]",
    # The badges of a notebook come from the network.
    r"Failed to load resource: .* \(https://[\w./-]+/(colab-badge|badge_logo)\.svg\)",
    # Thrown in Lab's own script and by nothing else.
    r"^uncaught: .*\n(\s+at .*/static/lab/.*\n?)+$",
)

#: The notebook on the page (`shell.currentWidget` is null while nothing in it has the focus), and
#: an end to waiting, which Playwright has none for.
FIND = """
window.shownNotebook = () => {
  const widgets = Array.from(jupyterapp.shell.widgets("main"));
  return widgets.find(widget => widget.sessionContext) ?? null;
};
window.withinTime = (promise, what, seconds = 60) => Promise.race([
  promise,
  new Promise((_, reject) => setTimeout(() => reject(new Error(what)), 1000 * seconds)),
]);
"""

EXECUTE = """
async code => {
  const kernel = shownNotebook().sessionContext.session.kernel;
  const future = kernel.requestExecute({ code, store_history: false, allow_stdin: false });
  let text = "";
  let error = null;
  future.onIOPub = message => {
    if (message.header.msg_type === "stream") text += message.content.text;
    if (message.header.msg_type === "error") {
      error = message.content.ename + ": " + message.content.evalue;
    }
  };
  await withinTime(future.done, "the kernel did not finish: " + code);
  return [text, error];
}
"""

FREE = """
import ctypes as _ctypes, ctypes.util as _util, gc as _gc
_gc.collect()
_libc = _ctypes.CDLL(_util.find_library("c"))
if hasattr(_libc, "malloc_trim"):
    _libc.malloc_trim(0)
"""


class KernelError(RuntimeError):
    """Code in the kernel raised."""


class Notebook:
    """A notebook page: cells, kernel, console, websocket.

    Parameters
    ----------
    lab : Lab
        The server.
    page : Page
        An empty page of the browser.
    screenshots : Path
        Where pictures go.
    """

    def __init__(self, lab: Lab, page: Page, screenshots: Path) -> None:
        self.lab = lab
        self.page = page
        self.path = lab.notebooks
        self.console: list[str] = []
        self._screenshots = screenshots
        page.set_default_timeout(15_000)
        page.add_init_script(FIND)
        page.add_init_script(NOTE_FRAMES)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.console.append(f"uncaught: {error.stack or error}"))

    # Notebook and kernel

    def open(self, name: str, cells: Sequence[str] | Path) -> Notebook:
        """Write a notebook, or copy the file of one; open it, and wait for its kernel."""
        self.path = self.lab.copy(cells) if isinstance(cells, Path) else self.lab.write(name, cells)
        self.page.set_viewport_size({"width": WIDE, "height": HEIGHT})
        self.page.goto(self.lab.address(self.path.name))
        self._ready()
        return self

    def reload(self) -> None:
        """Save, and reload as the browser's button does; the kernel lives on."""
        self.save()
        self.page.reload()
        self._ready()

    def run(self, number: int, wait: bool = True) -> None:
        """Run a cell as Ctrl-Enter does; errors in it are raised here."""
        self.page.evaluate(
            """async ([number, wait]) => {
              const shown = shownNotebook();
              const content = shown.content;
              jupyterapp.shell.activateById(shown.id);
              content.deselectAll();
              content.activeCellIndex = number;
              content.mode = "command";
              const done = jupyterapp.commands.execute("notebook:run-cell");
              if (wait) await withinTime(done, "the cell did not finish");
            }""",
            [number, wait],
        )
        if wait:
            for output in self.outputs(number):
                if output["output_type"] == "error":
                    raise KernelError(f"{output['ename']}: {output['evalue']}")

    def run_all(self, seconds: float) -> None:
        """*Run All Cells*, as the menu does; until all are done, or one raised."""
        self.page.evaluate(
            """async seconds => {
              jupyterapp.shell.activateById(shownNotebook().id);
              await withinTime(jupyterapp.commands.execute("notebook:run-all-cells"),
                               `the cells did not finish in ${seconds} s`, seconds);
            }""",
            seconds,
        )

    def outputs(self, number: int) -> list[dict[str, Any]]:
        """What a cell put out, as the notebook file would hold it."""
        return self.page.evaluate(  # type: ignore[no-any-return]
            "n => shownNotebook().content.model.cells.get(n).outputs.toJSON()",
            number,
        )

    def change(self, number: int, source: str) -> None:
        """Give a cell another text."""
        self.page.evaluate(
            """([n, source]) => {
              shownNotebook().content.model.cells.get(n).sharedModel
                .setSource(source);
            }""",
            [number, source],
        )

    def cells(self) -> list[str]:
        """The texts of all cells."""
        return self.page.evaluate(  # type: ignore[no-any-return]
            """() => {
              const cells = shownNotebook().content.model.cells;
              return Array.from(cells, one => one.sharedModel.getSource());
            }"""
        )

    def one_cell(self) -> None:
        """Take away all cells but the first that has a panel, or the first."""
        self.page.evaluate(
            """() => {
              const model = shownNotebook().content.model.sharedModel;
              const kept = Math.max(0, model.cells.findIndex(one => one.source.includes("vde.")));
              for (let n = model.cells.length - 1; n >= 0; n -= 1) {
                if (n !== kept) model.deleteCell(n);
              }
            }"""
        )

    def execute(self, code: str) -> str:
        """Run code in the kernel, in no cell; what it printed."""
        text, error = self.page.evaluate(EXECUTE, code)
        if error is not None:
            raise KernelError(error)
        return str(text)

    def value(self, expression: str) -> Any:
        """A value of the kernel, through JSON."""
        text = self.execute(
            f"import json as _json\nprint('\\x02' + _json.dumps({expression}, default=str))"
        )
        return json.loads(text.rsplit("\x02", 1)[1])

    def until(
        self, what: Callable[[], Any] | str, wanted: Any = None, seconds: float = 10.0
    ) -> Any:
        """Wait for a condition, or for an expression of the kernel to have a value."""
        ask = what if callable(what) else (lambda: self.value(what))
        end = time.monotonic() + seconds
        while True:
            found = ask()
            if (found == wanted) if wanted is not None else found:
                return found
            if time.monotonic() > end:
                raise AssertionError(f"after {seconds:g} s still {found!r}, not {wanted!r}")
            self.page.wait_for_timeout(50)

    def restart_kernel(self) -> None:
        """The kernel's process ends and another begins."""
        self.page.evaluate(
            """async () => {
              const context = shownNotebook().sessionContext;
              await context.session.kernel.restart();
              await context.ready;
            }"""
        )
        self._ready()

    def kill_kernel(self) -> None:
        """The kernel's process ends, and nothing follows."""
        self.page.evaluate("shownNotebook().sessionContext.shutdown()")

    def save(self) -> dict[str, Any]:
        """Save as Ctrl-S does; what the file then holds."""
        self.page.evaluate("shownNotebook().context.save()")
        return json.loads(self.path.read_text())  # type: ignore[no-any-return]

    def comms(self) -> int:
        """How many comms the kernel has open."""
        return int(self.value("len(__import__('comm').get_comm_manager().comms)"))

    def models(self) -> int:
        """How many widget models the page holds for them."""
        return int(
            self.page.evaluate("() => shownNotebook().sessionContext.session.kernel._comms.size")
        )

    def memory(self) -> int:
        """Bytes that the kernel's process uses: what it freed is given back to the system first."""
        self.execute(FREE)
        return int(self.value("__import__('psutil').Process().memory_full_info().uss"))

    # Looks

    def theme(self, name: str) -> None:
        """Switch Lab's theme: ``light`` or ``dark``."""
        self.page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', { theme })",
            f"JupyterLab {name.capitalize()}",
        )
        self.page.wait_for_selector(
            f"body[data-jp-theme-light='{'true' if name == 'light' else 'false'}']",
            state="attached",
        )

    def resize(self, width: int, height: int = HEIGHT) -> None:
        """Another width of the window."""
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.wait_for_timeout(100)

    def shot(self, name: str, target: Any = None) -> Path:
        """A screenshot, kept."""
        path = self._screenshots / f"{name}.png"
        (target or self.page).screenshot(path=str(path), animations="disabled")
        return path

    # Console and websocket

    def errors(self) -> list[str]:
        """What the page complained of, less what is Lab's own."""
        found = [text for text in self.console if not any(re.search(one, text) for one in NOT_OURS)]
        return [text + self._history(text) for text in found]

    def _history(self, text: str) -> str:
        """All that went over the wire for a connection the page does not know."""
        lost = re.search(r"Comm not found for comm id (\w+)", text)
        if lost is None:
            return ""
        lines = [
            f"{one.at:.0f} ms {'to' if one.sent else 'from'} the kernel: {one.kind} {one.content}"
            for one in self.frames()
            if one.content.get("comm_id") == lost[1]
        ]
        return "\n" + "\n".join(lines)

    def frames(self, since: int = 0) -> list[Frame]:
        """Everything between page and kernel since the page was loaded, less the first `since`."""
        noted = self.page.evaluate("since => vdeFrames.slice(since)", since)
        return [Frame(**one) for one in noted]

    def frame_count(self) -> int:
        """How many that are."""
        return int(self.page.evaluate("vdeFrames.length"))

    def said(self, name: str, since: int = 0) -> list[Frame]:
        """The viewer's messages of one name, either way."""
        return [one for one in self.frames(since) if one.says == name]

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            where = message.location.get("url", "")
            self.console.append(f"{message.text} ({where})")

    def _ready(self) -> None:
        """Until the notebook is shown and its kernel is idle."""
        self.page.wait_for_function(
            "() => window.jupyterapp !== undefined && shownNotebook() !== null", timeout=60_000
        )
        self.page.evaluate(
            """async () => {
              const shown = shownNotebook();
              await shown.context.ready;
              await shown.revealed;
              await shown.sessionContext.ready;
            }"""
        )
        self.page.wait_for_function(
            "() => shownNotebook().sessionContext.session?.kernel?.status === 'idle'",
            timeout=60_000,
        )


def screenshot_folder(fallback: Path) -> Path:
    """Where screenshots are kept: VDE_NB_SCREENSHOTS, or below pytest's own folder."""
    named = os.environ.get("VDE_NB_SCREENSHOTS")
    folder = Path(named) if named else fallback / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
