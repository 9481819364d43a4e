"""``vde-nb lab``, as a person uses it: a command, the address it prints, Shift+Enter."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import pytest
from playwright.sync_api import Browser, expect

import vde_nb as vde

from .lab import SETTINGS
from .notebook import HEIGHT, WIDE

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are sent")


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The address of the notebook, as the command prints it."""
    pair = vde.samples.load("board")
    pictures, home = tmp_path / "pictures", tmp_path / "home"
    pictures.mkdir()
    for name, picture in (("golden.png", pair.reference), ("today's.png", pair.current)):
        assert cv2.imwrite(str(pictures / name), picture[..., ::-1])
    # nothing of the user's, and nothing that asks servers elsewhere
    for name, values in SETTINGS.items():
        path = home / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    homes = {
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": home / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces",
        "IPYTHONDIR": home / "ipython",
        "PYTHONPATH": Path(vde.__file__).parents[1],
    }
    words = ["lab", "golden.png", "today's.png", "--no-browser", "--allow-root"]
    process = subprocess.Popen(
        [sys.executable, "-m", "vde_nb", *words],
        cwd=pictures,
        env={
            **os.environ,
            **{name: str(path) for name, path in homes.items()},
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # What a shell starts in its background ignores Ctrl-C, and so does all that it starts.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    # Reading its lines has no limit of time of its own.
    late = threading.Timer(90, process.kill)
    late.start()
    try:
        assert process.stdout is not None
        found, said = None, ""
        while found is None:
            line = process.stdout.readline()
            said += line
            assert line, f"it ended:\n{said}"
            found = re.search(r"http://127\.0\.0\.1:\S+token=\w+", line)
        late.cancel()  # who runs the test has time
        yield found[0]
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said + rest
    finally:
        late.cancel()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_the_printed_address_and_shift_enter_lead_to_the_panel(
    address: str, browser: Browser, screenshots: Path
) -> None:
    context = browser.new_context(viewport={"width": WIDE, "height": HEIGHT})
    try:
        page = context.new_page()
        page.goto(address, timeout=60_000)
        cell = page.locator(".jp-CodeCell .cm-content").first
        expect(cell).to_contain_text('"golden.png", "today\'s.png"', timeout=60_000)
        expect(cell).to_contain_text("Press Shift+Enter")
        # what is run before the kernel has begun is not run
        expect(page.get_by_text(re.compile(r"ipykernel\) \| Idle"))).to_be_visible(timeout=60_000)
        page.keyboard.press("Shift+Enter")
        viewer = page.get_by_role("region", name="Image comparison")
        expect(viewer).to_be_visible(timeout=60_000)
        expect(viewer).to_contain_text(re.compile(r"[1-9]\d* regions? at 50"), timeout=60_000)
        page.screenshot(path=screenshots / "lab-command.png")
    finally:
        context.close()
