"""Where a model runs, in which precision, and how much it is given at once."""

from __future__ import annotations

import re
from typing import Any

from vde_nb._extras import need
from vde_nb.errors import SettingError

__all__ = [
    "DEVICES",
    "PRECISIONS",
    "autocast_type",
    "chunk_of",
    "out_of_memory",
    "pick_device",
    "pick_precision",
]

#: What may be asked for; a CUDA device may carry its number, as in ``"cuda:1"``.
DEVICES = ("auto", "cpu", "cuda", "mps")
#: ``"auto"`` is fp32 except on CUDA, where the encoder runs in bf16, or fp16 on older cards.
PRECISIONS = ("auto", "fp32", "bf16", "fp16")

# Prompts: 80 MB at the peak. On one thread of a CPU (ViT-B, glibc) each of eight in a call takes
# 136 ms, of two 94 ms, one alone 100 ms: from three on, the decoder's arrays are beyond the 32 MiB
# that glibc keeps for reuse, and a third of the time goes into fetching pages from the system.
_CPU_CHUNK = 2
# Bytes of decoding one prompt per cell of the mask grid, at the decoder's peak (40 MB in SAM and
# SAM 2.1, 98 MB in SAM-HQ, where masks have 256 x 256 cells), and the share of the free memory that
# may go to it.
_BYTES_PER_CELL, _SHARE = 1600, 0.5
_MOST = 256  # prompts: beyond this a GPU is busy anyway

_NAME = re.compile(r"(cpu|mps|cuda(:\d+)?)")


def pick_device(asked: str = "auto") -> str:
    """Name of the device to run on.

    Parameters
    ----------
    asked
        ``"auto"`` (CUDA before MPS before the CPU), ``"cpu"``, ``"mps"``, ``"cuda"`` or
        ``"cuda:1"``.

    Raises
    ------
    SettingError
        It is not a name of a device, or there is none here.
    MissingExtraError
        torch is not installed.
    """
    if asked != "auto" and (not isinstance(asked, str) or not _NAME.fullmatch(asked)):
        raise SettingError(f"device is {asked!r}: it must be one of {', '.join(DEVICES)}.")
    torch = need("torch", "sam", "SAM")
    if asked == "auto":
        return next((name for name in ("cuda", "mps") if _works(torch, name)), "cpu")
    if asked != "cpu" and not _works(torch, asked):
        raise SettingError(
            f"device is {asked!r}, but {_why_not(torch, asked)}; choose device='auto' or 'cpu'."
        )
    return asked


def _works(torch: Any, name: str) -> bool:
    """Whether something can be computed there: a card may be too old for this torch."""
    backend = torch.backends.mps if name == "mps" else torch.cuda
    if not backend.is_available():
        return False
    try:
        return float(torch.ones(1, device=name) + 1) == 2
    except (RuntimeError, AssertionError):  # no such number, no kernel for this card
        return False


def _why_not(torch: Any, name: str) -> str:
    if name == "mps":
        return "this torch finds no Apple GPU"
    if not torch.cuda.is_available():
        return "this torch finds no CUDA device"
    if ":" in name and int(name.partition(":")[2]) >= torch.cuda.device_count():
        return f"there are {torch.cuda.device_count()} CUDA devices, counted from 0"
    return "this torch cannot compute on it"


def pick_precision(asked: str, device: str) -> str:
    """``"fp32"``, ``"bf16"`` or ``"fp16"``: what the encoder computes in.

    The decoder always computes in fp32: it is cheap, and its scores choose between masks.

    Raises
    ------
    SettingError
        It is not a name of a precision, or not to be had on `device`.
    """
    if asked not in PRECISIONS:
        raise SettingError(f"precision is {asked!r}: it must be one of {', '.join(PRECISIONS)}.")
    torch = need("torch", "sam", "SAM")
    if device.startswith("cuda"):
        with torch.cuda.device(device):
            bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        if asked == "auto":
            return "bf16" if bf16 else "fp16"
        if asked == "bf16" and not bf16:
            raise SettingError("precision is 'bf16', which this CUDA device lacks; choose 'fp16'.")
        return asked
    if asked == "fp16" and device == "cpu":
        raise SettingError("precision is 'fp16', which is for GPUs; choose 'fp32' on a CPU.")
    return "fp32" if asked == "auto" else asked


def autocast_type(precision: str) -> Any:
    """The torch type of a precision, None for fp32."""
    if precision == "fp32":
        return None
    torch = need("torch", "sam", "SAM")
    return torch.bfloat16 if precision == "bf16" else torch.float16


def chunk_of(device: str, grid: int = 256) -> int:
    """How many prompts to decode in one call.

    Parameters
    ----------
    device
        Such as ``"cpu"`` or ``"cuda"``.
    grid
        Cells along the side of the model's masks.
    """
    if device == "cpu":
        return _CPU_CHUNK
    torch = need("torch", "sam", "SAM")
    if device == "mps":
        free = torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    else:
        free = torch.cuda.mem_get_info(device)[0]
        # What torch keeps for itself and does not use is free, too.
        free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return max(1, min(_MOST, int(free * _SHARE / (grid * grid * _BYTES_PER_CELL))))


def out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that there was not enough memory, on whichever device.

    Examples
    --------
    >>> out_of_memory(MemoryError()), out_of_memory(RuntimeError("shapes cannot be multiplied"))
    (True, False)
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in text or "can't allocate memory" in text or "cublas_status_alloc" in text
    )
