"""Small sound files of every kind that vde-nb reads, from which the broken ones are made."""

from __future__ import annotations

import io
import json
import struct
import zlib
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from PIL import Image

from vde_nb._png import png

SIDE = 24
#: The key of the embedding in :func:`embedding`.
KEY = "ab" * 32


def picture(seed: int = 0, height: int = SIDE, width: int = 32) -> np.ndarray:
    """``(H, W, 3)`` uint8 with edges and gradients, so that no compression has it easy."""
    rows, columns = np.mgrid[:height, :width]
    planes = [7 * rows + 3 * columns, 5 * rows * (columns > width // 2), (rows ^ columns) * 9]
    return ((np.dstack(planes) + 31 * seed) % 256).astype(np.uint8)


def _pillow(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@lru_cache(maxsize=1)
def pictures() -> dict[str, bytes]:
    """A file of every format, compression and depth that is supported, by name."""
    rgb = Image.fromarray(picture())
    grey, rgba = rgb.convert("L"), rgb.convert("RGBA")
    palette, bits = rgb.quantize(8), rgb.convert("1")
    turned = Image.Exif()
    turned[0x0112] = 6
    files = {
        "jpeg": _pillow(rgb, "JPEG"),
        "jpeg progressive": _pillow(rgb, "JPEG", progressive=True),
        "jpeg turned": _pillow(rgb, "JPEG", exif=turned),
        "jpeg cmyk": _pillow(rgb.convert("CMYK"), "JPEG"),
        "jpeg grey": _pillow(grey, "JPEG"),
        "png": png(picture()),
        "png rgba": _pillow(rgba, "PNG"),
        "png palette": _pillow(palette, "PNG"),
        "png bits": _pillow(bits, "PNG"),
        "png frames": _pillow(rgb, "PNG", save_all=True, append_images=[rgb.rotate(90)]),
        "webp": _pillow(rgb, "WEBP"),
        "webp lossless": _pillow(rgba, "WEBP", lossless=True),
        "webp frames": _pillow(rgb, "WEBP", save_all=True, append_images=[rgb.rotate(180)]),
        "bmp": _pillow(rgb, "BMP"),
        "bmp palette": _pillow(palette, "BMP"),
        "bmp rle": run_length_bmp(32, SIDE),
        "gif": _pillow(palette, "GIF"),
        "gif frames": _pillow(palette, "GIF", save_all=True, append_images=[rgb.rotate(180)]),
        "jp2": _pillow(rgb, "JPEG2000"),
        "j2k": _pillow(grey, "JPEG2000", no_jp2=True),
        "ppm": _pillow(rgb, "PPM"),
        "pgm": _pillow(grey, "PPM"),
        "ppm plain": b"P3 3 2 255\n" + b" ".join(b"%d" % one for one in range(18)),
        "ppm odd": b"P6 3 2 100\n" + bytes(range(18)),
        "tga": _pillow(rgb, "TGA"),
        "tga rle": _pillow(rgb, "TGA", compression="tga_rle"),
        "tiff pages": _pillow(rgb, "TIFF", save_all=True, append_images=[rgb.rotate(180)]),
    }
    for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        files[f"tiff {name}"] = _pillow(rgb, "TIFF", compression=name)
    files["tiff group4"] = _pillow(bits, "TIFF", compression="group4")
    deep = picture().astype(np.uint16) * 257
    for suffix in (".png", ".tiff"):
        files[f"deep {suffix}"] = cv2.imencode(suffix, deep)[1].tobytes()
    files["tiff floats"] = cv2.imencode(".tiff", picture().astype(np.float32) / 255)[1].tobytes()
    return files


def run_length_bmp(width: int, height: int) -> bytes:
    """A BMP file of one colour as run lengths (RLE8): a few bytes a row."""
    whole, rest = divmod(width, 255)
    row = b"\xff\x01" * whole + (bytes([rest, 1]) if rest else b"") + b"\0\0"
    data, start = row * height + b"\0\x01", 14 + 40 + 1024
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(data), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + head + bytes(1024) + data


def raw_tiff(
    fields: dict[int, tuple[int, int | tuple[int, ...]]], data: bytes, *, place: int = 273
) -> bytes:
    """A little-endian TIFF file of one directory.

    Parameters
    ----------
    fields
        Type (3: 16 bits, 4: 32 bits) and value by tag.
    data
        The one strip or tile, whose place is put under the tag `place`.
    """
    entries = {**fields, place: (4, 0)}
    begin = 8 + 2 + 12 * len(entries) + 4
    extra = bytearray()
    body = struct.pack("<H", len(entries))
    long = sum(len(v) * (2 if k == 3 else 4) for k, v in entries.values() if isinstance(v, tuple))
    for tag in sorted(entries):
        kind, value = entries[tag]
        if tag == place:
            value = begin + long
        form = "H" if kind == 3 else "I"
        if isinstance(value, tuple):
            body += struct.pack("<HHII", tag, kind, len(value), begin + len(extra))
            extra += struct.pack(f"<{len(value)}{form}", *value)
        else:
            body += struct.pack("<HHI", tag, kind, 1) + struct.pack(f"<{form}", value).ljust(
                4, b"\0"
            )
    return b"II*\0" + struct.pack("<I", 8) + body + struct.pack("<I", 0) + bytes(extra) + data


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG file with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@lru_cache(maxsize=1)
def session() -> dict[str, Any]:
    """A session of a panel that shows ``a.png`` and ``b.png`` below its root."""
    return {
        "format": "vde-nb-session",
        "version": 1,
        "pairs": [
            {
                "reference": {"file": "a.png"},
                "current": {"file": "b.png"},
                "prompts": [{"box": [2, 3, 8, 8], "points": [[4, 5, 1], [6, 6, 0]]}],
                "ignore": [[0, 0, 4, 4]],
                "nudge": [1.5, -0.5],
                "reviews": [
                    {"box": [2, 2, 6, 6], "verdict": "accepted", "type": "burr", "comment": "so"}
                ],
            },
            {"reference": {"sample": "tyre", "side": "reference"}, "current": None},
        ],
        "index": 0,
        "method": "hybrid",
        "preset": "default",
        "segmenter": "none",
        "threshold": 50,
        "settings": {"min_area": 30, "ssim_weight": 0.4},
        "view": {"mode": "wipe", "scale": 2.0, "wipe": 0.25, "layers": {"mask": True}},
    }


@lru_cache(maxsize=1)
def coco() -> dict[str, Any]:
    """Annotations of ``b.png`` with all three kinds of outlines."""
    box = {"image_id": 1, "category_id": 1}
    runs = {"size": [SIDE, 32], "counts": [40, 6, 18, 6, SIDE * 32 - 70]}
    return {
        "images": [
            {
                "id": 1,
                "file_name": "b.png",
                "reference_file_name": "a.png",
                "width": 32,
                "height": SIDE,
            }
        ],
        "categories": [{"id": 1, "name": "crack"}],
        "annotations": [
            {"id": 1, "bbox": [2, 3, 5, 6], **box},
            {"id": 2, "segmentation": [[2, 2, 9, 2, 9, 9, 2, 9]], **box},
            {"id": 3, "segmentation": runs, **box},
        ],
    }


def fill(folder: Path) -> Path:
    """Put the pictures that sessions and annotations name into a folder."""
    for name, seed in (("a.png", 0), ("b.png", 1)):
        (folder / name).write_bytes(png(picture(seed)))
    return folder


@lru_cache(maxsize=1)
def model() -> bytes:
    """A saved model of normality."""
    from vde_nb.normality import Normality

    draw = np.random.default_rng(0)
    base = picture(0, 48, 64)
    normal = [np.clip(base + draw.normal(0, 3, base.shape), 0, 255).astype(np.uint8) for _ in "abc"]
    made = Normality.fit(normal, align=False, model="subspace")
    with TemporaryDirectory() as folder:
        return made.save(Path(folder) / "seed").read_bytes()


@lru_cache(maxsize=1)
def embedding() -> bytes:
    """A kept embedding, under :data:`KEY`."""
    from vde_nb.segment._entry import pack

    numbers = np.linspace(-1, 1, 48, dtype=np.float32).reshape(1, 3, 4, 4)
    return pack(KEY, {"features": numbers, "high": numbers[:, :1]}, {"model": "sam_vit_b"})


@lru_cache(maxsize=1)
def tensors() -> bytes:
    """A safetensors file with the names of a checkpoint, but tiny."""
    from safetensors.numpy import save

    names = ("image_encoder.pos_embed", "mask_decoder.iou_token.weight")
    return bytes(save({name: np.zeros((1, 2, 2, 4), np.float32) for name in names}))


@lru_cache(maxsize=1)
def checkpoint() -> bytes:
    """A checkpoint as torch writes it; empty where torch is not installed."""
    try:
        import torch
    except ImportError:
        return b""
    stream = io.BytesIO()
    torch.save({"image_encoder.pos_embed": torch.zeros(1, 2, 2, 4)}, stream)
    return stream.getvalue()


@lru_cache(maxsize=1)
def row() -> dict[str, Any]:
    """A row of a run."""
    identity = "0f" * 16
    return {
        "id": identity,
        "number": 1,
        "name": "a.png",
        "reference": "refs/a.png",
        "current": "currents/a.png",
        "status": "changed",
        "anomalies": 3,
        "types": {"crack": 2, "stain": 1},
        "severities": {"minor": 1, "moderate": 0, "major": 2},
        "change": 0.5,
        "ssim": 0.99,
        "score": 2.5,
        "largest": 120,
        "size": [32, 24],
        "unlike": False,
        "method": "hybrid",
        "outlined_by": "graphcut",
        "described_by": "",
        "notes": ["current: its size was changed"],
        "error": None,
        "error_kind": None,
        "retry": False,
        "same_as": None,
        "folder": f"pairs/0f/{identity}",
        "files": ["results.json", "thumbnail.jpg"],
        "verdict": None,
        "given": {"line": "7", "shift": 2},
    }


def text(document: Any) -> bytes:
    """A document as JSON."""
    return json.dumps(document).encode()
