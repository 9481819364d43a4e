"""Long work tells how far it is to whoever listens, who may end it.

Encoding a picture or fetching weights takes seconds deep inside a stage that knows nothing of
panels and progress bars. Such work calls :func:`report`; whoever started it listens on the same
thread with :func:`listening`, and ends the work by raising.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["Listener", "heard", "in_notebook", "listening", "report", "shown_when_long", "told"]

#: Called with what is being done, and how much of it is done (0 to 1, None: nobody knows).
Listener = Callable[[str, "float | None"], object]

#: Seconds between two reports of the same work: people read no faster, and each costs a message.
_PAUSE = 0.05

#: Seconds after which work that goes on is worth a bar.
_PATIENCE = 0.7

_listener: ContextVar[Listener | None] = ContextVar("vde_nb_listener", default=None)
_last: ContextVar[tuple[str, float]] = ContextVar("vde_nb_last_report", default=("", 0.0))


@contextmanager
def listening(listener: Listener | None) -> Iterator[None]:
    """Have `listener` called with every :func:`report` of this thread; None: nobody listens."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def shown_when_long() -> Iterator[None]:
    """Show a progress bar, in a notebook or on a terminal, while nobody else listens.

    Short work shows nothing, and so does work whose output goes into a file.
    """
    if heard() or not (in_notebook() or sys.stderr.isatty()):
        yield
        return
    bar: Any = None
    started = time.monotonic()

    def show(text: str, share: float | None) -> None:
        nonlocal bar
        if bar is None:
            if time.monotonic() - started < _PATIENCE:
                return
            from tqdm.auto import tqdm

            bar = tqdm(
                total=100, bar_format="{desc} {percentage:3.0f}% {bar} {elapsed}", leave=False
            )
        bar.set_description_str(text, refresh=False)
        bar.n = 0 if share is None else round(100 * share)
        bar.refresh()

    try:
        with listening(show):
            yield
        if bar is not None:
            bar.n = 100  # a notebook shows a bar in red that is closed before its end
    finally:
        if bar is not None:
            bar.close()


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook."""
    if "IPython" not in sys.modules:
        return False
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


def heard() -> bool:
    """Whether anybody listens; otherwise long work may show a progress bar of its own."""
    return _listener.get() is not None


@contextmanager
def told(progress: Callable[[str], object] | None) -> Iterator[None]:
    """Have long work tell `progress` how far it is, in words, or else show a bar.

    One who listens already, as the panel does, goes on.
    """
    if progress is None or heard():
        with shown_when_long():
            yield
        return
    with listening(lambda text, share: progress(text if share is None else f"{text} {share:.0%}")):
        yield


def report(text: str, share: float | None = None) -> None:
    """Tell what is being done and how much of it is done.

    Parameters
    ----------
    text
        Such as ``"SAM ViT-B reads the current picture"``; the same all the time.
    share
        From 0 to 1, or None.

    Notes
    -----
    Whatever the listener raises goes through: that is how work is cancelled.
    """
    listener = _listener.get()
    if listener is None:
        return
    now = time.monotonic()
    before, at = _last.get()
    if text == before and now - at < _PAUSE and share != 1:
        return
    _last.set((text, now))
    listener(text, share)
