"""What the panel has its worker do: comparisons first, and what can wait after them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from vde_nb._progress import listening
from vde_nb.comparison import Comparison
from vde_nb.images import ImagePair, load
from vde_nb.panel._dispatch import Dispatcher, Timer
from vde_nb.panel._messages import Blob
from vde_nb.panel._pairs import Pair
from vde_nb.panel._run import Request, compared, loaded
from vde_nb.panel._static import static_html
from vde_nb.panel._worker import Job, Worker
from vde_nb.stages import StageCache
from vde_nb.viewer import payload

__all__ = ["Comparing", "Hooks", "Progress"]

#: Seconds after which work under way is worth a progress bar.
_PATIENCE = 0.15
#: Stages of a comparison of which nothing is known yet.
_STAGES = 12
#: Height of the filmstrip's pictures, in pixels.
_THUMB = 72
#: Stages kept while all frames are gone through: those of the reference, which they may share.
_SWEPT_BYTES = 128 << 20


@dataclass
class Progress:
    """How far a comparison is."""

    stage: str = "images"
    begun: int = 0
    total: int = _STAGES
    started: float = field(default_factory=time.monotonic)
    share: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """For the viewer."""
        return {
            "stage": self.stage,
            "done": max(0, self.begun - 1),
            "total": max(self.total, self.begun),
            "share": self.share,
            "elapsed": round((time.monotonic() - self.started) * 1000),
            "cancellable": True,
        }


@dataclass(frozen=True)
class Hooks:
    """What the panel does with what the worker found; called on the panel's thread."""

    read: Callable[[Pair, ImagePair, Request], object]
    done: Callable[[Pair, Comparison, Request], object]
    failed: Callable[[Pair, BaseException, bool], object]
    progress: Callable[[Progress | None], object]
    counts: Callable[[list[int]], object]
    thumb: Callable[[int, Pair], object]
    steps: Callable[[list[Blob]], object]
    static: Callable[[str], object]
    trouble: Callable[[BaseException, str], object]


