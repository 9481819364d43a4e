"""Procedural textures: clouds, speckle and cells, made once per scene and remembered."""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Noise"]

Array: TypeAlias = npt.NDArray[np.floating[Any]]


class Noise:
    """Reproducible random fields of one scene.

    A scene is painted twice, before and after the change. Both paintings ask for the same fields
    by the same numbers, get the same pixels, and the fields are computed only once.

    Parameters
    ----------
    key : int
        Number of the scene; different scenes get unrelated textures.
    shape : tuple of int
        ``(rows, columns)`` of every field.
    """

    def __init__(self, key: int, shape: tuple[int, int]) -> None:
        self.key = key
        self.shape = shape
        self._fields: dict[tuple[str, int, float, float, float], Array] = {}

    def rng(self, number: int) -> np.random.Generator:
        """Return a fresh generator that depends on the scene and on `number` only."""
        return np.random.Generator(np.random.PCG64([self.key, number]))

    def clouds(
        self,
        number: int,
        coarse: float,
        fine: float = 2.0,
        roughness: float = 0.55,
        stretch: float = 1.0,
    ) -> Array:
        """Fractal noise of zero mean and unit deviation.

        Parameters
        ----------
        number : int
            Which field; the same number gives the same field.
        coarse, fine : float
            Size of the largest and of the smallest blobs, in canvas pixels.
        roughness : float
            Amplitude of each octave relative to the next coarser one, 0 to 1.
        stretch : float
            How much longer than wide the blobs are (along y); below 1 they lie along x.
        """
        name = ("clouds", number, coarse, fine * 100 + roughness, stretch)
        if name not in self._fields:
            self._fields[name] = self._clouds(number, coarse, fine, roughness, stretch)
        return self._fields[name]

    def _clouds(
        self, number: int, coarse: float, fine: float, roughness: float, stretch: float
    ) -> Array:
        rng = self.rng(number)
        rows, columns = self.shape
        field = np.zeros((1, 1), np.float32)
        size, amplitude = coarse, 1.0
        # Each octave is added at its own resolution, so only the last resize touches every pixel.
        while True:
            shape = (int(rows / (size * stretch)) + 3, int(columns / size) + 3)
            octave = rng.random(shape, np.float32)
            octave -= np.float32(0.5)
            octave *= amplitude
            octave += cv2.resize(field, shape[::-1], interpolation=cv2.INTER_CUBIC)
            field = octave
            if size <= fine:
                break
            size, amplitude = max(fine, size / 2), amplitude * roughness
        field -= field.mean()
        field /= max(float(field.std()), 1e-6)
        large = cv2.resize(field, (columns, rows), interpolation=cv2.INTER_CUBIC)
        return np.asarray(large, np.float32)

    def speckle(self, number: int, blur: float = 0.0) -> Array:
        """White noise of unit deviation, softened by `blur` canvas pixels.

        It repeats every 509 canvas pixels, which no eye finds in white noise.
        """
        name = ("speckle", number, blur, 0.0, 0.0)
        if name not in self._fields:
            period, edge = 509, 8
            tile = self.rng(number).standard_normal((period, period), np.float32)
            if blur:
                wrapped = cv2.copyMakeBorder(tile, edge, edge, edge, edge, cv2.BORDER_WRAP)
                soft = cv2.GaussianBlur(wrapped, (0, 0), blur)[edge:-edge, edge:-edge]
                tile = np.asarray(soft / soft.std(), np.float32)
            rows, columns = self.shape
            repeats = rows // period + 1, columns // period + 1
            self._fields[name] = np.tile(tile, repeats)[:rows, :columns]
        return self._fields[name]

    def cells(self, number: int, spacing: float) -> Array:
        """Distance to the nearest of many random points (Worley noise), in units of `spacing`."""
        name = ("cells", number, spacing, 0.0, 0.0)
        if name not in self._fields:
            rows, columns = self.shape
            rng = self.rng(number)
            # Computed at half resolution: the field is a distance, hence smooth.
            small = np.full((rows // 2 + 1, columns // 2 + 1), 255, np.uint8)
            count = max(int(rows * columns / spacing**2), 1)
            small[
                rng.integers(0, small.shape[0], count), rng.integers(0, small.shape[1], count)
            ] = 0
            field = cv2.distanceTransform(small, cv2.DIST_L2, 3)
            field = cv2.resize(field, (columns, rows), interpolation=cv2.INTER_LINEAR)
            self._fields[name] = np.asarray(field * (2.0 / spacing), np.float32)
        return self._fields[name]
