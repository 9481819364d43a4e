"""What is left where there is no kernel: in the saved notebook."""

from __future__ import annotations

import json

import pytest

from .conftest import Open
from .notebook import Notebook
from .panel_page import PanelPage

CELL = """
import numpy as np, cv2
import vde_nb as vde
rng = np.random.default_rng(0)
small = rng.normal(120, 40, (77, 103, 3))
big = cv2.resize(small, (1632, 1224), interpolation=cv2.INTER_CUBIC)
reference = np.clip(big + rng.normal(0, 2, big.shape), 0, 255).astype(np.uint8)
current = reference.copy()
for at in range(6):
    cv2.circle(current, (150 + 250 * at, 200 + 150 * at), 30, (230, 30, 30), -1)
panel = vde.Panel(reference, current, segmenter="none")
panel
""".strip()


@pytest.fixture(scope="module")
def notebook(open_notebook: Open) -> Notebook:
    """A notebook with a 2 MP pair."""
    return open_notebook("saved.ipynb", [CELL])


def test_a_saved_notebook_shows_picture_and_table_and_stays_small(notebook: Notebook) -> None:
    notebook.save()
    before = notebook.path.stat().st_size
    notebook.run(0)
    panel = PanelPage(notebook).ready(60)
    panel.drag_threshold(50, 60)
    panel.until("panel.comparison.threshold", 60)
    panel.execute("panel.wait()")
    panel.page.wait_for_timeout(1500)  # the static picture follows when it is calm
    saved = notebook.save()
    grown = notebook.path.stat().st_size - before
    assert grown <= 400_000
    html = "".join(
        "".join(output["data"].get("text/html", ""))
        for output in saved["cells"][0]["outputs"]
        if "data" in output
    )
    assert "<img" in html
    assert "data:image/" in html
    for anomaly in panel.value("[a.type for a in panel.comparison.anomalies]"):
        assert str(anomaly).replace("_", " ") in html.replace("_", " ")
    assert "<script" not in html
    state = json.dumps(saved["metadata"].get("widgets", {}))
    assert len(state) < 100_000
    assert notebook.errors() == []


def test_the_static_picture_is_hidden_while_the_panel_lives(panel: PanelPage) -> None:
    assert panel.static.count() >= 1
    assert not panel.static.first.is_visible()


def test_a_notebook_opened_again_without_a_kernel_shows_the_picture(notebook: Notebook) -> None:
    panel = PanelPage(notebook).ready()
    notebook.kill_kernel()
    notebook.page.reload()
    notebook.page.wait_for_selector(".jp-Cell")
    panel.static.locator("img").first.wait_for(state="visible", timeout=20_000)
    notebook.shot("reopened")
