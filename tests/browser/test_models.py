"""A trained model draws the outlines: chosen in a list, waited for, stopped, and said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from .conftest import Show
from .panel_page import PanelPage, sample_cell

pytest.importorskip("torch")
pytest.importorskip("transformers")

#: A toy model that takes its time to read a picture, as a real one does.
SLOW = """
import time as _time
import vde_nb as vde
from vde_nb._progress import report as _report
vde.add_model("toy", {path!r}, "Toy SAM")
_backend = vde.predictor("toy").backend
_encode = type(_backend).encode

def _slowly(self, image, *more):
    for _step in range(40):
        _report("Toy SAM reads the picture", _step / 40)
        _time.sleep(_pause)
    return _encode(self, image, *more)

_pause = 0.1
type(_backend).encode = _slowly
"""


@pytest.fixture
def toy(show: Show, tmp_path: Path) -> PanelPage:
    """A panel with a slow model in its list."""
    from tests.sam_models import tiny

    cell = SLOW.format(path=str(tiny("sam2", tmp_path / "toy"))) + sample_cell()
    return show(cell.strip()).ready()


def test_a_model_is_chosen_stopped_and_waited_for(toy: PanelPage) -> None:
    panel = toy
    before = panel.value("[list(map(int, a.box)) for a in panel.comparison.anomalies]")
    panel.control("combobox", "Outlines by").select_option(label="Toy SAM")
    expect(panel.viewer).to_contain_text(re.compile(r"Toy SAM reads the picture \d+ %"))
    panel.notebook.shot("encoding", panel.viewer)
    panel.drag_threshold(50, 70)  # looking goes on
    assert panel.shown_threshold() == 70
    panel.button("Cancel").click()
    panel.until("panel._comparing.is_running", False)
    assert panel.value("[list(map(int, a.box)) for a in panel.comparison.anomalies]") == before
    panel.execute("_pause = 0.01")
    panel.drag_threshold(70, 50)
    panel.until("panel.comparison.outlined_by", "Toy SAM", seconds=30)
    assert panel.value("panel.comparison.threshold") == 50
    # The second time the picture is known.
    panel.execute("_pause = 100")
    panel.drag_threshold(50, 55)
    panel.until("panel.comparison.threshold", 55, seconds=30)


def test_what_cannot_be_had_is_said_and_graph_cut_draws(panel: PanelPage) -> None:
    panel.execute("import os; os.environ['VDE_NB_OFFLINE'] = '1'")
    panel.control("combobox", "Outlines by").select_option(label="SAM ViT-B · download 375 MB")
    panel.until("panel.comparison.outlined_by", "Graph cut")
    expect(panel.root).to_contain_text("Outlined by Graph cut; the notes below the picture")
    notes = panel.viewer.get_by_text("1 note")
    notes.click()
    expect(panel.viewer).to_contain_text("sam_vit_b_01ec64.pth")
    panel.notebook.shot("notes", panel.root)
