"""Large pictures are read in bands, and are what they would be if they were read whole.

What counts as large is made small here, so that every kind of file goes the way of large ones.
"""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from vde_nb import _eight_bits, _native, _plain_files, _png_file, _tiff
from vde_nb.errors import ImageError
from vde_nb.images import Picture, load, load_pair

HEIGHT, WIDTH = 150, 133


@pytest.fixture
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it, and pictures of a few rows are large."""

    def begin() -> None:
        for module in (_native, _tiff, _png_file, _plain_files):
            monkeypatch.setattr(module, "LARGE", 100)
        for module in (_native, _tiff, _plain_files):
            monkeypatch.setattr(module, "BAND", 20 * WIDTH)
        monkeypatch.setattr(_png_file, "_BAND", 7 * WIDTH)
        monkeypatch.setattr(_tiff, "_MOST_UNIT", 40 * WIDTH)
        monkeypatch.setattr(_eight_bits, "BAND_PIXELS", 11 * WIDTH)

    return begin


def picture(*shape: int, dtype: Any = np.uint8) -> np.ndarray:
    """Smooth, with noise: what every filter and predictor has something to do with."""
    rng = np.random.default_rng(4)
    shape = shape or (HEIGHT, WIDTH, 3)
    cells = rng.integers(0, 256, (9, 8, *shape[2:])).astype(np.float32)
    smooth = cv2.resize(cells, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    noisy = np.clip(smooth.reshape(shape) + rng.normal(0, 3, shape), 0, 255)
    if np.dtype(dtype).kind == "f":
        return (noisy / 255).astype(dtype)
    return (noisy * (np.iinfo(dtype).max // 255)).astype(dtype)


def encoded(array: np.ndarray, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    mode = options.pop("mode", None)
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(file, kind, **options)
    return file.getvalue()


def by_opencv(array: np.ndarray, suffix: str, *options: int) -> bytes:
    done, data = cv2.imencode(suffix, array, list(options))
    assert done
    return data.tobytes()


def tifffile_of(array: np.ndarray, **options: Any) -> bytes:
    tifffile = pytest.importorskip("tifffile")
    file = io.BytesIO()
    tifffile.imwrite(file, array, metadata=None, **options)
    return file.getvalue()


def oriented(data: bytes, orientation: int) -> bytes:
    """A TIFF file by Pillow that says how it has to be turned."""
    image = Image.open(io.BytesIO(data))
    file = io.BytesIO()
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[274] = orientation
    image.save(file, "TIFF", tiffinfo=tags, compression="tiff_lzw")
    return file.getvalue()


RGB, GREY = picture(), picture(HEIGHT, WIDTH)
RGBA = np.dstack([RGB, GREY])
TIFFS = {
    "raw": lambda: encoded(RGB, "TIFF"),
    "raw grey": lambda: encoded(GREY, "TIFF"),
    "raw in one strip": lambda: tifffile_of(RGB, rowsperstrip=HEIGHT),
    "raw in strips of 64 rows": lambda: tifffile_of(RGB, rowsperstrip=64),
    "raw, big file": lambda: tifffile_of(RGB, bigtiff=True, rowsperstrip=16),
    "raw, big-endian 16 bits": lambda: tifffile_of(
        picture(HEIGHT, WIDTH, 3, dtype=np.uint16), byteorder=">", rowsperstrip=9
    ),
    "raw tiles": lambda: tifffile_of(RGB, tile=(16, 32)),
    "raw planes": lambda: tifffile_of(
        RGB.transpose(2, 0, 1), photometric="rgb", planarconfig="separate", rowsperstrip=16
    ),
    "raw with alpha": lambda: encoded(RGBA, "TIFF"),
    "raw white is zero": lambda: tifffile_of(GREY, photometric="miniswhite"),
    "raw 16-bit white is zero": lambda: tifffile_of(
        picture(HEIGHT, WIDTH, dtype=np.uint16), photometric="miniswhite"
    ),
    "lzw": lambda: encoded(RGB, "TIFF", compression="tiff_lzw", strip_size=3000),
    "lzw, predicted": lambda: encoded(
        RGB, "TIFF", compression="tiff_lzw", strip_size=3000, tiffinfo={317: 2}
    ),
    "lzw with alpha": lambda: encoded(RGBA, "TIFF", compression="tiff_lzw", strip_size=3000),
    "lzw in one strip": lambda: encoded(RGB, "TIFF", compression="tiff_lzw", strip_size=2**30),
    "deflate": lambda: encoded(RGB, "TIFF", compression="tiff_adobe_deflate", strip_size=5000),
    "deflate tiles": lambda: tifffile_of(RGB, tile=(32, 48), compression="zlib"),
    "packbits": lambda: encoded(RGB, "TIFF", compression="packbits", strip_size=3000),
    "jpeg": lambda: encoded(RGB, "TIFF", compression="jpeg", strip_size=16000),
    "palette": lambda: encoded(RGB, "TIFF", mode="P", compression="tiff_lzw", strip_size=900),
    "one bit": lambda: encoded(GREY, "TIFF", mode="1"),
    "fax": lambda: encoded(GREY, "TIFF", mode="1", compression="group4"),
    "cmyk": lambda: encoded(RGB, "TIFF", mode="CMYK"),
    "16 bits, grey": lambda: encoded(picture(HEIGHT, WIDTH, dtype=np.uint16), "TIFF"),
    "16 bits, lzw": lambda: by_opencv(picture(HEIGHT, WIDTH, 3, dtype=np.uint16), ".tif"),
    "16 bits with alpha": lambda: by_opencv(picture(HEIGHT, WIDTH, 4, dtype=np.uint16), ".tif"),
    # Uncompressed: OpenCV 4 writes LogLuv by itself, which is a kind of 16 bits.
    "floats": lambda: by_opencv(
        picture(HEIGHT, WIDTH, 3, dtype=np.float32), ".tif", cv2.IMWRITE_TIFF_COMPRESSION, 1
    ),
    "grey floats": lambda: encoded(picture(HEIGHT, WIDTH, dtype=np.float32), "TIFF"),
}
PNGS = {
    "rgb": lambda: encoded(RGB, "PNG"),
    "grey": lambda: encoded(GREY, "PNG"),
    "rgba": lambda: encoded(RGBA, "PNG"),
    "grey with alpha": lambda: encoded(np.dstack([GREY, GREY]), "PNG"),
    "16 bits": lambda: by_opencv(picture(HEIGHT, WIDTH, 3, dtype=np.uint16), ".png"),
    "16-bit greys": lambda: by_opencv(picture(HEIGHT, WIDTH, dtype=np.uint16), ".png"),
    "16 bits with alpha": lambda: by_opencv(picture(HEIGHT, WIDTH, 4, dtype=np.uint16), ".png"),
    "palette": lambda: encoded(RGB, "PNG", mode="P"),
    "one bit": lambda: encoded(GREY, "PNG", mode="1"),
    "a transparent grey": lambda: encoded(GREY, "PNG", transparency=int(GREY[0, 0])),
    "interlaced": lambda: interlaced(),
    "a wide one of few rows": lambda: encoded(picture(3, 4000, 3), "PNG"),
}
OTHERS = {
    "bmp": lambda: encoded(RGB, "BMP"),
    "bmp of which the top row comes first": lambda: top_down(encoded(RGB, "BMP")),
    "grey bmp": lambda: encoded(GREY, "BMP"),
    "ppm": lambda: encoded(RGB, "PPM"),
    "pgm": lambda: encoded(GREY, "PPM"),
    "tga": lambda: encoded(RGB, "TGA"),
    "gif": lambda: encoded(RGB, "GIF"),
    "jpeg 2000": lambda: encoded(RGB, "JPEG2000"),
    "webp": lambda: encoded(RGB, "WEBP", lossless=True),
    "jpeg": lambda: encoded(RGB, "JPEG"),
    "jpeg that is turned": lambda: turned_jpeg(6),
}


def interlaced() -> bytes:
    """Written by hand, as neither library writes one: 8 x 8 greys, pass after pass."""
    grey = GREY[:8, :8]
    steps = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2))
    rows = b""
    for y, x, dy, dx in (*steps, (1, 0, 2, 1)):
        rows += b"".join(b"\0" + row.tobytes() for row in grey[y::dy, x::dx])
    grey.tobytes()
    data = b"\x89PNG\r\n\x1a\n"
    head = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 1)
    for kind, body in ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        data += struct.pack(">I", len(body)) + kind + body
        data += struct.pack(">I", zlib.crc32(kind + body))
    return data


def top_down(data: bytes) -> bytes:
    changed = bytearray(data)
    changed[22:26] = struct.pack("<i", -HEIGHT)
    return bytes(changed)


def turned_jpeg(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(RGB, "JPEG", exif=exif)


ALL = {
    f"{kind} {name}": make
    for kind, group in (("tiff", TIFFS), ("png", PNGS), ("", OTHERS))
    for name, make in group.items()
}


def same(one: Picture, two: Picture) -> bool:
    return np.array_equal(one.array, two.array) and one.notes == two.notes


@pytest.mark.parametrize("kind", ALL)
def test_a_file_read_in_bands_is_what_it_is_read_whole(
    kind: str, small_is_large: Callable[[], None]
) -> None:
    data = ALL[kind]()
    whole = load(data)
    small_is_large()
    bands = load(data)
    assert same(whole, bands)
    assert bands.array.flags.c_contiguous
    assert not bands.array.flags.writeable


@pytest.mark.parametrize("kind", sorted(set(TIFFS) - {"lzw in one strip", "fax"}))
def test_tiffs_are_never_decoded_whole(
    kind: str, small_is_large: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = TIFFS[kind]()
    small_is_large()

    def refuse(*_: object) -> None:
        raise AssertionError("decoded whole")

    monkeypatch.setattr(_tiff, "from_pil", refuse)
    in_bands, bands = _tiff._in_bands, []

    def counted(*given: Any) -> Any:
        bands.append(1)
        return in_bands(*given)

    monkeypatch.setattr(_tiff, "_in_bands", counted)
    load(data)
    assert bands


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["tiff", "png", "jpeg"])
def test_a_large_picture_is_turned_upright_band_by_band(
    kind: str, orientation: int, small_is_large: Callable[[], None]
) -> None:
    if kind == "tiff":
        data = oriented(encoded(RGB, "TIFF"), orientation)
    else:
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = encoded(RGB, kind.upper(), exif=exif)
    whole = load(data)
    small_is_large()
    assert same(whole, load(data))


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    height=st.integers(15, 80),
    width=st.integers(15, 80),
    rows=st.integers(1, 40),
    tile=st.sampled_from([None, (16, 16), (32, 16), (16, 48)]),
    how=st.sampled_from([None, "zlib"]),
    depth=st.sampled_from([np.uint8, np.uint16]),
    order=st.sampled_from(["<", ">"]),
)
def test_whatever_the_strips_and_tiles_a_tiff_is_the_same(
    small_is_large: Callable[[], None],
    height: int,
    width: int,
    rows: int,
    tile: tuple[int, int] | None,
    how: str | None,
    depth: type,
    order: str,
) -> None:
    array = picture(height, width, 3, dtype=depth)
    options = {"tile": tile} if tile else {"rowsperstrip": rows}
    small_is_large()
    data = tifffile_of(array, compression=how, byteorder=order, **options)
    found = load(data)
    low, high = int(array.min()), int(array.max())
    exact = array if depth == np.uint8 else np.rint((array - float(low)) * 255 / (high - low))
    assert np.array_equal(found.array, exact)


def test_pages_are_counted_in_a_large_tiff(small_is_large: Callable[[], None]) -> None:
    small_is_large()
    page = Image.fromarray(RGB)
    file = io.BytesIO()
    page.save(file, "TIFF", save_all=True, append_images=[page, page])
    assert load(file.getvalue()).notes == ("first of 3 pages used",)


@pytest.mark.parametrize("kind", ["tiff raw", "tiff lzw", "tiff deflate", "png rgb", "bmp"])
def test_a_large_file_that_ends_too_soon_is_truncated(
    kind: str, small_is_large: Callable[[], None], tmp_path: Path
) -> None:
    name = kind if kind in ALL else f" {kind}"
    data = ALL[name]()
    small_is_large()
    kept = len(data) - 20 if kind == "tiff raw" else len(data) * 2 // 3
    path = tmp_path / "cut"
    path.write_bytes(data[:kept])
    with pytest.raises(ImageError, match=r"cut is (truncated|damaged)"):
        load(path)


@pytest.mark.parametrize("kind", ["tiff raw", "tiff lzw", "png rgb", "bmp"])
def test_a_file_that_shrinks_while_it_is_read_is_an_error(
    kind: str,
    small_is_large: Callable[[], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = ALL[kind if kind in ALL else f" {kind}"]()
    path = tmp_path / "shrinking"
    path.write_bytes(data)
    small_is_large()
    monkeypatch.setattr("vde_nb._decode._SMALL", 0)  # or it would be read at once
    empty, cut = np.empty, []

    def shrink(*given: Any, **more: Any) -> np.ndarray:
        if not cut:  # room is made for the pixels: the header has been read
            cut.append(path.write_bytes(data[: len(data) // 2]))
        return empty(*given, **more)

    monkeypatch.setattr(np, "empty", shrink)
    with pytest.raises(ImageError, match="shrinking is truncated"):
        load(path)
    assert cut


@pytest.mark.parametrize("kind", ["tiff lzw", "tiff deflate", "tiff jpeg", "png rgb", "png rgba"])
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(at=st.floats(0, 1), value=st.integers(0, 255))
def test_a_damaged_large_file_loads_or_is_an_image_error(
    kind: str, at: float, value: int, small_is_large: Callable[[], None]
) -> None:
    data = bytearray(ALL[kind]())
    data[min(int(at * len(data)), len(data) - 1)] = value
    small_is_large()
    try:
        found = load(bytes(data), max_megapixels=1)
    except ImageError:
        return
    assert found.array.dtype == np.uint8


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_a_large_file_over_the_limit_is_refused_before_it_is_decoded(
    kind: str, small_is_large: Callable[[], None]
) -> None:
    data = encoded(RGB, kind.upper())
    small_is_large()
    with pytest.raises(ImageError, match="over the limit"):
        load(data, max_megapixels=0.01)


def test_a_png_whose_rows_are_too_few_is_damaged(small_is_large: Callable[[], None]) -> None:
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes((3 * WIDTH + 1) * (HEIGHT - 1)))
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", head), (b"IDAT", rows), (b"IEND", b"")):
        data += struct.pack(">I", len(body)) + kind + body
        data += struct.pack(">I", zlib.crc32(kind + body))
    small_is_large()
    with pytest.raises(ImageError, match="fewer rows"):
        load(data)


def test_a_checksum_behind_the_last_row_is_compared_too(
    small_is_large: Callable[[], None],
) -> None:
    data = bytearray(encoded(RGB, "PNG"))
    data[-1] ^= 1  # of the chunk that ends the file
    small_is_large()
    with pytest.raises(ImageError, match="IEND chunk fails its checksum"):
        load(bytes(data))


def test_compressed_parts_that_claim_the_whole_file_are_not_read_over_and_over(
    small_is_large: Callable[[], None],
) -> None:
    data = bytearray(TIFFS["deflate"]()) + bytes(3_000_000)
    # every strip says that it is three million bytes long
    tags = TiffImagePlugin.ImageFileDirectory_v2(bytes(data[:8]))
    file = io.BytesIO(data)
    file.seek(tags.next)
    tags.load(file)
    (entries,) = struct.unpack_from("<H", data, tags._offset)
    for entry in range(tags._offset + 2, tags._offset + 2 + 12 * entries, 12):
        tag, _, count, _ = struct.unpack_from("<HHII", data, entry)
        if tag == 279:
            struct.pack_into("<HHII", data, entry, 279, 4, count, len(data))
            data += struct.pack(f"<{count}I", *[3_000_000] * count)
    whole = load(TIFFS["deflate"]())
    small_is_large()
    asked = []
    read_into = _tiff.read_into

    def counted(file: Any, at: int, target: memoryview) -> None:
        asked.append(len(target))
        read_into(file, at, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_tiff, "read_into", counted)
        assert same(load(bytes(data)), whole)
    assert max(asked) < 100_000


# What a file may ask for --------------------------------------------------------------------------


def chained_tiff(pages: int, entries: int) -> bytes:
    """Directories that overlap: each begins a little behind the one before."""
    data = bytearray(encoded(picture(16, 16, 3), "TIFF"))
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    first = len(data)
    struct.pack_into("<I", data, start + 2 + 12 * count, first)
    step = 14
    data += bytes(step * pages + 12 * entries + 6)
    for page in range(pages):
        at = first + step * page
        struct.pack_into("<H", data, at, entries)
    for page in range(pages):
        at = first + step * page + 2 + 12 * entries
        struct.pack_into("<I", data, at, first + step * (page + 1) if page + 1 < pages else 0)
    return bytes(data)


def test_a_chain_of_directories_is_counted_without_reading_them() -> None:
    started = load(chained_tiff(pages=1500, entries=9000))
    assert any("pages used" in note for note in started.notes)


def test_a_directory_of_too_many_entries_is_damaged() -> None:
    data = bytearray(encoded(RGB, "TIFF"))
    (start,) = struct.unpack_from("<I", data, 4)
    struct.pack_into("<H", data, start, 60000)
    with pytest.raises(ImageError, match="directory has 60000 entries"):
        load(bytes(data) + bytes(800_000))


def test_tags_that_repeat_the_file_many_times_over_are_damaged() -> None:
    entries = b"".join(struct.pack("<HHII", 40000 + i, 7, 30_000_000, 8) for i in range(100))
    data = b"II*\0\x08\0\0\0" + struct.pack("<H", 100) + entries + bytes(4)
    with pytest.raises(ImageError, match="tags are larger than the file"):
        load(data)


def test_a_tile_far_larger_than_the_picture_is_damaged() -> None:
    data = bytearray(tifffile_of(picture(16, 16, 3), tile=(16, 16), compression="zlib"))
    (start,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, start)
    for entry in range(start + 2, start + 2 + 12 * entries, 12):
        if struct.unpack_from("<H", data, entry)[0] in (322, 323):
            struct.pack_into("<HII", data, entry + 2, 4, 1, 16000)
    with pytest.raises(ImageError, match="tiles are larger than the picture"):
        load(bytes(data))


def test_a_jpeg_of_hundreds_of_scans_is_refused() -> None:
    data = encoded(GREY, "JPEG", progressive=True)
    # libjpeg would pass over the picture once for each: the last scan is put in many times over
    scan = data.rindex(b"\xff\xda")
    with pytest.raises(ImageError, match="scans, which no camera writes"):
        load(data[:scan] + data[scan:-2] * 150 + b"\xff\xd9")


@pytest.mark.parametrize("most", [1, 7, 100, 254, 1000, 40000])
@pytest.mark.parametrize("kind", [b"P5", b"P6"])
def test_a_ppm_of_an_odd_range_is_what_pillow_reads(kind: bytes, most: int) -> None:
    channels = 1 if kind == b"P5" else 3
    values = np.random.default_rng(most).integers(0, most + 1, (12, 10 * channels))
    stored = values.astype(np.uint8 if most < 256 else ">u2")
    data = kind + b" # a comment\n10 12\n%d\n" % most + stored.tobytes()
    with Image.open(io.BytesIO(data)) as image:
        expected = load(image)
    assert same(load(data), expected)


def test_a_long_ppm_of_an_odd_range_takes_no_time() -> None:
    stored = np.random.default_rng(0).integers(0, 100, (2000, 2000, 3)).astype(np.uint8)
    found = load(b"P6 2000 2000 99\n" + stored.tobytes())
    assert np.array_equal(found.array, np.rint(stored / 99 * 255))


# Memory -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tiff raw", "tiff lzw", "tiff deflate", "png rgb", "bmp"])
def test_reading_takes_little_more_than_the_pixels(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of what Python and NumPy allocate; decoders were measured by the benchmarks."""
    rng = np.random.default_rng(2)
    large = rng.integers(0, 256, (2000, 1500, 3), dtype=np.uint8)
    path = tmp_path / "large"
    how = {"tiff raw": {}, "tiff lzw": {"compression": "tiff_lzw"}}
    how["tiff deflate"] = {"compression": "tiff_adobe_deflate"}
    path.write_bytes(encoded(large, kind.split()[0].upper(), **how.get(kind, {})))
    monkeypatch.setattr("vde_nb._decode._SMALL", 0)
    for module in (_native, _tiff, _png_file, _plain_files):
        monkeypatch.setattr(module, "LARGE", 100)
    for module in (_native, _tiff, _plain_files):
        monkeypatch.setattr(module, "BAND", 60_000)
    monkeypatch.setattr(_png_file, "_BAND", 60_000)
    load(path)  # modules are imported
    tracemalloc.start()
    found = load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert np.array_equal(found.array, large)
    assert peak < large.nbytes + 4_000_000


def test_16_bits_go_as_soon_as_they_are_converted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_eight_bits, "BAND_PIXELS", 50_000)
    deep = np.empty((1000, 1000, 3), np.uint16)
    deep[...] = np.arange(0, 50_000, 50, dtype=np.uint16)[:, None, None]  # the files are small
    files = [by_opencv(deep, ".png"), by_opencv(deep, ".png")]
    load_pair(*files)
    tracemalloc.start()
    load_pair(*files)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # two pictures of 6 bytes a pixel, and one of 3: the second of 3 when one of 6 is gone
    assert peak < 1.25 * 2 * deep.nbytes + 2 * len(files[0]) + 900_000
