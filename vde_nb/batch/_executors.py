"""Where pairs are computed: in this process, in processes of our own, or by any executor.

A crew takes jobs and hands back what became of them, in the order in which they are finished. Jobs
never raise (see :func:`vde_nb.batch._job.work`), so whatever a future raises is about the executor:
a worker that was killed, a scheduler that has gone, a job that cannot be sent.
"""

from __future__ import annotations

import queue
import time
import warnings
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from pickle import PicklingError
from typing import Any, TypeAlias

from vde_nb.batch._job import Job, outcome, work
from vde_nb.batch._row import error_row
from vde_nb.errors import VdeError

__all__ = ["Broken", "Crew", "Finished", "Foreign", "Here", "crew_of", "lost_row", "unanswered"]

#: A job, and what :func:`~vde_nb.batch._job.work` returned.
Finished: TypeAlias = "tuple[Job, dict[str, Any]]"

_ASK_AGAIN = 5.0  # seconds after which a cluster is asked again how many workers it has
_UNKNOWN = 4  # workers of an executor that does not tell
#: What is raised over a job that cannot be pickled.
_UNSENDABLE = (TypeError, ValueError, AttributeError, PicklingError, RecursionError)


class Broken(VdeError):
    """An executor computes nothing any more; what it had finished is kept."""


class Crew(ABC):
    """Takes jobs and hands back what became of them."""

    #: Whether jobs run in this process, with all that was registered in it.
    here = False

    @abstractmethod
    def slots(self) -> int:
        """How many jobs are computed at once."""

    def room(self) -> int:
        """How many jobs to hand over at most: whoever is done finds the next one waiting."""
        return max(4, 2 * self.slots())

    @property
    @abstractmethod
    def in_flight(self) -> int:
        """How many were taken and not handed back."""

    @abstractmethod
    def submit(self, job: Job) -> None:
        """Take a job.

        Raises
        ------
        Broken
            None can be taken any more.
        """

    @abstractmethod
    def gather(self, timeout: float | None) -> list[Finished]:
        """Hand back what is finished; wait for something, at most `timeout` seconds.

        Raises
        ------
        Broken
            Nothing more will come.
        """

    @abstractmethod
    def recover(self) -> None:
        """Have the next :meth:`gather` hand back again what an interruption may have lost.

        What the last call handed back comes once more; whoever asks knows what was finished.
        """

    @abstractmethod
    def settle(self) -> None:
        """Let go of what the last :meth:`gather` handed back: it is written."""

    @abstractmethod
    def cancel(self) -> None:
        """Forget the jobs that nobody has begun."""

    @abstractmethod
    def close(self, *, kill: bool = False) -> None:
        """Let go of what is ours; with `kill` at once, whatever it is doing."""


class Here(Crew):
    """Computes in this process, one job after the other, when results are asked for."""

    here = True

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()

    def slots(self) -> int:
        """One."""
        return 1

    def room(self) -> int:
        """One: the next pair is not even made before this one is done."""
        return 1

    @property
    def in_flight(self) -> int:
        """Jobs that wait."""
        return len(self._jobs)

    def submit(self, job: Job) -> None:
        """Keep it."""
        self._jobs.append(job)

    def gather(self, timeout: float | None) -> list[Finished]:
        """Compute one job, where results are waited for."""
        if timeout == 0 or not self._jobs:
            return []
        job = self._jobs.popleft()
        return [(job, work(job))]

    def cancel(self) -> None:
        """Forget what waits."""
        self._jobs.clear()

    def recover(self) -> None:
        """Nothing: what is interrupted here has come to nothing."""

    def settle(self) -> None:
        """Nothing: what was handed back is not kept."""

    def close(self, *, kill: bool = False) -> None:
        """Nothing: there are no processes."""


class Futures(Crew):
    """What all crews with futures share: who is out, and who has come back."""

    def __init__(self) -> None:
        self._out: dict[Future[Any], Job] = {}
        #: Handed back by the last call of `gather`. Ctrl-C may come at any moment, and what has
        #: been computed is always in one of the two.
        self._taken: dict[Future[Any], Job] = {}
        # Filled by the executor's own thread. Asking many futures at once whether one of them is
        # done would cost more than small jobs do.
        self._back: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()

    @property
    def in_flight(self) -> int:
        """Jobs that are out."""
        return len(self._out)

    def _send(self, submit: Callable[..., Future[Any]], job: Job) -> None:
        future = submit(work, job)
        self._out[future] = job
        future.add_done_callback(self._back.put)

    def _take(self, future: Future[Any]) -> Job | None:
        """The job of a future that is done; None: it was cancelled."""
        job = self._out.get(future)
        if job is not None:
            self._taken[future] = job
            del self._out[future]
        return job

    def recover(self) -> None:
        """Put back what was handed back last, and all that is done."""
        for future, job in self._taken.items():
            if not future.cancelled() and future.exception() is None:
                self._out[future] = job
        self._taken.clear()
        self._returned(0)
        for future in self._out:
            if future.done():  # others put themselves there
                self._back.put(future)

    def settle(self) -> None:
        """Forget what was handed back: pictures would stay in memory until the next time."""
        self._taken.clear()

    def _returned(self, timeout: float | None) -> list[Future[Any]]:
        """Futures that are done; waits for one."""
        self._taken.clear()
        found: list[Future[Any]] = []
        with suppress(queue.Empty):
            if timeout != 0:
                found.append(self._back.get(timeout=timeout))
            while True:
                found.append(self._back.get_nowait())
        return found


