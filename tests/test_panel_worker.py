"""The worker and the dispatcher: the newest wins, nothing is lost, nobody is held up."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from vde_nb.panel._dispatch import Dispatcher
from vde_nb.panel._worker import Job, Worker


class Desk:
    """A dispatcher, a worker, and what they brought."""

    def __init__(self) -> None:
        self.troubles: list[BaseException] = []
        self.got: list[Any] = []
        self.dispatcher = Dispatcher(self.troubles.append)
        self.worker = Worker(self.dispatcher.post)

    def submit(self, kind: str, work: Any, **options: Any) -> Job:
        return self.worker.submit(
            kind, work, self.got.append, lambda error: self.got.append(error), **options
        )

    def settle(self) -> None:
        assert self.dispatcher.pump(lambda: not self.worker.busy(), 5)


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.worker.close()
    made.dispatcher.close()


def test_results_arrive_on_the_thread_that_asked(desk: Desk) -> None:
    where: list[int] = []
    desk.worker.submit("a", lambda job: threading.get_ident(), where.append, lambda error: None)
    done_on: list[int] = []
    desk.worker.submit(
        "b", lambda job: 1, lambda _: done_on.append(threading.get_ident()), lambda error: None
    )
    desk.settle()
    assert where[0] != threading.get_ident()
    assert done_on == [threading.get_ident()]


def test_the_newest_of_a_kind_wins(desk: Desk) -> None:
    started, go_on = threading.Event(), threading.Event()

    def slow(job: Job) -> str:
        started.set()
        go_on.wait(5)
        job.check()
        return "old"

    desk.submit("compare", slow)
    assert started.wait(5)
    for number in range(5):
        desk.submit("compare", lambda job, number=number: number)
    go_on.set()
    desk.settle()
    assert desk.got == [4]


def test_a_result_that_was_ready_but_not_delivered_is_dropped_for_a_newer_one(desk: Desk) -> None:
    desk.submit("compare", lambda job: "old")
    time.sleep(0.1)  # it is in the queue by now
    desk.submit("compare", lambda job: "new")
    desk.settle()
    assert desk.got == ["new"]
    assert desk.troubles == []


def test_what_can_wait_gives_way_and_what_is_urgent_goes_first(desk: Desk) -> None:
    started, go_on = threading.Event(), threading.Event()
    order: list[str] = []

    def first(job: Job) -> None:
        started.set()
        go_on.wait(5)

    desk.submit("first", first)
    assert started.wait(5)
    counting = desk.submit("counts", lambda job: order.append("counts"), urgent=False, yields=True)
    desk.submit("thumb", lambda job: order.append("thumb"), urgent=False)
    desk.submit("compare", lambda job: order.append("compare"))
    go_on.set()
    desk.settle()
    assert counting.cancelled
    assert order == ["compare", "thumb"]


def test_an_error_is_delivered_and_the_next_job_runs(desk: Desk) -> None:
    desk.submit("a", lambda job: 1 / 0)
    desk.settle()
    desk.submit("a", lambda job: "fine")
    desk.settle()
    assert isinstance(desk.got[0], ZeroDivisionError)
    assert desk.got[1] == "fine"


def test_an_error_in_a_handler_is_told_and_not_lost(desk: Desk) -> None:
    desk.worker.submit("a", lambda job: 1, lambda _: 1 / 0, lambda error: None)
    desk.settle()
    assert isinstance(desk.troubles[0], ZeroDivisionError)


def test_cancelled_work_cannot_catch_its_end_as_an_exception(desk: Desk) -> None:
    started, go_on = threading.Event(), threading.Event()

    def stubborn(job: Job) -> str:
        started.set()
        go_on.wait(5)
        try:
            job.check()
        except Exception:
            return "went on"
        return "never cancelled"

    desk.submit("a", stubborn)
    assert started.wait(5)
    assert desk.worker.cancel("a")
    go_on.set()
    desk.submit("b", lambda job: "next")
    desk.settle()
    assert desk.got == ["next"]


def test_reports_of_a_cancelled_job_are_dropped(desk: Desk) -> None:
    heard: list[int] = []
    reported = threading.Event()

    def work(job: Job) -> None:
        job.report(lambda: heard.append(1))
        reported.set()

    desk.submit("a", work)
    assert reported.wait(5)
    desk.worker.cancel("a")
    desk.dispatcher.drain()
    assert heard == []


def test_closing_drops_all_work(desk: Desk) -> None:
    started, go_on = threading.Event(), threading.Event()

    def held(job: Job) -> None:
        started.set()
        assert go_on.wait(5)
        job.check()

    desk.submit("a", held)
    desk.submit("b", lambda job: "x")
    assert started.wait(5)
    desk.worker.close()
    go_on.set()
    desk.submit("c", lambda job: "y")
    assert not desk.worker.busy()


def test_panels_that_take_turns_share_one_thread() -> None:
    seen: set[int] = set()
    for _ in range(10):
        desk = Desk()
        done: list[int] = []
        desk.worker.submit("a", lambda job: threading.get_ident(), done.append, lambda error: None)
        assert desk.dispatcher.pump(lambda found=done: bool(found), 5)  # type: ignore[misc]
        time.sleep(0.01)
        seen.update(done)
        desk.worker.close()
    assert len(seen) < 4


def test_timers_run_when_due_and_not_when_cancelled(desk: Desk) -> None:
    heard: list[str] = []
    desk.dispatcher.later(0.02, lambda: heard.append("kept"))
    desk.dispatcher.later(0.02, lambda: heard.append("cancelled")).cancel()
    assert heard == []
    assert desk.dispatcher.pump(lambda: bool(heard), 5)
    assert heard == ["kept"]


def test_waiting_gives_up_in_time(desk: Desk) -> None:
    begun = time.monotonic()
    assert not desk.dispatcher.pump(lambda: False, 0.05)
    assert time.monotonic() - begun < 2


def test_with_a_running_loop_nobody_has_to_wait_for_results() -> None:
    async def notebook() -> list[Any]:
        desk = Desk()
        desk.submit("a", lambda job: "came by itself")
        for _ in range(500):
            if desk.got:
                break
            await asyncio.sleep(0.01)
        desk.worker.close()
        desk.dispatcher.close()
        return desk.got

    assert asyncio.run(notebook()) == ["came by itself"]


def test_a_loop_that_has_ended_leaves_the_work_to_those_who_wait() -> None:
    async def make() -> Desk:
        return Desk()

    desk = asyncio.run(make())
    desk.submit("a", lambda job: "x")
    desk.settle()
    assert desk.got == ["x"]
    desk.worker.close()
