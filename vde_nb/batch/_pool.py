"""Processes of our own, which survive that one of them is killed."""

from __future__ import annotations

import multiprocessing
import multiprocessing.context
import os
import signal
import sys
import threading
import weakref
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import spawn
from pickle import PicklingError
from types import FrameType
from typing import Any

from vde_nb.batch._executors import Broken, Finished, Futures, lost_row, unanswered
from vde_nb.batch._job import Job, outcome
from vde_nb.batch._plan import processors, use_one_thread

__all__ = ["Processes"]

#: Workers that may be lost over a pair: the first time it may have been another pair's doing.
_MOST_LOST = 2
_MOST_ON_WINDOWS = 61  # processes that one call of the system can wait for there
_MOST_IN_VAIN = 8  # pools that are lost one after the other
#: Until 3.11.4, what is written to processes that are gone is written to a pipe that stays open
#: here and is never read: a pool that lost its processes could not be ended.
#: https://github.com/python/cpython/issues/94777
_WAITS_FOR_THE_DEAD = sys.version_info < (3, 11, 5)
_PATIENCE = 2.0  # seconds, in which a pool that can be ended has ended


class _Process(multiprocessing.context.SpawnProcess):
    """A process that does not run the user's script again.

    Starting a process anew normally imports the main script in it, which is why scripts have to
    guard what they do by ``if __name__ == "__main__"``. Jobs use nothing of the script.
    """

    def start(self) -> None:
        with _without_main():
            super().start()


class _Context(multiprocessing.context.SpawnContext):
    """Makes such processes, and knows those that live."""

    def __init__(self) -> None:
        super().__init__()
        self.started: weakref.WeakSet[_Process] = weakref.WeakSet()

    def Process(self, *args: Any, **options: Any) -> _Process:  # type: ignore[override]
        made = _Process(*args, **options)
        self.started.add(made)
        return made


_starting = threading.Lock()


@contextmanager
def _without_main() -> Iterator[None]:
    """Processes that this thread starts meanwhile know nothing of the main script."""
    thread = threading.get_ident()
    with _starting:
        usual = spawn.get_preparation_data

        def prepared(name: str) -> dict[str, Any]:
            data = usual(name)
            if threading.get_ident() == thread:
                data.pop("init_main_from_name", None)
                data.pop("init_main_from_path", None)
            return data

        spawn.get_preparation_data = prepared
        try:
            yield
        finally:
            spawn.get_preparation_data = usual


def _begin(threads: int) -> None:
    """Make a fresh process a worker."""
    # Ctrl-C reaches all processes of a terminal; only the one that runs decides what to do then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # see _not_interrupted
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    if threads == 1:  # now, before libraries are loaded that ask only once
        use_one_thread()


@contextmanager
def _not_interrupted() -> Iterator[None]:
    """Hold Ctrl-C back while a job is handed over, and act on it afterwards.

    Between handing it over and noting that it is out, Ctrl-C would lose what becomes of it. And a
    process that is started here begins with it held back, too: otherwise Ctrl-C, while it loads
    Python, ends it with a traceback before it could say that it does not listen.
    """
    held: list[tuple[int, FrameType | None]] = []
    # The mask is that of one thread. Any other may take the signal, and the main thread, which
    # alone runs handlers, acts on it whatever its own mask says.
    main = threading.current_thread() is threading.main_thread()
    usual = signal.getsignal(signal.SIGINT) if main else None
    if callable(usual):
        signal.signal(signal.SIGINT, lambda number, frame: held.append((number, frame)))
    masks = hasattr(signal, "pthread_sigmask")  # not on Windows
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if masks else None
    try:
        yield
    finally:
        if before is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if callable(usual):
            signal.signal(signal.SIGINT, usual)
            if held:
                usual(*held[0])


