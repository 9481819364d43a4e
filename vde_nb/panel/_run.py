"""What the worker does for one state of the panel: read, compare, add prompts and reviews."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any

from vde_nb.compare import compare
from vde_nb.comparison import Comparison
from vde_nb.errors import ImageError
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
        return self.settings, self.edits.ignore

    @property
    def key(self) -> tuple[Hashable, Hashable, Hashable]:
        """What decides the comparison."""
        return self.core, self.edits.prompts, self.reviews

    @property
    def reading(self) -> tuple[Any, ...]:
        """What decides how files become pictures."""
        images = self.choice.settings.images
        return images.fit, images.max_megapixels


def loaded(reference: Any, current: Any, request: Request) -> ImagePair:
    """Read a pair.

    Raises
    ------
    ImageError
        A picture cannot be read, or the two do not go together.
    """
    if isinstance(reference, ImagePair):
        return reference
    fit, most = request.reading
    try:
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
    if result.settings != settings:
        # How files were read stands in the settings, too: here they were read before.
        result = replace(result, settings=settings)
    return result
