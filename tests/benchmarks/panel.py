"""The panel's speed and memory, in a real JupyterLab in a headless Chromium.

    python -m tests.benchmarks.panel [drag] [answer] [first] [payload] [large] [reruns]

Times between page and kernel are taken by the page's own clock, those of repainting by the
viewer's own marks. There is no GPU here: with one, the browser has less to do.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, sync_playwright

from tests.benchmarks.common import machine, verdict
from tests.browser import chromium
from tests.browser.lab import Lab
from tests.browser.notebook import Notebook
from tests.browser.panel_page import PanelPage

ROOT = Path(__file__).resolve().parents[2]

PICTURES = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import vde_nb as vde
from tests.benchmarks.common import photo_pair
reference, current = photo_pair({{size}})
"""
SHOW = """
panel = vde.Panel(reference, current, {options})
panel
"""
#: Milliseconds after which a canvas of the viewer has a pixel of the picture in its middle.
FIRST_PICTURE = """
() => new Promise(resolve => {
  const probe = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const look = () => {
    for (const canvas of document.querySelectorAll(".vde-stage-box canvas")) {
      if (!canvas.width || !canvas.height) continue;
      probe.clearRect(0, 0, 1, 1);
      probe.drawImage(canvas, canvas.width / 2, canvas.height / 2, 1, 1, 0, 0, 1, 1);
      if (probe.getImageData(0, 0, 1, 1).data[3] > 0) {
        resolve(performance.now());
        return;
      }
    }
    requestAnimationFrame(look);
  };
  look();
})
"""


class Session:
    """A browser and a server, and notebooks in them."""

    def __init__(self, lab: Lab, browser: Browser, folder: Path) -> None:
        self.lab, self.browser, self.folder = lab, browser, folder
        self._count = 0

    @contextlib.contextmanager
    def notebook(self, *cells: str) -> Iterator[Notebook]:
        """A notebook with a kernel of its own."""
        self._count += 1
        context = self.browser.new_context()
        notebook = Notebook(self.lab, context.new_page(), self.folder)
        notebook.page.set_default_timeout(120_000)
        try:
            yield notebook.open(f"{self._count}.ipynb", list(cells))
        finally:
            notebook.kill_kernel()
            context.close()

    @contextlib.contextmanager
    def panel(self, size: int, options: str = 'segmenter="none"') -> Iterator[PanelPage]:
        """A panel that shows a photo pair of `size` megapixels."""
        cells = PICTURES.format(size=size), SHOW.format(options=options)
        with self.notebook(*cells) as notebook:
            notebook.run(0)
            notebook.run(1)
            yield PanelPage(notebook, cell=1).ready(120)


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _repaints(panel: PanelPage) -> list[float]:
    found = panel.page.evaluate(
        "() => performance.getEntriesByName('vde-repaint').map(one => one.duration)"
    )
    return [float(one) for one in found]


def bench_drag(session: Session) -> None:
    """The threshold is dragged: how long the browser takes to draw, and who is asked."""
    for size in (2, 12):
        with session.panel(size) as panel:
            panel.drag_threshold(50, 90)  # warms up, and is not counted
            panel.settle()
            panel.page.evaluate("() => performance.clearMeasures('vde-repaint')")
            # Nobody in the kernel can answer during this drag.
            panel.notebook.page.evaluate(
                """() => { shownNotebook().sessionContext.session.kernel.requestExecute(
                     { code: "import time; time.sleep(4)" }); }"""
            )
            panel.drag_threshold(90, 30, steps=60)
            panel.page.wait_for_timeout(300)
            taken = _repaints(panel)
            if len(taken) < 20:
                print(f"  {size:2} MP  only {len(taken)} repaints were seen: MISSED")
                continue
            median, slow = statistics.median(taken), _percentile(taken, 0.95)
            said = (
                (verdict(median, 8, at_most=True), verdict(slow, 16, at_most=True))
                if size == 12
                else ("", "")
            )
            print(f"  {size:2} MP  {len(taken)} repaints, the kernel busy all the while")
            print(f"         median  {median:7.1f} ms  {said[0]}")
            print(f"         95 %    {slow:7.1f} ms  {said[1]}")
            panel.until("panel.status", "ready", 30)


def bench_answer(session: Session) -> None:
    """The kernel's answer after the threshold is let go, segmenter="none"."""
    for method in ("hybrid", "robust"):
        for size, most in ((2, 150), (12, 400)):
            options = f'method={method!r}, segmenter="none"'
            with session.panel(size, options) as panel:
                taken = []
                for turn in range(8):
                    low, high = (40, 60) if turn % 2 else (60, 40)
                    before = panel.notebook.frame_count()
                    panel.drag_threshold(low, high, steps=8)
                    taken.append(_answer(panel, before))
                    panel.settle()
                median = statistics.median(taken[1:])
                print(
                    f"  {size:2} MP  {method:7} median {median:6.0f} ms, worst {max(taken):6.0f}"
                    f"  {verdict(median, most, at_most=True)}"
                )


def _answer(panel: PanelPage, since: int, seconds: float = 20.0) -> float:
    """Milliseconds from the last threshold sent to the result that answers it."""

    def found() -> float | None:
        frames = panel.notebook.frames(since)
        asked = [one for one in frames if one.says == "threshold" and one.custom["final"]]
        if not asked:
            return None
        seq = asked[-1].custom["seq"]
        for one in frames:
            if one.says == "result" and one.custom["result"]["seq"] >= seq:
                return max(one.at - asked[-1].at, 0.1)
        return None

    return float(panel.notebook.until(found, seconds=seconds))


