"""A region in both pictures, and everything that can be measured on it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from vde_nb.classify import _measure_colour as colour
from vde_nb.classify import _measure_motion as motion
from vde_nb.classify import _measure_shape as shape
from vde_nb.classify import _measure_structure as structure
from vde_nb.classify._evidence import ALWAYS, MOTION
from vde_nb.classify._view import View, core, grown, look
from vde_nb.detect import Box

__all__ = ["ONE_WAY", "Region"]

Bool = npt.NDArray[np.bool_]
UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]

#: Longest side of the windows motion is measured on.
_MOTION_SIDE = 56
#: Longest side of the window :attr:`Region.exchange` is measured on.
_EXCHANGE_SIDE = 64
#: From this :attr:`Region.unity` on, nothing can have moved or been bent inside a region.
ONE_WAY = 0.9
#: An exchange less balanced than this has one place only.
_TWO_PLACES = 0.1


@dataclass(frozen=True, eq=False)
class Region:
    """The evidence a rule sees: one region in both pictures.

    Everything below the attributes is measured when it is first asked for and then kept. Most
    measures are taken on the part of the mask that changed in earnest, in a small window; regions
    of more than 100 pixels on reduced pictures. Lengths are in picture pixels whatever the
    window's scale, colours in CIE L*a*b*.

    Attributes
    ----------
    box
        ``(x, y, w, h)`` of the region in reference pixels.
    mask
        ``(h, w)`` bool, the region inside the box.
    reference, current, heatmap
        The whole pictures ``(H, W, 3)`` uint8 on one pixel grid, and the heatmap ``(H, W)``
        uint8; :meth:`crop` cuts the box out of any of them.
    levelled
        `current` with its light made that of the reference, ``(H, W, 3)`` uint8, or None where
        nothing was made equal. Colours are measured on it, light on `current`.
    valid
        ``(H, W)`` bool, false where one of the pictures has no content; None = valid everywhere.
    changed
        ``(H, W)`` bool, the union of all regions, so that none is held against another; None =
        there is no other.
    outlined
        What the segmenter measured, by name; a model that outlined the region in both pictures
        tells how far the two outlines agree. It joins the evidence, with ``sam_`` in front.
    """

    box: Box
    mask: Bool
    reference: UInt8
    current: UInt8
    heatmap: UInt8
    levelled: UInt8 | None = None
    valid: Bool | None = None
    changed: Bool | None = None
    outlined: Mapping[str, float] = field(default_factory=dict)

    @property
    def w(self) -> int:
        """Width of the box in pixels."""
        return self.box[2]

    @property
    def h(self) -> int:
        """Height of the box in pixels."""
        return self.box[3]

    @property
    def aspect_ratio(self) -> float:
        """Width of the box divided by its height."""
        return self.w / self.h

    @cached_property
    def area(self) -> int:
        """Number of pixels of the mask."""
        return int(np.count_nonzero(self.mask))

    def crop(self, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Cut the region's box out of a picture of the full size."""
        x, y, w, h = self.box
        return image[y : y + h, x : x + w]

    def mean_colour(self, image: UInt8) -> tuple[float, float, float]:
        """Mean R, G, B of `image` inside the mask."""
        r, g, b = self.crop(image)[self.mask].mean(axis=0)
        return float(r), float(g), float(b)

    @cached_property
    def view(self) -> View:
        """The window the region is measured in."""
        return look(
            self.box,
            self.mask,
            self.reference,
            self.current,
            self.levelled,
            self.valid,
            self.changed,
        )

    @cached_property
    def _scale(self) -> float:
        return self.view.scale

    @cached_property
    def has_ring(self) -> bool:
        """Whether enough around the region is known to be unchanged to compare it with."""
        return self.view.has_ring

    def measured(self) -> tuple[tuple[str, Any], ...]:
        """The measures that were taken so far, by name, without the arrays they were taken on."""
        return tuple((name, value) for name, value in vars(self).items() if name in _KEPT)

    def recall(self, measured: tuple[tuple[str, Any], ...]) -> None:
        """Take measures from a region that looks the same, see :meth:`measured`."""
        vars(self).update(measured)

    def forget(self) -> None:
        """Give back the arrays it was measured on; the measures stay, others take them anew."""
        for name in _ARRAYS & vars(self).keys():
            del vars(self)[name]

    # Colour

    @cached_property
    def _ring_colours(self) -> tuple[Float32, Float32]:
        view = self.view
        return view.lab_reference[view.ring], view.lab_current[view.ring]

    @cached_property
    def contrast_reference(self) -> float:
        """How much the region stood out from its ring in the reference, 0 to 1; 0 if no ring."""
        view = self.view
        if not self.has_ring:
            return 0.0
        return colour.hellinger(view.lab_reference[view.body], self._ring_colours[0])

    @cached_property
    def contrast_current(self) -> float:
        """How much the region stands out from its ring in the current picture, 0 to 1."""
        view = self.view
        if not self.has_ring:
            return 0.0
        return colour.hellinger(view.lab_current[view.body], self._ring_colours[1])

    @cached_property
    def delta_e(self) -> float:
        """Mean colour difference (CIE 1976) of the changed pixels, 0 to about 150."""
        return float(self.view.difference[self.view.body].mean())

    @cached_property
    def delta_e_p90(self) -> float:
        """90th percentile of the colour difference (CIE 1976) inside the mask."""
        return self.view.level

    @cached_property
    def means(self) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        """Mean L*, a*, b* of the changed pixels in the reference and in the current picture."""
        view = self.view
        return (
            colour.mean_colour(view.lab_reference, view.body),
            colour.mean_colour(view.lab_current, view.body),
        )

    @cached_property
    def delta_lightness(self) -> float:
        """Change of the mean L*, -100 (white to black) to 100."""
        return self.means[1][0] - self.means[0][0]

    @cached_property
    def delta_chroma(self) -> float:
        """Change of the mean colourfulness C*ab: below 0 = greyer than before."""
        before, after = self.means
        return math.hypot(*after[1:]) - math.hypot(*before[1:])

    @cached_property
    def delta_a(self) -> float:
        """Change of the mean a*: below 0 = greener, above 0 = redder."""
        return self.means[1][1] - self.means[0][1]

    @cached_property
    def delta_b(self) -> float:
        """Change of the mean b*: below 0 = bluer, above 0 = yellower."""
        return self.means[1][2] - self.means[0][2]

    @cached_property
    def tint(self) -> float:
        """Distance of the mean a*, b* from before: the part of the change that is not light."""
        before, after = self.means
        return math.dist(before[1:], after[1:])

    @property
    def polarity(self) -> float:
        """Change of the mean lightness as a share: -1 (white to black) to 1."""
        return max(-1.0, min(1.0, self.delta_lightness / 100))

    @cached_property
    def unity(self) -> float:
        """Whether the whole region changed its colour in one way, 0 to 1.

        Length of the mean change divided by the mean length of the change inside the mask: 1 for
        a shift of colour, 0 where as much became darker as became brighter.
        """
        view = self.view
        shift = math.hypot(*colour.mean_colour(view.change, view.inside))
        return min(1.0, shift / (float(view.difference[view.inside].mean()) + 0.5))

    # Structure

    @cached_property
    def _slopes(self) -> tuple[structure.Slopes, structure.Slopes]:
        view = self.view
        return structure.gradient(view.lab_reference), structure.gradient(view.lab_current)

    @cached_property
    def gradient_correlation(self) -> float:
        """Whether the surface below is still the same: 1 = its edges are, 0 = none, -1.

        Smooth additions such as a cloudy stain are taken out before.
        """
        view = self.view
        first, second = (
            structure.gradient(structure.without_trend(lab[..., 0], view.form))
            for lab in (view.lab_reference, view.lab_current)
        )
        return structure.gradient_correlation(first, second, view.core, view.noise)

    def _detail(self, slopes: structure.Slopes) -> float:
        return structure.detail((slopes[0][..., 0], slopes[1][..., 0]), self.view.core)

    @cached_property
    def detail_reference(self) -> float:
        """Edges inside in the reference: root mean square gradient, L* per pixel, 0 to 50."""
        return self._detail(self._slopes[0])

    @cached_property
    def detail_current(self) -> float:
        """Edges inside in the current picture: root mean square gradient, L* per pixel."""
        return self._detail(self._slopes[1])

    @cached_property
    def texture_distance(self) -> float:
        """How differently the region is textured now: 0 = alike, 1 = one side has no texture."""
        view = self.view
        both = np.dstack([view.lab_reference[..., 0], view.lab_current[..., 0]])
        return structure.texture_distance(both, core(view.inside), view.noise)

    # Border

    @cached_property
    def _filled(self) -> Bool:
        return shape.filled(self.view.form)

    @cached_property
    def _border(self) -> tuple[Bool, Float32, Float32]:
        return structure.border(self._filled)

    @cached_property
    def border_reference(self) -> float:
        """Colour step across the region's border in the reference, CIE 1976 per pixel, 0 to 50."""
        return structure.border_contrast(self._slopes[0], self._border)

    @cached_property
    def border_current(self) -> float:
        """Colour step across the region's border in the current picture, CIE 1976 per pixel."""
        return structure.border_contrast(self._slopes[1], self._border)

    @cached_property
    def ownership(self) -> float:
        """Whose thing it is: 1 = only the reference has one here, -1 = only the current picture.

        Mean of the relative difference of the two border contrasts and the difference of the two
        contrasts against the ring.
        """
        steps = self.border_reference, self.border_current
        border = (steps[0] - steps[1]) / (steps[0] + steps[1] + 0.3)
        return (border + self.contrast_reference - self.contrast_current) / 2

    @cached_property
    def border_softness(self) -> float:
        """Width in pixels over which the change sets in: 2 to 3 is sharp, over 5 soft."""
        if self._filled.all():
            return 0.0
        profile = structure.border_profile(self.view.change, self._filled)
        return _in_pixels(structure.ramp(profile, 2), 2, self.view.scale)

    @cached_property
    def _log_ratio(self) -> Float32:
        return colour.log_ratio(self.view.reference, self.view.current)

    @cached_property
    def penumbra(self) -> float:
        """Width in pixels over which the *light* changes at the border; about 5 = sharp."""
        if self._filled.all():
            return 0.0
        profile = structure.border_profile(self._log_ratio[..., None], self._filled)
        return _in_pixels(structure.ramp(profile, 4), 4, self.view.scale)

    @cached_property
    def smoothness(self) -> float:
        """How smooth the ratio of the two pictures is inside: 1 = a gradient of light, 0."""
        view = self.view
        base = float(np.median(self._log_ratio[view.ring])) if view.has_ring else 0.0
        return colour.smoothness(self._log_ratio, view.inside, base)

    # Shape

    @cached_property
    def _shape(self) -> shape.Shape:
        return shape.measure(self.view.form)

    @property
    def skeleton_length(self) -> float:
        """Length of the skeleton in pixels, branches included; of a blob its longest side."""
        return self._shape.length * self._scale

    @property
    def width(self) -> float:
        """Area divided by length, in pixels: the width of a stroke."""
        return self._shape.width * self._scale

    @property
    def thickness(self) -> float:
        """Diameter in pixels of the largest disc that fits inside."""
        return self._shape.thickness * self._scale

    @property
    def elongation(self) -> float:
        """Length divided by width, at least about 1: over 6 is a stroke."""
        return self._shape.elongation

    @property
    def tortuosity(self) -> float:
        """Length of the skeleton divided by its extent: 1 = straight, more for branches too."""
        return self._shape.tortuosity

    @property
    def waviness(self) -> float:
        """Deviation of the skeleton from a smooth arc as a share of its extent, 0 to 0.3.

        Under 0.01 for a stroke of one movement, over 0.02 for a crack.
        """
        return self._shape.waviness

    @property
    def solidity(self) -> float:
        """Area divided by that of the convex hull, 0 to 1."""
        return self._shape.solidity

    @property
    def compactness(self) -> float:
        """4 pi area / perimeter**2, 0 to 1: 1 = a disc, 0.79 = a square."""
        return self._shape.compactness

    @cached_property
    def ridge(self) -> float:
        """Line that came in, in L*: below 0 a dark one, above 0 a bright one, 0 none."""
        view = self.view
        return shape.ridge(view.lab_current[..., 0], view.body, self._shape.width) - shape.ridge(
            view.lab_reference[..., 0], view.body, self._shape.width
        )

    # Motion

    @cached_property
    def _exchange(self) -> tuple[motion.Exchange, float]:
        view = self.view
        step = max(1, round(max(view.inside.shape) / _EXCHANGE_SIDE))
        where = view.form[::step, ::step]
        if not where.any():
            return motion.Exchange(0.0, 0.0, 0.0), 1.0
        change = np.ascontiguousarray(view.change[::step, ::step])
        before, after = view.lab_reference[::step, ::step], view.lab_current[::step, ::step]
        return motion.exchange(before, after, change, where), view.scale * step

    @property
    def exchange(self) -> float:
        """Whether a thing went from one place inside to another, -1 to 1: over 0.2 it did.

        What either place shows now is compared with what the other one showed.
        """
        return self._exchange[0].score

    @property
    def exchange_balance(self) -> float:
        """Area of the smaller of the two places divided by the larger, 0 to 1; 0 = one place."""
        return self._exchange[0].balance

    @property
    def exchange_distance(self) -> float:
        """Distance in pixels between the centres of the two places."""
        return self._exchange[0].distance * self._exchange[1]

    @cached_property
    def _shift(self) -> tuple[motion.Shift, float]:
        if self.exchange_balance <= _TWO_PLACES:
            return motion.Shift(0.0, 0.0, 0.0, 0.0), 1.0
        before, after, inside, scale = self.view.greys(_MOTION_SIDE)
        return motion.best_shift(before, after, grown(inside, 2)), scale

    @property
    def displacement(self) -> float:
        """Shift in pixels after which the edges agree best; 0 unless there are two places."""
        return math.hypot(self._shift[0].dx, self._shift[0].dy) * self._shift[1]

    @property
    def displacement_score(self) -> float:
        """Correlation of the edges after that shift, 0 to 1."""
        return self._shift[0].score

    @property
    def stillness(self) -> float:
        """Correlation of the edges without a shift, 0 to 1."""
        return self._shift[0].still

    @cached_property
    def _bend(self) -> tuple[motion.Bend, float]:
        before, after, inside, scale = self.view.greys(_MOTION_SIDE)
        return motion.bend(before, after, inside), scale

    @property
    def flow(self) -> float:
        """Upper quartile of the displacement of the content by optical flow, in pixels."""
        return self._bend[0].flow * self._bend[1]

    @property
    def flow_gain(self) -> float:
        """Share of the difference that is gone when the flow is undone, 0 to 1."""
        return self._bend[0].gain

    @property
    def flow_roughness(self) -> float:
        """Root mean square derivative of the flow, pixels per pixel: under 0.5 is a smooth bend."""
        return self._bend[0].roughness

    def evidence(self) -> Mapping[str, float]:
        """All measures by name, rounded to four digits.

        Those of motion are left out where the region changed its colour in one way, because
        nothing can have moved inside it.
        """
        names = ALWAYS if self.unity > ONE_WAY else ALWAYS + MOTION
        measured = {name: getattr(self, name) for name in names}
        measured.update((f"sam_{name}", value) for name, value in self.outlined.items())
        return {name: float(f"{value:.4g}") for name, value in measured.items()}


#: Names of the arrays that are kept while a region is measured.
_ARRAYS = {"view", "_ring_colours", "_slopes", "_filled", "_border", "_log_ratio"}
#: Names of the measures that are numbers: everything measured but arrays.
_KEPT = (
    frozenset(name for name, value in vars(Region).items() if isinstance(value, cached_property))
    - _ARRAYS
)


def _in_pixels(width: float, sharp: int, scale: float) -> float:
    """Width of a border in picture pixels: a sharp one stays sharp in a reduced window."""
    return width if width <= sharp else sharp + (width - sharp) * scale
