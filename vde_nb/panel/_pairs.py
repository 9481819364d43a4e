"""The pairs a panel holds, and what it knows of each."""

from __future__ import annotations

import io
import os
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vde_nb._lessons import lesson
from vde_nb._text import natural, readable
from vde_nb.comparison import Comparison
from vde_nb.errors import ImageError, SettingError
from vde_nb.images import ImagePair
from vde_nb.panel._edits import History
from vde_nb.panel._files import Root, paired
from vde_nb.panel._origin import Upload, name_of
from vde_nb.reviewing import Review

if TYPE_CHECKING:
    from vde_nb.panel._known import Known

__all__ = ["MOST", "Pair", "folder_pairs", "is_folder", "judged_pairs", "keepable", "listed_pairs"]

#: Most pairs in a filmstrip.
MOST = 5000


@dataclass(eq=False)
class Pair:
    """One pair of pictures: where they come from, and all that was made of them.

    Attributes
    ----------
    reference, current
        Sources, as :func:`vde_nb.compare` takes them; None: not chosen yet.
    names
        What to call them.
    token
        Stands for this pair of pictures, whatever becomes of it.
    loaded
        The pictures, once they were read with the settings `loaded_with`.
    comparison
        The last one that was finished, made with `compared_with`.
    history
        Prompts, ignored regions and nudges.
    reviews
        What a person said about anomalies.
    status
        ``"todo", "running", "clean", "changed", "error"`` or ``"reviewed"``.
    settled
        The last status that was not ``"running"``.
    count, changed, score
        Anomalies found, per cent of the pixels that changed, and how far the worst place is beyond
        the level, see :attr:`vde_nb.Comparison.score`; None before, or where there is none.
    note
        What went wrong, in words.
    found_with, scored_with
        What decided count and score, see :class:`~vde_nb.panel._sweep.Sweep`; None: nothing.
    time
        When the current picture was taken, as the camera's clock had it; None: unknown.
    thumb
        PNG for the filmstrip; empty when there can be none.
    known
        What the run knows of it that it belongs to, see :class:`~vde_nb.panel._known.Known`.
    is_kept_early
        Whether its reviews were written down before the comparison they belong to had arrived.
    """

    reference: Any
    current: Any
    names: tuple[str, str]
    token: str = ""
    loaded: ImagePair | None = field(default=None, repr=False)
    loaded_with: tuple[Any, ...] = ()
    comparison: Comparison | None = None
    compared_with: Any = None
    history: History = field(default_factory=History)
    reviews: tuple[Review, ...] = ()
    status: str = "todo"
    settled: str = "todo"
    count: int | None = None
    changed: float | None = None
    score: float | None = None
    note: str = ""
    found_with: Hashable = None
    scored_with: Hashable = None
    time: datetime | None = None
    thumb: bytes | None = None
    known: Known | None = None
    is_kept_early: bool = field(default=False, repr=False)

    @property
    def is_whole(self) -> bool:
        """Whether there are two pictures to compare."""
        return isinstance(self.reference, ImagePair) or (
            self.reference is not None and self.current is not None
        )

    @property
    def name(self) -> str:
        """What the filmstrip calls it."""
        one, two = self.names
        return two if two != "current" or one == "reference" else one

    def mark(self) -> None:
        """Set `status` and `count` by the comparison; without one, to what they were last."""
        if self.comparison is None:
            self.status = self.settled
        else:
            self.judge(self.comparison)

    def judge(self, found: Comparison) -> None:
        """Set `status` and `count` by a comparison, which is not kept."""
        self.count = len(found.anomalies)
        decided = [one for one in found.anomalies if one.verdict]
        self.status = "changed" if self.count else "clean"
        if self.count and len(decided) == self.count:
            self.status = "reviewed"
        self.settled = self.status

    def release(self) -> None:
        """Let go of pictures and comparison; they are made again when looked at."""
        self.loaded = self.comparison = self.compared_with = None


def keepable(source: Any) -> Any:
    """A source that stays what it is: arrays are copied, files that can be read once are read.

    Writing into an array after it was handed over would change pictures while they are compared.
    """
    if isinstance(source, (list, tuple)):
        return [keepable(one) for one in source]
    if isinstance(source, np.ndarray):
        if not source.flags.writeable and source.base is None:
            return source  # nobody can write into it, samples are like this
        copied = np.array(source)
        copied.flags.writeable = False
        return copied
    if isinstance(source, (bytearray, memoryview)):
        return bytes(source)
    if hasattr(source, "read") and not hasattr(source, "__array__"):
        if isinstance(source, Upload):
            return source
        data = source.read()
        # What is no bytes is told by load(), in words.
        return io.BytesIO(data).getvalue() if isinstance(data, bytes) and data else source
    return source


