"""Registration and photometric normalisation: two pictures on one grid, under one light."""

from .light import Light, apply_light, estimate_light
from .preparation import Prepared, prepare
from .registration import Registration, register

__all__ = [
    "Light",
    "Prepared",
    "Registration",
    "apply_light",
    "estimate_light",
    "prepare",
    "register",
]


def __dir__() -> list[str]:
    return sorted(__all__)
