"""A pair too large to be sent: a base at once, and tiles of what is looked at more closely.

36 megapixels, or as many as the environment variable VDE_NB_LARGE says (it takes minutes then).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.benchmarks.large import write
from vde_nb import samples

from .panel_page import PanelPage

MEGAPIXELS = float(os.environ.get("VDE_NB_LARGE", "36"))
SECONDS = 30 + 3 * MEGAPIXELS
CELL = """
import vde_nb as vde
panel = vde.Panel({reference!r}, {current!r}, method="hybrid", segmenter="none",
                  max_megapixels=1000)
panel
"""


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    """The board, enlarged without smoothing, with a mark in the middle of the second picture."""
    small = samples.load("board")
    height = round((MEGAPIXELS * 1e6 * 3 / 4) ** 0.5)
    width = height * 4 // 3
    rows, columns = np.arange(height) * 600 // height, np.arange(width) * 800 // width
    paths = []
    for name, one in (("reference", small.reference), ("current", small.current)):
        big = np.ascontiguousarray(one[rows][:, columns])
        if name == "current":
            middle = np.s_[height // 2 : height // 2 + 40, width // 2 : width // 2 + 40]
            big[middle] = 250, 0, 250
        paths.append(tmp_path / f"{name}.tif")
        write(paths[-1], big)
    return str(paths[0]), str(paths[1])


def tiles(panel: PanelPage, since: int) -> list[dict]:
    """What was asked for, as the websocket carried it."""
    frames = panel.notebook.frames(since)
    return [one.content["data"]["content"] for one in frames if one.sent and one.says == "tile"]


def test_a_large_pair_is_shown_by_its_base_and_by_tiles(
    show: Callable[[str], PanelPage], pair: tuple[str, str]
) -> None:
    started = time.monotonic()
    panel = show(CELL.format(reference=pair[0], current=pair[1]).strip())
    expect(panel.viewer).to_be_visible(timeout=SECONDS * 1000)
    panel.notebook.until("panel.status", "ready", SECONDS)
    panel.ready(SECONDS)
    ready = time.monotonic() - started
    height, width = panel.value("panel.comparison.pair.shape")
    assert height * width == pytest.approx(MEGAPIXELS * 1e6, rel=0.01)
    panel.notebook.shot(f"large-{MEGAPIXELS:.0f}-fitted")
    # the base is a picture of 1600 pixels, whatever the size: nothing else is sent of it
    received = [one for one in panel.notebook.frames(0) if not one.sent]
    assert sum(one.size for one in received) < 60_000_000
    before = panel.notebook.frame_count()
    panel.execute(
        f"panel.view = dict(panel.view, scale=1.0, cx={width / 2}, cy={height / 2}, "
        "mode='current', layers=dict.fromkeys(panel.view['layers'], False))"
    )
    panel.until("panel.view['scale']", 1)
    deadline = time.monotonic() + 20
    while not any(one["level"] == 1 for one in tiles(panel, before)):
        assert time.monotonic() < deadline, "no tile was asked for at full size"
        panel.page.wait_for_timeout(100)
    panel.page.wait_for_timeout(1500)
    shot = panel.notebook.shot(f"large-{MEGAPIXELS:.0f}-full-size")
    asked = tiles(panel, before)
    # what a stage of at most 1600 x 1200 pixels shows, of two pictures, a rim, and coarser ones
    assert len(asked) <= 2 * 5 * 4
    # The mark is drawn from the tile, pixel for pixel: its edge is one pixel wide.
    image = seen(panel)
    magenta = (np.abs(image.astype(int) - (250, 0, 250)).max(axis=2) <= 2).sum()
    assert magenta == pytest.approx(1600, abs=400), f"the mark is not sharp: {shot}"
    used = panel.value("__import__('psutil').Process().memory_info().rss") / 2**20
    took = f"ready after {ready:.1f} s, {len(asked)} tiles asked, kernel {used:.0f} MB"
    print(f"{MEGAPIXELS:.0f} MP: {took}")


def seen(panel: PanelPage) -> np.ndarray:
    """The stage as it is on the screen."""
    import cv2

    data = panel.stage.screenshot()
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))[..., ::-1]
