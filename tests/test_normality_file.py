"""Models of normality written into a file and read from it."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vde_nb
from vde_nb import samples
from vde_nb._png import png
from vde_nb.errors import OutputError, SettingError, VdeError, WeightsError
from vde_nb.features import add_features, remove_features
from vde_nb.normality import Normality, normality
from vde_nb.normality import _container as container
from vde_nb.normality._file import load, save, target_of
from vde_nb.segment import weights

WALL = samples.load("wall").reference[:120, :160]


def photographed(seed: int, defects: str | tuple[str, ...] = ()) -> np.ndarray:
    return samples.stress(WALL, seed, defects=defects, nuisances={"noise": 3.0}).current


@pytest.fixture(scope="module")
def model() -> Normality:
    return Normality.fit([photographed(seed) for seed in range(5)], align=False, model="subspace")


@pytest.fixture(scope="module")
def saved(model: Normality, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(model, tmp_path_factory.mktemp("models") / "wall")


def test_a_model_that_was_saved_finds_the_same(model: Normality, saved: Path) -> None:
    again = load(saved)
    frame = model.frame(photographed(9, "stain"))
    assert saved.name == "wall.normality.safetensors"
    assert np.array_equal(again.evidence(frame), model.evidence(frame))
    assert np.array_equal(again.reference, model.reference)
    assert (again.signature, again.names, again.kind) == (
        model.signature,
        model.names,
        model.kind,
    )
    assert again.notes == model.notes
    assert again.settings == model.settings


@pytest.mark.parametrize("kind", ["variation", "memory", "auto"])
def test_every_kind_survives_the_file(kind: str, tmp_path: Path) -> None:
    model = Normality.fit([photographed(seed) for seed in range(4)], align=False, model=kind)
    again = load(model.save(tmp_path / "model.safetensors"))
    picture = photographed(9, "scratch")
    assert again.score(picture) == model.score(picture)
    assert again.table() == model.table()


def test_a_model_that_was_read_goes_on_learning(model: Normality, saved: Path) -> None:
    new = photographed(20)
    again = load(saved).update(new)
    # The picture it learnt is normal now, and it knows the old ones as before.
    assert len(again.names) == len(model.names) + 1
    assert again.score(new) < 1
    reread = Normality.load(saved).update(new)
    assert reread.signature == again.signature
    # As if it had never been in a file.
    assert Normality(model._parts).update(new).signature == again.signature


def test_what_a_model_that_was_read_is_made_of_can_learn_by_itself(saved: Path) -> None:
    read, new = load(saved), photographed(20)
    copy = Normality(read._parts)
    before = copy.signature
    assert read.update(new).signature != before
    assert copy.signature == before
    assert copy.update(new).signature == read.signature


@pytest.fixture
def counted() -> Iterator[list[str]]:
    """Features called ``"counted"``, and a list that grows with every picture they describe."""
    calls: list[str] = []

    def describe(image: np.ndarray) -> np.ndarray:
        calls.append("")
        return image[::8, ::8].astype(np.float32) / 12

    add_features("counted", describe, version="1")
    yield calls
    remove_features("counted")


def test_normal_pictures_are_described_once_and_not_before_there_is_more_to_learn(
    counted: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    normals = [photographed(seed) for seed in range(4)]
    fitted = Normality.fit(normals, align=False, features="counted", model="subspace")
    path = fitted.save(tmp_path / "own")
    counted.clear()
    model = load(path)
    assert not counted

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(normality, "fit_kinds", interrupted)
        model.update(photographed(20))
    assert len(counted) == 4 + 1
    assert len(model.names) == 4
    model.update(photographed(20))
    assert len(counted) == 4 + 2
    model.update(photographed(21))
    assert len(counted) == 4 + 3
    assert len(model.names) == 6


def test_a_model_without_its_pictures_is_smaller_and_says_that_it_cannot_learn(
    model: Normality, saved: Path, tmp_path: Path
) -> None:
    path = model.save(tmp_path / "small", normals=False)
    assert path.stat().st_size < saved.stat().st_size
    small, picture = load(path), photographed(9, "stain")
    assert small.score(picture) == model.score(picture)
    with pytest.raises(SettingError, match="saved without its normal pictures"):
        small.update(picture)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("line", "line.normality.safetensors"),
        ("line.1", "line.1.normality.safetensors"),
        ("line.safetensors", "line.safetensors"),
        ("line.normality.safetensors", "line.normality.safetensors"),
    ],
)
def test_the_name_of_the_file_is_known_before_it_is_written(
    name: str, file: str, model: Normality, tmp_path: Path
) -> None:
    assert target_of(tmp_path / name) == tmp_path / file
    assert save(model, tmp_path / name, normals=False) == tmp_path / file


@pytest.mark.parametrize("name", ["", ".", "..", "/", "models/.."])
def test_a_folder_is_no_name_of_a_file(name: str, model: Normality) -> None:
    with pytest.raises(OutputError, match="give the name of a file"):
        target_of(name)
    with pytest.raises(OutputError, match="give the name of a file"):
        save(model, name)


def test_a_file_that_exists_is_kept_unless_told_otherwise(model: Normality, tmp_path: Path) -> None:
    path = tmp_path / "wall.normality.safetensors"
    path.write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists"):
        model.save(path)
    assert path.read_bytes() == b"mine"
    model.save(path, overwrite=True)
    assert load(path).names == model.names
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_the_same_model_is_the_same_bytes(model: Normality, saved: Path, tmp_path: Path) -> None:
    assert save(model, tmp_path / "again").read_bytes() == saved.read_bytes()
    assert save(load(saved), tmp_path / "third").read_bytes() == saved.read_bytes()


def test_others_can_read_the_file(model: Normality, saved: Path) -> None:
    from safetensors import safe_open

    arrays, about = container.unpack(saved)
    with safe_open(saved, framework="numpy") as file:
        assert json.loads(file.metadata()["about"]) == about
        assert set(file.keys()) == set(arrays)
        for name in file.keys():  # noqa: SIM118 - not a dict
            assert np.array_equal(file.get_tensor(name), arrays[name])


def test_a_function_of_other_version_is_refused_and_named(tmp_path: Path) -> None:
    def halves(image: np.ndarray) -> np.ndarray:
        return image[::8, ::8].astype(np.float32) / 12

    add_features("halves", halves, version="1")
    try:
        model = Normality.fit(
            [photographed(seed) for seed in range(4)],
            align=False,
            features="halves",
            model="subspace",
        )
        path = model.save(tmp_path / "own")
        assert load(path).features == "halves"
        remove_features("halves")
        with pytest.raises(SettingError, match=r"fitted with the features 'halves'.*cannot be had"):
            load(path)
        add_features("halves", halves, version="2")
        with pytest.raises(SettingError, match=r"version 1.*others.*version 2") as told:
            load(path)
        assert "vde_nb.add_features(name, function, version=...)" in str(told.value)
        assert vde_nb.add_features is add_features
    finally:
        remove_features("halves")


def test_times_and_what_is_not_shown_are_kept(tmp_path: Path, model: Normality) -> None:
    from dataclasses import replace

    taken = datetime(2026, 11, 23, 14, 30)
    shown = np.ones(WALL.shape[:2], bool)
    shown[:7] = False
    bank = model._parts.bank
    frames = (replace(bank[0], valid=shown, time=taken), *bank.frames[1:])
    other = Normality(replace(model._parts, bank=replace(bank, frames=frames)))
    first = load(save(other, tmp_path / "timed"))._parts.bank[0]
    assert first.time == taken
    assert first.valid is not None
    assert np.array_equal(first.valid, shown)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no saved model"),
        (b"\xff" * 40, "no saved model"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "no saved model"),
        ((2).to_bytes(8, "little") + b"[]", "no saved model"),
        ((2).to_bytes(8, "little") + b"{}", "no saved model"),
        ((9).to_bytes(8, "little") + b'{"a": [[[', "no saved model"),
    ],
)
def test_a_foreign_file_is_told(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=said):
        load(path)


def test_no_file_and_a_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not exist"):
        load(tmp_path / "none")
    with pytest.raises(WeightsError, match=r"folder|directory"):
        load(tmp_path)


def rewritten(saved: Path, path: Path, **changes: object) -> Path:
    """The same file with other words, and a digest that is right."""
    arrays, about = container.unpack(saved)
    path.write_bytes(container.pack(arrays, {**about, **changes}))
    return path


def test_a_newer_format_says_what_to_do(saved: Path, tmp_path: Path) -> None:
    data = saved.read_bytes()
    path = tmp_path / "newer.safetensors"
    path.write_bytes(data.replace(b'"vde-nb-normality":"1"', b'"vde-nb-normality":"7"', 1))
    with pytest.raises(WeightsError, match=r"format 7.*reads format 1"):
        load(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"kinds": {}},
        {"kinds": {"subspace": {}}},
        {"normals": [{"name": "a", "weight": -1.0, "time": None}]},
        {"normals": 7},
        {"grid": {"shape": [10**9, 10**9], "cell": [4.0, 4.0], "positional": False}},
        {"grid": {"shape": [120, 160], "cell": [0.0, 4.0], "positional": False}},
        {"grid": {"shape": [120, 160], "cell": [4.0, 1e6], "positional": False}},
        {"grid": {"shape": [120, 160], "cell": [4.0, 1.0], "positional": False}},
        {"grid": {"shape": [0, 160], "cell": [4.0, 4.0], "positional": False}},
        {"settings": {"method": "normality", "align": "sideways"}},
        {"signature": "0" * 32},
        {"seed": "x"},
        {"seed": -1},
        {"seen": 1},
        {"cache_bytes": -5},
        {"cache_bytes": 0},
        {"model": "<b>" * 1000},
        {"kind": "<b>" * 1000},
        {"kind": "memory"},
        {"kind": ["subspace"]},
        {"trials": [{"kind": "<b>", "found": 1.0, "evidence": 1.0, "defects": 1}]},
        {"trials": [{"kind": "memory", "found": "all", "evidence": 1.0, "defects": 1}]},
    ],
)
def test_words_that_do_not_fit_are_refused(
    changes: dict[str, object], saved: Path, tmp_path: Path
) -> None:
    said = "in another way" if "signature" in changes else "what it holds does not fit"
    with pytest.raises(WeightsError, match=said):
        load(rewritten(saved, tmp_path / "x.safetensors", **changes))


def header_of(width: int, height: int) -> np.ndarray:
    """A PNG file of a few bytes that claims to hold a picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(100)))
    start = b"\x89PNG\r\n\x1a\n"
    return np.frombuffer(start + head + body + chunk(b"IEND", b""), np.uint8)


