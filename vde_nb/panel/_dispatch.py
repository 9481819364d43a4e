"""Bringing work back to the one thread that owns the panel's state.

Worker threads, and the threads on which newer kernels handle a widget's messages, never touch the
panel: they leave a callable here. The kernel's event loop calls it between two cells; where no
loop runs, or while a cell is waiting, :meth:`Dispatcher.pump` does.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
from collections import deque
from collections.abc import Callable

__all__ = ["Dispatcher", "Timer"]

#: Longest pause between two looks at the clock while waiting, in seconds.
_TICK = 0.1


class Timer:
    """A call that is due later; :meth:`cancel` takes it back."""

    def __init__(self, due: float, function: Callable[[], object]) -> None:
        self.due = due
        self.function: Callable[[], object] | None = function

    def cancel(self) -> None:
        """Never call it."""
        self.function = None


class Dispatcher:
    """A queue of callables, emptied by the thread that made it.

    Parameters
    ----------
    failed
        Called with what a callable raised, so that nothing is lost.
    """

    def __init__(self, failed: Callable[[BaseException], object]) -> None:
        self._failed = failed
        self._owner: int | None = threading.get_ident()
        self._queue: deque[Callable[[], object]] = deque()
        self._timers: list[Timer] = []
        self._ready = threading.Event()
        self._is_closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = _kernel_loop()
            if self._loop is not None:
                self._owner = threading.main_thread().ident

    @property
    def is_here(self) -> bool:
        """Whether the caller is on the owning thread."""
        return threading.get_ident() == self._owner

    def post(self, function: Callable[[], object]) -> None:
        """Have `function` called on the owning thread, soon; from any thread."""
        if self._is_closed:
            return
        self._queue.append(function)
        self._ready.set()
        if self._loop is not None:
            # A loop that has ended leaves the queue to wait().
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self.drain)

    def later(self, seconds: float, function: Callable[[], object]) -> Timer:
        """Have `function` called on the owning thread after some time; from that thread only."""
        timer = Timer(time.monotonic() + seconds, function)
        if not self._is_closed:
            self._timers.append(timer)
            if self._loop is not None:
                with contextlib.suppress(RuntimeError):
                    self._loop.call_later(seconds + 0.002, self.drain)
        return timer

    def drain(self) -> None:
        """Call everything that is waiting or due; on the owning thread."""
        self._ready.clear()
        while self._queue and not self._is_closed:
            self._call(self._queue.popleft())
        now = time.monotonic()
        for timer in [one for one in self._timers if one.due <= now or one.function is None]:
            if timer in self._timers:  # a nested drain may have been here
                self._timers.remove(timer)
                if timer.function is not None:
                    self._call(timer.function)

    def pump(self, done: Callable[[], bool], timeout: float | None = None) -> bool:
        """Call what arrives until ``done()``; returns False when time ran out before."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            self.drain()
            if done():
                return True
            left = _TICK if end is None else min(_TICK, end - time.monotonic())
            if left <= 0 or self._is_closed:
                return done()
            self._ready.wait(left)

    def close(self) -> None:
        """Forget everything that is waiting, and take nothing more."""
        self._is_closed = True
        self._queue.clear()
        self._timers.clear()
        self._loop = None
        self._failed = lambda _: None  # the loop may hold on to us for a while
        self._ready.set()

    def _call(self, function: Callable[[], object]) -> None:
        try:
            function()
        except Exception as error:
            self._failed(error)


def _kernel_loop() -> asyncio.AbstractEventLoop | None:
    """The loop of the notebook's kernel, for a panel that is made on another thread."""
    if threading.current_thread() is threading.main_thread() or "IPython" not in sys.modules:
        return None
    from IPython.core.getipython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    loop = getattr(getattr(kernel, "io_loop", None), "asyncio_loop", None)
    return loop if isinstance(loop, asyncio.AbstractEventLoop) else None
