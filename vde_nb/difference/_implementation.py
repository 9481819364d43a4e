"""Which SSIM implementation runs: the compiled kernel when it is worth its start-up.

Importing numba and loading the kernel costs about half a second, compiling it the first time on
a machine some seconds. So nobody ever waits for it: work starts with the strips, and from the
second large comparison of a process on, or in the first of a very large picture, the kernel is
prepared on a thread of its own and used once it is ready.
"""

from __future__ import annotations

import atexit
import importlib
import importlib.util
import os
import threading
from collections.abc import Callable

from vde_nb.difference import _strips
from vde_nb.errors import MissingExtraError, SettingError

__all__ = ["Fill", "best", "choose", "kernel_failure", "kernel_state", "prepare_kernel"]

Fill = Callable[..., None]

#: A process that has compared this many pixels before is likely to go on comparing.
_WORTH_PIXELS = 1_000_000
#: A picture so large takes longer than the kernel takes to load: it is ready before the last band.
_LARGE_PIXELS = 40_000_000

_lock = threading.Lock()
_kernel: Fill | None = None
_failure: str | None = None
_thread: threading.Thread | None = None
_pixels_seen = 0


def _load() -> None:
    global _kernel, _failure
    try:
        _kernel = importlib.import_module("vde_nb.difference._kernel").fill
    except Exception as error:  # numba fails in many ways; kernel_state() passes the words on
        _failure = f"{type(error).__name__}: {error}"


def _start() -> threading.Thread:
    global _thread
    with _lock:
        if _thread is None:
            _thread = threading.Thread(target=_load, name="vde-nb-kernel", daemon=True)
            _thread.start()
            # A thread inside the compiler must not be torn down with the interpreter.
            atexit.register(_thread.join)
        return _thread


def _forget_after_fork() -> None:
    """In a forked child the loading thread is gone, and its lock may be held for ever."""
    global _lock, _thread
    _lock = threading.Lock()
    _thread = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)


def prepare_kernel() -> bool:
    """Load the compiled kernel now and wait for it; True when it is ready.

    Long-lived workers call this once at their start. Without numba it returns False.
    """
    if importlib.util.find_spec("numba") is None:
        return False
    _start().join()
    return _kernel is not None


def kernel_failure() -> str | None:
    """Why the compiled kernel could not be loaded; None when it could, or was not tried."""
    return _failure


def kernel_state() -> str:
    """In words whether the compiled kernel is there: for ``vde-nb doctor`` and for notes."""
    if _kernel is not None:
        return "ready"
    if _failure is not None:
        return f"failed to load ({_failure}); the OpenCV implementation is used"
    if importlib.util.find_spec("numba") is None:
        return "not installed: pip install 'vde-nb[fast]'"
    return "installed; loads itself in the background from the second large comparison on"


def best(chosen: Fill, name: str) -> Fill:
    """What goes on with a picture that was begun with `chosen`: the kernel, once it is ready."""
    return chosen if name != "auto" or _kernel is None else _kernel


def choose(name: str, pixels: int) -> Fill:
    """Return the implementation to use for a picture of `pixels` pixels.

    Parameters
    ----------
    name
        ``"auto"``, ``"opencv"`` or ``"numba"`` (which waits until the kernel is ready).
    pixels
        Size of the work at hand.

    Raises
    ------
    MissingExtraError
        ``"numba"`` was asked for and cannot be used.
    SettingError
        The name is unknown.
    """
    global _pixels_seen
    if name == "opencv":
        return _strips.fill
    if name == "numba":
        prepare_kernel()
        if _kernel is None:
            raise MissingExtraError(f"The compiled SSIM kernel is {kernel_state()}.")
        return _kernel
    if name != "auto":
        raise SettingError(f"implementation={name!r}: one of 'auto', 'opencv', 'numba'.")
    if _kernel is not None:
        return _kernel
    if (
        (_pixels_seen >= _WORTH_PIXELS or pixels >= _LARGE_PIXELS)
        and _thread is None
        and importlib.util.find_spec("numba") is not None
    ):
        _start()
    _pixels_seen += pixels
    return _strips.fill
