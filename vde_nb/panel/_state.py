"""The panel's state: traits, and the rules by which a change of one moves the others.

All of it is changed on one thread, the one that made the panel. Observers may read and set
anything; what the panel sets itself never comes back as a wish.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import traitlets

from vde_nb.comparison import Anomaly, Comparison
from vde_nb.errors import SettingError
from vde_nb.images import ImagePair
from vde_nb.methods import get_method
from vde_nb.panel._choice import Choice, checked_threshold
from vde_nb.panel._comparing import Comparing, Hooks, Progress
from vde_nb.panel._dispatch import Dispatcher, Timer
from vde_nb.panel._edits import Edits, checked_ignore, checked_nudge, plain_prompts
from vde_nb.panel._errors import Trouble, in_words
from vde_nb.panel._link import Link
from vde_nb.panel._messages import Blob
from vde_nb.panel._pairs import Pair
from vde_nb.panel._patches import (
    changed_reviews,
    edits_patch,
    followed,
    types_patch,
)
from vde_nb.panel._run import Request
from vde_nb.panel._series import stamp
from vde_nb.panel._static import Fallback
from vde_nb.panel._sweep import Sweep
from vde_nb.panel._traits import (
    Checked,
    Finished,
    a_pair,
    a_preset,
    a_segmenter,
    an_anomaly,
    given_settings,
    prompt_list,
    review_list,
)
from vde_nb.panel._view import default_view, merged_view
from vde_nb.reviewing import checked_reviews
from vde_nb.settings import DEFAULT_METHOD
from vde_nb.viewer import payload

if TYPE_CHECKING:
    from vde_nb.panel._gallery import Gallery

__all__ = ["State"]

#: Pairs whose pictures stay in memory, with the one that is shown.
_KEPT = 3
#: Seconds without a change after which the static picture is made anew.
_CALM = 1.0
#: Pairs up to which every picture of the filmstrip is made without being asked for.
_LONG = 200
_SETTINGS = ("method", "preset", "segmenter", "threshold", "settings")
_EDITS = ("prompts", "ignore", "nudge")


class State(traitlets.HasTraits):
    """Traits of the panel and what follows from them; see :class:`vde_nb.Panel`."""

    method = Checked(DEFAULT_METHOD, lambda _, v: get_method(v).name, "Name of the method.")
    preset = Checked("default", a_preset, "Name of the preset.")
    segmenter = Checked("graphcut", a_segmenter, "What draws the outlines.")
    threshold = Checked(
        50,
        lambda _, v: checked_threshold(v),
        "Heat above which a pixel counts as changed; the lowest of several thresholds.",
    )
    settings = Checked({}, given_settings, "Settings that differ from the preset's.")
    view = Checked(None, lambda p, v: merged_view(p._view, v), "How the pictures are shown.")
    selected = Checked(0, an_anomaly, "Number of the selected anomaly, 0 for none.")
    prompts = Checked([], prompt_list, "Prompts: dictionaries of box and points.")
    ignore = Checked([], lambda _, v: [list(b) for b in checked_ignore(v)], "Ignored boxes.")
    nudge = Checked((0.0, 0.0), lambda _, v: checked_nudge(v), "(dx, dy) in pixels.")
    reviews = Checked([], review_list, "Reviews: dictionaries of box, verdict, type, comment.")
    index = Checked(0, a_pair, "Which pair is shown, from 0.")
    comparison = Finished(None, help="The finished comparison, None before.", read_only=True)
    status = traitlets.Unicode(
        "empty", help="empty, running, ready, error or cancelled.", read_only=True
    )
    message = traitlets.Unicode("", help="What went wrong last, in words.", read_only=True)
    names = traitlets.Tuple(("", ""), help="What the two pictures are called.", read_only=True)
    explaining = traitlets.Bool(False, help="Whether the stages are shown.", read_only=True)

    def __init__(self, choice: Choice) -> None:
        self._inner = 0
        self._depth = 0
        self._is_closed = False
        self._view = default_view()
        self._choice = choice
        self._pairs: list[Pair] = []
        self._at = 0
        self._opening: tuple[list[Pair], int, Any] | None = None
        self._trouble: Trouble | None = None
        self._stays = False
        self._in_progress = False
        self._is_aligning = False
        self._recent: list[Pair] = []
        self._calm: Timer | None = None
        self._id = f"vde-panel-{secrets.token_hex(4)}"
        self._tokens = 0
        self._edits_seen = 0
        super().__init__()
        self._dispatcher = Dispatcher(lambda error: self._fail(error, "following a change"))
        self._link = Link(
            self._dispatcher.post, lambda error: self._fail(error, "packing the pictures")
        )
        self._fallback = Fallback(self._id)
        self._comparing = Comparing(
            self._dispatcher,
            Hooks(
                read=self._read,
                done=self._done,
                failed=self._failed,
                progress=self._progress,
                counts=self._link.counts,
                thumb=self._thumb,
                steps=self._steps,
                static=self._put_static,
                trouble=lambda error, doing: self._fail(error, doing),
            ),
        )
        self._gallery: Gallery | None = None
        self._wanted_thumbs: list[int] = []
        self._sweep = Sweep(self)
        self._sync()

    # Threads and observers

    def notify_change(self, change: Any) -> None:
        """Tell observers; what they do wrong is shown while the panel itself is at work."""
        self._depth += 1
        try:
            super().notify_change(change)
        except Exception as error:
            if not self._inner:
                raise
            self._fail(error, f"telling your code that {change['name']} has changed")
        finally:
            self._depth -= 1

    @contextmanager
    def _setting(self) -> Iterator[None]:
        """While the panel sets its own traits."""
        self._inner += 1
        try:
            yield
        finally:
            self._inner -= 1

    def _put(self, **values: Any) -> None:
        """Set traits without reacting to it; only what differs is told."""
        with self._setting():
            for name, value in values.items():
                if self._trait_values.get(name) != value or name not in self._trait_values:
                    self.set_trait(name, value)

    def _here(self, doing: str, action: Callable[[], object]) -> None:
        """Do something on the panel's thread, now or soon; errors are shown."""
        if self._is_closed:
            return
        if self._dispatcher.is_here:
            self._guarded(doing, action)
        else:
            self._dispatcher.post(lambda: self._guarded(doing, action))

    def _guarded(self, doing: str, action: Callable[[], object]) -> None:
        if self._is_closed:
            return
        try:
            action()
        except Exception as error:
            failure = error
            if self._dispatcher.is_here:
                self._fail(failure, doing)
            else:
                self._dispatcher.post(lambda: self._fail(failure, doing))

    @traitlets.observe(*_SETTINGS, *_EDITS, "view", "selected", "reviews", "index")
    def _assigned(self, change: Any) -> None:
        """Somebody assigned a trait."""
        name, value = change["name"], change["new"]
        if self._is_closed or not hasattr(self, "_comparing"):
            return
        if not self._dispatcher.is_here:
            self._dispatcher.post(lambda: self._take(name, value))
        elif not self._inner:
            try:
                self._take(name, value)
            except Exception:
                self._sync()
                raise

    def _take(self, name: str, value: Any) -> None:
        if name == "settings":
            self._set_choice(Choice(self._choice.method, self._choice.preset).changed(value))
        elif name in _SETTINGS:
            self._set_choice(self._choice.changed({name: value}))
        elif name in _EDITS:
            self._take_edits({name: value})
        elif name == "view":
            self._view = value
            self._link.state(view=value)
        elif name == "selected":
            self._link.state(selected=value)
        elif name == "reviews":
            self._set_reviews(checked_reviews(value))
        elif name == "index":
            self._goto(value)

    # What the panel is set to

    @property
    def _pair(self) -> Pair | None:
        return self._pairs[self._at] if self._pairs else None

    @property
    def _shape(self) -> tuple[int, int] | None:
        """``(H, W)`` of the pictures, None before they are read."""
        pair = self._pair
        return None if pair is None or pair.loaded is None else pair.loaded.shape

    @property
    def _shown(self) -> Comparison | None:
        """The comparison on the screen; reading it never waits."""
        pair = self._pair
        return None if pair is None else pair.comparison

    @property
    def _edits(self) -> Edits:
        pair = self._pair
        return Edits() if pair is None else pair.history.now

    def _request(self, pair: Pair) -> Request:
        return Request(self._choice, pair.history.now, pair.reviews, self._link.seq)

    def _sync(self) -> None:
        """Set the traits to what the panel holds."""
        choice, pair, edits = self._choice, self._pair, self._edits
        self._put(
            method=choice.method,
            preset=choice.preset,
            segmenter=choice.settings.segment.segmenter,
            threshold=choice.threshold,
            settings=choice.used(),
            view=self._view,
            prompts=edits.prompt_list(),
            ignore=[list(box) for box in edits.ignore],
            nudge=edits.nudge,
            reviews=[] if pair is None else [one.to_dict() for one in pair.reviews],
            index=self._at,
            names=("", "") if pair is None else pair.names,
        )

    def _set_choice(self, choice: Choice) -> None:
        self._choice = choice
        self._sync()
        self._link.state(threshold=choice.threshold)
        self._schedule()

    def _take_threshold(self, value: int) -> None:
        """The viewer moved its threshold."""
        self._set_choice(self._choice.changed({"threshold": value}))

    def _take_view(self, patch: Any) -> None:
        """The viewer changed its view: it knows already."""
        self._view = merged_view(self._view, patch)
        self._put(view=self._view)

    def _take_selected(self, number: int) -> None:
        shown = self._shown
        self._put(selected=number if shown is not None and number <= len(shown.anomalies) else 0)

    def _take_edits(self, given: Mapping[str, Any]) -> None:
        """Prompts, ignored boxes or a nudge were changed by hand: one step to be undone."""
        pair = self._pair
        if pair is None:
            self._sync()
            raise SettingError("There are no pictures yet to point into.")
        now, shape = pair.history.now, self._shape
        made = Edits(
            plain_prompts(given["prompts"], shape) if "prompts" in given else now.prompts,
            checked_ignore(given["ignore"]) if "ignore" in given else now.ignore,
            checked_nudge(given["nudge"]) if "nudge" in given else now.nudge,
        )
        pair.history.push(made)
        self._edited()

    def _edited(self) -> None:
        self._keep()
        self._sync()
        self._link.state(**edits_patch(self._pair, self._edits_seen))
        self._schedule()

    def _set_reviews(self, reviews: Any) -> None:
        pair = self._pair
        if pair is None:
            self._sync()
            raise SettingError("There is nothing to review yet.")
        pair.reviews = tuple(reviews)
        self._keep()
        self._sync()
        self._schedule()

    def _refine(self, number: int) -> None:
        """Prompt with the box of an anomaly that is shown."""
        box = [int(value) for value in self._anomaly(number).box]
        prompts = self._edits.prompt_list()
        if not any(one["box"] == box and not one["points"] for one in prompts):
            self._take_edits({"prompts": [*prompts, {"box": box, "points": []}]})

    def _review(self, number: int, given: Mapping[str, Any]) -> None:
        """Change what is said about an anomaly that is shown."""
        anomaly, pair = self._anomaly(number), self._pair
        assert pair is not None
        self._set_reviews(changed_reviews(pair.reviews, anomaly, given))

    def _keep(self, *, at_rest: bool = False) -> None:
        """Write down what is said about a pair of a run.

        Parameters
        ----------
        at_rest
            The comparison has arrived that belongs to what was done: done or not is known now.
        """
        pair = self._pair
        if self._gallery is None or pair is None or (at_rest and not pair.is_kept_early):
            return
        pair.is_kept_early = not at_rest
        self._gallery.keep(pair)
        if not at_rest:  # a comparison with what they say follows
            self._gallery.take_over(pair)
        self._tell_review(self._at)

    def _say(self, at: int, given: Mapping[str, Any]) -> None:
        """Mark a pair of a run as reviewed, or note something about it."""
        if self._gallery is None or not 0 <= at < len(self._pairs):
            raise SettingError("There is no run here whose pairs could be reviewed.")
        self._gallery.say(self._pairs[at], given)
        self._tell_review(at)

    def _tell_review(self, at: int) -> None:
        """Tell the viewer what is said about a pair of a run: a run has thousands of others."""
        self._sweep.tell(at)
        self._link.state(gallery=self._bar())

    # Pairs

    def _commit(self, pairs: list[Pair], at: int, gallery: Gallery | None = None) -> None:
        """Show other pairs."""
        self._opening = None
        self._sweep.stop()
        self._sweep.forget()
        self._pairs, self._recent = pairs, []
        self._gallery, self._wanted_thumbs = gallery, []
        if gallery is None and len(pairs) > 1 and self._choice.method == "normality":
            stamp(pairs)  # a series: its frames are told apart by their times
        for pair in pairs:
            self._sweep.adopt(pair)
        self._link.forget("thumb:")
        self._turn(at)

    def _goto(self, at: int) -> None:
        """Show another of the pairs."""
        if not 0 <= at < len(self._pairs):
            self._sync()
            return
        if at != self._at:
            self._opening = None
            self._turn(at)

    def _turn(self, at: int) -> None:
        before = self._pair if self._at < len(self._pairs) else None
        if before is not None and before.status == "running":
            before.mark()
        self._comparing.cancel()
        self._at = at
        pair = self._pairs[at]
        self._recent = [pair, *(one for one in self._recent if one is not pair)]
        for old in self._recent[_KEPT:]:
            old.release()
        del self._recent[_KEPT:]
        self._dismiss()
        self._link.forget("stage")
        self._put(selected=0)
        self._sync()
        with self._setting():
            self.set_trait("comparison", pair.comparison)
        self._link.show_pair(pair.loaded, pair.token, pair.names)
        self._link.state(
            selected=0,
            **self._pair_patch(),
        )
        if pair.comparison is not None:
            self._present(pair)
        self._schedule()

    def _bar(self) -> dict[str, Any] | None:
        """What is known of a run."""
        gallery, pair = self._gallery, self._pair
        if gallery is None or pair is None:
            return None
        return gallery.patch(pair, self._at, self._choice)

    def _strip(self) -> dict[str, Any]:
        """The filmstrip, and what is known of a run."""
        return {**self._sweep.patch(), "gallery": self._bar()}

    def _pair_patch(self) -> dict[str, Any]:
        return {
            **edits_patch(self._pair, self._edits_seen),
            **self._strip(),
        }

    # Comparing

    def _schedule(self) -> None:
        """Have the pair compared as the panel is set now, unless it is already."""
        pair = self._pair
        if self._opening is not None:
            self._start_opening()
            return
        if pair is None or not pair.is_whole:
            self._put(status="empty")
            return
        request = self._request(pair)
        if pair.comparison is not None and pair.compared_with == request.key:
            self._comparing.cancel()
            self._arrived(pair)
            return
        pair.status = "running"
        self._put(status="running")
        self._link.state(**self._strip())
        self._comparing.start(pair, request)

    def _start_opening(self) -> None:
        assert self._opening is not None
        pairs, at, _ = self._opening
        self._put(status="running")
        self._comparing.start(pairs[at], self._request(pairs[at]))

    def _read(self, pair: Pair, images: ImagePair, request: Request) -> None:
        """The worker has read the pictures of a pair."""
        pair.loaded, pair.loaded_with = images, request.reading
        self._tokens += 1
        pair.token = f"{self._id[-8:]}-{self._tokens}"
        pair.comparison = pair.compared_with = None
        if self._opening is not None and self._opening[0][self._opening[1]] is pair:
            pairs, at, told = self._opening
            self._opening = None
            self._adopt(pairs, at)
            self._tell_upload(told, True, "")
        self._link.show_pair(images, pair.token, pair.names)

    def _adopt(self, pairs: list[Pair], at: int) -> None:
        """Put pairs whose pictures could be read in the place of the old ones; work goes on."""
        self._sweep.stop()
        self._sweep.forget()
        pairs[at].status = "running"
        self._pairs, self._at, self._recent = pairs, at, [pairs[at]]
        self._gallery = None
        self._link.forget("thumb:")
        self._dismiss()
        self._put(selected=0)
        self._sync()
        self._link.state(
            **edits_patch(self._pair, self._edits_seen),
            selected=0,
            **self._strip(),
        )

    def _done(self, pair: Pair, comparison: Comparison, request: Request) -> None:
        """The worker has compared a pair."""
        pair.comparison, pair.compared_with = comparison, request.key
        self._sweep.note(pair, comparison, request)
        gallery, known = self._gallery, pair.known
        if gallery is not None and known is not None and gallery.is_as_run(pair, request.choice):
            known.compare(comparison, gallery.why_otherwise)
        if pair is self._pair:
            if not self._stays:
                self._dismiss()
            self._present(pair)
            self._arrived(pair)

    def _present(self, pair: Pair) -> None:
        """Show the comparison of the pair, and let everybody know."""
        comparison = pair.comparison
        assert comparison is not None
        pair.mark()
        selected = followed(self._trait_values.get("comparison"), self.selected, comparison)
        with self._setting():
            self._trait_values.setdefault("comparison", None)
            self.set_trait("comparison", comparison)
        self._put(selected=selected)
        self._link.state(
            selected=selected,
            registration=payload.registration(comparison),
            **types_patch(self._shown),
            **self._strip(),
        )

    def _arrived(self, pair: Pair) -> None:
        """What is on the screen is what was asked for."""
        comparison = pair.comparison
        assert comparison is not None
        pair.mark()
        self._keep(at_rest=True)
        self._put(status="ready")
        self._link.show(comparison, self._link.seq)
        self._tell_alignment(comparison)
        if self._link.is_live:
            self._comparing.count(comparison)
            if self.explaining:
                self._comparing.explain(comparison)
        self._next_thumb()
        self._refresh_static()
        self._sweep.go_on()

    def _failed(self, pair: Pair, error: BaseException, has_read: bool) -> None:
        """The worker could not read or compare a pair."""
        doing = "comparing the pictures" if has_read else "reading the pictures"
        title = "" if has_read else "The pictures could not be opened"
        trouble = in_words(error, doing, title)
        if self._opening is not None and self._opening[0][self._opening[1]] is pair:
            told = self._opening[2]
            self._opening = None
            self._show_trouble(trouble, stays=True)
            self._tell_upload(told, False, trouble.message)
            old = self._pair
            if old is not None and old.compared_with == self._request(old).key:
                self._put(status="ready")
                self._sweep.go_on()
            else:
                self._schedule()
            return
        self._sweep.failed(pair, error, doing)
        if pair is self._pair:
            pair.comparison = pair.compared_with = None
            with self._setting():
                self.set_trait("comparison", None)
            self._show_trouble(trouble)
            self._put(status="error")
            self._link.state(**self._strip())
            self._refresh_static()
        self._sweep.go_on()

    def _tell_alignment(self, comparison: Comparison) -> None:
        """Say what aligning came to, when it was asked for."""
        found = comparison.registration
        if self._is_aligning and found is not None:
            before, after = found.residual_before, found.residual_after
            said = f"Aligned ({found.model}): residual {before:.3f} before, {after:.3f} after."
            self._link.send({"kind": "announce", "text": said})
        self._is_aligning = False

    def _finish(self) -> None:
        """Wait for work under way, where waiting is possible."""
        if self._is_closed or self._depth or not hasattr(self, "_comparing"):
            return
        if self._dispatcher.is_here and not self._inner:
            self._dispatcher.pump(lambda: not self._comparing.is_running)

    # What the viewer is told

    def _progress(self, progress: Progress | None) -> None:
        if progress is None and not self._in_progress:
            return
        self._in_progress = progress is not None
        self._link.state(progress=None if progress is None else progress.to_dict())

    def _hello(self) -> None:
        """A page was loaded."""
        was_live = self._link.is_live
        self._sweep.forget()
        self._link.hello(
            {
                "panel_id": self._id,
                "threshold": self._choice.threshold,
                "view": self._view,
                "selected": self.selected,
                "registration": payload.registration(self._shown),
                "progress": None,
                "error": None if self._trouble is None else self._trouble.to_dict(),
                "explaining": self.explaining,
                **types_patch(self._shown),
                **self._pair_patch(),
            }
        )
        shown = self._shown
        if not was_live and shown is not None and self.status == "ready":
            self._comparing.count(shown)
            if self.explaining:
                self._comparing.explain(shown)
        self._next_thumb()

    def _next_thumb(self) -> None:
        """Make one more picture for the filmstrip, the nearest to what is shown."""
        if len(self._pairs) < 2 or not self._link.is_live or self._comparing.is_making_thumbs:
            return
        if self._comparing.is_running:
            return
        wanted = [at for at in self._wanted_thumbs if self._pairs[at].thumb is None]
        missing = wanted[:1]
        if not wanted and len(self._pairs) <= _LONG:
            missing = [at for at, pair in enumerate(self._pairs) if pair.thumb is None]
        if missing:
            at = min(missing, key=lambda place: abs(place - self._at))
            self._comparing.thumb(at, self._pairs[at])

    def _want_thumbs(self, places: list[int]) -> None:
        """The viewer has these frames in sight, and no pictures of them."""
        count = len(self._pairs)
        self._wanted_thumbs = [at for at in places if 0 <= at < count][:_LONG]
        for at in self._wanted_thumbs:  # made before, for a page that is gone
            if self._pairs[at].thumb:
                self._show_thumb(at, self._pairs[at])
        self._next_thumb()

    def _thumb(self, at: int, pair: Pair) -> None:
        if at < len(self._pairs) and self._pairs[at] is pair and pair.thumb:
            self._show_thumb(at, pair)
        self._next_thumb()

    def _show_thumb(self, at: int, pair: Pair) -> None:
        blob = Blob("thumb", f"{pair.token}-thumb", pair.thumb or b"", {"index": at})
        self._link.blob(blob, f"thumb:{at}")

    def _steps(self, blobs: list[Blob]) -> None:
        if self.explaining:
            self._link.forget("stage")
            for at, blob in enumerate(blobs):
                self._link.blob(blob, f"stage:{at}")

    # Errors

    def _fail(self, error: BaseException, doing: str, title: str = "") -> None:
        self._show_trouble(in_words(error, doing, title))

    def _show_trouble(self, trouble: Trouble, *, stays: bool = False) -> None:
        """Show an error; one that `stays` is not taken away by the next comparison."""
        self._trouble, self._stays = trouble, stays
        self._link.state(error=trouble.to_dict())
        self._put(message=trouble.message)

    def _viewer_failed(self, message: str, details: str) -> None:
        self._show_trouble(Trouble("The viewer has a problem", message, details))

    def _dismiss(self) -> None:
        if self._trouble is not None:
            self._trouble = None
            self._link.state(error=None)
            self._put(message="")

    def _tell_upload(self, key: Any, is_ok: bool, message: str) -> None:
        if key is not None:
            self._link.send({"kind": "uploaded", "id": key, "ok": is_ok, "message": message})

    # The static picture

    def _refresh_static(self) -> None:
        """Make the static picture anew, when nothing has changed for a while."""
        if not self._fallback.is_shown:
            return
        if self._calm is not None:
            self._calm.cancel()
        self._calm = self._dispatcher.later(_CALM, self._draw_static)

    def _draw_static(self) -> None:
        if self._calm is not None:
            self._calm.cancel()
        self._calm = None
        if self._fallback.is_shown:
            self._comparing.draw_static(self._id, self._shown, self.message)

    def _put_static(self, html: str) -> None:
        self._fallback.update(html, repr(self))

    def _anomaly(self, number: int) -> Anomaly:
        shown = self._shown
        found = [] if shown is None else [one for one in shown.anomalies if one.number == number]
        if not found:
            most = 0 if shown is None else len(shown.anomalies)
            raise SettingError(f"There is no anomaly {number}: they are numbered from 1 to {most}.")
        return found[0]