class Comparing:
    """Submits work to one worker and hands what it found to the panel.

    Parameters
    ----------
    dispatcher
        Brings results to the panel's thread.
    hooks
        What to do with them.
    """

    def __init__(self, dispatcher: Dispatcher, hooks: Hooks) -> None:
        self._dispatcher, self._hooks = dispatcher, hooks
        self._worker = Worker(dispatcher.post)
        self._cache = StageCache()
        # Apart, so that going through a series leaves what is shown as quick as it was.
        self._swept = StageCache(_SWEPT_BYTES)
        self._progress: Progress | None = None
        self._timer: Timer | None = None
        self._stages: dict[str, int] = {}
        self._counted: tuple[Any, int, list[int]] | None = None
        self._strip = 0

    @property
    def is_running(self) -> bool:
        """Whether a comparison is under way."""
        return self._worker.busy("comparison")

    @property
    def is_drawing(self) -> bool:
        """Whether the static picture is being made."""
        return self._worker.busy("static")

    def start(self, pair: Pair, request: Request) -> None:
        """Read and compare a pair; what was under way is cancelled."""
        images, last, last_key = pair.loaded, pair.comparison, pair.compared_with
        if pair.loaded_with != request.reading:
            images = last = last_key = None
        has_read = images is not None
        progress = Progress(total=self._stages.get(request.choice.method, _STAGES))
        hooks, cache = self._hooks, self._cache

        def work(job: Job) -> Comparison:
            nonlocal images, has_read

            def began(stage: str) -> None:
                job.check()
                job.report(lambda: self._began(progress, stage))

            def told(text: str, share: float | None) -> None:
                job.check()
                job.report(lambda: self._told(progress, text, share))

            began("images")
            if images is None:
                _check(pair)
                images = read = loaded(pair.reference, pair.current, request)
                has_read = True
                job.report(lambda: hooks.read(pair, read, request))
            with listening(told):
                return compared(images, request, cache, began, last, last_key)

        def done(comparison: Comparison) -> None:
            self._settle()
            if progress.begun > 3:
                self._stages[request.choice.method] = progress.begun
            hooks.done(pair, comparison, request)

        def failed(error: BaseException) -> None:
            self._settle()
            hooks.failed(pair, error, has_read)

        self._settle()
        self._progress = progress
        self._worker.submit("comparison", work, done, failed)
        self._timer = self._dispatcher.later(_PATIENCE, self._show_progress)

    def sweep(
        self,
        pair: Pair,
        request: Request,
        done: Callable[[Comparison], object],
        failed: Callable[[BaseException], object],
    ) -> None:
        """Compare a pair that is not looked at, until something that matters more comes up."""
        images = pair.loaded if pair.loaded_with == request.reading else None

        def work(job: Job) -> Comparison:
            def check(*_: Any) -> None:
                job.check()

            if images is None:
                _check(pair)
            both = images or loaded(pair.reference, pair.current, request)
            with listening(check):
                return compared(both, request, self._swept, check, None, None)

        self._worker.submit("sweep", work, done, failed, urgent=False, yields=True)

    @property
    def is_sweeping(self) -> bool:
        """Whether a pair that is not looked at is being compared."""
        return self._worker.busy("sweep")

    def stop_sweep(self) -> None:
        """Cancel that."""
        self._worker.cancel("sweep")
        self._swept.clear()

    def cancel(self) -> bool:
        """Cancel the comparison under way; returns whether there was one."""
        self._settle()
        return self._worker.cancel("comparison")

    def count(self, comparison: Comparison) -> None:
        """Count the regions at every threshold, once nothing else is to be done."""
        clean, least = comparison.clean_heatmap, comparison.settings.detect.min_area
        if self._counted is not None and self._counted[:2] == (id(clean), least):
            self._hooks.counts(self._counted[2])
            return

        def done(values: list[int] | None) -> None:
            if values is not None:
                # The array is held by the comparison that is shown, so its id stays its own.
                self._counted = id(clean), least, values
                self._hooks.counts(values)

        self._later("counts", lambda job: payload.counts_of(comparison, job.stop), done, "counting")

    def explain(self, comparison: Comparison) -> None:
        """Make the strip of pictures that explains a comparison."""
        from vde_nb.explain import explain

        def work(job: Job) -> list[Blob]:
            steps = explain(comparison)
            job.check()
            self._strip += 1
            return [
                Blob(
                    "stage",
                    f"strip-{self._strip}",
                    payload.picture_png(step.picture),
                    {
                        "key": step.key,
                        "title": step.title,
                        "sentence": step.sentence,
                        "index": index,
                        "total": len(steps),
                    },
                )
                for index, step in enumerate(steps)
            ]

        self._later("explain", work, self._hooks.steps, "explaining")

    def draw_static(self, panel_id: str, comparison: Comparison | None, message: str) -> None:
        """Make the static picture anew."""
        self._later(
            "static",
            lambda job: static_html(panel_id, comparison, message),
            self._hooks.static,
            "drawing",
        )

    def thumb(self, index: int, pair: Pair) -> None:
        """Make the filmstrip's picture of one pair."""

        def work(job: Job) -> bytes:
            picture = _picture_of(pair)
            height, width = picture.shape[:2]
            scale = _THUMB / height
            size = max(1, min(round(width * scale), 4 * _THUMB)), _THUMB
            small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            return payload.picture_png(np.asarray(small, np.uint8))

        def done(data: bytes) -> None:
            pair.thumb = data
            self._hooks.thumb(index, pair)

        def failed(error: BaseException) -> None:
            done(b"")  # what is wrong with it is told when it is opened

        self._worker.submit("thumb", work, done, failed, urgent=False, yields=True)

    @property
    def is_making_thumbs(self) -> bool:
        """Whether a picture for the filmstrip is being made."""
        return self._worker.busy("thumb")

    def close(self) -> None:
        """End the thread and forget all results."""
        self._settle()
        self._worker.close()
        self._cache.clear()
        self._swept.clear()
        self._counted = None

    def _later(
        self, kind: str, work: Callable[[Job], Any], done: Callable[[Any], object], doing: str
    ) -> None:
        def failed(error: BaseException) -> None:
            self._hooks.trouble(error, doing)

        self._worker.submit(kind, work, done, failed, urgent=False, yields=True)

    def _began(self, progress: Progress, stage: str) -> None:
        progress.stage, progress.share = stage, None
        progress.begun += 1
        if time.monotonic() - progress.started >= _PATIENCE:
            self._hooks.progress(progress)

    def _told(self, progress: Progress, text: str, share: float | None) -> None:
        """Long work inside a stage says how far it is."""
        progress.stage, progress.share = text, share
        if time.monotonic() - progress.started >= _PATIENCE:
            self._hooks.progress(progress)

    def _show_progress(self) -> None:
        if self._progress is not None:
            self._hooks.progress(self._progress)

    def _settle(self) -> None:
        """Nothing is under way any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if self._progress is not None:
            self._progress = None
            self._hooks.progress(None)


def _check(pair: Pair) -> None:
    """Find the pictures of a run's pair, which must be those that the run has compared."""
    if pair.known is not None:
        reference, pair.current = pair.known.sources()
        if reference is not None:
            pair.reference = reference


def _picture_of(pair: Pair) -> Any:
    drawn = None if pair.known is None else pair.known.thumbnail()
    if drawn is not None:
        return drawn
    if pair.loaded is not None:
        return pair.loaded.current.array
    _check(pair)
    if isinstance(pair.reference, ImagePair):
        return pair.reference.current.array
    source = pair.current if pair.current is not None else pair.reference
    return load(source).array
