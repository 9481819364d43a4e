"""Work beside the panel, one piece at a time: the newest of a kind wins, the rest is dropped."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["Cancelled", "Job", "Worker"]


#: Panels share threads: each new one would bring an arena of the allocator's, which keeps what was
#: freed, so that a cell that is run again and again would make the process larger each time.
_THREADS = ThreadPoolExecutor(max_workers=32, thread_name_prefix="vde-panel")


class Cancelled(BaseException):
    """A job was told to stop. No `Exception`: users' own rules must not be able to catch it."""


class Job:
    """One piece of work, and what becomes of its result.

    Attributes
    ----------
    kind
        A newer job of the same kind takes this one's place.
    cancelled
        Whether nobody waits for it any more.
    """

    def __init__(
        self,
        kind: str,
        work: Callable[[Job], Any],
        done: Callable[[Any], object],
        failed: Callable[[BaseException], object],
        *,
        urgent: bool,
        yields: bool,
        post: Callable[[Callable[[], object]], None],
    ) -> None:
        self.kind, self.urgent, self.yields = kind, urgent, yields
        self.cancelled = False
        self.work: Callable[[Job], Any] | None = work
        self.done: Callable[[Any], object] | None = done
        self.failed: Callable[[BaseException], object] | None = failed
        self._post = post

    def check(self) -> None:
        """Stop here when nobody waits any more; to be called between two steps of the work."""
        if self.cancelled:
            raise Cancelled

    def stop(self) -> bool:
        """Whether to stop, for functions that ask."""
        return self.cancelled

    def report(self, function: Callable[[], object]) -> None:
        """Have `function` called on the panel's thread, unless the job is cancelled by then."""
        self._post(lambda: None if self.cancelled else function())


class Worker:
    """A queue, worked off by one thread at a time, and the rule of the newest.

    Jobs are submitted, cancelled and delivered on the panel's thread only.

    Parameters
    ----------
    post
        Has a callable called on the panel's thread, see :class:`~vde_nb.panel._dispatch.Dispatcher`
    """

    def __init__(self, post: Callable[[Callable[[], object]], None]) -> None:
        self._post = post
        self._lock = threading.Lock()
        self._waiting: list[Job] = []
        self._open: list[Job] = []
        self._is_running = False
        self._is_closed = False

    def submit(
        self,
        kind: str,
        work: Callable[[Job], Any],
        done: Callable[[Any], object],
        failed: Callable[[BaseException], object],
        *,
        urgent: bool = True,
        yields: bool = False,
    ) -> Job:
        """Work for the panel; an older job of the same kind is cancelled.

        Parameters
        ----------
        kind
            Name of the kind.
        work
            Called with the job on the worker's thread.
        done, failed
            Called on the panel's thread with what `work` returned or raised, unless the job was
            cancelled in between.
        urgent
            Goes before all that is not.
        yields
            Is cancelled by anything urgent that comes later.
        """
        job = Job(kind, work, done, failed, urgent=urgent, yields=yields, post=self._post)
        self.cancel(kind)
        if urgent:
            for one in [one for one in self._open if one.yields]:
                self._drop(one)
        with self._lock:
            if self._is_closed:
                job.cancelled = True
                return job
            self._open.append(job)
            at = sum(one.urgent for one in self._waiting) if urgent else len(self._waiting)
            self._waiting.insert(at, job)
            if not self._is_running:
                self._is_running = True
                _THREADS.submit(self._run)
        return job

    def cancel(self, kind: str) -> bool:
        """Cancel all jobs of a kind; returns whether there were any."""
        found = [one for one in self._open if one.kind == kind]
        for one in found:
            self._drop(one)
        return bool(found)

    def busy(self, kind: str | None = None) -> bool:
        """Whether a job (of a kind) is waiting, running or not delivered yet."""
        return any(kind is None or one.kind == kind for one in self._open)

    def close(self) -> None:
        """Cancel everything and take nothing more; the work at hand lets go as soon as it can."""
        with self._lock:
            self._is_closed = True
            for job in self._open:
                job.cancelled = True
            self._waiting.clear()
        self._open.clear()

    def _drop(self, job: Job) -> None:
        job.cancelled = True
        self._open.remove(job)
        with self._lock, contextlib.suppress(ValueError):
            self._waiting.remove(job)

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_running = False
                    return
                job = self._waiting.pop(0)
            self._do(job)

    def _do(self, job: Job) -> None:
        work, job.work = job.work, None
        assert work is not None
        try:
            job.check()
            value = work(job)
        except Cancelled:
            return
        except BaseException as error:
            outcome = error
            self._post(lambda: self._deliver(job, None, outcome))
        else:
            self._post(lambda: self._deliver(job, value, None))

    def _deliver(self, job: Job, value: Any, error: BaseException | None) -> None:
        if job.cancelled or job not in self._open:
            return
        self._open.remove(job)
        done, failed = job.done, job.failed
        job.done = job.failed = None
        assert done is not None and failed is not None
        if error is not None:
            failed(error)
        else:
            done(value)
