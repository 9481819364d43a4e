"""A browser and a JupyterLab for all tests of this folder.

Without Chromium, Playwright or JupyterLab the tests are skipped and say what to install; where the
environment variable CI is set they fail, because there nobody would notice.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from . import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

    from .lab import Lab
    from .notebook import Notebook
    from .panel_page import PanelPage

IMPORT = "import vde_nb as vde"
Open = Callable[..., "Notebook"]
Show = Callable[[str], "PanelPage"]


def _absent() -> str:
    """What is not installed, and how to install it; empty when all is here."""
    for module in ("playwright", "jupyterlab", "ipykernel", "nbformat", "psutil"):
        try:
            importlib.import_module(module)
        except ImportError:
            return f'{module} is not installed: pip install "vde-nb[lab,test]"'
    return ""


ABSENT = _absent()
if ABSENT:  # the other files import them; this one tells
    here = Path(__file__).parent
    collect_ignore = [one.name for one in here.glob("*.py") if one.name != "test_available.py"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Try what failed once more: on a busy machine a browser may be late. The summary tells."""
    if config.pluginmanager.hasplugin("rerunfailures"):
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.flaky(reruns=1))


def _missing(reason: str) -> NoReturn:
    """Nothing to test with: said, and in CI a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"CI must run the browser tests: {reason}", pytrace=False)
    pytest.skip(reason)


# Not "session": an event loop runs in this thread as long as Playwright does, and the tests of
# other folders bring their own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    if ABSENT:
        _missing(ABSENT)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        try:
            program = chromium.find(playwright)
        except chromium.NotFoundError as error:
            _missing(str(error))
        started = playwright.chromium.launch(
            executable_path=program, args=list(chromium.ARGUMENTS), headless=True
        )
        yield started
        started.close()


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab server."""
    if ABSENT:
        _missing(ABSENT)
    from .lab import Lab

    # glibc gives threads arenas of their own, which keep what was freed: with two of them, memory
    # that grows is memory that somebody holds.
    cache = str(tmp_path_factory.mktemp("cache"))
    with Lab(
        tmp_path_factory.mktemp("lab") / "home", MALLOC_ARENA_MAX="2", VDE_NB_CACHE=cache
    ) as server:
        yield server


@pytest.fixture(scope="package")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder where screenshots are kept."""
    from .notebook import screenshot_folder

    return screenshot_folder(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="package")
def open_notebook(lab: Lab, browser: Browser, screenshots: Path) -> Iterator[Open]:
    """Open notebooks, each on a page and with a kernel of its own."""
    from .notebook import Notebook

    opened: list[tuple[BrowserContext, Notebook]] = []

    def opener(name: str, cells: list[str] | Path, **options: Any) -> Notebook:
        context = browser.new_context(accept_downloads=True, **options)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        notebook = Notebook(lab, context.new_page(), screenshots)
        opened.append((context, notebook))
        return notebook.open(name, cells)

    yield opener
    for context, notebook in opened:
        if not notebook.page.is_closed():
            notebook.kill_kernel()
        context.close()


@pytest.fixture(scope="package")
def shared(open_notebook: Open) -> Notebook:
    """The notebook of all tests that do nothing to page and kernel."""
    return open_notebook("shared.ipynb", [IMPORT])


@pytest.fixture
def show(shared: Notebook, request: pytest.FixtureRequest) -> Iterator[Show]:
    """Show a panel: run a cell of the shared notebook that makes one called `panel`."""
    from .notebook import WIDE
    from .panel_page import PanelPage

    attempt = getattr(request.node, "execution_count", 1)
    if attempt > 1:  # what went wrong may have left the page and the kernel at odds
        shared.kill_kernel()
        shared.open(f"shared-{len(list(shared.path.parent.iterdir()))}.ipynb", [IMPORT])
    shared.console.clear()
    shared.resize(WIDE)
    if len(shared.cells()) != 1:  # a shortcut of Lab's got through
        shared.one_cell()

    def shower(cell: str) -> PanelPage:
        shared.change(0, cell)
        shared.run(0)
        return PanelPage(shared)

    yield shower
    assert shared.errors() == []


@pytest.fixture
def fresh(show: Show) -> PanelPage:
    """A new panel with the tyre, compared by pixels."""
    from .panel_page import sample_cell

    return show(sample_cell()).ready()


@pytest.fixture
def panel(show: Show, shared: Notebook) -> PanelPage:
    """The same, but the last test's panel in its first state, where there is one: ready sooner."""
    from .panel_page import PanelPage, sample_cell

    used = PanelPage(shared)
    if shared.cells()[0] != sample_cell() or used.viewer.count() != 1:
        return show(sample_cell()).ready()
    return used.begin_again()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """When a test fails, keep what the browser showed."""
    report = yield
    if report.when == "call" and report.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            notebook = getattr(value, "notebook", value)
            if hasattr(notebook, "shot") and hasattr(notebook, "console"):
                file = re.sub(r"\W+", "-", item.name)
                try:
                    path = notebook.shot(f"failed-{file}")
                    console = "\n".join(notebook.console)
                    report.sections.append(("browser", f"{name}: {path}\n{console}"))
                except Exception as error:  # a closed page must not hide why the test failed
                    report.sections.append(("browser", f"no screenshot: {error}"))
                break
    return report
