"""What a checkpoint of unknown origin is, told by names and shapes, without running any of it."""

from __future__ import annotations

import json
import math
import os
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vde_nb._extras import need
from vde_nb.errors import WeightsError

__all__ = ["Found", "VitSizes", "identify", "shapes_in", "vit_sizes", "weights_in"]

#: By the `model_type` of config.json: family, class that transformers' own
#: `AutoModelForMaskGeneration` loads it with, and modules that class needs besides.
_TYPES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "sam": ("SAM", "SamModel", ()),
    "sam_hq": ("SAM-HQ", "SamHQModel", ()),
    "sam2": ("SAM 2", "Sam2Model", ()),
    "sam2_video": ("SAM 2", "Sam2Model", ()),
    "edgetam": ("EdgeTAM", "EdgeTamModel", ("timm",)),
    "edgetam_video": ("EdgeTAM", "EdgeTamModel", ("timm",)),
    "sam3_tracker": ("SAM 3", "Sam3TrackerModel", ()),
    "sam3_video": ("SAM 3", "Sam3TrackerModel", ()),
}
#: Names in files that look like ours and are not, and what to do instead.
_OTHERS = (
    ("mask_decoder.hf_token", "SAM-HQ; use one of the models sam_hq_vit_b, _l or _h"),
    ("image_encoder.trunk.", "SAM 2 as its own package saves it; use one of the models sam2.1_*"),
    ("image_encoder.layers.", "MobileSAM, which segment-anything cannot build"),
    ("vision_encoder.", "a model of transformers; give its folder, with its config.json"),
)
_LARGEST_CONFIG = 1 << 20  # bytes; those of the models above have 6 to 36 kB

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Found:
    """What :func:`identify` read; the fields mean what they mean in a `Model`."""

    path: Path
    family: str
    backend: str
    architecture: str
    parameters: float
    megabytes: int
    file: str
    requires: tuple[str, ...] = ()


@dataclass(frozen=True)
class VitSizes:
    """Sizes of segment-anything's image encoder.

    Attributes
    ----------
    width, depth, heads
        Channels of a token, blocks, heads of attention.
    everywhere
        Blocks whose attention sees the whole picture.
    window
        Tokens on each side of the windows of the other blocks.
    side
        Pixels on each side of the picture it reads.
    channels
        Of the embedding.
    patch
        Pixels on each side of a token.
    """

    width: int
    depth: int
    heads: int
    everywhere: tuple[int, ...]
    window: int
    side: int
    channels: int
    patch: int

    @property
    def name(self) -> str:
        """``"vit_b"``, ``"vit_l"`` or ``"vit_h"``; ``"vit"`` for any other sizes."""
        return _NAMED.get(self, "vit")


#: As `segment_anything.build_sam` builds them.
_NAMED = {
    VitSizes(768, 12, 12, (2, 5, 8, 11), 14, 1024, 256, 16): "vit_b",
    VitSizes(1024, 24, 16, (5, 11, 17, 23), 14, 1024, 256, 16): "vit_l",
    VitSizes(1280, 32, 16, (7, 15, 23, 31), 14, 1024, 256, 16): "vit_h",
}


def identify(path: str | os.PathLike[str]) -> Found:
    """Say what the checkpoint at `path` is.

    Raises
    ------
    WeightsError
        It is missing or damaged, holds code, or is of another kind.
    MissingExtraError
        torch or safetensors is needed to read it, and not installed.
    """
    try:
        place = Path(path).expanduser().absolute()
        is_folder, is_file = place.is_dir(), place.is_file()
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(f"{path!r} is no checkpoint: {error}.") from error
    if is_folder:
        return _folder(place)
    if not is_file:
        raise WeightsError(f"{place} is no checkpoint: there is no such file or folder.")
    shapes = shapes_in(place)
    sizes = vit_sizes(shapes, place)
    return Found(
        place,
        "SAM",
        "segment_anything",
        sizes.name,
        _millions(shapes),
        round(place.stat().st_size / 1e6),
        place.name,
    )


def _folder(folder: Path) -> Found:
    kind = _model_type(folder / "config.json")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise WeightsError(
            f"{folder} holds a model of the type {kind!r}, which is no SAM: its config.json must "
            f"say one of {', '.join(_TYPES)}."
        )
    family, architecture, requires = _TYPES[kind]
    files = weights_in(folder)
    if not files:
        raise WeightsError(
            f"{folder} holds no model.safetensors. Weights in pickle files (.bin, .pt) are not "
            "read; save the model again with save_pretrained(..., safe_serialization=True)."
        )
    shapes = {name: shape for file in files for name, shape in _safetensors(file).items()}
    size = sum(file.stat().st_size for file in files)
    millions = _millions(shapes)
    return Found(
        folder,
        family,
        "transformers",
        architecture,
        millions,
        round(size / 1e6),
        files[0].name,
        requires,
    )


def _model_type(config: Path) -> object:
    try:
        if config.stat().st_size > _LARGEST_CONFIG:
            raise WeightsError(f"{config} is too long for a configuration. Get it again.")
        return dict(json.loads(config.read_bytes())).get("model_type")
    except FileNotFoundError:
        raise WeightsError(
            f"{config.parent} is no model of transformers: it has no config.json. A checkpoint of "
            "segment-anything is given as the file."
        ) from None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "it is damaged, or no configuration"
        raise WeightsError(f"{config} cannot be read: {reason}. Get it again.") from error


