"""Difference maps: two pictures in, one ``(H, W)`` map of how much they differ out."""

from vde_nb.difference._engine import PixelMaps, pixel_maps
from vde_nb.difference._implementation import kernel_failure, kernel_state, prepare_kernel
from vde_nb.difference._radius import tolerant_radius
from vde_nb.difference._stains import wide_stains
from vde_nb.difference.absolute import absolute
from vde_nb.difference.fusion import fuse
from vde_nb.difference.ssim import Ssim, ssim, ssim_heat
from vde_nb.difference.tolerant import Evidence, false_alarm_level, tolerant

__all__ = [
    "Evidence",
    "PixelMaps",
    "Ssim",
    "absolute",
    "false_alarm_level",
    "fuse",
    "kernel_failure",
    "kernel_state",
    "pixel_maps",
    "prepare_kernel",
    "ssim",
    "ssim_heat",
    "tolerant",
    "tolerant_radius",
    "wide_stains",
]


def __dir__() -> list[str]:
    return sorted(__all__)