def made_pair(reference: Any, current: Any, names: Sequence[str | None] | None = None) -> Pair:
    """A pair of two sources.

    Raises
    ------
    SettingError
        `names` are not two texts.
    """
    given: tuple[Any, ...] = (None, None) if names is None else tuple(names)
    if len(given) != 2 or not all(one is None or isinstance(one, str) for one in given):
        raise SettingError(f"names={names!r} is not allowed: two texts.")
    if isinstance(reference, ImagePair):
        if current is not None:
            raise SettingError(
                f"Give either an ImagePair, or a reference and a current picture.{lesson('panel')}"
            )
        found = reference.reference.name, reference.current.name
    else:
        found = name_of(reference, "reference"), name_of(current, "current")
    names_kept = tuple(readable(one or two) for one, two in zip(given, found, strict=True))
    return Pair(keepable(reference), keepable(current), (names_kept[0], names_kept[1]))


def is_folder(source: object) -> bool:
    """Whether a source is a folder of pictures."""
    if not isinstance(source, (str, os.PathLike)):
        return False
    try:
        return Path(os.fsdecode(source)).expanduser().is_dir()
    except (OSError, ValueError, RuntimeError):
        return False


def judged_pairs(model: Any, images: Any) -> list[Pair]:
    """Pairs of a model's reference with one picture, with those of a list or of a folder."""
    if isinstance(images, ImagePair):
        return [made_pair(images, None)]
    if is_folder(images) or isinstance(images, (list, tuple)):
        from vde_nb.panel._series import frame_pairs

        return frame_pairs(model.reference, images)
    return [made_pair(model.reference, images)]


def listed_pairs(pairs: Iterable[Any]) -> list[Pair]:
    """Pairs of a list of ``(reference, current)``.

    Raises
    ------
    SettingError
        It is empty, too long, or something in it is no pair.
    """
    if isinstance(pairs, (str, bytes, os.PathLike)) or not isinstance(pairs, Iterable):
        raise SettingError(
            f"pairs={pairs!r} is not allowed: a list of (reference, current).{lesson('panel')}"
        )
    found = []
    for number, one in enumerate(pairs, 1):
        if number > MOST:
            raise SettingError(f"There are more than {MOST} pairs; give them in portions.")
        if isinstance(one, Pair):
            found.append(one)
        elif isinstance(one, ImagePair):
            found.append(made_pair(one, None))
        elif hasattr(one, "reference") and hasattr(one, "current"):  # a sample
            name = getattr(one, "name", None)
            name = name if isinstance(name, str) else None
            found.append(made_pair(one.reference, one.current, (name, name)))
        elif isinstance(one, (list, tuple)) and len(one) == 2:
            found.append(made_pair(*one))
        else:
            raise SettingError(f"Pair {number} is no (reference, current).{lesson('panel')}")
    if not found:
        raise SettingError(f"The list of pairs is empty; it needs at least one.{lesson('panel')}")
    return found


def folder_pairs(reference: object, current: object) -> tuple[list[Pair], list[str]]:
    """Pairs of two folders, whose pictures are matched by name.

    Returns
    -------
    tuple
        The pairs in natural order, and the names of pictures without a partner.

    Raises
    ------
    ImageError
        One is no folder, or no two names match.
    """
    roots = []
    for source in (reference, current):
        if not is_folder(source):
            raise ImageError(
                f"{name_of(source, 'One')} is no folder: give two folders, or two pictures."
                f"{lesson('panel')}"
            )
        roots.append(Root(os.fsdecode(source)))  # type: ignore[arg-type]
    pairs, alone = paired(roots[0].list(), roots[1].list())
    if not pairs:
        raise ImageError(
            f"No picture in {name_of(reference, 'reference')} has the name of one in "
            f"{name_of(current, 'current')}: pictures of two folders are matched by name."
        )
    made = [made_pair(roots[0].given(one), roots[1].given(two)) for one, two in pairs]
    return made, sorted(alone, key=natural)
