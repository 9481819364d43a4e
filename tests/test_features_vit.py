"""Tokens of transformers land on the patches they come from, however they are run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from vde_nb._progress import listening
from vde_nb.errors import SettingError, WeightsError
from vde_nb.features import (
    PatchFeatures,
    _opening,
    add_features,
    feature_entries,
    open_features,
    remove_features,
)
from vde_nb.features._identify import identify_features
from vde_nb.features._network import chosen_blocks
from vde_nb.features._neural import NeuralFeatures
from vde_nb.features._opening import open_model
from vde_nb.features.models import FEATURE_MODELS
from vde_nb.segment.embeddings import EmbeddingCache

from .vit_models import KINDS, tiny_timm, tiny_vit

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

# What is reflected beyond the border lies in the last cell itself, for patches of 14 and of 16.
SHAPES = {"square": (112, 112), "wide": (94, 190), "tall and odd": (139, 93)}
TIMM = ("deit_tiny_distilled_patch16_224", "vit_tiny_patch16_dinov3_qkvb")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are slower on two."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Models that a test adds and loads go after it."""
    yield
    for name in [name for name in feature_entries() if name.startswith("t_")]:
        remove_features(name)
    _opening.release()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("vits")
    made = {kind: tiny_vit(base / kind, kind) for kind in KINDS}
    alone = {f"{kind} alone": tiny_vit(base / f"{kind}_alone", kind, alone=True) for kind in KINDS}
    return {**made, **alone}


def opened(path: Path, layers: str = "middle", zoom: float = 1.0, **how: Any) -> NeuralFeatures:
    architecture = how.pop("architecture", "")
    add_features("t_model", path, architecture=architecture)
    return open_model(FEATURE_MODELS["t_model"], layers, zoom, **{"disk": False, **how})


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def with_patch(image: np.ndarray, row: int, column: int, patch: int) -> np.ndarray:
    """The picture with other content in one patch."""
    changed = image.copy()
    part = changed[row * patch : (row + 1) * patch, column * patch : (column + 1) * patch]
    part[:] = 255 - part
    return changed


def moved(features: NeuralFeatures, before: PatchFeatures, other: np.ndarray) -> np.ndarray:
    """How far each cell moved to the other picture."""
    return np.linalg.norm(before.values - features(other).values, axis=2)


