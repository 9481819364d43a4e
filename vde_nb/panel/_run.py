"""What the worker does for one state of the panel: read, compare, add prompts and reviews."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from vde_nb._learned import adapted, load_with, model_of
from vde_nb.compare import compare
from vde_nb.comparison import Comparison
from vde_nb.errors import ImageError, SettingError
from vde_nb.images import ImagePair, load_pair
from vde_nb.panel._choice import Choice
from vde_nb.panel._edits import Edits
from vde_nb.reviewing import Review
from vde_nb.settings import Settings
from vde_nb.stages import StageCache

__all__ = ["Request", "compared", "loaded"]


@dataclass(frozen=True, eq=False)
class Request:
    """Everything that decides what is found in a pair, as it was when it was asked for.

    Attributes
    ----------
    choice, edits, reviews
        The state of the panel.
    seq
        The viewer's last threshold that had been seen by then.
    """

    choice: Choice
    edits: Edits
    reviews: tuple[Review, ...]
    seq: int = 0

    @property
    def settings(self) -> Settings:
        """All settings, with the nudge among them."""
        return self.choice.settings.replace(nudge=self.edits.nudge)

    @property
    def core(self) -> Hashable:
        """What decides all but prompts and reviews."""
        return self.settings, self._stamp, self.edits.ignore

    @property
    def scoring(self) -> Hashable:
        """What decides the score of a frame: nothing of what comes after the heatmap."""
        at = self.settings
        passes = at.detect.open_iterations, at.detect.close_iterations
        ignore = self.edits.ignore
        return at.method, at.images, at.align, at.difference, self._stamp, passes, ignore

    @property
    def key(self) -> tuple[Hashable, Hashable, Hashable]:
        """What decides the comparison."""
        return self.core, self.edits.prompts, self.reviews

    @property
    def reading(self) -> tuple[Any, ...]:
        """What decides how files become pictures; a model brings a reference of its own."""
        at = self.choice.settings
        model = at.difference.model if at.method == "normality" else ""
        return at.images.fit, at.images.max_megapixels, model, self._stamp

    @property
    def _stamp(self) -> Hashable:
        """Changes when the file of the model is written again."""
        at = self.choice.settings
        if at.method != "normality":
            return None
        from vde_nb.normality import stamp_of  # comparing two pictures does without it

        return stamp_of(at.difference.model)


def loaded(reference: Any, current: Any, request: Request) -> ImagePair:
    """Read a pair; for a model of normality, with the model's reference in the place of its own.

    Raises
    ------
    ImageError
        A picture cannot be read, or the two do not go together.
    """
    model = None
    # A model that is not there is told by comparing, in its own words.
    with suppress(SettingError):
        model = model_of(request.choice.settings)
    if isinstance(reference, ImagePair):
        return adapted(reference, model)
    fit, most = request.reading[:2]
    try:
        if model is not None:
            return load_with(model, reference, current, fit=fit, max_megapixels=most)
        return load_pair(reference, current, fit=fit, max_megapixels=most)
    except ImageError:
        raise
    except (TypeError, ValueError) as error:
        raise ImageError(f"This is no picture: {error}") from error


def compared(
    images: ImagePair,
    request: Request,
    cache: StageCache,
    progress: Callable[[str], object],
    last: Comparison | None,
    last_key: tuple[Hashable, Hashable, Hashable] | None,
) -> Comparison:
    """The comparison that belongs to `request`.

    Parameters
    ----------
    images
        The pictures.
    request
        What is wanted.
    cache
        Where the panel keeps results of stages.
    progress
        As in :func:`vde_nb.compare`.
    last, last_key
        The pair's last comparison and the key of its request. Prompts and reviews are put on it
        where nothing else changed.
    """
    edits = request.edits
    if last is not None and last_key is not None and last_key[0] == request.core:
        _, prompts, reviews = last_key
        if prompts != edits.prompts:
            progress("prompts")
            last = last.prompted(edits.prompt_objects())
        if reviews != request.reviews:
            last = last.reviewed(request.reviews)
        return last
    settings = request.settings
    usual = Choice(request.choice.method, request.choice.preset).settings.flat()
    used = request.choice.used()
    used.pop("fit", None)
    used.pop("max_megapixels", None)
    if settings.align.nudge != usual["nudge"]:
        used["nudge"] = settings.align.nudge
    result = compare(
        images,
        method=settings.method,
        preset=settings.preset,
        ignore=list(edits.ignore) or None,
        prompts=edits.prompt_objects() or None,
        reviews=request.reviews or None,
        progress=progress,
        cache=cache,
        **used,
    )
    # How files were read stands in the settings, too: here they were read before.
    how = settings.images
    read = result.settings.replace(fit=how.fit, max_megapixels=how.max_megapixels)
    return result if read == result.settings else replace(result, settings=read)
