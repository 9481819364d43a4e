"""Files that are not what they should be are refused in words, and nothing in them is run."""

from __future__ import annotations

import json
import pickle
from types import SimpleNamespace

import numpy as np
import pytest

from tests import sam_models
from vde_nb.errors import WeightsError
from vde_nb.segment._backend import open_backend
from vde_nb.segment._checkpoint import read_sam, read_transformers

torch = pytest.importorskip("torch")
pytest.importorskip("segment_anything")
transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return sam_models.tiny_sam(tmp_path_factory.mktemp("sam"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return sam_models.tiny_sam2(tmp_path_factory.mktemp("sam2"))


@pytest.fixture
def copy(folder, tmp_path):
    """A folder to do harm to."""
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def altered(checkpoint, tmp_path, change):
    state = torch.load(checkpoint, weights_only=True)
    change(state)
    torch.save(state, tmp_path / "altered.pth")
    return tmp_path / "altered.pth"


def same(network, checkpoint):
    state = torch.load(checkpoint, weights_only=True)
    found = network.state_dict()
    return found.keys() == state.keys() and all(torch.equal(found[n], state[n]) for n in state)


def test_a_checkpoint_of_any_size_is_read_from_its_shapes(tmp_path):
    path = sam_models.tiny_sam(
        tmp_path, depth=4, embed_dim=32, num_heads=2, window_size=5, global_attn_indexes=[0, 3],
        img_size=96, mlp_ratio=2,
    )  # fmt: skip
    network = read_sam(path)
    assert same(network, path)
    encoder = network.image_encoder
    assert encoder.img_size == 96
    assert [block.window_size for block in encoder.blocks] == [0, 5, 5, 0]
    assert {block.attn.num_heads for block in encoder.blocks} == {2}
    assert not network.training


def test_an_encoder_that_always_looks_at_the_whole_picture_is_read(tmp_path):
    path = sam_models.tiny_sam(tmp_path, window_size=0, global_attn_indexes=[])
    blocks = read_sam(path).image_encoder.blocks
    assert [block.window_size for block in blocks] == [0, 0, 0]


def test_safetensors_half_precision_and_old_archives_are_read(checkpoint, tmp_path):
    from safetensors.torch import save_file

    state = torch.load(checkpoint, weights_only=True)
    save_file({n: t.contiguous() for n, t in state.items()}, tmp_path / "sam.safetensors")
    assert same(read_sam(tmp_path / "sam.safetensors"), checkpoint)
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert same(read_sam(tmp_path / "old.pth"), checkpoint)
    torch.save({name: tensor.half() for name, tensor in state.items()}, tmp_path / "half.pth")
    assert {t.dtype for t in read_sam(tmp_path / "half.pth").parameters()} == {torch.float32}


def test_a_file_replaced_while_its_network_runs_does_no_harm(checkpoint, tmp_path):
    path = tmp_path / "sam.pth"
    path.write_bytes(checkpoint.read_bytes())
    network = read_sam(path)
    with path.open("r+b") as file:  # in place, under the mapping
        file.write(bytes(path.stat().st_size))
    assert same(network, checkpoint)


def test_another_size_than_the_chosen_one_is_named(checkpoint):
    with pytest.raises(WeightsError, match=r"tiny_sam\.pth should be vit_b.* width 48 .* 3 blocks"):
        read_sam(checkpoint, "vit_b")


def test_a_checkpoint_cut_short_is_refused(checkpoint, tmp_path):
    whole = checkpoint.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 30):
        path = tmp_path / "cut.pth"
        path.write_bytes(whole[:size])
        with pytest.raises(WeightsError, match=r"cut\.pth"):
            read_sam(path)


def test_an_old_checkpoint_cut_short_anywhere_is_refused(checkpoint, tmp_path):
    """torch says so with struct.error, AssertionError and more, by where the cut is."""
    path = tmp_path / "cut.pth"
    state = torch.load(checkpoint, weights_only=True)
    few = {name: state[name] for name in list(state)[:3]}
    torch.save(few, path, _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    for size in (*range(0, 900, 7), *range(len(whole) - 200, len(whole), 3)):
        path.write_bytes(whole[:size])
        with pytest.raises(WeightsError, match=r"cut\.pth"):
            read_sam(path)


def test_a_pickle_that_would_run_something_is_refused_and_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    torch.save({"image_encoder.pos_embed": Evil()}, tmp_path / "evil.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Evil(), protocol=2))
    for name in ("evil.pth", "plain.pth"):
        with pytest.raises(WeightsError, match=name):
            read_sam(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_what_is_no_checkpoint_is_refused(tmp_path):
    (tmp_path / "page.pth").write_text("<html>404</html>")
    (tmp_path / "page.safetensors").write_text("<html>404</html>")
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pth")
    for name in ("page.pth", "page.safetensors", "list.pth", "other.pth", "absent.pth"):
        with pytest.raises(WeightsError, match=name):
            read_sam(tmp_path / name)


def test_missing_foreign_and_misshapen_tensors_are_named(checkpoint, tmp_path):
    def drop(state):
        del state["image_encoder.neck.2.weight"]

    def add(state):
        state["mask_decoder.extra"] = torch.zeros(1)

    def bend(state):
        state["mask_decoder.iou_token.weight"] = torch.zeros(2, 32)

    for change, said in (
        (drop, r"1 missing \(image_encoder\.neck\.2\.weight\)"),
        (add, r"1 not part of it \(mask_decoder\.extra\)"),
        (bend, r"1 of another shape \(mask_decoder\.iou_token\.weight\)"),
    ):
        with pytest.raises(WeightsError, match=said):
            read_sam(altered(checkpoint, tmp_path, change))


def test_an_encoder_without_the_rest_is_refused(checkpoint, tmp_path):
    def halve(state):
        for name in [n for n in state if "prompt_encoder" in n or "transformer" in n]:
            del state[name]

    with pytest.raises(WeightsError, match="whole model"):
        read_sam(altered(checkpoint, tmp_path, halve))


def test_a_folder_of_transformers_is_read_whole_and_in_silence(folder, capfd, caplog):
    network = read_transformers(folder, "Sam2Model")
    assert network.dtype == torch.float32
    assert not network.training
    out = capfd.readouterr()
    assert (out.out, out.err) == ("", "")


def test_the_bars_of_transformers_are_as_they_were(folder):
    log = transformers.utils.logging
    before = log.is_progress_bar_enabled()
    read_transformers(folder, "Sam2Model")
    assert log.is_progress_bar_enabled() == before
    log.disable_progress_bar()
    try:
        read_transformers(folder, "Sam2Model")
        assert not log.is_progress_bar_enabled()
    finally:
        if before:
            log.enable_progress_bar()


def test_a_model_for_videos_gives_the_model_for_pictures_in_it(folder, copy, capfd):
    """As the published folders of SAM 2.1 are."""
    from safetensors.torch import load_file, save_file

    config = json.loads((copy / "config.json").read_text())
    config |= {"model_type": "sam2_video", "architectures": ["Sam2VideoModel"]}
    (copy / "config.json").write_text(json.dumps(config))
    state = load_file(copy / "model.safetensors")
    state["memory_encoder.projection.weight"] = torch.zeros(3)
    state["no_memory_positional_encoding"] = torch.zeros(1, 1, 32)
    save_file(state, copy / "model.safetensors", metadata={"format": "pt"})
    network, plain = (read_transformers(one, "Sam2Model") for one in (copy, folder))
    assert capfd.readouterr().err == ""  # "You are using a model of type `sam2_video` ..."
    found = network.state_dict()
    assert all(torch.equal(tensor, found[name]) for name, tensor in plain.state_dict().items())


def test_a_folder_with_another_model_is_refused(folder):
    with pytest.raises(WeightsError, match="should be a SamHQModel, but it holds a Sam2Model"):
        read_transformers(folder, "SamHQModel")
    with pytest.raises(WeightsError, match="BertModel"):
        read_transformers(folder, "BertModel")


@pytest.mark.parametrize(
    "harm", [{"auto_map": {"AutoModel": "evil.py--Evil"}}, {"x": [{"auto_map": 1}]}]
)
def test_a_folder_that_names_code_is_refused(copy, harm):
    config = json.loads((copy / "config.json").read_text()) | harm
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="code to run"):
        read_transformers(copy, "Sam2Model")


def test_a_folder_that_would_fetch_a_model_is_refused(copy):
    config = json.loads((copy / "config.json").read_text())
    config["vision_config"]["backbone_config"]["architecture"] = "hf-hub:someone/evil"
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="someone/evil"):
        read_transformers(copy, "Sam2Model")


@pytest.fixture(scope="module")
def edgetam(tmp_path_factory):
    return sam_models.tiny("edgetam", tmp_path_factory.mktemp("edgetam"))


def test_timm_is_given_nothing_that_makes_it_read_a_file(edgetam, tmp_path):
    class Evil:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    torch.save({"state_dict": Evil()}, tmp_path / "evil.pth")
    whole = (edgetam / "config.json").read_text()
    try:
        for harm in (
            {"checkpoint_path": str(tmp_path / "evil.pth")},
            {"pretrained_cfg": {"file": str(tmp_path / "evil.pth")}},
            {"pretrained": True},
        ):
            config = json.loads(whole)
            config["vision_config"]["backbone_config"]["model_args"] |= harm
            (edgetam / "config.json").write_text(json.dumps(config))
            with pytest.raises(WeightsError, match=f"model_args .* not {next(iter(harm))}"):
                read_transformers(edgetam, "EdgeTamModel")
    finally:
        (edgetam / "config.json").write_text(whole)
    assert not (tmp_path / "ran").exists()
    assert read_transformers(edgetam, "EdgeTamModel").dtype == torch.float32


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        ({"backbone": "hf-hub:someone/evil"}, "someone/evil"),
        ({"use_pretrained_backbone": True}, "weights from elsewhere"),
        (
            {"backbone_kwargs": {"checkpoint_path": "evil.pth"}},
            "backbone_kwargs .* checkpoint_path",
        ),
        ({"model_args": ["checkpoint_path"]}, "model_args"),
    ],
)
@pytest.mark.parametrize("part", ["", "vision_config"])
def test_no_part_of_a_folder_may_fetch_its_weights(copy, harm, told, part):
    config = json.loads((copy / "config.json").read_text())
    (config[part] if part else config).update(harm)
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=told):
        read_transformers(copy, "Sam2Model")