def filled(saved: Path, path: Path, changes: dict[str, np.ndarray], **words: object) -> Path:
    """The same file with other arrays and words, and a digest that is right."""
    arrays, about = container.unpack(saved)
    path.write_bytes(container.pack({**arrays, **changes}, {**about, **words}))
    return path


@pytest.mark.parametrize("side", [5_000, 12_000, 40_000, 2**31 - 1])
def test_a_claim_to_be_huge_is_refused_before_anything_is_opened(
    side: int, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = [4.0 * side / 160, 4.0 * side / 120]
    grid = {"shape": [side, side], "cell": cell, "positional": False}
    fakes = {"reference": header_of(side, side)}
    path = filled(saved, tmp_path / "x.safetensors", fakes, grid=grid)
    monkeypatch.setattr(container, "decode", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(WeightsError, match="Fit the model again"):
        load(path)


@pytest.mark.parametrize("which", ["reference", "normal.2"])
@pytest.mark.parametrize(
    "fake",
    [
        header_of(40_000, 40_000),
        header_of(160, 120),
        np.frombuffer(png(WALL[:100]), np.uint8),
        np.frombuffer(png(WALL.transpose(1, 0, 2)), np.uint8),
        np.frombuffer(png(WALL)[:-40], np.uint8),
        np.frombuffer(b"\x89PNG", np.uint8),
        cv2.imencode(".jpg", WALL)[1],
        np.zeros(0, np.uint8),
        np.zeros((40, 3), np.float32),
    ],
)
def test_a_picture_that_is_none_or_of_another_size_is_refused(
    which: str, fake: np.ndarray, saved: Path, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match="Fit the model again"):
        load(filled(saved, tmp_path / "x.safetensors", {which: fake}))


def test_a_picture_that_claims_to_be_larger_than_the_others_is_not_opened(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes = {"reference": header_of(12_000, 12_000)}
    path = filled(saved, tmp_path / "x.safetensors", fakes)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was opened"))
    with pytest.raises(WeightsError, match="Fit the model again"):
        load(path)


def test_a_picture_may_not_have_more_pixels_than_the_model_takes(
    saved: Path, tmp_path: Path
) -> None:
    _, about = container.unpack(saved)
    few = {**about["settings"], "max_megapixels": 0.01}
    with pytest.raises(WeightsError, match="Fit the model again"):
        load(rewritten(saved, tmp_path / "x.safetensors", settings=few))


def test_pictures_in_memory_are_in_proportion_to_the_file() -> None:
    small = np.zeros(50_000, np.uint8)  # a plain area packs well
    arrays = {"reference": small} | {f"normal.{number}": small for number in range(10)}
    container.check_room(arrays, (4000, 4000), 200)
    with pytest.raises(ValueError, match="11 pictures"):
        container.check_room(arrays, (4000, 4000), 15)
    arrays |= {f"shown.{number}": small for number in range(200)}
    with pytest.raises(ValueError, match="211 pictures"):
        container.check_room(arrays, (4000, 4000), 200)
    # Photographs of that size do not pack so well, however many there are.
    photograph = np.broadcast_to(np.uint8(0), 20_000_000)
    container.check_room(dict.fromkeys(arrays, photograph), (4000, 4000), 200)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("timm:vit_small_patch14_dinov2.lvd142m", r"https://huggingface.co/timm/vit_small"),
        ("dinov2_small", r"88 MB from https://huggingface.co/facebook/dinov2-small"),
        ("dinov3_small", r"First accept its licence"),
    ],
)
def test_reading_a_file_downloads_nothing_whatever_it_names(
    name: str, said: str, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("timm")
    pytest.importorskip("transformers")
    for variable in ("VDE_NB_OFFLINE", "HF_HUB_OFFLINE", "VDE_NB_WEIGHTS", "HF_HUB_CACHE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("VDE_NB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(weights, "fetch", lambda *_, **__: pytest.fail("it was downloaded"))
    features = {"name": name, "identity": "x", "layers": "middle", "zoom": 0.0}
    path = rewritten(saved, tmp_path / "x.safetensors", features=features)
    with pytest.raises(WeightsError, match=said) as told:
        load(path)
    assert f"`vde-nb weights download {name}`" in str(told.value)
    assert str(path) in str(told.value)


def test_an_unknown_kind_is_named(saved: Path, tmp_path: Path) -> None:
    _, about = container.unpack(saved)
    kinds = {"telepathy": about["kinds"]["subspace"]}
    with pytest.raises(WeightsError, match="'telepathy'"):
        load(rewritten(saved, tmp_path / "x.safetensors", kinds=kinds))


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [("U8", [10**11]), ("F64", [1]), ("U8", [2**63, 2]), ("U8", [-1]), ("U8", [1] * 9)],
)
def test_absurd_claims_reserve_nothing(dtype: str, shape: list[int], tmp_path: Path) -> None:
    header = {
        "__metadata__": {"vde-nb-normality": "1", "content": "", "about": "{}"},
        "reference": {"dtype": dtype, "shape": shape, "data_offsets": [0, 8]},
    }
    text = json.dumps(header).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))
    with pytest.raises(WeightsError, match="damaged"):
        load(path)


