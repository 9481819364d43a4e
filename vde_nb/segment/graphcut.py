r"""Graph cut: the embedded segmenter, no weights, no network.

Detection finds *where* something changed, but its 7 x 7 SSIM window, opening and closing move the
border by about three pixels. The absolute difference is sharp, and has an edge wherever either
picture gained or lost one. So each pixel gets the evidence

.. math:: r = \log_2 (|\Delta| / t) + \text{prior}

where :math:`t` is a share of the strongest difference within two pixels: a blurred step crosses it
at its true place, and a soft shadow farther off is held against itself alone. :math:`t` never falls
below the noise around the region, nor below JPEG's ringing. The prior leans towards the detected
mask deep inside it and away from it outside. A minimum cut (Boykov & Jolly, ICCV 2001) finds the
outline that agrees best with the evidence and runs along edges: OpenCV's GrabCut (Rother,
Kolmogorov & Blake, SIGGRAPH 2004) with two fixed models whose log-likelihood ratio *is* the
evidence. Nothing is learned, so no random numbers are drawn: the same on any thread, in any order.

A large region is cut at reduced size, and the evidence has the last word where it is decisive,
which keeps thin cracks (compare the multilevel banded cuts of Lombaert et al., ICCV 2005).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._buffers import empty, zeros
from vde_nb.detect import Box
from vde_nb.errors import SettingError
from vde_nb.segment.base import Outline, Prompt, Scene

__all__ = ["GraphCut"]

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]

_SHARE = 0.4  # of the strongest difference nearby: where the border is drawn
_FLOOR, _NOISE_FACTOR = 4.0, 2.5  # grey levels, times the noise: less is no evidence
_RINGING, _RINGING_SHARE = 8, 0.08  # so near (a JPEG block) and so faint, it is ringing
_DEPTH, _BELIEF = 4.0, 0.6  # pixels inside the mask from which on it is believed; how much
_GROWTH, _DOUBT = 14, 8.0  # pixels an outline may leave the mask by; where doubt is complete
_CRUMB = 0.02  # of the largest piece: smaller ones are dropped
_REST = 0.05  # of the changed pixels: so many must remain when a negative point takes a piece
_BRIDGE = 6  # pixels: a gap so wide stays bridged where detection bridged it
_CUT_PIXELS, _CROP_PIXELS = 12_000, 160_000  # of the largest graph; of the largest crop
_SPREAD = 12.0  # of the two models of the cut, in steps of evidence: more is smoother
_POINT_REACH = 32  # pixels: neighbourhood of a point that comes without a box
_LEAST_HEAT = 8  # what a prompt without a mask needs before anything counts as changed

_GREYS = np.arange(256, dtype=np.float32)
_LOG_GREYS = np.log2(np.maximum(_GREYS, 0.25))
_SQUARE_5, _SQUARE_7 = np.ones((5, 5), np.uint8), np.ones((7, 7), np.uint8)

_KEPT_MASK = "Graph cut kept the detected mask of some regions: no clear border was found."
_KEPT_PROMPT = "Graph cut kept the given box or point of some prompts: no change was found there."


class GraphCut:
    """The default segmenter: evidence from both pictures and the heatmap, one cut per prompt.

    Examples
    --------
    >>> import numpy as np
    >>> reference = np.full((40, 60, 3), 90, np.uint8)
    >>> current = reference.copy()
    >>> current[12:22, 20:40] = 180
    >>> scene = Scene(reference, current, current[..., 0] - reference[..., 0])
    >>> fat = Prompt((17, 9, 26, 16), mask=np.ones((16, 26), bool), reach=8)
    >>> GraphCut().prepare(scene).segment([fat])[0].box
    (20, 12, 20, 10)
    """

    name = "graphcut"

    def prepare(self, scene: Scene) -> _Prepared:
        """Nothing is computed: every prompt looks at its own neighbourhood only."""
        return _Prepared(scene)


_Discs = list[tuple[int, int, int]]  # (x, y, radius) around the points of a prompt


@dataclass(frozen=True, eq=False)
class _Task:
    """A checked prompt: all inside the picture, `frame` the neighbourhood, `mask` 0/1 or None."""

    box: Box
    frame: Box
    mask: UInt8 | None
    on: _Discs
    off: _Discs
    has_box: bool


@dataclass(frozen=True, eq=False)
class _Prepared:
    """A scene, ready for any number of prompts."""

    scene: Scene
    notes: tuple[str, ...] = ()

    def segment(self, prompts: Sequence[Prompt]) -> list[Outline]:
        """One outline per prompt, in order; the order of the prompts makes no difference.

        Parameters
        ----------
        prompts
            Boxes are cut to the picture. Without a mask, the hot part of the box counts, or of
            the surroundings of the points (`reach`, 32 pixels if that is 0). Positive points are
            part of the outline. A negative point removes the piece it lies on when another piece
            or a positive point remains, otherwise its surroundings. An outline does not go where
            another prompt's mask is as near as its own.

        Returns
        -------
        list of Outline
            Never empty, within the box grown by `reach`, at most 14 pixels off mask and points.
            Score: mean evidence inside minus that in a 3-pixel ring around (0 to 1), times the
            mean of 1 and the share that was detected; half of it where nothing was cut.

        Raises
        ------
        SettingError
            A box is empty or outside the picture, a mask does not fit its box, a point lies out
            of the picture or of reach, or there is neither box nor positive point.
        """
        height, width = self.scene.heatmap.shape
        tasks = [_checked(prompt, height, width) for prompt in prompts]
        boxes = np.array([task.box for task in tasks], np.int64).reshape(-1, 4)
        first, last = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
        outlines = []
        for task in tasks:
            x, y, w, h = task.frame
            low, high = (x - _GROWTH, y - _GROWTH), (x + w + _GROWTH, y + h + _GROWTH)
            near = np.flatnonzero(((first < high) & (last > low)).all(axis=1))
            others = [tasks[i] for i in near if tasks[i] is not task and tasks[i].mask is not None]
            outlines.append(_Crop(self.scene, task, others).outline())
        return outlines


def _checked(prompt: Prompt, height: int, width: int) -> _Task:
    """Cut a prompt to the picture, or raise :class:`SettingError`."""
    if prompt.reach < 0:
        raise SettingError(f"reach={prompt.reach} is not allowed: whole number of at least 0.")
    for x, y, _ in prompt.points:
        if not (0 <= x < width and 0 <= y < height):
            raise SettingError(f"Point {(x, y)} lies outside the {width} x {height} picture.")
    positive = [(x, y) for x, y, label in prompt.points if label]
    box, reach, mask = prompt.box, prompt.reach, prompt.mask
    if box is None:
        if not positive:
            raise SettingError("A prompt needs a box or a positive point.")
        grow, reach, mask = reach or _POINT_REACH, 0, None
        x, y, w, h = cv2.boundingRect(np.array(positive, np.int32))
        box = (x - grow, y - grow, w + 2 * grow, h + 2 * grow)
    x, y, w, h = box
    if w < 1 or h < 1:
        raise SettingError(f"Box {box} is empty: width and height must be at least 1.")
    if mask is not None and mask.shape != (h, w):
        raise SettingError(f"A mask of shape {mask.shape} does not fit box {box}: ({h}, {w}).")
    left, top = max(0, x), max(0, y)
    right, bottom = min(width, x + w), min(height, y + h)
    if left >= right or top >= bottom:
        raise SettingError(f"Box {box} lies outside the {width} x {height} picture.")
    away = [max(left - px, px - right + 1, top - py, py - bottom + 1) for px, py in positive]
    if max(away, default=0) > reach:
        raise SettingError(f"A positive point is farther than {reach} pixels from box {box}.")
    # Only a point is believed farther from what was detected than _GROWTH.
    reach = min(reach, max([_GROWTH, *away]))
    part = None if mask is None else mask[top - y : bottom - y, left - x : right - x]
    kept = (
        part.astype(np.bool_, copy=False).view(np.uint8)
        if part is not None and part.any()
        else None
    )
    x, y = max(0, left - reach), max(0, top - reach)
    frame = (x, y, min(width, right + reach) - x, min(height, bottom + reach) - y)
    on = [(px, py, 1) for px, py in positive]
    off = [(px, py, max(2, min(w, h) // 8)) for px, py, label in prompt.points if not label]
    clipped = (left, top, right - left, bottom - top)
    return _Task(clipped, frame, kept, on, off, prompt.box is not None)


class _Crop:
    """The neighbourhood `frame` of a task: evidence, cut and outline.

    `detected` and `foreign` (what the masks of `others` hold) are in full resolution, all else is
    at 1 / `scale` of it, so that time and memory are bounded. Masks are uint8 0/1.
    """

    def __init__(self, scene: Scene, task: _Task, others: list[_Task]) -> None:
        x, y, w, h = self.frame = task.frame
        self.task, self.changed = task, True
        self.detected = self._placed([task], 0)
        if task.mask is None:
            self._find_hot(scene.heatmap[y : y + h, x : x + w])
        self.foreign: UInt8 | None = None
        self.scale = max(1.0, (w * h / _CROP_PIXELS) ** 0.5)
        size = max(1, round(w / self.scale)), max(1, round(h / self.scale))
        self.mask = _resized(self.detected, *size)
        self.on = self._draw(np.zeros_like(self.mask), task.on, 1)
        self.off = self._draw(np.zeros_like(self.mask), task.off, 1) & (1 - self.on)
        self.mask |= self.on
        outside = _distance(1 - self.mask) * self.scale
        self.free, self.allowed = outside > 3, (outside <= _GROWTH) & (self.off == 0)
        if others:
            # A gap belongs to the nearer one, its middle to none; that one may be out of frame.
            edge = math.ceil(_GROWTH / self.scale)
            pad = round(edge * self.scale)
            held = self._placed(others, pad)
            theirs = _distance(1 - _resized(held, size[0] + 2 * edge, size[1] + 2 * edge))
            self.foreign = held[pad:-pad, pad:-pad]
            np.greater(self.foreign, self.detected, out=self.foreign.view(np.bool_))
            theirs = theirs[edge:-edge, edge:-edge] * self.scale
            self.allowed &= (theirs > outside) | (self.mask > 0)
            self.free &= theirs > 3
        pictures = [image[y : y + h, x : x + w] for image in (scene.reference, scene.current)]
        small = [np.asarray(cv2.resize(picture, size), np.uint8) for picture in pictures]
        self.evidence = self._evidence(small[0], small[1], outside)

    def _placed(self, tasks: list[_Task], pad: int) -> UInt8:
        """The masks of tasks in this frame grown by `pad`, united."""
        x, y, w, h = self.frame
        x, y, w, h = x - pad, y - pad, w + 2 * pad, h + 2 * pad
        held = zeros((h, w), np.uint8)
        for mask, left, top in ((task.mask, task.box[0] - x, task.box[1] - y) for task in tasks):
            if mask is not None:
                part = mask[max(0, -top) : max(0, h - top), max(0, -left) : max(0, w - left)]
                held[max(0, top) :, max(0, left) :][: part.shape[0], : part.shape[1]] |= part
        return held

    def _find_hot(self, heat: UInt8) -> None:
        """Make up the mask of a task that came without; `changed` says whether there was heat."""
        x, y, w, h = self.task.box
        inside = np.zeros_like(heat)
        inside[y - self.frame[1] :, x - self.frame[0] :][:h, :w] = 1
        discs = [(px, py, 3) for px, py, _ in self.task.on]
        around = self._draw(np.zeros_like(heat), discs, 1) if discs else inside
        self.detected = inside if self.task.has_box else around
        peak = int(heat[around > 0].max())
        self.changed = peak >= _LEAST_HEAT
        if self.changed:
            # Half the height, where a blurred edge has its place; and what a point hits of it.
            hot = ((heat >= peak / 2) & ((inside | around) > 0)).view(np.uint8)
            labels = _pieces(hot)
            self.detected = np.isin(labels, labels[(around & hot) > 0]).view(np.uint8)

    def _draw(self, mask: UInt8, discs: _Discs, value: int) -> UInt8:
        """Draw discs into a mask of any scale, and return it."""
        scale = mask.shape[1] / self.frame[2]
        for x, y, radius in discs:
            centre = int((x - self.frame[0]) * scale), int((y - self.frame[1]) * scale)
            cv2.circle(mask, centre, int(radius * scale), value, cv2.FILLED)
        return mask

    def _evidence(self, reference: UInt8, current: UInt8, outside: Float32) -> UInt8:
        """How surely each pixel changed: 128 and more is yes. `outside`: distance to the mask."""
        step = max(1, round((outside.size / 1500) ** 0.5))
        free, noise = self.free[::step, ::step], 0.0
        if np.count_nonzero(free) >= 48:
            # What differs all around is the light, not the object.
            rest = current[::step, ::step][free] - reference[::step, ::step][free].astype(np.int16)
            light = np.median(rest, axis=0)
            noise = float(np.median(np.abs(rest - light).max(axis=1)))
            brighter = np.hstack([np.eye(3), light[:, None]])
            reference = np.asarray(cv2.transform(reference, brighter), np.uint8)
        blurred = [cv2.GaussianBlur(image, (3, 3), 0.5) for image in (reference, current)]
        red, green, blue = cv2.split(cv2.absdiff(*blurred))
        difference = cv2.max(cv2.max(red, green), blue)
        low = max(_FLOOR, _NOISE_FACTOR * noise)

        # 5 x 5: as far as a blurred border reaches.
        own = cv2.bitwise_and(difference, difference, mask=self.mask)
        level = cv2.GaussianBlur(cv2.dilate(own, _SQUARE_5), (0, 0), 1.0)
        reach = round(_RINGING / self.scale)
        strongest = cv2.dilate(own, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
        floor = cv2.LUT(strongest, np.log2(np.maximum(_RINGING_SHARE * _GREYS, low)))
        inside = _distance(np.pad(self.mask, 1))[1:-1, 1:-1] * self.scale
        deep = np.clip((inside - _DEPTH) / 4, 0, 1)
        near = cv2.max(cv2.LUT(level, _LOG_GREYS + np.float32(np.log2(_SHARE))), floor)
        ratio = np.clip(cv2.LUT(difference, _LOG_GREYS) - near, -2, 2)
        ratio += _BELIEF * deep - np.minimum(outside / _DOUBT, 1)
        evidence: UInt8 = np.clip(127.5 + 127.5 * ratio, 0, 255).astype(np.uint8)
        if self.task.off:
            self._unwanted(evidence)
        evidence[~self.allowed] = 0
        return evidence

    def _unwanted(self, evidence: UInt8) -> None:
        """Take out the pieces negative points lie on, if something else remains."""
        hot = (evidence > 127) & (self.allowed | (self.off > 0))
        labels = _pieces(hot.view(np.uint8))
        named = set(labels[self.off > 0].tolist()) - set(labels[self.on > 0].tolist())
        doomed = np.isin(labels, list(named - {0}))
        hot &= self.mask > 0
        if self.task.on or np.count_nonzero(hot & ~doomed) > _REST * np.count_nonzero(hot):
            evidence[doomed] = 0

    def _cut(self) -> UInt8 | None:
        """Minimum cut, cleaned up; None where it degenerates."""
        evidence = self.evidence
        shrink = (evidence.size / _CUT_PIXELS) ** 0.5
        if shrink > 1:
            size = [max(1, round(side / shrink)) for side in evidence.shape[::-1]]
            small = cv2.resize(evidence, size, interpolation=cv2.INTER_AREA)
            rough = _minimum_cut(np.asarray(small, np.uint8)) * np.uint8(255)
            rough = np.asarray(cv2.resize(rough, evidence.shape[::-1]), np.uint8)
            decided = (evidence < 64) | (evidence > 191)
            found = np.where(decided, evidence, rough) >> np.uint8(7)
        else:
            found = _minimum_cut(evidence)
        found = self._tidy(found | self.on)
        counted = found, self.mask, found & self.mask, self.allowed
        area, own, both, free = map(np.count_nonzero, counted)
        lost = both < 0.01 * own or both < 0.1 * area
        flooded = area > 0.98 * free and own < 0.9 * free
        return None if area == 0 or lost or flooded else found

    def _tidy(self, found: UInt8) -> UInt8:
        """Bridge what detection bridged, drop crumbs, fill holes inside the detected mask."""
        reach = int(_BRIDGE / 2 / self.scale)
        square = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
        padded = cv2.morphologyEx(np.pad(found, reach), cv2.MORPH_CLOSE, square)
        closed = np.asarray(padded, np.uint8)[reach:, reach:][: found.shape[0], : found.shape[1]]
        labels = _pieces((found | (closed & self.mask)) & self.allowed)
        shared = np.bincount(labels[self.mask > 0], minlength=int(labels.max()) + 1)
        shared[0] = 0
        keep = (shared > 0) & (shared >= _CRUMB * shared.max())
        keep[labels[self.on > 0]] = True
        found = keep.view(np.uint8)[labels]
        borders, _ = cv2.findContours(found, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        filled = np.asarray(cv2.drawContours(np.zeros_like(found), borders, -1, 1, -1), np.uint8)
        return np.asarray((found | (filled & self.mask)) & self.allowed, np.uint8)

    def outline(self) -> Outline:
        """The outline of the cut, or of the detected mask where there is none."""
        found = self._cut() if self.changed else None
        note = ""
        if found is not None:
            whole = empty(self.detected.shape, np.uint8)
            cv2.resize(found * np.uint8(255), self.frame[2:], whole)
            whole >>= np.uint8(7)
        else:
            note = _KEPT_PROMPT if self.task.mask is None else _KEPT_MASK
            found, whole = self.mask & (1 - self.off), self.detected.copy()
        if self.foreign is not None:
            np.greater(whole, self.foreign, out=whole.view(np.bool_))
        whole = self._draw(self._draw(whole, self.task.off, 0), self.task.on, 1)
        if not whole.any():
            whole = self.detected
        left, top, w, h = cv2.boundingRect(whole)
        box = (left + self.frame[0], top + self.frame[1], w, h)
        score = 0.0
        if self.changed:
            around = np.asarray(cv2.dilate(found, _SQUARE_7), np.uint8) - found
            contrast = cv2.mean(self.evidence, found)[0] - cv2.mean(self.evidence, around)[0]
            agreement = np.count_nonzero(found & self.mask) / (np.count_nonzero(found) or 1)
            score = max(0.0, float(contrast)) / 255 * (1 + float(agreement)) / (4 if note else 2)
        mask = empty((h, w), np.bool_)
        np.greater(whole[top : top + h, left : left + w], 0, out=mask)
        return Outline(box, mask, score, note)


def _resized(mask: UInt8, width: int, height: int) -> UInt8:
    """A mask at a smaller scale; what is touched counts, so that nothing thin is lost."""
    reach = math.ceil((mask.shape[1] / width - 1) / 2)
    if reach:
        window = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
        mask = np.asarray(cv2.dilate(mask, window, empty(mask.shape, np.uint8)), np.uint8)
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def _distance(mask: UInt8) -> Float32:
    """Distance of every pixel to the nearest zero."""
    return np.asarray(cv2.distanceTransform(mask, cv2.DIST_L2, 3), np.float32)


def _pieces(mask: UInt8) -> npt.NDArray[np.int32]:
    """Connected pieces numbered from 1, neighbours over corners included."""
    return np.asarray(cv2.connectedComponents(mask, connectivity=8)[1], np.int32)


def _minimum_cut(evidence: UInt8) -> UInt8:
    """Labels 0/1 of the minimum cut, by GrabCut's graph with the evidence as picture.

    Two Gaussians of one variance have a log-likelihood ratio linear in their argument, here
    ``255 / _SPREAD**2 * (evidence - 127.5)``; neighbours of different label cost at most 50.
    """
    found = evidence >> np.uint8(7)
    # Where no evidence is near, there is nothing to cut.
    left, top, w, h = cv2.boundingRect(found)
    window = slice(max(0, top - 3), top + h + 3), slice(max(0, left - 3), left + w + 3)
    part = evidence[window]
    if part.size > 1:  # OpenCV refuses a graph without edges
        labels = np.where(part > 127, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        models, mode = (_model(0), _model(255)), cv2.GC_EVAL_FREEZE_MODEL
        cv2.grabCut(cv2.merge([part] * 3), labels, (0, 0, 0, 0), *models, 1, mode)
        found[window] = labels & 1
    return found


def _model(mean: float) -> npt.NDArray[np.float64]:
    """One Gaussian over the first channel in the form GrabCut keeps its five in."""
    model = np.zeros((1, 65))  # weights of the components, then means, then covariances
    model[0, [0, 5]] = 1, mean
    model[0, 20:29:4] = _SPREAD**2, 1e7, 1e7  # the other channels say nothing
    return model
