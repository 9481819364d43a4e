"""What `vde_nb.images` makes of everything a user can hand over."""

from __future__ import annotations

import doctest
import io
import os
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from vde_nb import images
from vde_nb.errors import ImageError, SettingError
from vde_nb.images import load, load_pair

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"the real pictures are not at {DATA}")

ARGUMENTS = {
    "jpeg": ("JPEG", {"quality": 90}),
    "progressive": ("JPEG", {"quality": 90, "progressive": True}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {"lossless": True, "exact": True}),
    "lossy webp": ("WEBP", {"quality": 80}),
    "tiff": ("TIFF", {}),
    "lzw tiff": ("TIFF", {"compression": "tiff_lzw"}),
    "bmp": ("BMP", {}),
    "gif": ("GIF", {}),
}
WHOLE = [name for name in ARGUMENTS if name != "gif"]


def smooth(height: int = 40, width: int = 60, seed: int = 0) -> np.ndarray:
    """Colours that vary smoothly, with every corner another."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)


def encode(picture: np.ndarray | Image.Image, kind: str = "png", **more: object) -> bytes:
    file = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(file, ARGUMENTS[kind][0], **{**ARGUMENTS[kind][1], **more})
    return file.getvalue()


def encode_cv2(picture: np.ndarray, suffix: str) -> bytes:
    """Encode 16-bit and float pictures, which Pillow cannot write. RGB(A) in, RGB(A) out."""
    order = [2, 1, 0, 3][: picture.shape[2]] if picture.ndim == 3 else None
    done, data = cv2.imencode(suffix, picture if order is None else picture[..., order])
    assert done
    return data.tobytes()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def raw_png(width: int, height: int, depth: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + body + chunk(b"IEND", b"")


def raw_tiff(pixels: np.ndarray, **tags: int) -> bytes:
    """Make a TIFF of one uncompressed strip, pixels last, with any tag overridden."""
    samples = pixels.shape[2] if pixels.ndim == 3 else 1
    values = {
        256: pixels.shape[1],
        257: pixels.shape[0],
        258: pixels.dtype.itemsize * 8,
        259: 1,
        262: 2 if samples > 2 else 1,
        273: 0,
        277: samples,
        278: pixels.shape[0],
        279: pixels.nbytes,
        339: 3 if pixels.dtype.kind == "f" else 1,
    }
    values.update({int(tag[1:]): value for tag, value in tags.items()})
    extra = 8 + 2 + 12 * len(values) + 4
    values[273] = extra + 4 * samples
    entries = b""
    for tag, value in sorted(values.items()):
        if tag in (258, 339) and samples > 2:  # one for each sample, kept behind the directory
            where = extra if tag == 258 else extra + 2 * samples
            entries += struct.pack("<HHII", tag, 3, samples, where)
        else:
            entries += struct.pack("<HHII", tag, 4, 1, value)
    lists = struct.pack(f"<{samples}H", *[values[258]] * samples)
    lists += struct.pack(f"<{samples}H", *[values[339]] * samples)
    head = b"II*\0" + struct.pack("<IH", 8, len(values))
    return head + entries + bytes(4) + lists + pixels.tobytes()


def over_white(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha[..., None] / 255.0
    return np.floor(colours * share + 255 * (1 - share) + 0.5).astype(np.uint8)


def scaled(values: np.ndarray, low: int, high: int) -> np.ndarray:
    return np.rint((values.astype(float) - low) * 255 / (high - low)).astype(np.uint8)


def assert_is_a_picture(picture: images.Picture) -> None:
    array = picture.array
    assert array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3
    assert array.flags.c_contiguous and not array.flags.writeable and type(array) is np.ndarray
    assert all(isinstance(note, str) and note for note in picture.notes)


# ---- decoding ------------------------------------------------------------------------------------


@needs_data
@pytest.mark.parametrize("name", ["race_car_tire_1.jpeg", "race_car_tire_1_anomaly.jpeg"])
def test_the_published_jpegs_are_what_cv2_imread_gives(name: str) -> None:
    path = DATA / "tyre" / name
    picture = load(path)
    assert np.array_equal(picture.array, cv2.imread(str(path))[..., ::-1])
    assert picture.notes == () and picture.name == str(path)


@needs_data
def test_real_files_of_every_folder_are_what_cv2_imread_gives() -> None:
    paths = sorted(DATA.glob("*/*.jp*g"))[::12] + sorted(DATA.glob("landsat/*.png"))
    assert len(paths) > 15
    for path in paths:
        assert np.array_equal(load(path).array, cv2.imread(str(path))[..., ::-1]), path


@needs_data
def test_real_screenshots_are_what_pillow_lays_over_white() -> None:
    paths = [path for path in sorted(DATA.glob("ui/*.png")) if path.stat().st_size < 400_000]
    assert paths
    for path in paths:
        with Image.open(path) as image:
            rgba = np.asarray(image.convert("RGBA"))
        assert np.array_equal(load(path).array, over_white(rgba[..., :3], rgba[..., 3])), path


@pytest.mark.parametrize("kind", WHOLE)
def test_every_format_gives_the_pixels_that_pillow_reads(kind: str) -> None:
    data = encode(smooth(), kind)
    picture = load(data)
    assert_is_a_picture(picture)
    assert np.array_equal(picture.array, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    assert picture.notes == ()


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff", "lzw tiff", "bmp", "webp"])
def test_grey_files_become_rgb_without_a_note(kind: str) -> None:
    grey = Image.fromarray(smooth()).convert("L")
    picture = load(encode(grey, kind))
    assert_is_a_picture(picture)
    assert np.array_equal(picture.array[..., 0], picture.array[..., 2])
    if kind not in ("jpeg",):
        assert np.array_equal(picture.array[..., 0], np.asarray(grey))
    assert picture.notes == ()


def test_jpegs_are_decoded_alike_by_an_opencv_without_the_rgb_flag(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = encode(smooth(), "jpeg")
    new = load(data).array
    monkeypatch.delattr(cv2, "IMREAD_COLOR_RGB", raising=False)
    assert np.array_equal(load(data).array, new)


@pytest.mark.parametrize("kind", ["png", "tiff", "gif", "bmp"])
def test_palette_pictures_are_written_out_with_a_note(kind: str) -> None:
    image = Image.fromarray(smooth()).quantize(16)
    picture = load(encode(image, kind))
    assert np.array_equal(picture.array, np.asarray(image.convert("RGB")))
    assert any("palette" in note for note in picture.notes)


@pytest.mark.parametrize("kind", ["png", "gif"])
def test_transparent_palette_colours_are_laid_over_white(kind: str) -> None:
    image = Image.fromarray(smooth()).quantize(16)
    data = encode(image, kind, transparency=3)
    indices = np.asarray(image)
    assert (indices == 3).any()
    picture = load(data)
    assert (picture.array[indices == 3] == 255).all()
    opaque = indices != 3
    assert np.array_equal(picture.array[opaque], np.asarray(image.convert("RGB"))[opaque])
    assert "transparency laid over white" in picture.notes


@pytest.mark.parametrize("kind", ["png", "tiff", "bmp"])
def test_one_bit_pictures_become_black_and_white_with_a_note(kind: str) -> None:
    image = Image.fromarray(smooth()).convert("1")
    picture = load(encode(image, kind))
    assert np.array_equal(picture.array[..., 1], np.asarray(image.convert("L")))
    assert picture.notes


def test_png_greys_of_two_and_four_bits_fill_the_range() -> None:
    two = load(raw_png(4, 1, 2, 0, b"\x00\x1b"))
    four = load(raw_png(4, 1, 4, 0, b"\x00\x01\xef"))
    assert two.array[0, :, 0].tolist() == [0, 85, 170, 255]
    assert four.array[0, :, 0].tolist() == [0, 17, 238, 255]
    assert two.notes == ("2-bit greys written as 0–255",)


@pytest.mark.parametrize("kind", ["png", "webp", "tiff"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pictures_are_laid_over_white(kind: str, mode: str) -> None:
    pixels = np.dstack([smooth(), np.linspace(0, 255, 40 * 60).reshape(40, 60).astype(np.uint8)])
    image = Image.fromarray(pixels).convert(mode)
    rgba = np.asarray(image.convert("RGBA"))
    picture = load(encode(image, kind))
    assert np.array_equal(picture.array, over_white(rgba[..., :3], rgba[..., 3]))
    assert picture.notes == ("transparency laid over white",)


@pytest.mark.parametrize("kind", ["png", "webp", "tiff"])
def test_an_alpha_that_is_opaque_everywhere_is_no_note(kind: str) -> None:
    pixels = np.dstack([smooth(), np.full((40, 60), 255, np.uint8)])
    picture = load(encode(pixels, kind))
    assert np.array_equal(picture.array, pixels[..., :3])
    assert picture.notes == ()


def test_a_single_transparent_grey_or_colour_of_a_png_is_laid_over_white() -> None:
    grey = raw_png(4, 1, 8, 0, b"\x00\x01\xef\x10\x80", chunk(b"tRNS", b"\x00\x10"))
    assert load(grey).array[0, :, 0].tolist() == [1, 239, 255, 128]
    four_bit = raw_png(4, 1, 4, 0, b"\x00\x01\xef", chunk(b"tRNS", b"\x00\x01"))
    assert load(four_bit).array[0, :, 0].tolist() == [0, 255, 238, 255]
    deep = raw_png(3, 1, 16, 0, b"\x00\x00\x00\xff\xff\x00\x10", chunk(b"tRNS", b"\x00\x10"))
    assert load(deep).array[0, :, 0].tolist() == [0, 255, 255]
    rgb = raw_png(2, 1, 8, 2, b"\x00\x01\xef\x10\x80\x05\x06", chunk(b"tRNS", b"\0\1\0\xef\0\x10"))
    assert load(rgb).array.tolist() == [[[255, 255, 255], [128, 5, 6]]]


@pytest.mark.parametrize("kind", ["jpeg", "tiff"])
def test_cmyk_becomes_rgb_with_a_note(kind: str) -> None:
    image = Image.fromarray(smooth()).convert("CMYK")
    picture = load(encode(image, kind))
    assert np.abs(picture.array.astype(int) - smooth()).mean() < 4
    assert any("CMYK" in note for note in picture.notes)


def test_a_cmyk_jpeg_is_what_cv2_imread_gives() -> None:
    data = encode(Image.fromarray(smooth()).convert("CMYK"), "jpeg")
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(load(data).array, expected[..., ::-1])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff", "lzw tiff"])
def test_exif_orientation_is_applied_exactly_once(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(smooth(), kind, exif=exif)
    with Image.open(io.BytesIO(encode(smooth(), kind))) as image:
        plain = image.convert("RGB")
    plain.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(plain))
    for source in (data, Image.open(io.BytesIO(data))):
        picture = load(source)
        assert np.array_equal(picture.array, expected)
        assert len(picture.notes) == (orientation != 1)
        assert all("EXIF orientation" in note for note in picture.notes)
    if kind == "jpeg":
        as_cv2 = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert np.array_equal(as_cv2[..., ::-1], expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("channels", [0, 3])
def test_exif_orientation_is_applied_to_16_bit_tiffs(channels: int, orientation: int) -> None:
    pixels = smooth().astype(np.uint16) * 257
    pixels = pixels if channels else np.ascontiguousarray(pixels[..., 0])
    upright = load(raw_tiff(pixels)).array
    turned = Image.fromarray(upright)
    turned.getexif()[0x0112] = orientation
    picture = load(raw_tiff(pixels, t274=orientation))
    assert np.array_equal(picture.array, np.asarray(ImageOps.exif_transpose(turned)))
    assert any("EXIF" in note for note in picture.notes) == (orientation != 1)


def test_an_orientation_that_is_nonsense_is_ignored() -> None:
    exif = Image.Exif()
    exif[0x0112] = 77
    assert np.array_equal(load(encode(smooth(), exif=exif)).array, smooth())


@pytest.mark.parametrize(
    ("kind", "unit"), [("gif", "frames"), ("webp", "frames"), ("tiff", "pages")]
)
def test_of_several_frames_the_first_is_used_and_said(kind: str, unit: str) -> None:
    frames = [Image.fromarray(smooth(seed=seed)) for seed in range(3)]
    more = {"save_all": True, "append_images": frames[1:]}
    picture = load(encode(frames[0], kind, **more))
    single = load(encode(frames[0], kind)).array
    assert np.abs(picture.array.astype(int) - single).mean() < 3
    assert f"first of 3 {unit} used" in picture.notes


def test_of_an_animated_png_the_still_picture_is_used() -> None:
    frames = [Image.fromarray(smooth(seed=seed)) for seed in range(3)]
    for still in (True, False):
        data = encode(frames[0], save_all=True, append_images=frames[1:], default_image=still)
        picture = load(data)
        assert np.array_equal(picture.array, smooth(seed=0))
        assert picture.notes == (f"first of {2 if still else 3} frames used",)


def test_a_phone_photo_with_a_second_picture_inside_says_so() -> None:
    file = io.BytesIO()
    frames = [Image.fromarray(smooth(seed=seed)) for seed in range(2)]
    frames[0].save(file, "MPO", save_all=True, append_images=frames[1:])
    assert load(file.getvalue()).notes == ("first of 2 frames used",)


def test_pages_of_a_16_bit_tiff_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "stack.tiff"
    pages = [(smooth(seed=seed).astype(np.uint16) * 200) for seed in range(3)]
    assert cv2.imwritemulti(str(path), [page[..., ::-1] for page in pages])
    picture = load(path)
    low, high = int(pages[0].min()), int(pages[0].max())
    assert np.array_equal(picture.array, scaled(pages[0], low, high))
    assert "first of 3 pages used" in picture.notes


@pytest.mark.parametrize("kind", ["PPM", "TGA", "JPEG2000"])
def test_other_formats_that_pillow_opens_are_accepted(kind: str) -> None:
    file = io.BytesIO()
    image = Image.fromarray(smooth(64, 64))
    try:
        image.save(file, kind)
    except (OSError, KeyError) as error:
        pytest.skip(f"this Pillow has no {kind}: {error}")
    assert np.abs(load(file.getvalue()).array.astype(int) - smooth(64, 64)).mean() < 3


def test_a_postscript_file_is_not_executed() -> None:
    with pytest.raises(ImageError, match="does not look like a picture"):
        load(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")


# ---- 16 bits and floats --------------------------------------------------------------------------

DEEP = (smooth().astype(np.uint16) * 13 + 500).astype(np.uint16)
DEEP_GREY = np.ascontiguousarray(DEEP[..., 0])


@pytest.mark.parametrize("pixels", [DEEP, DEEP_GREY], ids=["rgb", "grey"])
@pytest.mark.parametrize("suffix", [".png", ".tiff", "array", "big-endian array"])
def test_16_bits_are_scaled_by_their_range_over_all_channels(
    pixels: np.ndarray, suffix: str
) -> None:
    low, high = int(pixels.min()), int(pixels.max())
    source = pixels.astype(">u2") if suffix.startswith("big") else pixels
    picture = load(encode_cv2(pixels, suffix) if suffix.startswith(".") else source)
    assert_is_a_picture(picture)
    expected = scaled(pixels, low, high)
    assert np.array_equal(
        picture.array, expected if pixels.ndim == 3 else np.dstack([expected] * 3)
    )
    kind = "greys" if pixels.ndim == 2 else "colours"
    assert picture.notes == (f"16-bit {kind} scaled from {low}–{high} to 0–255",)


def test_16_bit_pil_images_are_scaled_alike() -> None:
    expected = load(DEEP_GREY).array
    assert np.array_equal(load(Image.fromarray(DEEP_GREY)).array, expected)
    as_integers = Image.fromarray(DEEP_GREY.astype(np.int32))
    assert as_integers.mode == "I"
    assert np.array_equal(load(as_integers).array, expected)
    with pytest.raises(ImageError, match="integers from -5 to 70000"):
        load(Image.fromarray(np.array([[-5, 70000]], np.int32)))


def test_big_endian_and_white_is_zero_tiffs_are_read_right() -> None:
    plain = load(DEEP_GREY).array
    assert np.array_equal(load(raw_tiff(DEEP_GREY)).array, plain)
    assert np.array_equal(load(raw_tiff(DEEP_GREY, t262=0)).array, 255 - plain)
    big = Image.fromarray(DEEP_GREY.astype(">u2"))
    assert np.array_equal(load(big).array, plain)


@pytest.mark.parametrize("suffix", [".png", "array"])
def test_16_bit_transparency_is_laid_over_white(suffix: str) -> None:
    alpha = np.linspace(0, 65535, DEEP_GREY.size).reshape(DEEP_GREY.shape).astype(np.uint16)
    alpha[:5] = 0
    pixels = np.dstack([DEEP, alpha])
    pixels[:5, :, :3] = 65535  # not seen: must not count for the range
    seen = DEEP[5:][alpha[5:] > 0]
    low, high = int(seen.min()), int(seen.max())
    picture = load(pixels if suffix == "array" else encode_cv2(pixels, suffix))
    colours = np.rint(np.clip((pixels[..., :3].astype(float) - low) * 255 / (high - low), 0, 255))
    expected = over_white(colours, np.rint(alpha / 257))
    assert np.array_equal(picture.array, expected)
    assert picture.notes == (
        f"16-bit colours scaled from {low}–{high} to 0–255",
        "transparency laid over white",
    )


def test_a_wholly_transparent_16_bit_picture_is_white() -> None:
    assert (load(np.zeros((4, 5, 4), np.uint16)).array == 255).all()


@pytest.mark.parametrize("value", [0, 1000, 65535])
def test_a_constant_16_bit_picture_is_scaled_by_the_full_range(value: int) -> None:
    picture = load(np.full((3, 4), value, np.uint16))
    assert (picture.array == round(value / 257)).all()
    assert "from 0–65535" in picture.notes[0]


def test_two_16_bit_pictures_share_one_range() -> None:
    dark = np.linspace(100, 1100, 200).reshape(10, 20).astype(np.uint16)
    pair = load_pair(dark, (dark * 3).astype(np.uint16))
    assert np.array_equal(pair.reference.array[..., 0], scaled(dark, 100, 3300))
    assert np.array_equal(pair.current.array[..., 0], scaled(dark * 3, 100, 3300))
    for note in pair.notes:
        assert "16-bit greys scaled from 100–3300 to 0–255, the range of both" in note
    assert [note.split(":")[0] for note in pair.notes] == ["reference", "current"]


def test_two_constant_16_bit_pictures_stay_different() -> None:
    pair = load_pair(np.full((2, 2), 100, np.uint16), np.full((2, 2), 300, np.uint16))
    assert (pair.reference.array == 0).all() and (pair.current.array == 255).all()


@pytest.mark.parametrize("deep_first", [True, False])
def test_beside_an_8_bit_picture_16_bits_are_scaled_by_the_full_range(deep_first: bool) -> None:
    sources = (DEEP, smooth()) if deep_first else (smooth(), DEEP)
    pair = load_pair(*sources)
    deep, plain = (pair.reference, pair.current)[:: 1 if deep_first else -1]
    assert np.array_equal(deep.array, scaled(DEEP, 0, 65535))
    assert np.array_equal(plain.array, smooth())
    assert "from 0–65535" in deep.notes[0] and "other picture is not 16-bit" in deep.notes[0]
    assert plain.notes == ()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_in_0_to_1_are_scaled_by_255(dtype: type) -> None:
    pixels = np.linspace(0, 1, 4 * 5 * 3).reshape(4, 5, 3).astype(dtype)
    picture = load(pixels)
    assert np.array_equal(picture.array, np.rint(pixels.astype(np.float64) * 255))
    assert picture.notes == ("floats scaled from 0–1 to 0–255",)


@pytest.mark.parametrize("shape", [(6, 7), (6, 7, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float_tiffs_are_read(shape: tuple[int, ...], dtype: type) -> None:
    pixels = np.random.default_rng(0).random(shape).astype(dtype)
    assert np.array_equal(load(raw_tiff(pixels)).array, load(pixels).array)


def test_floats_may_lie_a_crumb_outside() -> None:
    picture = load(np.array([[-5e-7, 1 + 5e-7]]))
    assert picture.array[0, :, 0].tolist() == [0, 255]


def test_floats_with_alpha_are_laid_over_white() -> None:
    assert load(np.array([[[0.0, 0.0], [0.0, 1.0]]])).array[0, :, 0].tolist() == [255, 0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[0.0, 255.0]], "1 of 2 floats outside 0–1, from 0 to 255; divide by 255"),
        ([[0.5, 4095.0]], "from 0.5 to 4095; divide by 65535"),
        ([[0.5, 1e9]], "from 0.5 to 1e.09; divide by the largest"),
        ([[-1.0, 1.0]], "from -1 to 1; map them to 0–1"),
        ([[0.0, 1.00001]], "1 of 2 floats outside"),
        ([[np.nan, np.inf], [0.25, 0.5]], "1 NaN and 1 infinite of 4 .*0.25 to 0.5"),
        ([[np.nan]], "1 NaN and 0 infinite of 1"),
    ],
)
def test_floats_outside_0_to_1_are_an_error_with_a_remedy(
    values: list[list[float]], message: str
) -> None:
    with pytest.raises(ImageError, match=f"^shot has .*{message}"):
        load(np.array(values), name="shot")


# ---- arrays --------------------------------------------------------------------------------------


def test_a_uint8_rgb_array_is_not_copied_and_stays_its_owners() -> None:
    array = smooth()
    picture = load(array)
    assert_is_a_picture(picture)
    assert np.shares_memory(picture.array, array)
    assert array.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        picture.array[0, 0] = 0


def test_a_read_only_array_is_fine() -> None:
    array = smooth()
    array.setflags(write=False)
    assert np.shares_memory(load(array).array, array)


def test_arrays_that_are_not_contiguous_are_copied() -> None:
    for array in (
        smooth()[:, ::-1],
        smooth()[::2],
        np.asfortranarray(smooth()),
        smooth()[..., ::-1],
    ):
        picture = load(array)
        assert_is_a_picture(picture)
        assert np.array_equal(picture.array, array)
        assert not np.shares_memory(picture.array, array)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 2), (4, 5, 3), (4, 5, 4), (1, 1)])
def test_every_shape_of_a_picture_is_taken(shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    picture = load(array)
    assert_is_a_picture(picture)
    whole = array.reshape(*shape[:2], -1)
    colours = whole[..., :3] if whole.shape[2] > 2 else np.repeat(whole[..., :1], 3, axis=2)
    if whole.shape[2] in (2, 4):
        colours = over_white(colours, whole[..., -1])
    assert np.array_equal(picture.array, colours)


@given(value=st.integers(0, 255), alpha=st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_laying_over_white_rounds_to_the_nearest(value: int, alpha: int) -> None:
    found = int(load(np.array([[[value, alpha]]], np.uint8)).array[0, 0, 0])
    assert abs(found - (value * alpha + 255 * (255 - alpha)) / 255) <= 0.5


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(5, np.uint8), r"shape \(5,\)"),
        (np.zeros((4, 5, 5), np.uint8), r"shape \(4, 5, 5\).*moveaxis"),
        (np.zeros((3, 40, 50), np.uint8), r"channels come first.*np\.moveaxis"),
        (np.zeros((9, 40, 50), np.uint8), r"shape \(9, 40, 50\).*pass \(H, W\)"),
        (np.zeros((2, 4, 5, 3), np.uint8), r"a stack of pictures.*array\[0\]"),
        (np.uint8(3), r"shape \(\)"),
        (np.zeros((0, 0), np.uint8), r"no pixels \(its shape is \(0, 0\)\)"),
        (np.zeros((0, 5, 3), np.uint8), "no pixels"),
        (np.zeros((5, 0, 3)), "no pixels"),
        (np.zeros((5, 4, 0), np.uint8), "no pixels"),
        (np.zeros((4, 5), bool), "a mask, not a picture.*multiply by 255"),
        (np.full((4, 5), 200), r"dtype int64, with values 200 to 200; pass .astype\(\"uint8\"\)"),
        (np.full((4, 5), -2, np.int16), "values -2 to -2; scale them to 0–255"),
        (np.full((4, 5), 2**32 - 1, np.uint32), "scale them to 0–255"),
        (np.zeros((4, 5), np.complex64), "dtype complex64"),
        (np.full((4, 5), None), "dtype object"),
        (np.full((4, 5), "a"), "dtype <U1"),
        (np.zeros((4, 5), "M8[s]"), "dtype datetime64"),
    ],
)
def test_an_array_that_is_no_picture_is_an_error_saying_why(
    array: np.ndarray, message: str
) -> None:
    with pytest.raises(ImageError, match=f"^current .*{message}"):
        load_pair(smooth(), array)


def test_masked_arrays_are_an_error_only_if_something_is_masked() -> None:
    whole = np.ma.array(smooth(), mask=False)
    assert np.array_equal(load(whole).array, smooth())
    holed = np.ma.array(smooth(), mask=False)
    holed[0, 0] = np.ma.masked
    with pytest.raises(ImageError, match=r"image has 3 masked values.*filled"):
        load(holed)


def test_subclasses_and_things_that_convert_to_arrays_are_taken_as_arrays() -> None:
    class Tensor:
        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            return smooth()

    assert np.array_equal(load(Tensor()).array, smooth())

    class Sub(np.ndarray):
        pass

    assert type(load(smooth().view(Sub)).array) is np.ndarray


# ---- paths, bytes, file objects, PIL images ------------------------------------------------------


@pytest.mark.parametrize("folder", ["plain", "with space", "Überprüfung 写真"])
def test_paths_of_any_kind_are_read(tmp_path: Path, folder: str) -> None:
    path = tmp_path / folder / "bild ä.png"
    path.parent.mkdir()
    path.write_bytes(encode(smooth()))
    for source in (path, str(path)):
        picture = load(source)
        assert np.array_equal(picture.array, smooth()) and picture.name == str(path)


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "a.png").write_bytes(encode(smooth()))
    picture = load("~/a.png")
    assert np.array_equal(picture.array, smooth()) and picture.name == "~/a.png"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
def test_bytes_and_file_objects_are_read(kind: type) -> None:
    source = kind(encode(smooth()))
    picture = load(source, name="upload")
    assert np.array_equal(picture.array, smooth()) and picture.name == "upload"


def test_a_file_object_is_left_open(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encode(smooth()))
    with path.open("rb") as file:
        assert np.array_equal(load(file).array, smooth())
        assert not file.closed
        with pytest.raises(ImageError, match=r"image is empty \(0 bytes\).*seek\(0\)"):
            load(file)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "YCbCr", "HSV", "F"])
def test_pil_images_of_every_mode_are_taken(mode: str) -> None:
    image = Image.fromarray(smooth()).convert(mode)
    if mode == "F":
        image = image.point(lambda value: value * (1 / 255))
    picture = load(image)
    assert_is_a_picture(picture)
    expected = image.convert("RGB") if mode != "F" else Image.fromarray(smooth()).convert("L")
    array = np.asarray(expected.convert("RGB"))
    assert np.abs(picture.array.astype(int) - array).max() <= 1
    assert bool(picture.notes) == (mode not in ("L", "RGB", "RGBA", "LA"))


def test_pil_images_with_premultiplied_or_single_transparency_are_laid_over_white() -> None:
    rgba = np.dstack([smooth(), np.full((40, 60), 128, np.uint8)])
    straight = over_white(smooth(), rgba[..., 3])
    multiplied = load(Image.fromarray(rgba).convert("RGBa")).array
    assert np.abs(multiplied.astype(int) - straight).max() <= 2
    grey = Image.fromarray(np.array([[1, 2]], np.uint8))
    grey.info["transparency"] = 2
    assert load(grey).array[0, :, 0].tolist() == [1, 255]
    assert load(Image.new("La", (1, 1), (10, 255))).array.tolist() == [[[10] * 3]]


def test_the_frame_a_pil_image_stands_at_is_used_and_said() -> None:
    frames = [Image.fromarray(smooth(seed=seed)) for seed in range(3)]
    image = Image.open(
        io.BytesIO(encode(frames[0], "tiff", save_all=True, append_images=frames[1:]))
    )
    image.seek(2)
    picture = load(image)
    assert np.array_equal(picture.array, smooth(seed=2))
    assert picture.notes == ("number 3 of 3 frames used",)


def test_a_pil_image_of_a_closed_or_truncated_file_is_an_error() -> None:
    image = Image.open(io.BytesIO(encode(smooth(), "bmp")[:-500]))
    with pytest.raises(ImageError, match="image is truncated"):
        load(image)
    with pytest.raises(ImageError, match="no pixels"):
        load(Image.new("RGB", (0, 5)))


def test_a_missing_file_is_an_error_that_suggests_what_is_there(tmp_path: Path) -> None:
    for name in ("tyre_left.jpg", "tyre_right.jpg", "IMG_0001.JPG", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ImageError, match=r"tyre_lift\.jpg does not exist.*tyre_left\.jpg") as error:
        load_pair(tmp_path / "tyre_lift.jpg", smooth())
    assert "notes" not in str(error.value)
    with pytest.raises(ImageError, match=r"did you mean IMG_0001\.JPG\?"):
        load(tmp_path / "img_0001.jpg")
    with pytest.raises(ImageError, match=r"does not exist$"):
        load(tmp_path / "qqqqqq")
    with pytest.raises(ImageError, match="nor is there a folder"):
        load(tmp_path / "nowhere" / "a.png")


def test_a_folder_an_empty_file_and_a_pipe_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="is a folder"):
        load(tmp_path)
    (tmp_path / "empty.png").touch()
    with pytest.raises(ImageError, match=r"empty\.png is empty \(0 bytes\)"):
        load(tmp_path / "empty.png")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(ImageError, match="not a regular file"):
            load(tmp_path / "pipe.png")


def test_a_file_that_may_not_be_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "secret.png"
    path.touch()

    def refuse(self: Path, *_: object, **__: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ImageError, match=r"secret\.png may not be read: permission denied"):
        load(path)


@pytest.mark.parametrize("path", ["", "a\0b.png", "x" * 5000, "~nobody_of_this_name/a.png"])
def test_a_path_that_cannot_be_is_an_error(path: str) -> None:
    with pytest.raises(ImageError) as error:
        load(path)
    assert len(str(error.value)) < 6000


@pytest.mark.parametrize(
    "url", ["http://a.b/c.png", "HTTPS://a.b/c", "s3://a/b", "data:image/png;x"]
)
def test_a_url_is_an_error_that_says_to_download_it(url: str) -> None:
    with pytest.raises(ImageError, match=r"URL.*download"):
        load(url)


@pytest.mark.parametrize("source", [None, 3, [[1, 2], [3, 4]], {"a": 1}, object()])
def test_what_is_no_picture_at_all_is_an_error_naming_its_type(source: object) -> None:
    with pytest.raises(ImageError, match=f"image is not a picture but a {type(source).__name__}"):
        load(source)


def test_file_objects_that_are_none_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("hello", "utf-8")
    with path.open(encoding="utf-8") as file, pytest.raises(ImageError, match=r"text file.*'rb'"):
        load(file)
    with pytest.raises(ImageError, match="text file"):
        load(io.StringIO("hello"))
    closed = io.BytesIO(b"abc")
    closed.close()
    with pytest.raises(ImageError, match="closed file"):
        load(closed)

    class Odd:
        def read(self) -> int:
            return 3

    with pytest.raises(ImageError, match="gives a int"):
        load(Odd())


# ---- broken files --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ARGUMENTS)
@pytest.mark.parametrize("left", [0.1, 0.5, 0.9, 0.98])
def test_a_truncated_file_is_an_error_naming_the_file(
    tmp_path: Path, kind: str, left: float
) -> None:
    data = encode(smooth(120, 160), kind)
    path = tmp_path / "cut.img"
    path.write_bytes(data[: int(len(data) * left)])
    with pytest.raises(ImageError, match=r"cut\.img is (truncated|damaged)"):
        load(path)


@pytest.mark.parametrize("kind", ["jpeg", "progressive", "png", "webp", "lossy webp", "lzw tiff"])
@pytest.mark.parametrize("missing", [1, 2, 3, 20])
def test_a_file_that_lacks_its_last_bytes_is_truncated(kind: str, missing: int) -> None:
    with pytest.raises(ImageError, match="image is truncated: the file ends before"):
        load(encode(smooth(120, 160), kind)[:-missing])


@pytest.mark.parametrize("pixels", [DEEP, DEEP_GREY, smooth(), DEEP / np.float32(65535)])
def test_a_truncated_tiff_of_any_depth_is_an_error(
    pixels: np.ndarray, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = raw_tiff(pixels)
    load(whole)
    for missing in (1, 100, pixels.nbytes - 1):
        with pytest.raises(ImageError, match="image is truncated"):
            load(whole[:-missing])
    assert capfd.readouterr().err == ""


def test_a_tiff_that_claims_more_pixels_than_its_file_can_hold_is_refused_at_once() -> None:
    whole = bytearray(raw_tiff(DEEP))
    struct.pack_into("<I", whole, 30, 3_000_000)  # its height: 180 megapixels
    with pytest.raises(ImageError, match="image is truncated"):
        load(bytes(whole))


@pytest.mark.parametrize("kind", ["jpeg", "progressive", "png", "webp", "lzw tiff", "bmp"])
def test_a_broken_file_prints_nothing(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = encode(smooth(120, 160), kind)
    for left in (0.3, 0.9):
        with pytest.raises(ImageError):
            load(data[: int(len(data) * left)])
    if kind == "png":
        with pytest.raises(ImageError, match="IDAT chunk fails its checksum"):
            load(data[:200] + bytes([data[200] ^ 1]) + data[201:])
    output = capfd.readouterr()
    assert output.err == "" and output.out == ""


def test_a_colour_profile_that_libpng_dislikes_prints_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    data = encode(smooth(), icc_profile=b"not a profile at all" * 10)
    assert np.array_equal(load(data).array, smooth())
    assert capfd.readouterr().err == ""


def test_text_renamed_to_png_is_an_error_that_shows_how_it_starts(tmp_path: Path) -> None:
    path = tmp_path / "fake.png"
    path.write_text("hello, I am a text", "utf-8")
    with pytest.raises(
        ImageError, match=r"fake\.png does not look like a picture.*b'hello, .*JPEG, PNG, WebP"
    ):
        load(path)


def test_files_without_a_picture_are_errors() -> None:
    jpeg, png = encode(smooth(), "jpeg"), encode(smooth())
    scan = jpeg.index(b"\xff\xda")
    for data in (
        jpeg[:4] + b"\xff\xd9",
        jpeg[:scan] + b"\xff\xd9",
        png[:8] + chunk(b"IEND", b""),
        png[:33] + chunk(b"IEND", b""),
        b"RIFF" + struct.pack("<I", 4) + b"WEBP",
        b"II*\0" + struct.pack("<I", 900),
        b"II*\0" + struct.pack("<IH", 8, 0) + bytes(20),
        raw_png(0, 5, 8, 0, b""),
    ):
        with pytest.raises(ImageError, match=r"image (is|has)"):
            load(data)


def test_a_12_bit_jpeg_is_an_error_that_says_so() -> None:
    data = bytearray(encode(smooth(), "jpeg"))
    data[data.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(ImageError, match="12-bit JPEG"):
        load(bytes(data))


def test_tiffs_that_would_be_read_wrongly_are_errors() -> None:
    alpha = np.dstack([DEEP_GREY, DEEP_GREY])
    premultiplied = np.dstack([DEEP, DEEP_GREY])
    for data in (
        raw_tiff(DEEP, t284=2),  # separate planes, which OpenCV reads as contiguous
        raw_tiff(alpha, t338=2),
        raw_tiff(premultiplied, t338=1),
        raw_tiff(premultiplied, t262=5),  # CMYK of 16 bits
    ):
        with pytest.raises(ImageError, match=r"save it as a PNG|damaged"):
            load(data)
    unknown = load(raw_tiff(premultiplied, t338=0)).array
    assert np.array_equal(unknown, load(DEEP).array)


def test_a_tiff_whose_pages_point_in_a_circle_ends() -> None:
    data = bytearray(raw_tiff(DEEP))
    (entries,) = struct.unpack_from("<H", data, 8)
    struct.pack_into("<I", data, 10 + 12 * entries, 8)
    picture = load(bytes(data))
    assert np.array_equal(picture.array, load(DEEP).array)


# ---- size limit ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_a_picture_over_the_limit_is_refused_before_it_is_decoded(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encode(smooth(40, 60), kind)

    def decoded(*_: object, **__: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(cv2, "imdecode", decoded)
    monkeypatch.setattr("vde_nb._decode.from_pil", decoded)
    if "webp" in kind:
        monkeypatch.setattr("vde_nb._decode._open", decoded)
    with pytest.raises(ImageError, match=r"60 × 40 pixels, 0.0024 mega.*limit of 0.002; .*=1"):
        load(data, max_megapixels=0.002)
    if "webp" not in kind:  # which Pillow unpacks without telling
        with pytest.raises(ImageError, match="over the limit"):
            load(Image.open(io.BytesIO(data)), max_megapixels=0.002)


def test_a_decompression_bomb_is_refused_with_its_size() -> None:
    bomb = raw_png(30000, 30000, 8, 0, b"\0" * 100)
    with pytest.raises(ImageError, match=r"30000 × 30000.*900 megapixels.*max_megapixels=900"):
        load(bomb)


def test_the_limit_does_not_apply_to_what_is_in_memory_already() -> None:
    assert load(smooth(), max_megapixels=0.001).array.shape == (40, 60, 3)
    assert load(Image.fromarray(smooth()), max_megapixels=0.001).array.shape == (40, 60, 3)


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_the_limit_of_pillow_plays_no_part(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(smooth(), kind)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(data).array.shape == (40, 60, 3)
        for _ in range(10):
            load_pair(data, data[:-1] + data[-1:])
    assert Image.MAX_IMAGE_PIXELS == 10


@pytest.mark.parametrize("limit", [0, -1, float("nan"), "many", None])
def test_a_limit_that_is_no_limit_is_a_setting_error(limit: object) -> None:
    with pytest.raises(SettingError, match="max_megapixels"):
        load(smooth(), max_megapixels=limit)
    with pytest.raises(SettingError, match="max_megapixels"):
        load_pair(smooth(), smooth(), max_megapixels=limit)


# ---- pairs ---------------------------------------------------------------------------------------


def test_a_pair_of_one_size_is_left_alone() -> None:
    a, b = smooth(seed=1), smooth(seed=2)
    pair = load_pair(a, b)
    assert np.shares_memory(pair.reference.array, a) and np.shares_memory(pair.current.array, b)
    assert pair.notes == () and pair.valid is None and pair.shape == (40, 60)
    assert (pair.reference.name, pair.current.name) == ("reference", "current")


@needs_data
def test_the_published_pair_loads_without_a_note() -> None:
    folder = DATA / "tyre"
    pair = load_pair(folder / "race_car_tire_1.jpeg", folder / "race_car_tire_1_anomaly.jpeg")
    assert pair.shape == (720, 720) and pair.notes == ()


def test_both_pictures_are_read_at_once() -> None:
    meeting = threading.Barrier(2, timeout=10)

    class Waits(io.BytesIO):
        def read(self, *size: int) -> bytes:
            meeting.wait()
            return super().read(*size)

    data = encode(smooth())
    assert load_pair(Waits(data), Waits(data)).shape == (40, 60)


@pytest.mark.parametrize("wrap", [io.BytesIO, lambda data: Image.open(io.BytesIO(data)), bytes])
def test_the_same_object_can_be_both_pictures(wrap: object) -> None:
    source = wrap(encode(smooth()))
    pair = load_pair(source, source)
    assert pair.reference.key == pair.current.key
    assert (pair.reference.name, pair.current.name) == ("reference", "current")


def test_an_error_in_a_pair_names_the_picture_at_fault(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"^reference is empty"):
        load_pair(b"", smooth())
    with pytest.raises(ImageError, match=r"^current has .*outside"):
        load_pair(smooth(), np.full((40, 60), 2.0))
    (tmp_path / "b.png").write_bytes(b"no")
    with pytest.raises(ImageError, match=r"b\.png does not look"):
        load_pair(smooth(), tmp_path / "b.png")


@pytest.mark.parametrize("size", [(80, 120), (20, 30), (40, 61), (41, 60), (13, 20), (400, 601)])
def test_a_current_picture_of_the_same_proportions_is_resized(size: tuple[int, int]) -> None:
    pair = load_pair(smooth(), smooth(*size))
    assert pair.current.array.shape == (40, 60, 3) and pair.valid is None
    assert_is_a_picture(pair.current)
    note = f"resized from {size[1]} × {size[0]} to 60 × 40 pixels, the size of the reference"
    assert pair.current.notes == (note,) and pair.notes == (f"current: {note}",)
    assert np.abs(pair.current.array.astype(int) - smooth()).mean() < 12


def test_shrinking_averages_so_that_a_fine_pattern_becomes_grey() -> None:
    stripes = np.zeros((80, 120), np.uint8)
    stripes[:, ::2] = 255
    pair = load_pair(np.zeros((40, 60), np.uint8), stripes)
    assert np.abs(pair.current.array.astype(int) - 127).max() <= 1


@pytest.mark.parametrize("size", [(40, 70), (60, 40), (43, 60), (1, 60)])
def test_other_proportions_are_an_error_that_offers_crop_and_pad(size: tuple[int, int]) -> None:
    with pytest.raises(
        ImageError,
        match=rf'current is {size[1]} × {size[0]} pixels and reference is 60 × 40.*"crop".*"pad"',
    ):
        load_pair(smooth(), smooth(*size))


def test_crop_scales_to_cover_and_cuts_equally_on_both_sides() -> None:
    wide = smooth(40, 100)
    pair = load_pair(smooth(), wide, fit="crop")
    assert np.array_equal(pair.current.array, wide[:, 20:80])
    assert_is_a_picture(pair.current)
    assert pair.valid is None and "cropped to 60 × 40" in pair.notes[0]
    twice = load_pair(smooth(), smooth(80, 200), fit="crop")
    assert "scaled from 200 × 80 to 100 × 40" in twice.notes[0]


def test_pad_fits_inside_and_fills_with_the_reference() -> None:
    reference, narrow = smooth(seed=1), smooth(40, 20, seed=2)
    pair = load_pair(reference, narrow, fit="pad")
    assert pair.valid == (20, 0, 20, 40)
    assert np.array_equal(pair.current.array[:, 20:40], narrow)
    assert np.array_equal(pair.current.array[:, :20], reference[:, :20])
    assert np.array_equal(pair.current.array[:, 40:], reference[:, 40:])
    assert np.array_equal(reference, smooth(seed=1))
    assert "padded to 60 × 40" in pair.notes[0]
    assert_is_a_picture(pair.current)


def test_a_crop_that_would_leave_next_to_nothing_is_an_error() -> None:
    with pytest.raises(ImageError, match=r'less than 5%.*fit="pad"'):
        load_pair(np.zeros((2000, 10), np.uint8), np.zeros((1, 2000), np.uint8), fit="crop")


@pytest.mark.parametrize("fit", ["stretch", "", None, "Crop"])
def test_an_unknown_fit_is_a_setting_error_that_lists_the_known(fit: object) -> None:
    with pytest.raises(SettingError, match="'error', 'crop', 'pad'"):
        load_pair(smooth(), smooth(), fit=fit)


sizes = st.tuples(st.integers(1, 70), st.integers(1, 70))


@given(reference=sizes, current=sizes, fit=st.sampled_from(["error", "crop", "pad"]))
@settings(max_examples=200, deadline=None)
def test_whatever_the_sizes_a_pair_has_one_size_or_is_an_error(
    reference: tuple[int, int], current: tuple[int, int], fit: str
) -> None:
    (high, wide), (h, w) = reference, current
    first, second = np.zeros((high, wide), np.uint8), np.full((h, w), 255, np.uint8)
    alike = (
        abs(h * wide / w - high) <= 1
        or abs(high * w / wide - h) <= 1
        or abs(w * high / h - wide) <= 1
        or abs(wide * h / high - w) <= 1
    )
    try:
        pair = load_pair(first, second, fit=fit)
    except ImageError:
        if alike:
            assert reference != current and min(*reference, *current) < 7
            return
        assert fit != "pad"
        scale = max(wide / w, high / h)
        assert fit == "error" or high * wide < 0.06 * (h * scale + 1) * (w * scale + 1)
        return
    assert alike or fit != "error"
    assert pair.shape == pair.current.array.shape[:2] == (high, wide)
    assert_is_a_picture(pair.current)
    assert bool(pair.notes) == (reference != current)
    if alike or fit != "pad":
        assert pair.valid is None and (pair.current.array == 255).all()
        return
    assert pair.valid is not None
    x, y, width, height = pair.valid
    assert width == wide or height == high
    assert 0 <= x <= x + width <= wide and 0 <= y <= y + height <= high
    assert abs((wide - width) - 2 * x) <= 1 and abs((high - height) - 2 * y) <= 1
    inside = np.zeros((high, wide), bool)
    inside[y : y + height, x : x + width] = True
    assert np.array_equal(pair.current.array[..., 0] == 255, inside)


@given(
    size=st.tuples(st.integers(40, 300), st.integers(40, 300)),
    scale=st.floats(0.2, 4),
)
@settings(max_examples=100, deadline=None)
def test_a_picture_that_any_program_resized_is_of_the_same_proportions(
    size: tuple[int, int], scale: float
) -> None:
    other = tuple(max(1, round(side * scale)) for side in size)
    pair = load_pair(np.zeros(size, np.uint8), np.zeros(other, np.uint8))
    assert pair.shape == size and pair.valid is None


# ---- keys ----------------------------------------------------------------------------------------


def test_equal_pictures_have_equal_keys_whatever_they_come_from() -> None:
    key = load(smooth()).key
    assert len(key) == 32 and set(key) <= set("0123456789abcdef")
    assert load(encode(smooth()), name="b").key == key
    changed = smooth()
    changed[-1, -1, -1] ^= 1
    assert load(changed).key != key
    assert load(smooth().reshape(60, 40, 3)).key != key


def test_a_key_is_computed_once_and_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = load(smooth())
    assert "key" not in vars(picture)
    key = picture.key
    monkeypatch.setattr(images, "xxhash", None)
    assert picture.key == key


def test_the_keys_of_a_pair_are_those_of_its_pictures() -> None:
    a, b = smooth(seed=1), smooth(seed=2)
    pair = load_pair(a, b)
    assert (pair.reference.key, pair.current.key) == (load(a).key, load(b).key)
    # What a padded picture shows may be the reference to the last pixel: its box tells them apart.
    padded = load_pair(a, np.ascontiguousarray(a[:, 20:40]), fit="pad")
    assert padded.current.key == padded.reference.key
    assert padded.valid is not None and load_pair(a, a).valid is None


# ---- fuzzing and the rest ------------------------------------------------------------------------

FILES = [encode(smooth(24, 32), kind) for kind in ARGUMENTS]
FILES += [encode(Image.fromarray(smooth(24, 32)).quantize(8), kind) for kind in ("png", "gif")]
FILES += [encode_cv2(DEEP[:24, :32], suffix) for suffix in (".png", ".tiff")]
FILES += [raw_tiff(DEEP[:24, :32].copy()), raw_tiff(DEEP_GREY[:24, :32].copy())]


@given(
    data=st.sampled_from(FILES),
    flips=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), max_size=4),
    near=st.booleans(),
    left=st.one_of(st.just(1.0), st.floats(0, 1)),
)
@settings(max_examples=400, deadline=10_000)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_damaged_file_loads_or_is_an_image_error(
    data: bytes, flips: list[tuple[float, int]], near: bool, left: float
) -> None:
    broken = bytearray(data[: int(len(data) * left)])
    for where, change in flips:
        if broken:  # half of the time in the header, where it hurts most
            span = min(len(broken), 200 if near else len(broken))
            broken[int(where * (span - 1))] ^= change
    try:
        picture = load(bytes(broken), max_megapixels=1)
    except ImageError as error:
        assert str(error).startswith("image ")
    else:
        assert_is_a_picture(picture)


@given(data=st.binary(max_size=300), head=st.sampled_from([b"", *(data[:16] for data in FILES)]))
@settings(max_examples=200, deadline=10_000)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_noise_loads_or_is_an_image_error(data: bytes, head: bytes) -> None:
    try:
        assert_is_a_picture(load(head + data, max_megapixels=1))
    except ImageError as error:
        assert str(error).startswith("image ")


def test_pillow_is_not_imported_for_an_array_a_jpeg_or_a_png(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encode(smooth(), "jpeg"))
    (tmp_path / "a.png").write_bytes(encode(smooth()))
    # a bare package, because what else `import vde_nb` imports is not the question here
    code = (
        "import sys, types, numpy; package = types.ModuleType('vde_nb');"
        "package.__path__ = ['vde_nb']; sys.modules['vde_nb'] = package;"
        "import vde_nb.images as i; i.load(numpy.zeros((2, 2), 'uint8'));"
        f"i.load({str(tmp_path / 'a.jpg')!r}); i.load({str(tmp_path / 'a.png')!r});"
        "sys.exit('PIL.Image' in sys.modules)"
    )
    root = Path(images.__file__).resolve().parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_the_examples_in_the_docstrings_are_true() -> None:
    result = doctest.testmod(images)
    assert result.attempted >= 3 and not result.failed
