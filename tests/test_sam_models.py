"""The registry of models, and checkpoints of one's own."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vde_nb.errors import SettingError, WeightsError
from vde_nb.segment._identify import VitSizes, vit_sizes
from vde_nb.segment.models import MODELS, add_model, get_model, remove_model
from vde_nb.segment.weights import find, verify


@pytest.fixture(autouse=True)
def kept() -> Iterator[None]:
    """Models that a test adds go again."""
    before = dict(MODELS)
    yield
    MODELS.clear()
    MODELS.update(before)


def test_every_model_says_where_it_is_from() -> None:
    for name, model in MODELS.items():
        assert model.name == name
        assert model.licence
        assert model.file.endswith((".pth", ".safetensors"))
        assert re.fullmatch(r"(sha256:[0-9a-f]{64})?", model.digest)
        assert re.fullmatch(r"([0-9a-f]{40})?", model.revision)
        assert model.address.startswith("https://")
        if model.repo:
            assert model.address.endswith(model.repo)
        else:
            assert model.address.endswith(model.file)
            assert model.digest, "no hub names its checksum"
        # float32, and for some more than is used
        assert model.megabytes > 0.98 * 4 * model.parameters
    assert sorted(one.speed for one in MODELS.values()) == list(range(1, 1 + len(MODELS)))
    assert sorted(one.quality for one in MODELS.values()) == list(range(1, 1 + len(MODELS)))


def test_a_model_is_found_by_its_name() -> None:
    assert get_model("sam2.1_tiny").repo == "facebook/sam2.1-hiera-tiny"
    with pytest.raises(SettingError, match=r"no model 'sam_vitb'.*Did you mean 'sam_vit_b'"):
        get_model("sam_vitb")
    with pytest.raises(SettingError, match="no model"):
        get_model(None)  # type: ignore[arg-type]


def test_the_registry_needs_no_library_of_models() -> None:
    code = (
        "import sys, vde_nb.segment.models, vde_nb.segment.weights as w\n"
        "[w.find(m) for m in w.MODELS.values()]\n"
        "heavy = {'torch', 'transformers', 'segment_anything', 'safetensors', 'huggingface_hub'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


# --- models of one's own


def save(path: Path, **tensors: tuple[int, ...]) -> Path:
    numpy = pytest.importorskip("safetensors.numpy")
    numpy.save_file({name: np.zeros(shape, np.float32) for name, shape in tensors.items()}, path)
    return path


def folder_of(path: Path, kind: object = "sam2", **more: Any) -> Path:
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(json.dumps({"model_type": kind, **more}))
    save(path / "model.safetensors", weight=(1000, 250))
    return path


SMALL = {
    "image_encoder.pos_embed": (1, 8, 8, 32),
    "image_encoder.patch_embed.proj.weight": (32, 3, 16, 16),
    "image_encoder.blocks.0.attn.rel_pos_h": (7, 16),
    "image_encoder.blocks.1.attn.rel_pos_h": (15, 16),
    "image_encoder.neck.0.weight": (24, 32, 1, 1),
    "mask_decoder.iou_token.weight": (1, 24),
}


@pytest.mark.parametrize(
    ("kind", "architecture", "requires"),
    [
        ("sam", "SamModel", ()),
        ("sam_hq", "SamHQModel", ()),
        ("sam2", "Sam2Model", ()),
        ("sam2_video", "Sam2Model", ()),
        ("edgetam_video", "EdgeTamModel", ("timm",)),
        ("sam3_video", "Sam3TrackerModel", ()),
    ],
)
def test_the_configuration_says_what_a_folder_holds(
    tmp_path: Path, kind: str, architecture: str, requires: tuple[str, ...]
) -> None:
    model = add_model("mine", folder_of(tmp_path / "m", kind), "My model")
    assert (model.architecture, model.backend, model.requires) == (
        architecture,
        "transformers",
        requires,
    )
    assert (model.title, model.parameters, model.megabytes) == ("My model", 0.2, 1)
    found = find(get_model("mine"))
    assert found is not None
    assert (found.path, found.where, verify(found)) == (tmp_path / "m", "given", "")


def test_the_classes_are_those_transformers_would_choose() -> None:
    pytest.importorskip("torch")
    auto = pytest.importorskip("transformers.models.auto.modeling_auto")
    from vde_nb.segment._identify import _TYPES

    named = auto.MODEL_FOR_MASK_GENERATION_MAPPING_NAMES
    for kind, (_, architecture, _) in _TYPES.items():
        assert named[kind] == architecture
    ours = {one.architecture for one in MODELS.values() if one.backend == "transformers"}
    assert ours <= set(named.values())


def test_weights_in_parts_are_one_model(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "m")
    save(folder / "part-1.safetensors", a=(10**6,))
    save(folder / "part-2.safetensors", b=(10**6,))
    (folder / "model.safetensors").unlink()
    index = folder / "model.safetensors.index.json"
    index.write_text(
        json.dumps({"weight_map": {"a": "part-1.safetensors", "b": "part-2.safetensors"}})
    )
    assert add_model("mine", folder).parameters == 2.0
    for broken in (
        {"weight_map": {"a": "part-1.safetensors", "b": "part-3.safetensors"}},
        {"weight_map": {"a": "../m/part-1.safetensors"}},
        {"weight_map": None},
        [],
    ):
        index.write_text(json.dumps(broken))
        with pytest.raises(WeightsError, match=r"holds no model\.safetensors"):
            add_model("mine", folder)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"model_type": "bert"}', "type 'bert', which is no SAM"),
        ("{}", "type None"),
        ("[]", "type None"),
        ("[1]", "cannot be read"),
        ("{", "cannot be read"),
        ("[" * 10**5, "cannot be read"),
        ('{"model_type": ["sam"]}', "which is no SAM"),
        (" " * (2 << 20), "too long"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_said(
    tmp_path: Path, content: str, told: str
) -> None:
    (folder_of(tmp_path / "m") / "config.json").write_text(content)
    with pytest.raises(WeightsError, match=told):
        add_model("mine", tmp_path / "m")
    assert "mine" not in MODELS


def test_a_folder_that_is_incomplete_says_what_is_missing(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "m")
    (folder / "config.json").unlink()
    with pytest.raises(WeightsError, match=r"it has no config\.json.*given as the file"):
        add_model("mine", folder)
    folder_of(folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"pickle files .* are not read"):
        add_model("mine", folder)


def test_a_file_of_safetensors_is_told_by_its_shapes(tmp_path: Path) -> None:
    model = add_model("mine", save(tmp_path / "small.safetensors", **SMALL))
    assert (model.backend, model.architecture) == ("segment_anything", "vit")
    assert (model.family, model.file) == ("SAM", "small.safetensors")
    cut = (tmp_path / "small.safetensors").read_bytes()[:-10]
    (tmp_path / "small.safetensors").write_bytes(cut)
    with pytest.raises(WeightsError, match="damaged, or was not copied whole"):
        add_model("mine", tmp_path / "small.safetensors")


def test_shapes_tell_every_size_of_the_encoder() -> None:
    assert vit_sizes(SMALL, Path("x")) == VitSizes(32, 2, 2, (1,), 4, 128, 24, 16)


def test_the_sizes_of_the_published_models_have_names() -> None:
    torch = pytest.importorskip("torch")
    registry = pytest.importorskip("segment_anything").sam_model_registry
    for name in ("vit_b", "vit_l", "vit_h"):
        with torch.device("meta"):
            state = registry[name]().state_dict()
        sizes = vit_sizes({key: tuple(one.shape) for key, one in state.items()}, Path("x"))
        assert sizes.name == name
        assert replace(sizes, depth=sizes.depth + 1).name == "vit"
        millions = sum(one.numel() for one in state.values()) / 1e6
        assert get_model(f"sam_{name}").parameters == pytest.approx(millions, abs=0.1)


@pytest.mark.parametrize("layout", ["zip", "old"])
def test_a_checkpoint_of_torch_is_told_by_its_shapes(tmp_path: Path, layout: str) -> None:
    torch = pytest.importorskip("torch")
    state = {name: torch.zeros(shape) for name, shape in SMALL.items()}
    file = tmp_path / "small.pth"
    torch.save(state, file, _use_new_zipfile_serialization=layout == "zip")
    model = add_model("mine", str(file))
    assert (model.architecture, model.path) == ("vit", file)
    file.write_bytes(file.read_bytes()[: 3000 if layout == "zip" else -100])
    with pytest.raises(WeightsError, match=r"small\.pth is damaged, or was not copied whole\. Get"):
        add_model("mine", file)


class Evil:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> Any:
        return Path.touch, (self._trace,)


@pytest.mark.parametrize("layout", ["zip", "old", "plain"])
def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path: Path, layout: str) -> None:
    torch = pytest.importorskip("torch")
    file, trace = tmp_path / "evil.pth", tmp_path / "trace"
    state = {"image_encoder.pos_embed": Evil(trace)}
    if layout == "plain":
        file.write_bytes(pickle.dumps(state, protocol=2))
    else:
        torch.save(state, file, _use_new_zipfile_serialization=layout == "zip")
    with pytest.raises(WeightsError, match=r"evil\.pth is not opened: .* holds code"):
        add_model("mine", file)
    assert not trace.exists()
    assert "mine" not in MODELS


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("image_encoder.trunk.pos_embed", "SAM 2 as its own package saves it"),
        ("mask_decoder.hf_token.weight", "SAM-HQ"),
        ("image_encoder.layers.0.weight", "MobileSAM"),
        ("vision_encoder.pos_embed", "give its folder"),
        ("weight", "image encoder, prompt encoder and mask decoder are not in it"),
    ],
)
def test_a_checkpoint_of_another_kind_says_what_it_is(tmp_path: Path, name: str, told: str) -> None:
    with pytest.raises(WeightsError, match=told):
        add_model("mine", save(tmp_path / "x.safetensors", **{name: (1,)}))


@pytest.mark.parametrize("content", [[], {"epoch": 3}, {"model": {"a": 1}}, 7])
def test_a_file_of_torch_without_tensors_says_what_is_in_it(
    tmp_path: Path, content: object
) -> None:
    torch = pytest.importorskip("torch")
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match="must hold the tensors by their names"):
        add_model("mine", tmp_path / "x.pth")


@pytest.mark.parametrize("shape", [(1, 8), (1, 8, 7, 32), (1, 0, 0, 0), ()])
def test_shapes_that_do_not_fit_are_no_encoder(shape: tuple[int, ...]) -> None:
    with pytest.raises(WeightsError, match="no checkpoint of segment-anything"):
        vit_sizes({**SMALL, "image_encoder.pos_embed": shape}, Path("x"))


def test_something_that_is_no_checkpoint_is_said(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "x.pth").write_text("<html>404</html>")
    with pytest.raises(WeightsError, match=r"no checkpoint|damaged"):
        add_model("mine", tmp_path / "x.pth")
    (tmp_path / "x.pth").write_text("the weights are on the other disk\n")
    with pytest.raises(WeightsError, match=r"x\.pth is no checkpoint\. Give a file"):
        add_model("mine", tmp_path / "x.pth")
    (tmp_path / "x.pth").write_bytes(b"")
    with pytest.raises(WeightsError):
        add_model("mine", tmp_path / "x.pth")
    with pytest.raises(WeightsError, match="there is no such file or folder"):
        add_model("mine", tmp_path / "nowhere.pth")
    for nonsense in (None, 3, "~nobody-here/x.pth", "zero\0byte"):
        with pytest.raises(WeightsError):
            add_model("mine", nonsense)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "x" * 65, "é", None, 3])
def test_a_name_that_could_not_be_typed_is_refused(tmp_path: Path, name: Any) -> None:
    with pytest.raises(SettingError, match="cannot be a model's name"):
        add_model(name, folder_of(tmp_path / "m"))


@pytest.mark.parametrize("name", ["sam_vit_b", "auto", "graphcut", "none"])
def test_a_name_that_means_something_else_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingError, match="is taken already"):
        add_model(name, folder_of(tmp_path / "m"))


def test_adding_again_replaces_and_removing_leaves_the_files(tmp_path: Path) -> None:
    add_model("mine", folder_of(tmp_path / "one"))
    assert add_model("mine", folder_of(tmp_path / "two", "sam")) is MODELS["mine"]
    assert list(MODELS)[-1] == "mine"
    assert MODELS["mine"].path == tmp_path / "two"
    remove_model("mine")
    assert "mine" not in MODELS
    assert (tmp_path / "two" / "config.json").exists()
    with pytest.raises(SettingError, match="no model 'mine'"):
        remove_model("mine")
    with pytest.raises(SettingError, match="comes with vde-nb"):
        remove_model("sam_vit_b")


def test_weights_that_went_away_are_not_found(tmp_path: Path) -> None:
    model = add_model("mine", folder_of(tmp_path / "m"))
    (tmp_path / "m" / "model.safetensors").unlink()
    assert find(model) is None
    from vde_nb.segment.weights import obtain

    with pytest.raises(WeightsError, match=r"is not at .*moved"):
        obtain(model)


def test_auto_takes_an_unranked_model_last(tmp_path: Path) -> None:
    model = add_model("mine", folder_of(tmp_path / "m"))
    assert model.quality > max(one.quality for one in MODELS.values() if one is not model)
    assert model.speed == 1, "it has fewer parameters than any other"
