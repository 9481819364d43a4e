"""What a comparison found: the objects a user holds in hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb.align import Registration
from vde_nb.detect import Box
from vde_nb.errors import SettingError
from vde_nb.images import ImagePair, Placement
from vde_nb.settings import Settings

if TYPE_CHECKING:
    import os

    from matplotlib.figure import Figure

    from vde_nb.explain import Step
    from vde_nb.methods.base import Measure
    from vde_nb.normality import Normality
    from vde_nb.reviewing import Review
    from vde_nb.segment.base import Prompt
    from vde_nb.stages import StageCache

__all__ = ["Anomaly", "Comparison", "Detected", "to_original_box"]


@dataclass(frozen=True, eq=False)
class Anomaly:
    """One region that changed.

    Attributes
    ----------
    number
        Position in :attr:`Comparison.anomalies`, from 1; the number drawn beside it.
    box
        ``(x, y, w, h)`` in reference pixels, half-open.
    type
        Name of the anomaly type.
    severity
        ``"minor"``, ``"moderate"`` or ``"major"``.
    score
        Mean heat inside the outline, in [0, 1].
    area
        Pixels inside the outline.
    outline
        ``(h, w)`` bool, the outline's inside in the frame of `box`.
    points
        Points ``(x, y)`` the region was prompted with, if any.
    evidence
        The measurements behind type and severity.
    shape
        ``(H, W)`` of the picture.
    confidence
        How sure the type is, in [0, 1].
    severity_score
        Severity as a number in [0, 1]: minor below 0.33, major from 0.66; 0 where the published
        rules graded, which know no numbers.
    box_current
        The box in the current picture as it was handed over, before registration and resizing.
    origin
        ``"detected"``, or ``"prompted"`` by a :class:`vde_nb.Prompt`.
    reviewed
        Whether one of :attr:`Comparison.reviews` belongs to it.
    verdict, comment
        What the review says: ``"accepted"``, ``"rejected"`` or None; any text.
    type_found
        What the classifier said; `type` is what the review says, if it says something else.
    """

    number: int
    box: Box
    type: str
    severity: str
    score: float
    area: int
    outline: npt.NDArray[np.bool_] = field(repr=False)
    points: tuple[tuple[int, int], ...] = field(repr=False)
    evidence: Mapping[str, float] = field(repr=False)
    shape: tuple[int, int] = field(repr=False)
    confidence: float = field(default=1.0, repr=False)
    severity_score: float = field(default=0.0, repr=False)
    box_current: Box | None = field(default=None, repr=False)
    origin: str = field(default="detected", repr=False)
    reviewed: bool = field(default=False, repr=False)
    verdict: str | None = field(default=None, repr=False)
    comment: str = field(default="", repr=False)
    type_found: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not self.type_found:
            object.__setattr__(self, "type_found", self.type)

    @property
    def x(self) -> int:
        """Left edge, in pixels."""
        return self.box[0]

    @property
    def y(self) -> int:
        """Top edge, in pixels."""
        return self.box[1]

    @property
    def w(self) -> int:
        """Width, in pixels."""
        return self.box[2]

    @property
    def h(self) -> int:
        """Height, in pixels."""
        return self.box[3]

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """The region in the whole picture, ``(H, W)`` bool; made anew at each call."""
        whole = np.zeros(self.shape, np.bool_)
        x, y, w, h = self.box
        whole[y : y + h, x : x + w] = self.outline
        return whole

    @cached_property
    def centroid(self) -> tuple[float, float]:
        """Centre of mass ``(x, y)`` of the outline, in pixels."""
        rows, columns = np.nonzero(self.outline)
        return float(columns.mean()) + self.x, float(rows.mean()) + self.y


def to_original_box(
    box: Box, registration: Registration | None, placement: Placement | None
) -> Box:
    """Box in reference pixels -> box in the current picture as it was handed over.

    Parameters
    ----------
    box
        ``(x, y, w, h)``, half-open.
    registration
        The motion between the two, None for none.
    placement
        How the current picture was resized or cut, None where it was not.

    Returns
    -------
    Box
        The smallest around it, cut off at the picture's border, at least a pixel large.
    """
    if registration is not None:
        box = registration.box_to_current(box)
    if placement is None:
        return box
    x, y, w, h = box
    (sx, sy), (ox, oy) = placement.scale, placement.offset
    height, width = placement.shape
    left = min(max(round(x * sx + ox), 0), width - 1)
    top = min(max(round(y * sy + oy), 0), height - 1)
    right = min(max(round((x + w) * sx + ox), left + 1), width)
    bottom = min(max(round((y + h) * sy + oy), top + 1), height)
    return left, top, right - left, bottom - top


@dataclass(frozen=True, eq=False)
class Detected:
    """What detection alone came to: what prompts and reviews are put on.

    Attributes
    ----------
    anomalies
        Without any prompt or review.
    notes, prompt_notes
        Notes on detection, and those on the prompts.
    otherwise
        What regions without a telling shape are called by the published rules.
    measure
        What the method knows of any outline, see :class:`vde_nb.methods.Finding`.
    """

    anomalies: tuple[Anomaly, ...]
    notes: tuple[str, ...]
    otherwise: str = "missing_part"
    prompt_notes: tuple[str, ...] = ()
    measure: Measure | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """The result of :func:`vde_nb.compare`.

    As the last value of a notebook cell it shows the annotated picture and a table. What was found
    is in :attr:`anomalies`; :meth:`plot` and :meth:`explain` show how, :meth:`again` compares with
    other settings, :meth:`save` and the ``to_...`` write files. Its arrays are read-only, because
    later comparisons may share them: write into a ``.copy()``.

    Attributes
    ----------
    pair
        The two pictures as they were read, at one size.
    current
        The current picture on the reference's pixel grid, ``(H, W, 3)`` RGB uint8: registered,
        when that was asked for. Where it shows nothing it holds the reference's pixels.
    levelled
        `current` under the light of the reference, when that was asked for.
    valid
        ``(H, W)`` bool, the pixels that were compared; None: all.
    ignored
        ``(H, W)`` bool, where differences were to be ignored; None: nowhere.
    registration
        The motion that was found, None when none was looked for.
    settings
        Everything that decided what was found.
    anomalies
        The regions that changed.
    heatmap
        ``(H, W)`` uint8, 0 = same, 255 = as different as can be.
    clean_heatmap
        The heatmap after morphology: ``clean_heatmap > threshold`` is `mask`.
    threshold
        See `clean_heatmap`.
    mask
        ``(H, W)`` bool, the pixels that count as changed, before segmentation.
    ssim_score
        Mean structural similarity; 1 = identical.
    change_score_percent
        Share of `mask` in the picture (without what was padded), in percent.
    timings
        Milliseconds per stage; 0 for what was found in the cache.
    notes
        Everything a reader should know: how pictures were converted, what fell back to what.
    prompts
        What a person pointed at, see :meth:`prompted`.
    reviews
        What a person said about anomalies, see :meth:`reviewed`.
    outlined_by
        Title of what drew the outlines, which may be another segmenter than was asked for; empty
        where there was nothing to outline.
    described_by
        Title of the features that were compared, which may be others than were asked for; empty
        for methods that look at pixels only.
    """

    pair: ImagePair
    settings: Settings
    anomalies: list[Anomaly]
    heatmap: npt.NDArray[np.uint8]
    clean_heatmap: npt.NDArray[np.uint8]
    threshold: int
    mask: npt.NDArray[np.bool_]
    ssim_score: float
    change_score_percent: float
    timings: Mapping[str, float]
    notes: tuple[str, ...]
    current: npt.NDArray[np.uint8]
    levelled: npt.NDArray[np.uint8]
    valid: npt.NDArray[np.bool_] | None = None
    ignored: npt.NDArray[np.bool_] | None = None
    registration: Registration | None = None
    prompts: tuple[Prompt, ...] = ()
    reviews: tuple[Review, ...] = ()
    outlined_by: str = ""
    described_by: str = ""
    _cache: StageCache | None = None
    _detected: Detected | None = None
    _model: Normality | None = None  # held, so that again() finds it
    _given: ImagePair | None = None  # the pair as it was handed over, where a model replaced it

    @property
    def method(self) -> str:
        """Name of the method that was used."""
        return self.settings.method

    @cached_property
    def score(self) -> float | None:
        """How far the worst place is from what counts as unchanged: 1 is the level itself.

        The level is where `false_alarms` regions are expected in a picture without any change.
        None for the methods of the published notebooks, which know no such level.
        """
        from vde_nb.scoring import score_of

        return score_of(self)

    @property
    def reference(self) -> npt.NDArray[np.uint8]:
        """The reference picture, ``(H, W, 3)`` RGB uint8."""
        return self.pair.reference.array

    @property
    def reference_name(self) -> str:
        """Path of the reference as it was given, or ``"reference"``."""
        return self.pair.reference.name

    @property
    def image_name(self) -> str:
        """Path of the current picture as it was given, or ``"current"``."""
        return self.pair.current.name

    def to_current(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """A mask in reference pixels, in the current picture as it was handed over.

        Parameters
        ----------
        mask
            ``(H, W)`` bool, such as :attr:`mask` or an anomaly's.

        Returns
        -------
        ndarray
            Bool, of the size the current picture had when it was read (upright, where a camera
            had noted its orientation).

        Raises
        ------
        SettingError
            `mask` has another shape or dtype.
        """
        if mask.shape != self.pair.shape or mask.dtype != np.bool_:
            raise SettingError(
                f"mask has shape {mask.shape} and dtype {mask.dtype}; needed is a boolean mask of "
                f"the reference's shape {self.pair.shape}."
            )
        moved = mask if self.registration is None else self.registration.to_current(mask)
        placement = self.pair.placement
        if placement is None:
            return moved.copy() if moved is mask else moved
        height, width = placement.shape
        return np.asarray(
            cv2.warpAffine(
                moved.view(np.uint8), placement.matrix(), (width, height), flags=cv2.INTER_NEAREST
            ),
            np.bool_,
        )

    def again(self, **changes: Any) -> Comparison:
        """Compare the same pictures with some settings changed.

        Stages whose inputs stay the same are not computed again: a new threshold costs
        milliseconds.

        Parameters
        ----------
        **changes
            `method`, `preset`, `ignore`, `prompts`, `reviews`, `plugins`, `progress` and any
            setting, as for :func:`vde_nb.compare`. Settings that differ from their preset, what is
            ignored, prompts and reviews stay as they are; ``prompts=[]`` forgets them.

        Returns
        -------
        Comparison
            A new one; this one stays as it is.

        Raises
        ------
        SettingError, TypeError
            As :func:`vde_nb.compare`; or `fit` or `max_megapixels` would change, which decide how
            files are read.

        Examples
        --------
        >>> import vde_nb as vde
        >>> pair = vde.samples.load("wall")
        >>> result = vde.compare(pair.reference, pair.current, segmenter="none")
        >>> stricter = result.again(threshold=120)
        >>> len(stricter.anomalies) <= len(result.anomalies), result.threshold
        (True, 50)
        """
        from vde_nb.compare import again

        return again(self, **changes)

    def prompted(
        self,
        prompts: Iterable[Prompt | Mapping[str, Any]],
        *,
        progress: Callable[[str], object] | None = None,
    ) -> Comparison:
        """The same comparison with what a person pointed at among its anomalies.

        Each prompt is outlined by the segmenter of the settings, named and graded like any region,
        and is one anomaly with ``origin="prompted"``, in the place of a detected one that it
        means: one whose box overlaps with its own by half, or half of which lies inside its
        outline. Mask, heatmap and scores stay those of detection.

        Parameters
        ----------
        prompts
            All of them, not only new ones: :class:`vde_nb.Prompt` with a box, points or both, or
            dictionaries ``{"box": ..., "points": ...}``. An empty list forgets them.
        progress
            As for :func:`vde_nb.compare`.

        Returns
        -------
        Comparison
            The same prompts on the same pictures give the same bytes.

        Raises
        ------
        SettingError
            A prompt lies outside of the picture, is empty, or has negative points only.
        """
        from vde_nb.compare import prompted

        return prompted(self, prompts, progress=progress)

    def reviewed(self, reviews: Iterable[Review | Mapping[str, Any]]) -> Comparison:
        """The same comparison with verdicts, comments and types as a person says.

        A review belongs to the anomaly whose box overlaps most with its own, by half at least
        (intersection over union), one to one. One that fits none is kept in :attr:`reviews`, and
        comes back when its anomaly does.

        Parameters
        ----------
        reviews
            All of them: :class:`vde_nb.Review`, or dictionaries of its fields.

        Raises
        ------
        SettingError
            One of them is no review.
        """
        from vde_nb.compare import reviewed

        return reviewed(self, reviews)

    def explain(self, side: int = 360) -> list[Step]:
        """What every stage made of the pictures; see :func:`vde_nb.explain.explain`.

        `side` is the most pixels of each picture's longer side.
        """
        from vde_nb.explain import explain

        return explain(self, side)

    def masks(self) -> Iterator[tuple[float, int, npt.NDArray[np.bool_]]]:
        """Every single mask that multi-fusion and the ensemble unite: (weight, threshold, mask).

        Raises
        ------
        SettingError
            The method has no such masks.
        """
        from vde_nb.compare import single_masks

        return single_masks(self)

    def annotated(
        self,
        *,
        opacity: float = 0.2,
        outlines: bool = True,
        boxes: bool = True,
        labels: bool = True,
        colour_by: str = "severity",
    ) -> npt.NDArray[np.uint8]:
        """The current picture with outlines, boxes and labels, ``(H, W, 3)`` RGB uint8.

        Parameters
        ----------
        opacity
            Of the tint inside the outlines, in [0, 1].
        outlines, boxes, labels
            What to draw.
        colour_by
            ``"severity"`` or ``"type"``.
        """
        from vde_nb.figure import annotated

        return annotated(
            self,
            opacity=opacity,
            outlines=outlines,
            boxes=boxes,
            labels=labels,
            colour_by=colour_by,
        )

    def plot(self) -> Figure:
        """The five-panel figure: reference, current, heatmap, mask, annotated."""
        from vde_nb.figure import plot

        return plot(self)

    def to_json(
        self, path: str | os.PathLike[str] | None = None, *, overwrite: bool = False
    ) -> str:
        """``results.json`` as text; written to `path` when one is given.

        `overwrite` replaces a file that is there. :func:`vde_nb.export.schema` says what is in it.

        Raises
        ------
        OutputError
            The file exists, or cannot be written.
        """
        from vde_nb import export

        return export.to_json(self, path, overwrite=overwrite)

    def to_coco(
        self, path: str | os.PathLike[str] | None = None, *, overwrite: bool = False
    ) -> str:
        """COCO annotations (RLE masks) as text; written to `path` when one is given.

        `overwrite` replaces a file that is there.

        Raises
        ------
        OutputError
            The file exists, or cannot be written.
        """
        from vde_nb import export

        return export.to_coco(self, path, overwrite=overwrite)

    def to_csv(self, path: str | os.PathLike[str] | None = None, *, overwrite: bool = False) -> str:
        """One row per anomaly as CSV text; written to `path` when one is given.

        `overwrite` replaces a file that is there.

        Raises
        ------
        OutputError
            The file exists, or cannot be written.
        """
        from vde_nb import export

        return export.to_csv(self, path, overwrite=overwrite)

    def to_html(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        overwrite: bool = False,
        interactive: bool = True,
    ) -> str:
        """A self-contained HTML report as text; written to `path` when one is given.

        With `interactive`, its pictures zoom, wipe and follow a threshold, without any network;
        see :func:`vde_nb.export.to_html`. `overwrite` replaces a file that is there.

        Raises
        ------
        OutputError
            The file exists, or cannot be written.
        """
        from vde_nb import export

        return export.to_html(self, path, overwrite=overwrite, interactive=interactive)

    def to_frame(self) -> Any:
        """One row per anomaly as a pandas DataFrame, with the columns of :meth:`to_csv`.

        Raises
        ------
        MissingExtraError
            pandas is not installed.
        """
        from vde_nb import export

        return export.to_frame(self)

    def save(
        self, folder: str | os.PathLike[str], *, overwrite: bool = False, **options: Any
    ) -> dict[str, Path]:
        """Write annotated picture, heatmap and ``results.json`` into `folder`, or other files.

        Parameters
        ----------
        folder
            Made if it does not exist.
        overwrite
            Replace files that are there.
        **options
            As for :func:`vde_nb.export.save`: ``what="all"``, or a list of ``"annotated"``,
            ``"heatmap"``, ``"mask"``, ``"masks"``, ``"results"``, ``"coco"``, ``"csv"``,
            ``"html"``, ``"reference"``, ``"current"``.

        Returns
        -------
        dict
            The path of each.

        Raises
        ------
        SettingError
            `what` names something that cannot be saved.
        OutputError
            A file exists, or cannot be written.
        """
        from vde_nb import export

        return export.save(self, folder, overwrite=overwrite, **options)

    def __repr__(self) -> str:
        count = len(self.anomalies)
        height, width = self.pair.shape
        return (
            f"Comparison({self.method}, {width}\u00d7{height}, "
            f"{count} {'anomaly' if count == 1 else 'anomalies'}, "
            f"SSIM {self.ssim_score:.4f}, {self.change_score_percent:.2f} % changed)"
        )

    def _repr_html_(self) -> str:
        from vde_nb.figure import notebook_html

        return notebook_html(self)