def test_a_huge_sparse_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with path.open("wb") as file:
        file.truncate(10**11)
    with pytest.raises(WeightsError, match="GiB"):
        load(path)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(where=st.floats(0, 1, exclude_max=True), cut=st.booleans(), bit=st.integers(0, 7))
def test_whatever_is_cut_or_flipped_is_noticed(
    where: float, cut: bool, bit: int, saved: Path, tmp_path: Path
) -> None:
    data = bytearray(saved.read_bytes())
    # Half of the places in the header, which is but a small part of the file.
    length = 8 + int.from_bytes(data[:8], "little")
    at = int(where * 2 * length) if where < 0.5 else int(where * len(data))
    if cut:
        data = data[:at]
    else:
        data[at] ^= 1 << bit
    path = tmp_path / "x.safetensors"
    path.write_bytes(bytes(data))
    with pytest.raises(VdeError):
        load(path)


def test_what_is_not_finite_is_not_used(saved: Path, tmp_path: Path) -> None:
    arrays, about = container.unpack(saved)
    spoilt = arrays["kind.subspace.scale"].copy()
    spoilt[0, 0] = np.nan
    path = tmp_path / "x.safetensors"
    path.write_bytes(container.pack({**arrays, "kind.subspace.scale": spoilt}, about))
    with pytest.raises(WeightsError, match="not finite"):
        load(path)
