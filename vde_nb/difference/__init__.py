"""Difference maps: two pictures in, one ``(H, W)`` map of how much they differ out."""

from vde_nb.difference._engine import PixelMaps, pixel_maps
from vde_nb.difference._implementation import kernel_failure, kernel_state, prepare_kernel
from vde_nb.difference.absolute import absolute
from vde_nb.difference.fusion import fuse
from vde_nb.difference.ssim import Ssim, ssim, ssim_heat

__all__ = [
    "PixelMaps",
    "Ssim",
    "absolute",
    "fuse",
    "kernel_failure",
    "kernel_state",
    "pixel_maps",
    "prepare_kernel",
    "ssim",
    "ssim_heat",
]