def _leave_with_parent() -> None:
    """End this process when the one that started it is gone: it would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class Processes(Futures):
    """Processes of our own.

    When one is killed, the pool it was in is lost with all that was out. These jobs are then given
    one at a time to a pool of one, so that it is known whose fault it was, and a job that has cost
    two processes is given up.

    Parameters
    ----------
    workers
        How many; None: one for each processor.
    """

    def __init__(self, workers: int | None = None) -> None:
        super().__init__()
        self._workers = processors() if workers is None else workers
        if sys.platform == "win32":
            self._workers = min(self._workers, _MOST_ON_WINDOWS)
        self._context = _Context()
        self._pool: ProcessPoolExecutor | None = None
        #: Jobs that were out when a process was lost, one of which may be at fault; and how often.
        self._suspects: deque[Job] = deque()
        self._losses: dict[int, int] = {}
        self._alone: Job | None = None
        self._in_vain = 0
        self._waiting: deque[Job] = deque()

    def slots(self) -> int:
        """Processes."""
        return self._workers

    @property
    def in_flight(self) -> int:
        """Jobs that are out, or wait to be sent again."""
        return len(self._out) + len(self._suspects) + len(self._waiting)

    def submit(self, job: Job) -> None:
        """Hand it to a process that is free, or keep it until one is."""
        self._waiting.append(job)
        self._advance()

    def _advance(self) -> None:
        """Send what can be sent."""
        if self._alone is not None or (self._suspects and self._out):
            return
        if self._suspects:
            job = self._alone = self._suspects.popleft()
            self._put(job, 1)
            return
        while self._waiting:
            job = self._waiting[0]
            if not self._put(job, self._workers):
                return  # what is out comes back as lost
            self._waiting.popleft()

    def _put(self, job: Job, workers: int) -> bool:
        if _is_of_the_script(job):
            self._send(_unsent, job)
            return True
        if self._pool is not None and self._pool._max_workers != workers:  # type: ignore[attr-defined]
            self._end_pool()
        if self._pool is None:
            threads = 0 if self._workers == 1 else 1
            try:
                self._pool = ProcessPoolExecutor(
                    workers, mp_context=self._context, initializer=_begin, initargs=(threads,)
                )
            except (OSError, ImportError, NotImplementedError) as error:
                raise _unstarted(error) from error
        try:
            with _not_interrupted():  # it starts processes, as long as some are lacking
                self._send(self._pool.submit, job)
        except OSError as error:
            raise _unstarted(error) from error
        except BrokenProcessPool:
            if self._out:
                return False
            self._end_pool()  # a process ended while it had nothing to do
            return self._put(job, workers)
        return True

    def gather(self, timeout: float | None) -> list[Finished]:
        """What has come back; of a pool that is lost, what it had finished."""
        found: list[Finished] = []
        lost: list[Job] = []
        for future in self._returned(timeout if self._out else 0):
            job = self._take(future)
            if job is None:  # it was cancelled
                continue
            try:
                found.append((job, future.result()))
                self._losses.pop(id(job), None)
                self._in_vain = 0
            except BrokenProcessPool:
                lost.append(job)
            except Exception as error:
                found.append((job, unanswered(job, error)))
            if job is self._alone:
                self._alone = None
        if lost:
            self._end_pool()
            self._in_vain += 1
            if self._in_vain > _MOST_IN_VAIN:
                raise Broken(
                    f"{self._in_vain} times in a row processes ended before they had compared "
                    "anything: they may not be able to start, or lack memory. workers=0 stays in "
                    "this process and shows what is wrong."
                )
        for job in lost:
            times = self._losses[id(job)] = self._losses.get(id(job), 0) + 1
            if times >= _MOST_LOST:
                del self._losses[id(job)]
                told = f"with the end of {_MOST_LOST} processes"
                found.append((job, outcome(lost_row(job, told), 0.0)))
            else:
                self._suspects.append(job)
        self._advance()
        return found

    def cancel(self) -> None:
        """Forget what no process has."""
        self._waiting.clear()
        self._suspects.clear()
        for future in list(self._out):
            if future.cancel():
                del self._out[future]

    def _end_pool(self, *, killed: bool = False) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            if _WAITS_FOR_THE_DEAD and (killed or pool._broken):
                _let_go(pool)
            pool.shutdown(wait=True, cancel_futures=True)

    def close(self, *, kill: bool = False) -> None:
        """End all processes."""
        self.cancel()
        if kill:
            for process in list(self._context.started):
                with suppress(ValueError):  # it has ended and was forgotten
                    if process.pid is not None:  # it could be started
                        process.kill()
        self._out.clear()
        self._end_pool(killed=kill)


def _let_go(pool: Any) -> None:  # what it is asked for is not in its type
    """Have a pool that lost its processes stop writing to them, if it does."""
    manager, queue = pool._executor_manager_thread, pool._call_queue
    if manager is None:
        return
    manager.join(_PATIENCE)
    if manager.is_alive():  # else it has closed the pipe itself
        with suppress(OSError):
            queue._reader.close()


def _is_of_the_script(job: Job) -> bool:
    """Whether a source is of a class that our processes cannot know: they do not run the script."""
    return any(type(one).__module__ == "__main__" for one in (job.reference, job.current))


def _unsent(function: Any, job: Job) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(
        PicklingError(
            "its pictures are of a class of the script or notebook itself, which workers do not "
            "run; put the class into a module, give arrays, or stay in this process with workers=0"
        )
    )
    return future


def _unstarted(error: Exception) -> Broken:
    return Broken(
        f"No processes can be started here ({error}); fewer workers= may do, and workers=0 stays "
        "in this one."
    )
