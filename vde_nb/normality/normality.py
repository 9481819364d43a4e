"""Normality: what a scene looks like when all is well, learnt from pictures of it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash

from vde_nb._lessons import lesson
from vde_nb._progress import told
from vde_nb.errors import SettingError
from vde_nb.images import Picture, Source
from vde_nb.normality._bank import Bank
from vde_nb.normality._calibrate import DEFAULT_FALSE_ALARMS
from vde_nb.normality._choose import Choice, Trial, evidence_maps, fit_kinds, place_means
from vde_nb.normality._kinds import KINDS
from vde_nb.normality._prepare import Preparer, read, sources
from vde_nb.normality._reading import Stream, listed
from vde_nb.normality.base import Bool, Float32, Frame, Grid, UInt8
from vde_nb.settings import Settings, nearest, resolve

if TYPE_CHECKING:
    from datetime import datetime

    from vde_nb.comparison import Comparison
    from vde_nb.features.base import Extractor
    from vde_nb.normality.series import Series
    from vde_nb.panel import Panel

__all__ = ["Normality", "Parts"]

_CACHE_BYTES = 768 * 2**20
_ENOUGH = 20  # normal pictures from which on the rate of false alarms is more than a guess


@dataclass(frozen=True, eq=False)
class Parts:
    """Everything a :class:`Normality` is made of.

    Attributes
    ----------
    reference
        The picture all others are brought onto.
    settings
        How pictures are read, registered and levelled.
    features, identity
        Name of the features, and what their answers depend on; empty where none are used.
    grid
        How the embeddings lie on the picture.
    bank
        The normal frames that are kept.
    choice
        The kinds of model that were fitted to them.
    model
        The kind that was asked for, or ``"auto"``.
    seed, cache_bytes
        As handed over to :meth:`Normality.fit`.
    skipped
        Pictures that were not used, ``(name, why)``.
    remarks
        What happened while the pictures were read, in words.
    """

    reference: Picture
    settings: Settings
    features: str
    identity: str
    grid: Grid
    bank: Bank
    choice: Choice
    model: str = "auto"
    seed: int = 0
    cache_bytes: int = _CACHE_BYTES
    skipped: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()

    @cached_property
    def signature(self) -> str:
        """Digest of all that evidence depends on, 32 hex digits."""
        digest = xxhash.xxh3_128(self.reference.key.encode())
        digest.update(repr((self.settings.align, self.identity, self.grid)).encode())
        for name, part in self.choice.parts.items():
            digest.update(repr((name, part.calibration, part.kind.facts())).encode())
            for key, array in sorted(part.kind.arrays().items()):
                digest.update(repr((key, array.shape, array.dtype.str)).encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


class Normality:
    """A model of what is normal, learnt from pictures of a scene when all was well.

    Make one with :meth:`fit`, or read one with :meth:`load`: they put its `parts` together. Then
    :meth:`score` and :meth:`compare` judge a picture, :meth:`series` many over time,
    :meth:`update` learns one more, :meth:`save` keeps the model.

    Examples
    --------
    >>> from vde_nb import samples
    >>> wall = samples.load("wall").reference[:240, :320]
    >>> normals = [samples.stress(wall, seed, defects=()).current for seed in range(6)]
    >>> model = Normality.fit(normals, model="variation")
    >>> model
    Normality(variation, 320\u00d7240, 6 pictures)
    >>> scratched = samples.stress(wall, 8, defects="scratch").current
    >>> model.score(normals[2]) < 1 < model.score(scratched)
    True
    """

    def __init__(self, parts: Parts) -> None:
        if not isinstance(parts, Parts):
            raise TypeError(
                "Learn a model with Normality.fit(pictures), or read one with load()."
                f"{lesson('normality')}"
            )
        self._parts = parts
        self._frozen: Parts | None = None
        self._snapshot: Normality | None = None
        self._home: tuple[Parts, str] | None = None

    def snapshot(self) -> Normality:
        """The model as it is now, which :meth:`update` of this one leaves alone."""
        if self._frozen is self._parts:
            return self
        made = self._snapshot
        if made is None or made._parts is not self._parts:
            made = self._snapshot = Normality(self._parts)
            made._frozen = made._parts
        return made

    @classmethod
    def fit(
        cls,
        images: Iterable[Source] | str | os.PathLike[str],
        reference: Source | None = None,
        *,
        align: bool | str = True,
        features: Any = "embedded",
        model: str = "auto",
        seed: int = 0,
        progress: Callable[[str], object] | None = None,
        cache_bytes: int = _CACHE_BYTES,
        **settings: Any,
    ) -> Normality:
        """Learn what is normal.

        Parameters
        ----------
        images
            Normal pictures: a list or a generator of anything that
            :func:`vde_nb.images.load` takes, or a folder. Pictures that cannot be used are
            skipped and listed in :attr:`skipped`.
        reference
            The picture that all are brought onto. By default the first one, or, where that is
            unlike the next ones, the one of them that is nearest to their median.
        align
            Whether pictures are registered on the reference, and how: as in ``compare``.
        features
            What describes the pictures place by place: ``"embedded"``, a model's name (see
            :func:`vde_nb.features`), or a function ``image -> (h, w, d)``.
        model
            ``"variation"``, ``"subspace"``, ``"memory"``, ``"decoder"``, or ``"auto"`` for the one
            that does best on the normal pictures themselves.
        seed
            Of everything random: the same pictures and seed give the same model.
        progress
            Called with what is being done; what it raises ends the work and reaches the caller.
        cache_bytes
            Most memory for kept pictures. Where there are more, a random sample of them is kept,
            so a generator may be as long as it likes.
        **settings
            How pictures are read, registered and levelled, and how a model describes them:
            ``normalise``, ``flow``, ``fit``, ``max_megapixels``, ``feature_layers``,
            ``feature_zoom``.

        Returns
        -------
        Normality

        Raises
        ------
        ImageError
            No picture could be used, or the reference cannot be read.
        SettingError
            There is no model or no features of that name, or a setting is out of its range.
        WeightsError
            The weights of the features' model cannot be had.
        """
        chosen = _settings(align, settings)
        _check_model(model)
        named = _named(features)
        extractor = _extractor(named, model, chosen)
        if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
            raise SettingError(f"seed must be a whole number, 0 or more, not {seed!r}.")
        if not 1 <= cache_bytes < math.inf:
            raise SettingError(f"cache_bytes must be a number of bytes, not {cache_bytes!r}.")
        with told(progress):
            stream = Stream(sources(images), chosen, extractor, reference)
            bank = stream.bank(seed, cache_bytes)
            grid = _grid(stream.preparer, bank)
            choice = fit_kinds(
                bank,
                model,
                seed=seed,
                grid=grid,
                describe=partial(stream.preparer.described, "a normal picture"),
            )
        if not KINDS[choice.kind].features:  # what was described for the choice alone may go
            extractor, bank = None, bank.plain()
        made = cls(
            Parts(
                stream.preparer.reference,
                chosen,
                named if extractor is not None else "",
                extractor.identity if extractor is not None else "",
                grid,
                bank,
                choice,
                model,
                seed,
                cache_bytes,
                tuple(stream.skipped),
                tuple(stream.remarks),
            )
        )
        made._listed()
        return made

    @property
    def reference(self) -> UInt8:
        """The picture all others are brought onto, ``(H, W, 3)`` RGB uint8."""
        return self._parts.reference.array

    @property
    def kind(self) -> str:
        """The kind of model: what was asked for, or chosen."""
        return self._parts.choice.kind

    @property
    def features(self) -> str:
        """Name of the features; empty where only pixels are looked at."""
        return self._parts.features

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the normal pictures that are kept."""
        return self._parts.bank.names

    @property
    def skipped(self) -> tuple[tuple[str, str], ...]:
        """Pictures that were not used: ``(name, why)``."""
        return self._parts.skipped

    @property
    def settings(self) -> dict[str, Any]:
        """How pictures are registered and levelled, as settings of ``compare``."""
        how = self._parts.settings.align
        return {"align": how.align, "flow": how.flow, "normalise": how.normalise}

    @property
    def signature(self) -> str:
        """Digest of all that evidence depends on, 32 hex digits."""
        return self._parts.signature

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about how the model came about, in words."""
        parts = self._parts
        bank, choice = parts.bank, parts.choice
        notes = [self.describe(), *parts.remarks]
        if choice.trials:
            compared = ", ".join(f"{one.kind} {one.found:.0%}" for one in choice.trials)
            notes.append(
                f"Chosen by the normal pictures: {choice.kind}. Of {choice.trials[0].defects} "
                f"faint made-up defects were seen: {compared}."
            )
        if len(bank) == 1:
            notes.append(
                "There is one normal picture only: the model works like a comparison of two "
                "pictures, and what varies normally is not known. Add some with update()."
            )
        elif not len(bank):
            notes.append("The normal pictures were not saved with it: it cannot learn more.")
        elif len(bank) < _ENOUGH:
            notes.append(
                f"{len(bank)} normal pictures are few: the rate of false alarms is a guess. "
                f"From about {_ENOUGH} on, from all hours and weathers, it is measured."
            )
        if 0 < len(bank) < bank.seen:
            notes.append(
                f"{len(bank)} of {bank.seen} normal pictures are kept (cache_bytes), a random "
                "sample."
            )
        if parts.skipped:
            notes.append(f"Skipped: {listed([f'{name} ({why})' for name, why in parts.skipped])}")
        if choice.outliers:
            names = listed(list(choice.outliers))
            notes.append(
                f"Stands out of the other normal pictures, and counts less: {names}. If it shows "
                "something that is not normal, fit again without it."
            )
        return tuple(notes)

    def describe(self) -> str:
        """One sentence: what the model is made of."""
        count = len(self._parts.bank) or self._parts.bank.seen
        pictures = f"{count} normal picture{'s' if count != 1 else ''}"
        titles = " and ".join(KINDS[name].title.lower() for name in self._parts.choice.parts)
        features = f" on {self.features} features" if self.features else ""
        return f"Normality: {titles}{features}, learnt from {pictures}."

    def table(self) -> list[Trial]:
        """What was compared to choose the kind; empty where it was not ``"auto"``."""
        return list(self._parts.choice.trials)

    def frame(self, image: Source) -> Frame:
        """A picture on the grid of the reference and under its light.

        Raises
        ------
        ImageError
            It cannot be read, or has other proportions.
        """
        picture = read("the picture", image, self._parts.settings)
        return self._preparer.frame(picture)[0]

    def described(self, levelled: UInt8, valid: Bool | None, name: str = "the picture") -> Frame:
        """A frame of a picture that is on the reference's grid and under its light already.

        Parameters
        ----------
        levelled
            ``(H, W, 3)`` RGB uint8.
        valid
            ``(H, W)`` bool, where it shows anything; None: everywhere.
        name
            What it is called in messages.
        """
        return self._preparer.described(name, levelled, valid)

    def evidence(self, frame: Frame, false_alarms: float = DEFAULT_FALSE_ALARMS) -> Float32:
        """How far every pixel of a frame is from normal.

        Parameters
        ----------
        frame
            From :meth:`frame`.
        false_alarms
            Regions of a normal picture that exceed 1, on average.

        Returns
        -------
        ndarray
            ``(H, W)`` float32, 0 or more; 1 is the level at which `false_alarms` are expected.
        """
        return self.maps(frame, false_alarms)[0]

    def maps(
        self, frame: Frame, false_alarms: float = DEFAULT_FALSE_ALARMS
    ) -> tuple[Float32, Float32]:
        """Evidence to decide by, and the same as wide as what changed, to outline by.

        `frame` and `false_alarms` are those of :meth:`evidence`, and so are the two maps.
        """
        parts = self._parts
        return evidence_maps(parts.choice.parts, frame, parts.grid, false_alarms)

    def score(self, image: Source) -> float:
        """Evidence of the worst place of a picture; 1 is the level of false alarms.

        As in a comparison, a place is the mean of 3 x 3 pixels. ``compare(image).score`` is the
        same, in the steps of a heatmap.
        """
        return self._worst(self.frame(image))

    def _worst(self, frame: Frame) -> float:
        return float(place_means(self.evidence(frame)).max())

    def compare(self, image: Source, **settings: Any) -> Comparison:
        """Compare a picture with what is normal, as :func:`vde_nb.compare` does.

        Parameters
        ----------
        image
            Anything that :func:`vde_nb.images.load` takes.
        **settings
            As for :func:`vde_nb.compare`, but for `method` and `model`.

        Returns
        -------
        Comparison
            Its reference is the model's.

        Raises
        ------
        ImageError
            The picture cannot be read, or has other proportions than the reference.
        SettingError
            `settings` names another method or model, or a value is not allowed.
        """
        from vde_nb.compare import compare

        for name in ("method", "model"):
            if name in settings:
                raise SettingError(f"{name}= is this model itself here; use vde_nb.compare().")
        return compare(image, method="normality", model=self, **settings)

    def update(
        self, image: Source, weight: float = 1.0, half_life: float | None = None
    ) -> Normality:
        """Learn one more normal picture.

        Parameters
        ----------
        image
            A normal picture.
        weight
            How much it counts; the first ones counted 1.
        half_life
            Number of updates after which a picture counts half as much, so that a scene that
            changes slowly is followed. None: pictures do not age.

        Returns
        -------
        Normality
            This model, fitted again. The old pictures are not registered again. Where the picture
            was far from normal before, :attr:`notes` say so.

        Raises
        ------
        ImageError
            The picture cannot be used; the model stays as it was.
        SettingError
            `weight` or `half_life` is not above 0.
        """
        for what, value in (("weight", weight), ("half_life", half_life)):
            if value is not None and not (isinstance(value, Real) and 0 < value < math.inf):
                raise SettingError(f"{what} must be a number above 0, not {value!r}.")
        parts = self._parts
        if not len(parts.bank):
            raise SettingError(
                "This model was saved without its normal pictures: it cannot learn more. Save it "
                "with normals=True, or fit it again."
            )
        name = os.fsdecode(image) if isinstance(image, (str, os.PathLike)) else ""
        name = name or f"picture {parts.bank.seen + 1}"
        fade = 1.0 if half_life is None else 0.5 ** (1 / half_life)
        with told(None):
            frame, notes = self._preparer.frame(read(name, image, parts.settings), learn=True)
            before = self._worst(frame)
            if before > 1:
                notes = [
                    *notes,
                    f"scored {before:.1f} before it was learned. If it shows something that is not "
                    "normal, go back to the model without it.",
                ]
            bank = parts.bank.added(frame, weight, fade, parts.cache_bytes)
            choice = fit_kinds(bank, parts.choice.kind, seed=parts.seed, grid=parts.grid)
        remarks = (*parts.remarks, *(f"{name}: {note}" for note in notes))
        self._parts = replace(
            parts, bank=bank, choice=replace(choice, trials=parts.choice.trials), remarks=remarks
        )
        self._listed()
        return self

    def series(
        self,
        images: Iterable[Source] | str | os.PathLike[str],
        times: Iterable[datetime] | None = None,
        **options: Any,
    ) -> Series:
        """Judge pictures over time, one after the other, and follow what is found.

        Parameters
        ----------
        images
            A folder, a list or a generator of pictures.
        times
            When they were taken, one each; by default the names of the files tell, or what the
            camera wrote into them.
        **options
            ``progress``, a function that is called with what is being done, and any setting of
            :func:`vde_nb.compare`, such as ``threshold``, ``min_area`` or ``false_alarms``.

        Returns
        -------
        Series
            Rows, tracks, drift, table, plot: see :class:`vde_nb.normality.series.Series`.
        """
        from vde_nb.normality.series import series

        return series(self, images, times, **options)

    def panel(
        self,
        images: Iterable[Source] | str | os.PathLike[str],
        times: Iterable[datetime] | None = None,
        **settings: Any,
    ) -> Panel:
        """The pictures as a filmstrip under their curve of scores, to go through by hand.

        Parameters
        ----------
        images, times
            As for :meth:`series`; pictures are compared when they are looked at.
        **settings
            As for :class:`vde_nb.Panel`.
        """
        from vde_nb.panel._series import series_panel

        shown: Panel = series_panel(self, images, None if times is None else [*times], **settings)
        return shown

    def save(
        self, path: str | os.PathLike[str], overwrite: bool = False, *, normals: bool = True
    ) -> Path:
        """Write the model into one file of numbers and JSON (safetensors).

        Parameters
        ----------
        path
            Where to; ``.normality.safetensors`` is added to a name without ``.safetensors``.
        overwrite
            Replace a file that is there.
        normals
            Keep the normal pictures in it: without them the file is small, and the model cannot
            :meth:`update` once it is loaded.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        OutputError
            It is there already, or cannot be written.
        """
        from vde_nb.normality._file import save

        written = save(self, path, overwrite=overwrite, normals=normals)
        if normals:
            self._lives_in(written)
        return written

    @property
    def file(self) -> str:
        """The file that holds the model as it is now; empty where there is none."""
        home = self._home
        return home[1] if home is not None and home[0] is self._parts else ""

    def _listed(self) -> None:
        """Have it found by its name, as in the panel's list, for as long as somebody holds it."""
        from vde_nb.normality.registry import named_model

        named_model(self)

    def _lives_in(self, path: str | os.PathLike[str]) -> None:
        from vde_nb.normality.registry import remember

        self._home = self._parts, os.fsdecode(path)
        remember(path, self)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Normality:
        """Read a saved model. Nothing in the file is run, and nothing is downloaded.

        Raises
        ------
        WeightsError
            The file is damaged, foreign, of a newer version, or its features cannot be had.
        SettingError
            Its features are others here than those it was fitted with.
        """
        from vde_nb.normality._file import load as load_file

        model = load_file(path)
        model._lives_in(path)
        return model

    @cached_property
    def _preparer(self) -> Preparer:
        parts = self._parts
        extractor = None
        if parts.features:
            extractor = _extractor(parts.features, parts.choice.kind, parts.settings)
        return Preparer(parts.reference, parts.settings, extractor)

    def __repr__(self) -> str:
        height, width = self.reference.shape[:2]
        count = len(self._parts.bank) or self._parts.bank.seen
        pictures = f"{count} picture{'s' if count != 1 else ''}"
        return f"Normality({self.kind}, {width}\u00d7{height}, {pictures})"


