"""The loop of a run: pairs in, rows out, each exactly once."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from vde_nb.batch._executors import Crew
from vde_nb.batch._identity import Identities, Stamps
from vde_nb.batch._job import Job
from vde_nb.batch._journal import Journal
from vde_nb.batch._pairs import Given, Listed
from vde_nb.batch._plan import Plan, processors
from vde_nb.batch._row import Row, copied_row, storable_row
from vde_nb.errors import OutputError, SettingError

__all__ = ["Loop"]

#: Pairs that may wait for the result of an identical one that is being computed.
_MOST_WAITING = 10_000
_GRACE = 10.0  # seconds for what is being computed when a run is interrupted


class Loop:
    """Everything that changes while a run is going on.

    Parameters
    ----------
    plan
        What all pairs share.
    crew
        Computes them.
    journal
        Takes their rows.
    judge
        Gives the verdict on a row.
    tell
        Called with each new row; what it raises ends the run.
    in_flight
        Most pairs that are handed out at once; None: a few more than there are workers.

    Attributes
    ----------
    done
        Rows there are of the pairs so far.
    kept
        Those of them that an earlier attempt had computed.
    """

    def __init__(
        self,
        plan: Plan,
        crew: Crew,
        journal: Journal,
        judge: Callable[[Row], str | None],
        tell: Callable[[int, Row | None], object],
        in_flight: int | None = None,
    ) -> None:
        self.plan, self.crew, self.journal = plan, crew, journal
        self.done = self.kept = 0
        self._judge, self._tell = judge, tell
        self._most = in_flight
        self._identities = Identities()
        #: Where the row is that was computed for a content, which pair of it is being computed,
        #: that pair, and what waits for it.
        self._known: dict[bytes, int] = {}
        self._flying: dict[str, bytes] = {}
        self._waiting: dict[bytes, tuple[Job, deque[Job]]] = {}
        self._count_waiting = 0
        self._is_ending = False

    def run(self, listed: Listed) -> None:
        """Take all pairs.

        Raises
        ------
        OutputError
            The disk is full, or the journal cannot be written.
        SettingError
            A worker cannot take part.
        Broken
            The executor computes nothing any more.
        """
        for given, content, stamps in _identified(listed.pairs, self._identities):
            self._take(given, content, stamps)
            del given  # so that pictures in memory go as soon as a worker has them
            self._collect(0)
            while self._is_full():
                self._collect(None)
        while self.crew.in_flight:
            self._collect(None)

    def _is_full(self) -> bool:
        most = self._most or self.crew.room()
        return self.crew.in_flight >= most or self._count_waiting >= _MOST_WAITING

    def _take(self, given: Given, content: bytes | None, stamps: Stamps) -> None:
        identity = self._identities.name(given, content)
        slot = self.journal.find(identity)
        if slot is not None and self.journal.is_done(slot):
            self._keep(slot, given)
            if content is not None and self.journal.is_found(slot):
                self._known.setdefault(content, slot)
            self.done += 1
            self.kept += 1
            self._tell(self.done, None)
            return
        about = {
            "id": identity,
            "number": given.number,
            "name": given.name,
            "reference": given.texts[0],
            "current": given.texts[1],
            "given": dict(given.given),
        }
        if content is not None and content in self._known:
            self._copy(about, self.journal.row(self._known[content]))
            return
        job = Job(self.plan, about, given.reference, given.current, stamps, given.problem)
        if content is not None and content in self._waiting:
            first, waiting = self._waiting[content]
            same = (_same(job.reference, first.reference), _same(job.current, first.current))
            waiting.append(replace(job, reference=same[0], current=same[1]))
            self._count_waiting += 1
        elif content is not None:
            self._submit(job, content, deque())
        else:
            self.crew.submit(job)

    def _keep(self, slot: int, given: Given) -> None:
        """Leave a row of an earlier attempt as it is, but for the further columns."""
        if given.given:
            row, timings = self.journal.entry(slot)
            if row["given"] != given.given:
                row |= {"given": dict(given.given), "number": given.number}
                self.journal.append(storable_row(row), timings)
        self.journal.see(slot, given.number)

    def _submit(self, job: Job, content: bytes, waiting: deque[Job]) -> None:
        """Have a pair computed for itself, and for those that wait for it."""
        self._waiting[content] = job, waiting
        self._flying[job.about["id"]] = content
        self.crew.submit(job)

    def _collect(self, timeout: float | None) -> None:
        finished = self.crew.gather(timeout)
        stops = [answer for _, answer in finished if "stop" in answer]
        for job, answer in finished:
            if "stop" not in answer:
                self._finish(job, answer)
        for answer in stops:
            if answer["full"]:
                raise OutputError(f"{answer['stop']} Make room and run the same again to go on.")
            raise SettingError(answer["stop"])
        self.crew.settle()

    def _finish(self, job: Job, answer: Mapping[str, Any]) -> None:
        slot, row = self._write(answer["row"], answer["timings"])
        content = self._flying.pop(row["id"], None)
        if content is None:
            return
        _, waiting = self._waiting.pop(content)
        if row["status"] == "error":
            # It names a file, or may have passed: the next of them has its own.
            if waiting and not self._is_ending:
                self._count_waiting -= 1
                self._submit(waiting.popleft(), content, waiting)
            return
        self._known[content] = slot
        self._count_waiting -= len(waiting)
        for job in waiting:
            self._copy(job.about, row)

    def _copy(self, about: Mapping[str, Any], original: Row) -> None:
        row = copied_row(about, original)
        self._write(row, {"id": row["id"], "seconds": 0.0, "stages_ms": {}, "worker": ""})

    def _write(self, row: Row, timings: Mapping[str, Any]) -> tuple[int, Row]:
        """Write a row; where it is, and what was written."""
        row = storable_row(row)
        row["verdict"] = self._judge(row)
        slot = self.journal.append(row, timings)
        self.done += 1
        self._tell(self.done, row)
        return slot, row

    def end(self) -> bool:
        """Forget what nobody has begun, and wait a little for the rest; whether all of it came."""
        self._tell, self._is_ending = _nobody, True
        self.crew.recover()
        self.crew.cancel()
        until = time.monotonic() + _GRACE
        while self.crew.in_flight and (left := until - time.monotonic()) > 0:
            for job, answer in self.crew.gather(min(left, 1.0)):
                if "stop" not in answer and not self._is_written(answer["row"]):
                    self._finish(job, answer)
        return not self.crew.in_flight

    def _is_written(self, row: Row) -> bool:
        """Whether the interruption came when a row had been written already."""
        slot = self.journal.find(row["id"])
        return slot is not None and self.journal.is_new(slot)


def _same(own: Any, first: Any) -> Any:
    """A source that waits; `first` shows the same and is in memory anyway.

    What are paths keep their own names, and that which is in memory is not kept twice.
    """
    if isinstance(own, list) and isinstance(first, list):
        return [_same(*two) for two in zip(own, first, strict=True)]
    return own if isinstance(own, str) or type(own) is not type(first) else first


def _identified(
    pairs: Iterator[Given], identities: Identities
) -> Iterator[tuple[Given, bytes | None, Stamps]]:
    """Pairs with the keys of their content and their files, in their order.

    One thread reads and hashes less than many workers can take, so files are read some pairs
    ahead, on several. Pictures in memory are not asked for ahead: there might be no room.
    """
    threads = processors()
    ahead: deque[tuple[Given, Future[tuple[bytes | None, Stamps]]]] = deque()

    def first() -> tuple[Given, bytes | None, Stamps]:
        given, found = ahead.popleft()
        return given, *found.result()

    with ThreadPoolExecutor(threads, thread_name_prefix="vde-nb-hash") as pool:
        while True:
            try:
                given = next(pairs)
            except Exception as error:  # also at the end: what came before it are pairs
                failed = error
                break
            sources = given.reference, given.current
            if all(one is None or isinstance(one, str) for one in sources):
                ahead.append((given, pool.submit(identities.content_of, given)))
                if len(ahead) > threads:
                    yield first()
                continue
            while ahead:
                yield first()
            content, stamps = identities.content_of(given)
            del sources
            yield given, content, stamps
            del given
        while ahead:
            yield first()
    if not isinstance(failed, StopIteration):
        raise failed


def _nobody(done: int, row: Row | None) -> None:
    """Tell nobody: whoever listened has ended the run."""
