"""Long work tells how far it is, and is ended by whoever listens."""

from __future__ import annotations

import time

import pytest

from vde_nb._extras import need, not_installed
from vde_nb._progress import heard, listening, report, shown_when_long
from vde_nb.errors import MissingExtraError


def test_nobody_listens_by_default() -> None:
    assert not heard()
    report("reading", 0.5)


def test_a_listener_hears_the_first_and_the_last_of_many_reports() -> None:
    told: list[tuple[str, float | None]] = []
    with listening(lambda text, share: told.append((text, share))):
        assert heard()
        for step in range(1001):
            report("reading", step / 1000)
        report("writing")
    assert not heard()
    assert told[0] == ("reading", 0.0)
    assert told[-2:] == [("reading", 1.0), ("writing", None)]
    assert len(told) < 100


def test_a_listener_ends_the_work_by_raising() -> None:
    class Enough(BaseException):
        pass

    def stop(text: str, share: float | None) -> None:
        raise Enough

    with pytest.raises(Enough), listening(stop):
        report("reading")
    assert not heard()


def test_what_is_missing_names_the_extra() -> None:
    assert not_installed("numpy", "no_such_module") == ["no_such_module"]
    with pytest.raises(MissingExtraError, match=r'SAM needs no_such_module .*"vde-nb\[sam\]"'):
        need("no_such_module.part", "sam", "SAM")


class Bar:
    """What tqdm is asked to show."""

    shown: list[str]
    last: Bar

    def __init__(self, **how: object) -> None:
        self.n = 0
        Bar.shown, Bar.last = [], self

    def set_description_str(self, text: str, refresh: bool = True) -> None:
        Bar.shown.append(text)

    def refresh(self) -> None:
        Bar.shown[-1] += f" {self.n}"

    def close(self) -> None:
        Bar.shown.append("closed")


def test_long_work_that_nobody_follows_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("vde_nb._progress._PATIENCE", 0.05)
    Bar.shown = []
    with shown_when_long():
        report("quick", 0.5)
    assert Bar.shown == []
    with shown_when_long():
        time.sleep(0.06)
        report("reading", 0.5)
    # At its end: a notebook shows a bar in red that is closed before.
    assert Bar.shown == ["reading 50", "closed"] and Bar.last.n == 100
    told: list[str] = []
    with listening(lambda text, share: told.append(text)), shown_when_long():
        time.sleep(0.06)
        report("reading again")
    assert told == ["reading again"] and Bar.shown == ["reading 50", "closed"]