# --- tokens and places


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_another_patch_changes_exactly_its_own_cell(
    folders: dict[str, Path], kind: str, shape: str
) -> None:
    patch = KINDS[kind][1]
    height, width = SHAPES[shape]
    features = opened(folders[f"{kind} alone"])
    image = picture(height, width)
    before = features(image)
    grid = before.values.shape[:2]
    assert grid == (-(-height // patch), -(-width // patch))
    for row, column in ((0, 0), (1, 2), (grid[0] - 1, 0), (0, grid[1] - 1), (2, grid[1] - 2)):
        far = moved(features, before, with_patch(image, row, column, patch))
        assert np.argwhere(far > 0).tolist() == [[row, column]]


@pytest.mark.parametrize("kind", KINDS)
def test_with_attention_the_own_cell_still_changes_most(
    folders: dict[str, Path], kind: str
) -> None:
    patch = KINDS[kind][1]
    features, image = opened(folders[kind]), picture(6 * patch, 9 * patch)
    before = features(image)
    for row, column in ((0, 0), (2, 7), (5, 8)):
        far = moved(features, before, with_patch(image, row, column, patch))
        assert np.unravel_index(far.argmax(), far.shape) == (row, column)
        assert (far > 0).mean() > 0.9, "tokens hear of each other"


@pytest.mark.parametrize("architecture", TIMM)
def test_a_model_of_timm_maps_tokens_to_places_too(tmp_path: Path, architecture: str) -> None:
    file = tiny_timm(tmp_path / "model.safetensors", architecture, alone=True)
    features, image = opened(file, architecture=architecture), picture(75, 112)
    before = features(image)
    assert before.values.shape[:2] == (5, 7)
    for row, column in ((0, 0), (3, 2), (4, 6)):
        far = moved(features, before, with_patch(image, row, column, 16))
        assert np.argwhere(far > 1e-3 * far.max()).tolist() == [[row, column]]


@pytest.mark.parametrize("kind", ("dinov2_reg", "dinov3"))
def test_through_overlapping_tiles_another_patch_changes_its_own_cell(
    folders: dict[str, Path], kind: str
) -> None:
    patch = KINDS[kind][1]
    features, image = opened(folders[f"{kind} alone"]), picture(43 * patch, 39 * patch)
    before = features(image)
    for row, column in ((0, 0), (21, 19), (22, 20), (42, 38)):
        far = moved(features, before, with_patch(image, row, column, patch))
        assert np.argwhere(far > 0).tolist() == [[row, column]]


def test_tiles_of_one_picture_are_the_same_as_looking_at_each_alone(
    folders: dict[str, Path],
) -> None:
    features, image = opened(folders["dinov2"]), picture(30 * 14, 50 * 14)
    values = features(image).values
    left = features(np.ascontiguousarray(image[:, : 37 * 14])).values
    right = features(np.ascontiguousarray(image[:, 13 * 14 :])).values
    np.testing.assert_array_equal(values[:, :25], left[:, :25])
    np.testing.assert_array_equal(values[:, 25:], right[:, 12:])


@pytest.mark.parametrize("kind", ("dinov2", "dinov2_reg", "dinov3"))
def test_a_defect_of_thirty_pixels_covers_several_cells_at_the_automatic_zoom(
    folders: dict[str, Path], kind: str
) -> None:
    features = opened(folders[f"{kind} alone"], zoom=0.0)
    image = cv2.GaussianBlur(picture(200, 260), (0, 0), 3)
    broken = image.copy()
    broken[88:118, 120:150] = 0
    found = features(image)
    assert found.cell == pytest.approx((8, 8), rel=0.03)
    far = moved(features, found, broken)
    rows, columns = np.nonzero(far > 0.3 * far.max())
    assert 9 <= len(rows) <= 36
    assert rows.mean() * 8 + 4 == pytest.approx(103, abs=4)
    assert columns.mean() * 8 + 4 == pytest.approx(135, abs=4)


# --- numbers


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_layer_is_what_the_library_calls_the_last_hidden_state(
    folders: dict[str, Path], kind: str
) -> None:
    name, patch, registers = KINDS[kind]
    image = picture(5 * patch, 7 * patch)
    network = getattr(transformers, name).from_pretrained(folders[kind])
    values = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
    values = (values - mean[:, None, None]) / deviation[:, None, None]
    with torch.inference_mode():
        tokens = network(pixel_values=values).last_hidden_state[0, 1 + registers :]
    expected = tokens.numpy().reshape(5, 7, -1)
    np.testing.assert_allclose(opened(folders[kind], "last")(image).values, expected, atol=4e-3)


def test_layers_are_averaged_after_the_final_norm(folders: dict[str, Path]) -> None:
    image = picture(56, 56)
    network = transformers.Dinov2Model.from_pretrained(folders["dinov2"])
    mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
    values = (torch.from_numpy(image).permute(2, 0, 1)[None] / 255 - mean[:, None, None]) / (
        deviation[:, None, None]
    )
    with torch.inference_mode():
        states = network(pixel_values=values, output_hidden_states=True).hidden_states[1:]
        normed = [network.layernorm(state)[0, 1:].reshape(4, 4, -1).numpy() for state in states]
    for layers, expected in (("all", normed), ("middle", normed[1:3]), ("last", normed[3:])):
        found = opened(folders["dinov2"], layers)(image).values
        np.testing.assert_allclose(found, np.mean(expected, axis=0), atol=4e-3)


@pytest.mark.parametrize(
    "count, expected", [(1, (0, 1)), (2, (0, 2)), (3, (0, 3)), (12, (3, 9)), (24, (6, 18))]
)
def test_the_middle_is_the_middle_half_and_never_nothing(
    count: int, expected: tuple[int, int]
) -> None:
    assert chosen_blocks("middle", count) == range(*expected)


def test_a_folder_says_which_colours_it_was_trained_on(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    image, plain = picture(56, 56), opened(folders["dinov2"])
    folder = tmp_path / "other"
    shutil.copytree(folders["dinov2"], folder)
    said = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    (folder / "preprocessor_config.json").write_text(json.dumps(said))
    other = opened(folder)
    assert other.identity != plain.identity
    assert np.abs(other(image).values - plain(image).values).max() > 0.1
    (folder / "preprocessor_config.json").write_text('{"image_mean": [1], "image_std": [1]}')
    with pytest.raises(WeightsError, match="three numbers"):
        opened(folder)


def test_bf16_is_near_and_another_identity(folders: dict[str, Path]) -> None:
    image = picture(56, 84)
    exact, rough = opened(folders["dinov3"]), opened(folders["dinov3"], precision="bf16")
    assert exact.identity != rough.identity
    near = np.abs(exact(image).values - rough(image).values)
    assert 0 < near.mean() < 0.05


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (13, 14), (15, 29)])
def test_the_smallest_pictures_have_a_cell(
    folders: dict[str, Path], shape: tuple[int, int]
) -> None:
    for zoom in (0.0, 0.3, 1.0):
        found = opened(folders["dinov2"], zoom=zoom)(picture(*shape))
        rows, columns = found.values.shape[:2]
        assert columns * found.cell[0] >= shape[1] - 1e-6
        assert rows * found.cell[1] >= shape[0] - 1e-6
        assert found.shape == shape and found.positional
        assert found.values.dtype == np.float32 and found.values.flags.c_contiguous


# --- keeping, stopping


def test_a_picture_is_described_once_and_kept_for_other_processes(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = EmbeddingCache(tmp_path)
    monkeypatch.setattr(_opening, "shared", lambda: cache)
    features, image = opened(folders["dinov2"], disk=True), picture(70, 84)
    first = features(image)
    told: list[str] = []
    with listening(lambda text, share: told.append(text)):
        again = features(image.copy())
    assert told == []
    np.testing.assert_array_equal(first.values, again.values)
    cache = EmbeddingCache(tmp_path)  # as another process has it
    other = opened(folders["dinov2"], disk=True)
    with listening(lambda text, share: told.append(text)):
        np.testing.assert_array_equal(first.values, other(image).values)
        assert told == []
        assert other(picture(70, 84, 1)).values.shape == first.values.shape
        assert told
        last = opened(folders["dinov2"], "last", disk=True)
        told.clear()
        assert np.abs(last(image).values - first.values).max() > 0.1
        assert told, "other layers are another description"


def test_who_listens_may_stop_it_and_nothing_is_kept(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = EmbeddingCache(tmp_path)
    monkeypatch.setattr(_opening, "shared", lambda: cache)
    features, image = opened(folders["dinov2"], disk=True), picture(30 * 14, 50 * 14)
    shares: list[float] = []

    class Stop(Exception):
        pass

    def stop(text: str, share: float | None) -> None:
        shares.append(share or 0.0)
        if shares[-1] >= 0.5:  # in the second tile
            raise Stop

    monkeypatch.setattr("vde_nb._progress._PAUSE", 0.0)
    with listening(stop), pytest.raises(Stop):
        features(image, "the reference")
    assert shares == sorted(shares) and len(shares) > 2
    assert cache.info()["memory_entries"] == cache.info()["entries"] == 0
    assert features(image).values.shape[:2] == (30, 50)


def test_a_model_is_loaded_once_for_all_threads(folders: dict[str, Path]) -> None:
    one, two = opened(folders["dinov2"]), opened(folders["dinov2"], zoom=2.0)
    assert one._network is two._network
    assert one.identity != two.identity
    assert len(_opening._ready) == 1
    for layers in ("last", "all"):
        opened(folders["dinov2"], layers)
    assert len(_opening._ready) == 2


class Small:
    """Stands for a network on a GPU with little memory: `room` tiles fit."""

    title, patch, prefix, precision, parameters = "Small", 14, 1, "fp32", 1.0

    def __init__(self, device: str, room: int) -> None:
        self.device, self.room, self.sizes = device, room, []
        self.turn = lambda text: torch.inference_mode()

    def describe(self, tiles: np.ndarray, tell: Any) -> np.ndarray:
        self.sizes.append(len(tiles))
        if len(tiles) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        count, height, width = tiles.shape[:3]
        shape = count, height // 14, 14, width // 14, 14, 3
        return tiles.reshape(shape).mean((2, 4)).astype(np.float32)


def small(network: Small, spare: Small) -> NeuralFeatures:
    return NeuralFeatures(
        "small",
        "Small",
        network,  # type: ignore[arg-type]
        spare=lambda: spare,  # type: ignore[arg-type, return-value]
        weights="Small 0",
        layers="last",
        zoom=1.0,
        cache=None,
    )


def test_fewer_tiles_are_looked_at_where_memory_is_short() -> None:
    image = picture(80 * 14, 80 * 14)
    network, cpu = Small("cuda", 3), Small("cpu", 1)
    features = small(network, cpu)
    found = features(image)
    expected = image.reshape(80, 14, 80, 14, 3).mean((1, 3))
    np.testing.assert_allclose(found.values, expected, rtol=1e-3)
    assert network.sizes[0] == 9 and network.sizes[-1] <= 3 and not cpu.sizes
    assert features.notes == ()


def test_the_cpu_takes_over_where_there_is_no_memory_at_all() -> None:
    image = picture(40 * 14, 30 * 14)
    features = small(Small("cuda", 0), Small("cpu", 1))
    assert features(image, "the reference").values.shape == (40, 30, 3)
    (note,) = features.notes
    assert "no memory on cuda" in note and "the reference" in note
    with pytest.raises(MemoryError, match="not enough memory"):
        small(Small("cuda", 0), Small("cpu", 0))(image)


# --- what is refused


def test_a_configuration_that_lies_about_registers_is_found_out(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "lying"
    shutil.copytree(folders["dinov2_reg"], folder)
    config = json.loads((folder / "config.json").read_text())
    config["num_register_tokens"] = 2
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="register_tokens"):
        opened(folder)


def test_a_wrong_number_of_tokens_is_never_reshaped(folders: dict[str, Path]) -> None:
    features = opened(folders["dinov2_reg"])
    features._network.prefix = 1  # as if registers were forgotten
    with pytest.raises(WeightsError, match="configuration does not fit"):
        features(picture(56, 56))


def test_weights_that_are_not_finite_are_said(folders: dict[str, Path]) -> None:
    features = opened(folders["dinov2"])
    with torch.no_grad():
        features._network._norm.weight.fill_(float("nan"))
    with pytest.raises(WeightsError, match="no finite numbers"):
        features(picture(56, 56))


def test_other_folders_and_files_are_refused_in_words(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match="no such file"):
        add_features("t_model", tmp_path / "missing")
    with pytest.raises(WeightsError, match=r"has no config\.json"):
        add_features("t_model", tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "sam"}')
    with pytest.raises(WeightsError, match=r"'sam'.*dinov2"):
        add_features("t_model", tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "dinov2"}')
    with pytest.raises(WeightsError, match=r"no model\.safetensors"):
        add_features("t_model", tmp_path)
    weights = folders["dinov2"] / "model.safetensors"
    (tmp_path / "model.safetensors").write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="damaged"):
        add_features("t_model", tmp_path)
    with pytest.raises(WeightsError, match="architecture="):
        add_features("t_model", weights)
    shutil.copy(weights, tmp_path)
    config = json.loads((folders["dinov2"] / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "code.Model"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="code to run"):
        opened(tmp_path)


@pytest.mark.parametrize("architecture", ("resnet18", "beit_base_patch16_224"))
def test_what_is_no_plain_transformer_is_refused(
    folders: dict[str, Path], architecture: str
) -> None:
    with pytest.raises(SettingError, match="no vision transformer"):
        opened(folders["dinov2"] / "model.safetensors", architecture=architecture)


def test_timm_is_told_from_others(folders: dict[str, Path], tmp_path: Path) -> None:
    weights = folders["dinov2"] / "model.safetensors"
    with pytest.raises(SettingError, match="no model 'vit_unheard_of'"):
        opened(weights, architecture="vit_unheard_of")
    with pytest.raises(WeightsError, match="cannot be used: of timm's vit_tiny"):
        opened(weights, architecture="vit_tiny_patch16_224")
    file = tiny_timm(tmp_path / "model.safetensors", "vit_tiny_patch16_224")
    said = {
        "architecture": "vit_tiny_patch16_224",
        "pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
    }
    (tmp_path / "config.json").write_text(json.dumps(said))
    found = identify_features(tmp_path)
    assert (found.backend, found.architecture) == ("timm", "vit_tiny_patch16_224")
    image = picture(64, 64)
    as_folder, as_file = opened(tmp_path), opened(file, architecture="vit_tiny_patch16_224")
    assert np.abs(as_folder(image).values - as_file(image).values).max() < 1e-3, "same colours"


def test_an_absurd_zoom_is_refused_before_memory_is_filled(folders: dict[str, Path]) -> None:
    with pytest.raises(SettingError, match="tiles"):
        opened(folders["dinov2"], zoom=8.0)(np.zeros((4000, 6000, 3), np.uint8))
    for zoom in (-1.0, 9.0, float("nan")):
        with pytest.raises(SettingError, match="feature_zoom"):
            opened(folders["dinov2"], zoom=zoom)
    with pytest.raises(SettingError, match="feature_layers"):
        opened(folders["dinov2"], "first")


def test_an_added_model_is_chosen_by_its_name(folders: dict[str, Path]) -> None:
    add_features("t_own", folders["dinov3"], title="Ours")
    entry = feature_entries()["t_own"]
    assert (entry.title, entry.ready) == ("Ours", True)
    found = open_features("t_own")(picture(40, 50))
    assert found.values.shape == (5, 7, 32) and found.positional
