"""Whether there is anything to test with; without it this is what is skipped, and says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from .lab import Lab


def test_there_is_a_browser_and_a_jupyterlab(browser: Browser, lab: Lab) -> None:
    assert browser.is_connected()
    assert lab.process.is_running()