class Foreign(Futures):
    """Computes on an executor of the user's, which stays open.

    Parameters
    ----------
    executor
        Any executor of ``concurrent.futures``, such as Dask's ``client.get_executor()``.
    """

    def __init__(self, executor: Executor) -> None:
        super().__init__()
        self._executor = executor
        self._is_dask = type(executor).__module__.partition(".")[0] == "distributed"
        self.here = isinstance(executor, ThreadPoolExecutor)
        self._broken: str = ""
        self._slots, self._asked = 0, -_ASK_AGAIN

    def slots(self) -> int:
        """Workers, as far as the executor tells; a cluster may grow."""
        now = time.monotonic()
        if now - self._asked >= _ASK_AGAIN:
            self._slots, self._asked = self._count(), now
        return self._slots

    def _count(self) -> int:
        if self._is_dask:
            with suppress(Exception):  # no scheduler just now: the next job says so
                threads = self._executor._client.nthreads()  # type: ignore[attr-defined]
                return max(1, int(sum(threads.values())))
        count = getattr(self._executor, "_max_workers", None)
        return count if isinstance(count, int) and count > 0 else _UNKNOWN

    def submit(self, job: Job) -> None:
        """Hand it to the executor."""
        if self._broken:
            raise Broken(self._broken)
        try:
            if self._is_dask:
                with warnings.catch_warnings():
                    # Pictures in memory are large, and have to get there somehow.
                    warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
                    self._send(self._submit_to_dask, job)
            else:
                self._send(self._executor.submit, job)
        except _UNSENDABLE as error:  # Dask packs jobs at once, others when their turn comes
            unsent: Future[Any] = Future()
            unsent.set_exception(error)
            self._send(lambda function, job: unsent, job)
        except Exception as error:
            raise Broken(_stopped(error)) from error

    def _submit_to_dask(self, function: Any, job: Job) -> Future[Any]:
        # Impure: a second attempt is not to be answered from what is known of the first.
        return self._executor.submit(function, job, pure=False)

    def gather(self, timeout: float | None) -> list[Finished]:
        """What has come back. What is left of a broken executor is told once all has."""
        found: list[Finished] = []
        for future in self._returned(timeout):
            job = self._take(future)
            if job is None:  # it was cancelled
                continue
            try:
                found.append((job, future.result()))
            except (BrokenExecutor, CancelledError) as error:
                self._broken = self._broken or _stopped(error)
            except ImportError as error:
                self._broken = self._broken or (
                    f"A worker cannot import what it needs ({error}): vde-nb has to be installed "
                    "on all of them."
                )
            except Exception as error:
                found.append((job, unanswered(job, error)))
        if self._broken and not found:
            raise Broken(self._broken)
        return found

    def cancel(self) -> None:
        """Cancel what nobody has begun."""
        jobs = list(self._out)
        # Dask's futures never say that they run, and would all be cancelled: those that were
        # handed over first are running.
        for future in jobs[self.slots() :] if self._is_dask else jobs:
            if future.cancel():
                del self._out[future]

    def close(self, *, kill: bool = False) -> None:
        """Cancel what is still out; the executor is the user's."""
        out = list(self._out)
        self._out.clear()
        for future in out:
            future.cancel()


def _stopped(error: BaseException) -> str:
    why = f" ({error})" if str(error) else ""
    return (
        f"The executor has stopped computing: {type(error).__name__}{why}. What was finished is "
        "kept; start it anew and run the same again to go on."
    )


def unanswered(job: Job, error: Exception) -> dict[str, Any]:
    """What to say of a pair that a worker gave no answer to."""
    kind = type(error).__name__
    if kind == "KilledWorker":  # Dask gave it to several workers, and lost all of them
        return outcome(lost_row(job, "every worker that was given it"), 0.0)
    message = f"It could not be handed to a worker and back: {kind}: {error}"
    row = error_row(job.about, message, kind, retry=True, method=job.plan.method)
    return outcome(row, 0.0)


def lost_row(job: Job, who: str) -> Any:
    """The row of a pair whose worker was killed."""
    message = (
        f"Computing it ended {who}: killed from outside, out of memory, or by a fault of a "
        "library. A resumed run tries it again."
    )
    return error_row(job.about, message, "WorkerLost", retry=True, method=job.plan.method)


def crew_of(executor: Any, workers: int | None) -> Crew:
    """The crew for what a user asks for.

    Raises
    ------
    TypeError
        It is no executor.
    """
    if executor is not None:
        if not isinstance(executor, Executor) and hasattr(executor, "get_executor"):
            executor = executor.get_executor()  # a client of Dask
        if not isinstance(executor, Executor):
            raise TypeError(
                f"executor is a {type(executor).__name__}: needed is one of concurrent.futures, "
                "or that of Dask, client.get_executor()."
            )
        return Foreign(executor)
    if workers == 0:
        return Here()
    from vde_nb.batch._pool import Processes

    return Processes(workers)
