"""A forked process shares no lock with a thread it does not have."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from vde_nb.stages import StageCache

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
    # Python 3.12 and later warn of every fork of a process with threads.
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]


def _in_a_child(cache: StageCache) -> int:
    """Use the cache in a forked child; its exit status: how many results it found there."""
    child = os.fork()
    if child == 0:
        signal.alarm(5)  # a child that hangs is ended by this, and its status is no exit
        kept = len(cache)
        cache.put("new", np.zeros(3))
        os._exit(kept if cache.get("new") is not None else 99)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def test_a_child_forked_while_the_cache_is_in_use_does_not_hang() -> None:
    cache = StageCache()
    cache.put("old", np.zeros(3))
    with cache._lock:
        found = _in_a_child(cache)
    assert found == 0, "the child keeps nothing that may be half written, and goes on"
    assert cache.get("old") is not None, "the parent keeps what it has"


def test_a_child_forked_in_quiet_has_the_results_of_its_parent() -> None:
    cache = StageCache()
    cache.put("old", np.zeros(3))
    assert _in_a_child(cache) == 1