def weights_in(folder: Path) -> list[Path]:
    """Weights of a folder of transformers: one file, or all parts of it; empty when any is missing.

    Only ``safetensors`` count, which cannot hold code.
    """
    whole = folder / "model.safetensors"
    try:
        if whole.is_file():
            return [whole]
        index = folder / "model.safetensors.index.json"
        if not index.is_file() or index.stat().st_size > 16 * _LARGEST_CONFIG:
            return []
        names = sorted(
            {str(name) for name in json.loads(index.read_bytes())["weight_map"].values()}
        )
        # a part lies beside its index, whatever the index says
        if not all(re.fullmatch(r"[\w.-]+\.safetensors", name) for name in names):
            return []
        parts = [folder / name for name in names]
        return parts if all(part.is_file() for part in parts) else []
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []


def shapes_in(path: Path) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor in a checkpoint, by its name; the tensors themselves stay on the disk.

    Raises
    ------
    WeightsError
        The file is damaged, no checkpoint, or holds code.
    MissingExtraError
        torch or safetensors is not installed.
    """
    return _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)


def _safetensors(path: Path) -> dict[str, tuple[int, ...]]:
    safetensors = need("safetensors", "sam", path.name)
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> WeightsError:
    """In plain words; what the library says about it stays with the exception."""
    if isinstance(error, OSError) and error.strerror:
        return WeightsError(f"{path} cannot be read: {error.strerror}.")
    return WeightsError(
        f"{path} is damaged, or was not copied whole. Get it again from where it came."
    )


def _pickled(path: Path) -> dict[str, tuple[int, ...]]:
    torch = need("torch", "sam", path.name)
    _check_archive(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of pickles that are refused anyway
            state = torch.load(
                path,
                map_location="cpu",
                weights_only=True,  # builds tensors and plain containers; refuses any other code
                mmap=zipfile.is_zipfile(path),  # files of torch before 1.6 cannot be mapped
            )
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} is not opened: it is no checkpoint, or it holds code that would run on "
            "opening it. A checkpoint holds only tensors: torch.save(model.state_dict(), ...)."
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # struct.error, AssertionError: whatever a cut file makes of torch
        if isinstance(error, OSError) or _begins_as_checkpoint(path):
            raise _damaged(path, error) from error
        raise WeightsError(
            f"{path} is no checkpoint. Give a file that torch.save(model.state_dict(), ...) wrote."
        ) from error
    if not isinstance(state, Mapping) or not any(hasattr(one, "shape") for one in state.values()):
        inside = ""
        if isinstance(state, Mapping) and state:
            inside = f" (it has the entries {', '.join(map(repr, list(state)[:4]))})"
        raise WeightsError(
            f"{path} is no checkpoint of segment-anything: it must hold the tensors by their "
            f"names, as torch.save(model.state_dict(), ...) writes them{inside}."
        )
    return {str(name): tuple(one.shape) for name, one in state.items() if hasattr(one, "shape")}


def _check_archive(path: Path) -> None:
    """Refuse a checkpoint that is compressed: a megabyte could unpack to gigabytes.

    torch stores tensors as they are, but unpacks whatever it is given.
    """
    entries: list[zipfile.ZipInfo] = []
    # what is no archive, or a damaged one, is for torch to tell
    nothing = suppress(OSError, ValueError, zipfile.BadZipFile, NotImplementedError)
    with nothing, zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if any(one.compress_type != zipfile.ZIP_STORED for one in entries):
        raise WeightsError(
            f"{path} is not opened: it is a compressed archive, which torch.save() does not write. "
            "Unpack it if it holds the checkpoint, or get the checkpoint itself."
        )


def _begins_as_checkpoint(path: Path) -> bool:
    """Whether torch may have written it: a ZIP archive, or before torch 1.6 a pickle."""
    with suppress(OSError), path.open("rb") as file:
        return file.read(2) in (b"PK", b"\x80\x02")
    return False


def _millions(shapes: Shapes) -> float:
    return round(sum(map(math.prod, shapes.values())) / 1e6, 1)


def vit_sizes(shapes: Shapes, path: Path) -> VitSizes:
    """Sizes of the image encoder that a checkpoint of segment-anything was saved from.

    Parameters
    ----------
    shapes
        As from :func:`shapes_in`.
    path
        For the message.

    Raises
    ------
    WeightsError
        The tensors are not those of segment-anything; the message says what they look like.
    """
    for beginning, what in _OTHERS:
        if any(name.startswith(beginning) for name in shapes):
            raise WeightsError(f"{path} is no checkpoint of segment-anything: it is {what}.")
    encoder = "image_encoder."
    try:
        rows, columns = shapes[encoder + "pos_embed"][1:3]
        width, _, patch, across = shapes[encoder + "patch_embed.proj.weight"]
        channels = shapes[encoder + "neck.0.weight"][0]
        numbers = {
            int(found[1])
            for name in shapes
            if (found := re.match(r"image_encoder\.blocks\.(\d+)\.", name))
        }
        depth = 1 + max(numbers)
        reach = [shapes[f"{encoder}blocks.{one}.attn.rel_pos_h"] for one in range(depth)]
        head = reach[0][1]
        # a table of relative positions has 2 n - 1 entries for n tokens a side
        sides = [(one[0] + 1) // 2 for one in reach]
        if (
            not 0 < rows == columns
            or patch != across
            or width % head
            or "mask_decoder.iou_token.weight" not in shapes
        ):
            raise ValueError
    except (KeyError, ValueError, IndexError, ZeroDivisionError):
        raise WeightsError(
            f"{path} is no checkpoint of segment-anything: the tensors of its image encoder, "
            "prompt encoder and mask decoder are not in it."
        ) from None
    everywhere = tuple(one for one in range(depth) if sides[one] == rows)
    window = next((side for side in sides if side != rows), 0)
    side = rows * patch
    return VitSizes(width, depth, width // head, everywhere, window, side, channels, patch)