def _settings(align: bool | str, given: dict[str, Any]) -> Settings:
    allowed = (
        "normalise",
        "flow",
        "fit",
        "max_megapixels",
        "feature_layers",
        "feature_zoom",
    )
    for name in given:
        if name not in allowed:
            close = nearest(name, allowed)
            said = f"Did you mean {close}?" if close else f"It has {', '.join(allowed)}."
            raise TypeError(f"Normality.fit() has no setting {name!r}. {said}{lesson('normality')}")
    return resolve("normality", align="off" if align is False else align, **given)


def _check_model(model: str) -> None:
    known = ("auto", *KINDS)
    if model not in known:
        close = nearest(model, known)
        hint = f" Did you mean {close}?" if close else ""
        raise SettingError(
            f"There is no kind of model {model!r}: {', '.join(known)}.{hint}{lesson('normality')}"
        )


def _named(features: Any) -> str:
    from vde_nb.features import named_features

    return named_features(features)


def _extractor(features: str, model: str, settings: Settings) -> Extractor | None:
    """What describes the pictures, where the kind of model looks at more than pixels."""
    if model != "auto" and not KINDS[model].features:
        return None
    from vde_nb.features import open_features

    how = settings.difference
    return open_features(features, how.feature_layers, how.feature_zoom)


def _grid(preparer: Preparer, bank: Bank) -> Grid:
    height, width = preparer.reference.array.shape[:2]
    if preparer.extractor is None:
        return Grid((height, width))
    found = preparer.extractor(preparer.reference.array, "the reference")
    return Grid((height, width), found.cell, found.positional)
