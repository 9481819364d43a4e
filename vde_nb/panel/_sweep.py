"""All frames of the strip compared, one after the other, while nothing else is to be done.

What is found in a frame that is not looked at is kept as a few numbers - status, count, score -
and its pictures are let go of: a strip of thousands takes no memory.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from vde_nb.panel._errors import in_words
from vde_nb.panel._pairs import Pair
from vde_nb.panel._patches import frame_item
from vde_nb.panel._run import Request
from vde_nb.panel._scores import level_of

__all__ = ["Sweep"]

#: Frames from which on a curve of their scores tells more than the numbers.
_LEAST = 3
#: Frames from which on only those are sent that have changed.
_LONG = 200


class Sweep:
    """Which frames are compared as the panel is set now, and the work on those that are not.

    Parameters
    ----------
    panel
        Holds the pairs, has them compared and tells the viewer.

    Attributes
    ----------
    is_on
        Whether all frames are to be compared.
    """

    def __init__(self, panel: Any) -> None:
        self._panel = panel
        self.is_on = False
        self._known: dict[Hashable, Hashable] = {}
        self._choice: Any = None
        self._usual: dict[Hashable, tuple[Hashable, Hashable]] = {}
        self._sent: list[dict[str, Any]] = []

    # What is known

    def note(self, pair: Pair, comparison: Any, request: Request) -> None:
        """Keep what is worth keeping of a finished comparison."""
        pair.judge(comparison)
        pair.score = comparison.score
        pair.changed, pair.note = float(comparison.change_score_percent), ""
        pair.found_with = self._one(request.core)
        pair.scored_with = self._one(request.scoring)

    def failed(self, pair: Pair, error: BaseException, doing: str) -> None:
        """Keep that a pair cannot be compared, and why."""
        pair.status = pair.settled = "error"
        pair.score = pair.count = pair.changed = None
        pair.note = in_words(error, doing).message
        pair.found_with = pair.scored_with = self._keys(pair)[0]

    def adopt(self, pair: Pair) -> None:
        """Take what is known of a frame beforehand, as from a table, for what would be found."""
        gallery = self._panel._gallery
        # What a run has found is what its own settings find, whatever the panel is set to.
        found, scored = self._keys(pair) if gallery is None else gallery.keys(gallery.choice)
        found, scored = self._one(found), self._one(scored)
        if pair.score is not None and pair.scored_with is None:
            pair.scored_with = scored
        if pair.settled != "todo" and pair.found_with is None:
            pair.found_with = found

    def is_missing(self, pair: Pair) -> bool:
        """Whether a pair is not compared as the panel is set now."""
        return pair.is_whole and not _same(pair.found_with, self._keys(pair)[0])

    def item(self, pair: Pair) -> dict[str, Any]:
        """What the filmstrip shows of a pair."""
        found, scored = self._keys(pair)
        item = frame_item(
            pair,
            has_score=_same(pair.scored_with, scored),
            is_outdated=pair.found_with is not None and not _same(pair.found_with, found),
        )
        gallery = self._panel._gallery
        return item if gallery is None else item | gallery.item(pair)

    def patch(self) -> dict[str, Any]:
        """The filmstrip without its pictures; of a long one what has changed since the last."""
        panel = self._panel
        level = level_of(panel._choice) if len(panel._pairs) >= _LEAST else None
        curve = None if level is None else {"level": level, "title": "Score"}
        more: dict[str, Any] = {"index": panel._at, "curve": curve, **self._state()}
        if panel._gallery is not None:
            # Sorted by how bad they are, frames make no curve.
            more |= {"curve": None, "level": level}
        items = [self.item(pair) for pair in panel._pairs]
        before, self._sent = self._sent, items if panel._link.is_live else []
        if len(items) < _LONG or len(before) != len(items):
            return {"filmstrip": {"items": items, **more}}
        changed = [[at, one] for at, one in enumerate(items) if one != before[at]]
        return {"filmstrip": {"changed": changed, **more}}

    def tell(self, at: int) -> None:
        """Tell the viewer of one frame, when no other has changed."""
        panel = self._panel
        if not panel._link.is_live:
            return
        item = self.item(panel._pairs[at])
        if at < len(self._sent):
            self._sent[at] = item
        panel._link.send({"kind": "frame", "index": at, "item": item, **self._state()})

    def forget(self) -> None:
        """Send all of it the next time: to a page that was loaded again, or of other pairs."""
        self._sent = []

    def _state(self) -> dict[str, Any]:
        pairs = self._panel._pairs
        missing = sum(self.is_missing(one) for one in pairs) if len(pairs) > 1 else 0
        total = sum(one.is_whole for one in pairs)
        sweep = {"done": total - missing, "total": total} if self.is_on else None
        return {"sweep": sweep, "missing": missing}

    def _one(self, key: Hashable) -> Hashable:
        """One object for all equal keys, so that thousands of frames compare them by identity."""
        return self._known.setdefault(key, key)

    def _keys(self, pair: Pair) -> tuple[Hashable, Hashable]:
        """What decides what would be found in a pair now, and what decides its score."""
        panel = self._panel
        if self._choice is not panel._choice:
            self._choice, self._known = panel._choice, dict(list(self._known.items())[-16:])
            self._usual = {}
        edits = pair.history.now
        kind = edits.ignore, edits.nudge
        if kind not in self._usual:
            request = panel._request(pair)
            self._usual[kind] = self._one(request.core), self._one(request.scoring)
        return self._usual[kind]

    # Work

    def start(self) -> None:
        """Compare all that are not compared as the panel is set now."""
        self.is_on = any(self.is_missing(one) for one in self._panel._pairs)
        self._tell()
        self.go_on()

    def stop(self) -> None:
        """Compare no more; what was found stays."""
        was_on, self.is_on = self.is_on, False
        self._panel._comparing.stop_sweep()
        if was_on:
            self._tell()

    def go_on(self) -> None:
        """Begin with the next frame, when nothing that matters more is under way."""
        panel = self._panel
        if not self.is_on or panel._comparing.is_running or panel._comparing.is_sweeping:
            return
        for at, pair in enumerate(panel._pairs):
            if not self.is_missing(pair):
                continue
            if pair is panel._pair:
                panel._schedule()  # it is shown, so the whole comparison is wanted
            else:
                self._compare(at, pair)
            return
        self.stop()
        panel.announce(f"All {len(panel._pairs)} pairs are compared.")

    def _compare(self, at: int, pair: Pair) -> None:
        panel = self._panel
        request = panel._request(pair)

        def done(comparison: Any) -> None:
            self.note(pair, comparison, request)
            self._next(at, pair)

        def failed(error: BaseException) -> None:
            self.failed(pair, error, "comparing the pictures")
            self._next(at, pair)

        panel._comparing.sweep(pair, request, done, failed)

    def _next(self, at: int, pair: Pair) -> None:
        pairs = self._panel._pairs
        if at < len(pairs) and pairs[at] is pair:
            self.tell(at)
        self.go_on()

    def _tell(self) -> None:
        self._panel._link.state(**self.patch())


def _same(one: Hashable, two: Hashable) -> bool:
    return one is two or one == two