@pytest.mark.parametrize(
    "named", ["someone/evil", {"vision_config": "someone/evil"}, "flash_attention_2"]
)
@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation_internal"])
@pytest.mark.parametrize("part", ["", "vision_config"])
def test_attention_is_computed_by_nobody_elses_code(copy, named, key, part):
    """transformers fetches it from the hub: `kernels` need only be installed."""
    config = json.loads((copy / "config.json").read_text())
    (config[part] if part else config)[key] = named
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="may be eager or sdpa, not"):
        read_transformers(copy, "Sam2Model")


def test_the_way_of_attention_is_ours_to_say(copy):
    config = json.loads((copy / "config.json").read_text())
    config["attn_implementation"] = "eager"  # as somebody who looked for a fault may leave it
    (copy / "config.json").write_text(json.dumps(config))
    network = read_transformers(copy, "Sam2Model")
    assert network.config._attn_implementation == "sdpa"


def test_an_adapter_in_a_folder_is_not_loaded(copy):
    (copy / "adapter_config.json").write_text('{"base_model_name_or_path": "someone/evil"}')
    with pytest.raises(WeightsError, match=r"adapter_config\.json would load"):
        read_transformers(copy, "Sam2Model")


def test_pickles_in_a_folder_are_not_read(copy):
    state = copy / "model.safetensors"
    torch.save({}, copy / "pytorch_model.bin")
    state.unlink()
    with pytest.raises(WeightsError, match=r"no model\.safetensors"):
        read_transformers(copy, "Sam2Model")


