"""Small files that claim to be huge, or that unpack to be, take neither the memory nor the hour."""

from __future__ import annotations

import io
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.robustness import seeds
from tests.robustness.seeds import png_chunk, raw_tiff, run_length_bmp
from tests.robustness.tools import needs_linux, python
from vde_nb.errors import ImageError, WeightsError
from vde_nb.images import load

#: A side of pictures whose pixels nobody has memory for: 3.6 gigapixels.
HUGE = 60_000


def _at(data: bytes, mark: bytes, offset: int, form: str, *values: int) -> bytes:
    made = bytearray(data)
    struct.pack_into(form, made, data.index(mark) + offset, *values)
    return bytes(made)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def tiff(compression: int, side: int = HUGE, bits: int = 8, **fields: int) -> bytes:
    """A TIFF file whose header says `side` pixels each way, and whose strip is nearly empty."""
    given: dict[int, tuple[int, int | tuple[int, ...]]] = {
        256: (4, side),
        257: (4, side),
        258: (3, (bits, bits, bits)),
        259: (3, compression),
        262: (3, 2),
        277: (3, 3),
        278: (4, side),
        279: (4, 8),
    }
    return raw_tiff(given, zlib.compress(bytes(64)))


def sized(kind: str) -> bytes:
    """A small sound file of a kind, in whose header the sides are those of a huge picture."""
    files, wide = seeds.pictures(), min(HUGE, 16_383)
    if kind == "png":
        head = struct.pack(">IIBBBBB", HUGE, HUGE, 8, 2, 0, 0, 0)
        data = png_chunk(b"IDAT", zlib.compress(bytes(100)))
        return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + data + png_chunk(b"IEND", b"")
    if kind in ("jpeg", "jpeg progressive"):
        mark = b"\xff\xc0" if kind == "jpeg" else b"\xff\xc2"
        return _at(files[kind], mark, 5, ">HH", HUGE, HUGE)
    if kind == "webp":
        return _at(files[kind], b"\x9d\x01\x2a", 3, "<HH", wide, wide)
    if kind == "webp lossless":
        return _at(files[kind], b"VP8L", 9, "<I", (wide - 1) | (wide - 1) << 14 | 1 << 28)
    if kind in ("bmp", "bmp rle"):
        return _at(files[kind], b"BM", 18, "<ii", HUGE, HUGE)
    if kind == "gif":
        return _at(files[kind], b"GIF8", 6, "<HH", HUGE, HUGE)
    if kind == "gif frame":
        return _at(files["gif"], b",\0\0\0\0", 5, "<HH", HUGE, HUGE)
    if kind == "jp2":
        return _at(files[kind], b"ihdr", 4, ">II", HUGE, HUGE)
    if kind == "jp2 stream":
        made = _at(files["jp2"], b"\xff\x4f\xff\x51", 8, ">II", HUGE, HUGE)
        return _at(made, b"\xff\x4f\xff\x51", 24, ">II", HUGE, HUGE)
    if kind == "j2k":
        return _at(files[kind], b"\xff\x4f\xff\x51", 8, ">II", HUGE, HUGE)
    if kind == "ppm":
        return b"P6 %d %d 255\n" % (HUGE, HUGE) + bytes(100)
    if kind == "ppm plain":
        return b"P3 %d %d 255\n" % (HUGE, HUGE) + b"1 " * 100
    if kind in ("tga", "tga rle"):
        made = bytearray(files[kind])
        struct.pack_into("<HH", made, 12, HUGE, HUGE)
        return bytes(made)
    return tiff(int(kind.split()[-1]))


