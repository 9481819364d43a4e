"""What a fixed camera sees of one place in the course of days: the light, and a mount that gives.

The sun climbs and sinks behind passing clouds, a post throws a soft shadow that wanders over the
scene, a lamp helps out in the morning and in the evening, the camera meters and balances colours
(not quite), and warmth and wind move it by fractions of a pixel. Everything follows from the
seed, the time and the number of the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import cv2
import numpy as np

from ._noise import Array

__all__ = ["Daylight"]

#: Hours between which the sun is up, in early summer.
_SUNRISE, _SUNSET = 5.0, 20.5
#: Display values are about this root of the light.
_GAMMA = 2.2
#: Light is smooth: it is worked out on a grid this many times coarser than the picture.
_COARSE = 8
#: Light of an ordinary hour: with it the scene looks as it is.
_USUAL = 0.75
#: Farthest the mount gives to one side, in pixels.
_GIVE = 1.5


@dataclass(frozen=True)
class Daylight:
    """The days of one series.

    Attributes
    ----------
    seed : int
        Which days.
    colour : bool
        False for a camera without colour: its light has none.
    """

    seed: int
    colour: bool

    def light(self, shape: tuple[int, int], time: datetime, rng: np.random.Generator) -> Array:
        """Return what the light multiplies display values with.

        Parameters
        ----------
        shape : tuple of int
            ``(H, W)`` of the picture.
        time : datetime
            When it is taken.
        rng : Generator
            Clouds and metering of this very picture.

        Returns
        -------
        ndarray of float32, shape (H, W, 3)
            Near 1: about 0.65 in the deepest shadow to 1.2.
        """
        sun = self._sun(time)
        clear = float(np.clip(self._weather(time) + 0.22 * rng.standard_normal(), 0, 1))
        metered = float(np.exp(0.09 * rng.standard_normal()))
        flicker = float(1 + 0.05 * rng.standard_normal())
        grid = tuple(max(side // _COARSE, 8) for side in shape)
        y = np.linspace(-0.5, 0.5, grid[0], dtype=np.float32)[:, None] * (shape[0] / shape[1])
        x = np.linspace(-0.5, 0.5, grid[1], dtype=np.float32)[None, :]

        low = (1 - sun) ** 1.5  # a low sun is red, a covered sky bluish
        direct = 0.42 * clear * sun**0.7
        warm = np.array([1 + 0.30 * low, 1.0, 1 - 0.34 * low], np.float32)
        sky = np.array([0.97, 1.0, 1.05], np.float32)
        level = 0.35 + 0.65 * sun**0.6 * (0.6 + 0.4 * clear)
        field = np.asarray(
            level * ((1 - direct) * sky + direct * warm * self._shade(x, y, time)[..., None]),
            np.float32,
        )
        if level < 0.74:
            field += np.float32(0.2 * flicker) * self._lamp(x, y)[..., None] * _LAMP_COLOUR
        # Metering makes up for two thirds of the brightness, balancing for half of the cast.
        mean = field.mean(axis=(0, 1))
        field *= np.float32(metered * float(mean.mean() / _USUAL) ** 0.35 / mean.mean())
        field /= np.sqrt(mean / mean.mean())
        if not self.colour:
            field[:] = field.mean(axis=2, keepdims=True)
        gain = np.asarray(field ** np.float32(1 / _GAMMA), np.float32)
        return np.asarray(cv2.resize(gain, shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)

    def camera(self, time: datetime, rng: np.random.Generator) -> dict[str, Any]:
        """Return how far the mount has given, and what sensor and compression do.

        Amounts as `vde_nb.samples._nuisances.disturb` takes them: shift, noise and jpeg.
        """
        phase = 2 * np.pi * (_hour(time) - 9) / 24
        turn = self._rng(11).uniform(0, 2 * np.pi)
        warmth = 0.6 * math.sin(phase) * np.array([math.cos(turn), math.sin(turn)])
        shift = np.clip(warmth + rng.normal(0, 0.3, 2), -_GIVE, _GIVE)
        noise = 1.6 + 1.6 * (1 - self._sun(time)) + rng.uniform(0, 0.6)
        return {
            "shift": (float(shift[0]), float(shift[1])),
            "noise": float(noise),
            "jpeg": int(rng.integers(82, 94)),
        }

    def _rng(self, *numbers: int) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64([self.seed, 53, *numbers]))

    def _sun(self, time: datetime) -> float:
        """Return how high the sun stands, 0 at the horizon to 1 at noon."""
        share = (_hour(time) - _SUNRISE) / (_SUNSET - _SUNRISE)
        return math.sin(math.pi * share) if 0 < share < 1 else 0.0

    def _weather(self, time: datetime) -> float:
        """Return how clear this hour is, 0 (overcast) to 1; clouds come and go over the day."""
        rng = self._rng(7, time.toordinal())
        day, swing, phase = rng.uniform(0.35, 0.85), rng.uniform(0.1, 0.3), rng.uniform(0, 6.28)
        return float(day + swing * math.sin(2 * np.pi * _hour(time) / 7 + phase))

    def _shade(self, x: Array, y: Array, time: datetime) -> Array:
        """Return the share of direct sun behind a post and a roof, 0 to 1.

        Both stand where they are, so their shadows are at the same place at the same hour.
        """
        rng = self._rng(3)
        lean, width = rng.uniform(-0.5, 0.5), rng.uniform(0.12, 0.19)
        soft, start = rng.uniform(0.022, 0.034), rng.uniform(-0.3, 0.3)
        roof, side = rng.uniform(0.15, 0.45), rng.choice([-1.0, 1.0])
        hours = _hour(time) - (_SUNRISE + _SUNSET) / 2
        turn = lean + 0.05 * hours
        across = math.cos(turn) * x + math.sin(turn) * y
        post = start - side * 0.14 * hours
        shade = _step((across - post + width / 2) / soft) * _step(
            (post + width / 2 - across) / soft
        )
        # Morning and evening the roof's edge reaches into the picture, from above.
        edge = -roof + 0.011 * hours**2
        above = _step((edge - y + 0.25 * x) / (2.5 * soft))
        return np.asarray((1 - shade) * (1 - above), np.float32)

    def _lamp(self, x: Array, y: Array) -> Array:
        """Return the light of a lamp above one corner, about 1 in the middle."""
        rng = self._rng(5)
        left, up = rng.choice([-1.0, 1.0]) * rng.uniform(0.35, 0.6), rng.uniform(-0.6, -0.3)
        far = (x - left) ** 2 + (y - up) ** 2
        return np.asarray(1.25 / (1 + 1.1 * far), np.float32)


_LAMP_COLOUR = np.array([1.14, 1.0, 0.80], np.float32)


def _hour(time: datetime) -> float:
    return time.hour + time.minute / 60 + time.second / 3600


def _step(value: Array) -> Array:
    """Return a soft step from 0 to 1 around 0."""
    return np.asarray(1 / (1 + np.exp(-np.clip(2 * value, -30, 30))), np.float32)