def test_damaged_folders_are_refused(folder, copy):
    weights, config = copy / "model.safetensors", copy / "config.json"
    whole = weights.read_bytes()
    for size in (0, 100, len(whole) // 2):
        weights.write_bytes(whole[:size])
        with pytest.raises(WeightsError, match=copy.name):
            read_transformers(copy, "Sam2Model")
    weights.write_bytes(whole)
    for text in ("", "[]", "{", '{"model_type": "sam2", "vision_config": 3}'):
        config.write_text(text)
        with pytest.raises(WeightsError, match=copy.name):
            read_transformers(copy, "Sam2Model")
    config.unlink()
    with pytest.raises(WeightsError, match=r"config\.json"):
        read_transformers(copy, "Sam2Model")
    with pytest.raises(WeightsError):
        read_transformers(copy / "absent", "Sam2Model")


def test_a_folder_that_lacks_tensors_is_not_filled_with_random_ones(copy):
    from safetensors.torch import load_file, save_file

    state = load_file(copy / "model.safetensors")
    del state["mask_decoder.iou_token.weight"]
    state["mask_decoder.mask_tokens.weight"] = torch.zeros(4, 16)
    save_file(state, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=r"missing .*iou_token.* of another shape .*mask_tokens"):
        read_transformers(copy, "Sam2Model")
    del state["mask_decoder.mask_tokens.weight"]
    state["foreign"] = torch.zeros(1)
    save_file(state, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=r"missing \(.*not part of it \(foreign\)"):
        read_transformers(copy, "Sam2Model")


def test_edgetam_says_that_it_needs_timm(copy, monkeypatch):
    import vde_nb._extras as extras
    from vde_nb.errors import MissingExtraError

    config = json.loads((copy / "config.json").read_text()) | {"model_type": "edgetam"}
    (copy / "config.json").write_text(json.dumps(config))
    real = extras.importlib.import_module

    def without(name):
        if name == "timm":
            raise ImportError("No module named 'timm'")
        return real(name)

    monkeypatch.setattr(extras.importlib, "import_module", without)
    with pytest.raises(MissingExtraError, match="timm"):
        read_transformers(copy, "EdgeTamModel")


def test_a_refused_file_is_refused_by_open_backend_too(tmp_path):
    (tmp_path / "page.pth").write_text("<html>404</html>")
    model = SimpleNamespace(
        name="mine", title="Mine", backend="segment_anything", architecture="vit"
    )
    given = SimpleNamespace(model=model, path=tmp_path / "page.pth")
    with pytest.raises(WeightsError, match=r"page\.pth"):
        open_backend(given, device="cpu")


def test_a_checkpoint_from_a_real_build_of_vit_b_has_the_sizes_we_build():
    """Shapes only, on no device: 94 million weights would take seconds."""
    from segment_anything import build_sam_vit_b

    from vde_nb.segment._checkpoint import _build
    from vde_nb.segment._identify import vit_sizes

    with torch.device("meta"):
        theirs = build_sam_vit_b()
    shapes = {name: tuple(tensor.shape) for name, tensor in theirs.state_dict().items()}
    sizes = vit_sizes(shapes, "sam_vit_b.pth")
    assert sizes.name == "vit_b"
    with torch.device("meta"):
        ours = _build(sizes, shapes, "sam_vit_b.pth")
    assert {n: tuple(t.shape) for n, t in ours.state_dict().items()} == shapes
    windows = [block.window_size for block in ours.image_encoder.blocks]
    assert windows == [block.window_size for block in theirs.image_encoder.blocks]
    assert str(ours) == str(theirs)
    np.testing.assert_equal(
        [b.attn.scale for b in ours.image_encoder.blocks],
        [b.attn.scale for b in theirs.image_encoder.blocks],
    )