KINDS = (
    *("png", "jpeg", "jpeg progressive", "webp", "webp lossless", "bmp", "bmp rle", "gif"),
    *("gif frame", "jp2", "jp2 stream", "j2k", "ppm", "ppm plain", "tga", "tga rle"),
    *(f"tiff {code}" for code in (1, 2, 3, 4, 5, 7, 8, 32773, 32946, 34712, 34925, 50000, 50001)),
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_header_that_claims_a_huge_picture_is_refused(kind: str) -> None:
    with pytest.raises(ImageError):
        load(sized(kind))


#: Loads the files in a folder and prints what each took: kibibytes at the peak, seconds of a
#: processor (others may be at work), and what came of it.
_LOAD = """
    import sys, time, warnings
    from pathlib import Path
    import numpy, PIL.Image, PIL.TiffImagePlugin
    from vde_nb import ImageError
    from vde_nb.images import load
    warnings.simplefilter("ignore")
    status, clear = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    def peak():
        lines = status.read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
    load(numpy.zeros((9, 9, 3), numpy.uint8))
    for path in sorted(Path(sys.argv[1]).iterdir()):
        data = path.read_bytes()
        clear.write_text("5")  # forgets the peak
        before, begun = peak(), time.process_time()
        try:
            told = str(load(data, max_megapixels=1 if "over" in path.name else 200).array.shape)
        except ImageError as error:
            told = "refused"
        print(path.name, peak() - before, time.process_time() - begun, told, sep=";")
"""


@dataclass(frozen=True)
class Taken:
    """Megabytes and seconds that a file took, and its shape or ``"refused"``."""

    megabytes: float
    seconds: float
    told: str


def unpacked(kind: str) -> bytes:
    """A file of a few hundred kilobytes that unpacks to 25 million pixels of one colour."""
    side = 5000
    if kind == "bmp rle":
        return run_length_bmp(side, side)
    image = Image.new("RGB", (side, side), (9, 9, 9))
    if kind == "gif":
        return _saved(image.quantize(2), "GIF")
    if kind == "group4":
        return _saved(image.convert("1"), "TIFF", compression="group4")
    if kind.startswith("tiff"):
        return _saved(image, "TIFF", compression=kind)
    options = {"WEBP": {"lossless": True}, "TGA": {"compression": "tga_rle"}}.get(kind, {})
    return _saved(image, kind, **options)


def giant_tile(bits: int) -> bytes:
    """A TIFF file of 16 x 16 pixels in one tile of 8,000 x 8,000."""
    side = 8000
    data = zlib.compress(bytes(side * side * 3 * bits // 8), 9)
    fields: dict[int, tuple[int, int | tuple[int, ...]]] = {
        256: (4, 16),
        257: (4, 16),
        258: (3, (bits, bits, bits)),
        259: (3, 8),
        262: (3, 2),
        277: (3, 3),
        322: (4, side),
        323: (4, side),
        325: (4, len(data)),
    }
    return raw_tiff(fields, data, place=324)


def chained(entries: int = 8000, pages: int = 300) -> bytes:
    """A 16-bit TIFF file whose pages overlap: each has thousands of entries, all in 0.1 MB."""
    sound = bytearray(seeds.pictures()["deep .tiff"])
    (first,) = struct.unpack_from("<I", sound, 4)
    (count,) = struct.unpack_from("<H", sound, first)
    begin = len(sound) + len(sound) % 2
    sound += bytes(begin - len(sound))
    struct.pack_into("<I", sound, first + 2 + 12 * count, begin)
    body = bytearray(struct.pack("<H", entries) * (6 * entries + 2 * pages + 10))
    for page in range(pages):
        struct.pack_into("<I", body, 4 * page + 2 + 12 * entries, begin + 4 * (page + 1))
    return bytes(sound + body)


def many_scans() -> bytes:
    """A progressive JPEG file whose last scan comes 300 times."""
    data = _saved(Image.new("L", (3000, 3000), 128), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * 300 + data[-2:]


def odd_range() -> bytes:
    """A PPM file whose brightest value is 100, which Pillow converts number by number."""
    return b"P6 1500 1500 100\n" + bytes(6_750_000)


def long_text() -> bytes:
    """A PNG file with a comment that unpacks to 256 MB."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(2**20)) for _ in range(256)) + packer.flush()
    data = seeds.pictures()["png"]
    return data[:33] + png_chunk(b"zTXt", b"a\0\0" + packed) + data[33:]


def long_profile() -> bytes:
    """The same as a colour profile."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(2**20)) for _ in range(256)) + packer.flush()
    data = seeds.pictures()["png palette"]
    return data[:33] + png_chunk(b"iCCP", b"a\0\0" + packed) + data[33:]


def many_frames() -> bytes:
    """A GIF file of a hundred thousand frames of one pixel."""
    data = _saved(Image.new("P", (1, 1)), "GIF")
    frame = data[data.index(b",") : -1]
    return data[:-1] + frame * 100_000 + data[-1:]


#: What makes a bomb, and the megabytes and seconds that it may take.
BOMBS: dict[str, tuple[Callable[[], bytes], float, float]] = {
    "a tile larger than its picture": (lambda: giant_tile(8), 60, 1),
    "a deep tile larger than its picture": (lambda: giant_tile(16), 60, 1),
    "pages in one another": (chained, 60, 1),
    "hundreds of scans": (many_scans, 100, 1),
    "an odd range": (odd_range, 60, 1.5),
    "a long comment": (long_text, 60, 1),
    "a long profile": (long_profile, 60, 1),
    "a hundred thousand frames": (many_frames, 60, 2),
}
#: Kinds of files that unpack to 25 megapixels, where one is allowed.
OVER = (
    *("PNG", "JPEG", "WEBP", "TGA", "JPEG2000", "gif", "bmp rle"),
    *("tiff_lzw", "tiff_adobe_deflate", "group4"),
)


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Taken]:
    """What each took in a process that loaded them one after the other."""
    folder = tmp_path_factory.mktemp("bombs")
    for name, (make, _, _) in BOMBS.items():
        (folder / name).write_bytes(make())
    for kind in OVER:
        (folder / f"over {kind}").write_bytes(unpacked(kind))
    ended = python(_LOAD, folder, seconds=200)
    assert ended.status == 0, ended.err[-1500:]
    lines = [line.split(";") for line in ended.out.splitlines()]
    return {name: Taken(int(peak) / 1000, float(time), told) for name, peak, time, told in lines}


@needs_linux
@pytest.mark.parametrize("kind", OVER)
def test_the_limit_holds_for_what_files_unpack_to(kind: str, taken: dict[str, Taken]) -> None:
    took = taken[f"over {kind}"]
    assert took.told == "refused" and took.megabytes < 30 and took.seconds < 1


@needs_linux
@pytest.mark.parametrize("name", BOMBS)
def test_a_file_takes_what_its_picture_takes_and_no_more(
    name: str, taken: dict[str, Taken]
) -> None:
    _, megabytes, seconds = BOMBS[name]
    assert taken[name].megabytes < megabytes and taken[name].seconds < seconds, taken[name]


def test_a_session_is_not_read_beyond_its_limit_nor_compared_word_by_word() -> None:
    from vde_nb import SettingError
    from vde_nb.panel._session import parsed

    with pytest.raises(SettingError, match="larger"):
        parsed(b" " * (6 << 20))
    doubled = b"{" + b",".join(b'"k%d":0' % n for n in range(20_000)) + b',"k19999":1}'
    begun = time.process_time()
    with pytest.raises(SettingError, match="twice"):
        parsed(doubled)
    assert time.process_time() - begun < 1


# Archives and weights


def test_a_compressed_checkpoint_is_not_unpacked(tmp_path: Path) -> None:
    """A megabyte of it would unpack to a gigabyte, three times over in torch."""
    pytest.importorskip("torch")
    from vde_nb.segment._identify import shapes_in

    packed = tmp_path / "bomb.pth"
    with (
        zipfile.ZipFile(io.BytesIO(seeds.checkpoint())) as sound,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for entry in sound.infolist():
            data = sound.read(entry)
            if entry.filename.endswith("data.pkl"):
                data = data[:2] + b"X" + struct.pack("<I", 2**26) + b"a" * 2**26 + b"0" + data[2:]
            archive.writestr(entry.filename, data)
    assert packed.stat().st_size < 2**20
    with pytest.raises(WeightsError, match="compressed archive"):
        shapes_in(packed)


_CONFIGURED = """
    import json, resource, sys, time
    from pathlib import Path
    from tests.vit_models import tiny_vit
    from vde_nb import WeightsError
    from vde_nb.segment._checkpoint import load_folder
    folder = Path(sys.argv[1])
    tiny_vit(folder, "dinov2")
    assert load_folder(folder, "Dinov2Model")
    sound = json.loads((folder / "config.json").read_text())
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
    for name in sys.argv[2:]:
        (folder / "config.json").write_text(json.dumps(sound | {name: 100_000}))
        before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        try:
            load_folder(folder, "Dinov2Model")
        except WeightsError:
            took = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            print(took / 1000, time.process_time() - begun)
"""


@needs_linux
def test_a_configuration_does_not_make_a_network_its_weights_do_not_fill(tmp_path: Path) -> None:
    """A number in it would make transformers take 8 GB, or build layers for an hour."""
    pytest.importorskip("transformers")
    names = ("hidden_size", "image_size", "mlp_ratio", "num_hidden_layers", "num_channels")
    ended = python(_CONFIGURED, tmp_path, *names, seconds=100)
    assert ended.status == 0, ended.err[-1500:]
    took = [tuple(map(float, line.split())) for line in ended.out.splitlines()]
    assert len(took) == len(names)
    assert max(megabytes for megabytes, _ in took) < 300
    assert max(seconds for _, seconds in took) < 10


def test_a_model_of_normality_does_not_reserve_what_its_header_claims(tmp_path: Path) -> None:
    from vde_nb.normality import Normality
    from vde_nb.normality import _container as container

    path = tmp_path / "m.safetensors"
    path.write_bytes(seeds.model())
    arrays, about = container.unpack(path)
    for shape in ([10**6, 10**6], [2**40, 2**40], [-1, 5]):
        changed = {**about, "grid": {**about["grid"], "shape": shape}}
        path.write_bytes(container.pack(arrays, changed))
        with pytest.raises(WeightsError):
            Normality.load(path)


def test_an_uncompressed_picture_of_the_right_size_still_loads() -> None:
    """The limits above refuse bombs, not pictures."""
    big = np.zeros((1200, 1600, 3), np.uint8)
    for kind in ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "TGA", "JPEG2000"):
        assert load(_saved(Image.fromarray(big), kind)).array.shape == big.shape