def bench_first(session: Session) -> None:
    """The first picture on the screen after the cell runs, at 2 MP."""
    for options in ('segmenter="none"', "", 'method="hybrid", segmenter="none"'):
        taken = []
        for _ in range(3):
            cells = PICTURES.format(size=2), SHOW.format(options=options), "1 + 1"
            with session.notebook(*cells) as notebook:
                notebook.run(0)
                started = notebook.page.evaluate("performance.now()")
                notebook.run(1, wait=False)
                shown = notebook.page.evaluate(FIRST_PICTURE)
                taken.append(shown - started)
        median = statistics.median(taken)
        print(
            f"  Panel({options or 'defaults'}): {median:6.0f} ms of"
            f" {', '.join(f'{one:.0f}' for one in taken)}"
            f"  {verdict(median / 1000, 1.5, at_most=True)}"
        )


def bench_payload(session: Session) -> None:
    """What a pair costs on the wire until its result is shown."""
    for size in (2, 12):
        with session.panel(size) as panel:
            panel.page.wait_for_timeout(3000)
            frames = [one for one in panel.notebook.frames() if one.kind.startswith("comm")]
            received = [one for one in frames if not one.sent]
            total, largest = sum(one.size for one in received), max(one.size for one in received)
            kinds: dict[str, int] = {}
            for one in received:
                key = one.custom.get("key", one.says or one.kind)
                kinds[key] = kinds.get(key, 0) + one.size
            told = size == 12
            print(
                f"  {size:2} MP  {total / 1e6:6.2f} MB in {len(received)} messages"
                f"  {verdict(total / 1e6, 12, at_most=True) if told else ''}"
            )
            print(
                f"         largest {largest / 1e6:5.2f} MB"
                f"  {verdict(largest / 1e6, 4, at_most=True) if told else ''}"
            )
            most = sorted(kinds.items(), key=lambda one: -one[1])[:6]
            print("         " + ", ".join(f"{name} {value / 1e6:.2f}" for name, value in most))


def _browser_memory() -> tuple[float, float]:
    """MB that all processes of Chromium use, shared pages counted once, and the largest of them."""
    sizes = []
    for one in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "chrom" in one.name():
                sizes.append(one.memory_full_info().pss / 1e6)
    return sum(sizes), max(sizes, default=0.0)


def bench_large(session: Session) -> None:
    """A 48 MP pair opens, and its own pixels come when one zooms in."""
    empty, _ = _browser_memory()
    with session.panel(48) as panel:
        panel.page.wait_for_timeout(2000)
        peak, page = _browser_memory()
        panel.execute("panel.view = {**panel.view, 'scale': 4.0, 'cx': 5000, 'cy': 3000}")
        panel.notebook.until(
            lambda: any(not one.sent for one in panel.notebook.said("tile")), seconds=30
        )
        panel.page.wait_for_timeout(2000)
        total, zoomed = _browser_memory()
        print(f"  without a notebook {empty:5.0f} MB")
        print(f"  opened   {peak:6.0f} MB, its largest process {page:5.0f}")
        print(
            f"  zoomed   {total:6.0f} MB, its largest process {zoomed:5.0f}"
            f"  {verdict(max(peak, total), 1000, at_most=True)}"
        )


def bench_reruns(session: Session) -> None:
    """The cell is run 50 times, each time closing the panel before."""
    again = "panel.close()\n" + SHOW.format(options='segmenter="none"').strip()
    with session.notebook(
        PICTURES.format(size=2), SHOW.format(options='segmenter="none"'), again
    ) as notebook:
        notebook.run(0)
        notebook.run(1)

        def rerun() -> PanelPage:
            notebook.run(2)
            return PanelPage(notebook, cell=2).ready(60)

        for _ in range(8):  # allocators and caches fill up
            rerun()
        notebook.page.wait_for_timeout(500)
        before: dict[str, Any] = _footprint(notebook)
        for _ in range(50):
            rerun()
        notebook.page.wait_for_timeout(500)
        after = _footprint(notebook)
        for name, start in before.items():
            change = (after[name] - start) / start * 100
            unit = " MB" if name.endswith("memory") else ""
            goal = 5 if name == "kernel memory" else 0
            said = "" if name == "page memory" else verdict(change, goal, at_most=True)
            print(f"  {name:16} {start:8.0f} → {after[name]:8.0f}{unit} {change:+6.1f} %  {said}")


def _footprint(notebook: Notebook) -> dict[str, float]:
    notebook.page.request_gc()
    heap = notebook.page.evaluate("performance.memory?.usedJSHeapSize ?? 0")
    return {
        "kernel memory": notebook.memory() / 1e6,
        "kernel comms": notebook.comms(),
        "kernel threads": int(notebook.value("__import__('threading').active_count()")),
        "page comms": notebook.models(),
        "page memory": heap / 1e6,
    }


def main() -> None:
    parts = {
        "drag": bench_drag,
        "answer": bench_answer,
        "first": bench_first,
        "payload": bench_payload,
        "large": bench_large,
        "reruns": bench_reruns,
    }
    chosen = sys.argv[1:] or list(parts)
    print(machine())
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        program = chromium.find(playwright)
        home = Path(folder)
        with Lab(home / "lab") as lab:
            for name in chosen:
                # A browser of its own for each: what one leaves behind is not the next one's.
                browser = playwright.chromium.launch(
                    executable_path=program, args=list(chromium.ARGUMENTS)
                )
                print(f"{name}: {(parts[name].__doc__ or '').splitlines()[0]}")
                parts[name](Session(lab, browser, home))
                browser.close()


if __name__ == "__main__":
    main()
