"""A stand-in for a trained model: NumPy only, deterministic, and its outlines mean something.

It draws what has the colour of the prompt's centre, against what is around the prompt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._progress import report
from vde_nb.segment._backend import Fit
from vde_nb.segment.models import MODELS, Model
from vde_nb.segment.predictor import Predictor

Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]

#: What three masks differ by: a part of the thing, the thing, and more than the thing.
_LEANINGS = np.array([-4.0, 0.0, 4.0], np.float32)
_SCORES = np.array([0.6, 0.9, 0.5], np.float32)


@dataclass
class FakeWeights:
    digest: str = "0123456789abcdef"


@dataclass
class FakeBackend:
    """Fulfils ``vde_nb.segment._backend.Backend``.

    `room` is how many prompts fit into the device's memory at once, 0: not even one picture.
    `look` is called when a picture is encoded, and may raise.
    """

    device: str = "cpu"
    squash: bool = False
    side: int = 1024
    grid: int = 256
    precision: str = "fp32"
    room: int = 10**9
    look: Callable[[], None] | None = None
    factor: float = 1.0
    model: Model = field(default_factory=lambda: MODELS["sam_vit_b"])
    weights: Any = field(default_factory=FakeWeights)
    encoded: list[str] = field(default_factory=list)
    decoded: list[dict[str, Any]] = field(default_factory=list)

    @property
    def preprocessing(self) -> str:
        return f"{'squash' if self.squash else 'longest'}-{self.side}-fake"

    def fit(self, height: int, width: int) -> Fit:
        if self.squash:
            return Fit(self.side / width, self.side / height, self.side, self.side)
        scale = self.side / max(height, width)
        inner_h, inner_w = max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))
        return Fit(inner_w / width, inner_h / height, inner_w, inner_h)

    def encode(self, image: UInt8, what: str = "the picture") -> dict[str, Float32]:
        report(f"{self.model.title} reads {what}", 0.5)
        if self.look is not None:
            self.look()
        if self.room == 0:
            raise MemoryError
        self.encoded.append(what)
        fit = self.fit(*image.shape[:2])
        shrinks = max(image.shape[:2]) > self.side
        way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        frame = np.zeros((self.side, self.side, 3), np.uint8)
        frame[: fit.inner_h, : fit.inner_w] = cv2.resize(
            image, (fit.inner_w, fit.inner_h), interpolation=way
        )
        cells = cv2.resize(frame, (self.grid, self.grid), interpolation=cv2.INTER_AREA)
        # Numbers float16 cannot hold, so that rounding has something to do.
        return {"image": cells.astype(np.float32).transpose(2, 0, 1) * self.factor + 0.0123}

    def load(self, arrays: Any) -> Float32:
        return np.asarray(arrays["image"].transpose(1, 2, 0), np.float32)

    def decode(
        self,
        loaded: Float32,
        boxes: Float32 | None,
        points: Float32 | None,
        labels: npt.NDArray[np.int64] | None,
        masks: Float32 | None,
        multimask: bool,
    ) -> tuple[Float32, Float32]:
        count = len(boxes if boxes is not None else points)
        if count > self.room:
            raise MemoryError
        self.decoded.append(
            {
                "count": count,
                "box": boxes is not None,
                "points": 0 if points is None else points.shape[1],
                "masks": masks is not None,
                "multimask": multimask,
            }
        )
        logits, scores = [], []
        for i in range(count):
            on = None if points is None else points[i][labels[i] == 1]
            off = [] if points is None else points[i][labels[i] == 0]
            drawn, sure = self._draw(loaded, None if boxes is None else boxes[i], on, off)
            if masks is not None:
                drawn, sure = drawn + np.sign(masks[i, 0]), sure + 0.05
            leanings = _LEANINGS if multimask else _LEANINGS[1:2]
            logits.append(drawn + leanings[:, None, None])
            scores.append(sure * (_SCORES if multimask else _SCORES[1:2]))
        return np.stack(logits).astype(np.float32), np.array(scores, np.float32)

    def _draw(
        self, cells: Float32, box: Float32 | None, on: Float32 | None, off: Any
    ) -> tuple[Float32, float]:
        per_cell, last = self.side / self.grid, self.grid - 1

        def cell(value: float) -> int:
            return int(np.clip(value / per_cell, 0, last))

        if box is not None:
            left, top, right, bottom = (cell(value) for value in box)
            middle = (cell((box[0] + box[2]) / 2), cell((box[1] + box[3]) / 2))
            ring = cells[max(0, top - 3) : bottom + 4, max(0, left - 3) : right + 4]
            edge = [ring[:2], ring[-2:], ring[:, :2], ring[:, -2:]]
            around = np.concatenate([part.reshape(-1, 3) for part in edge])
        else:
            middle = cell(on[0][0]), cell(on[0][1])
            left, top, right, bottom = middle[0], middle[1], middle[0] + 1, middle[1] + 1
            around = cells[::8, ::8].reshape(-1, 3)
        inside, outside = cells[middle[1], middle[0]], np.median(around, axis=0)
        direction = inside - outside
        contrast = float(np.linalg.norm(direction))
        if contrast < 12 * self.factor:  # nothing there: it fills the box, and knows it
            drawn = np.full(cells.shape[:2], -3, np.float32)
            drawn[top : bottom + 1, left : right + 1] = 3
            return drawn, 0.3
        share = (cells - outside) @ direction / contrast**2
        drawn = 12 * (np.clip(share, 0, 1) - 0.5)
        for x, y in off:
            unwanted = np.abs(cells - cells[cell(y), cell(x)]).max(axis=2) < 12 * self.factor
            drawn = np.where(unwanted, -8, drawn)
        return drawn.astype(np.float32), 1.0


def digest_of(arrays: dict[str, Any]) -> str:
    """Of arrays, to compare them by."""
    joined = b"".join(np.ascontiguousarray(arrays[name]).tobytes() for name in sorted(arrays))
    return hashlib.sha256(joined).hexdigest()


def fake_predictor(**about: Any) -> Predictor:
    """A predictor on a fake backend, without cache."""
    return Predictor(FakeBackend(**about), chunk=8)
