"""Networks read from files that nobody vouches for.

A ``.pth`` file is a pickle, which can run anything; torch reads it with ``weights_only=True``,
which refuses whatever is not a tensor. Of a folder of transformers only JSON and safetensors are
read, and no configuration that names code of its own or a model elsewhere. What a file holds is
compared with what the network needs, name by name and shape by shape, before anything is computed;
and before memory is taken for a network, its size with that of the file.
"""

from __future__ import annotations

import json
import logging
import math
import re
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from vde_nb._extras import need
from vde_nb.errors import WeightsError
from vde_nb.segment._identify import (
    Shapes,
    VitSizes,
    identify,
    shapes_in,
    vit_sizes,
    weights_in,
)

__all__ = [
    "FAMILIES",
    "check_room",
    "complain",
    "load_folder",
    "read_sam",
    "read_transformers",
]

#: The classes of transformers we run, with what their encoders return.
FAMILIES = {
    "SamModel": "sam",
    "SamHQModel": "sam_hq",
    "Sam2Model": "sam2",
    "EdgeTamModel": "sam2",
    "Sam3TrackerModel": "sam2",
}

# Colours of the pictures it was trained on, which are not in the file.
_MEAN, _DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
_DECODER_HEADS = 8  # shapes do not tell; every model so far has as many
_DECODER = "mask_decoder.transformer.layers"
_IOU = "mask_decoder.iou_prediction_head.layers"
_SHOWN = 3  # names in a message
# Numbers a network may have that its file has not: so many, or as many as the file has. Tables that
# it computes itself are among them.
_SPARE = 10_000_000
# Names in a configuration that count parts of a network, each of which has weights of its own.
_COUNTS = re.compile(
    r"(\w+_)?(num_(\w+_)?(layers|blocks)|depths?|blocks_per_stage)"
    r"|num_multimask_outputs|num_point_embeddings"
)

# What EdgeTAM gives timm to build its encoder with. Others have it read a file, even a pickle, or
# fetch one: checkpoint_path, pretrained, pretrained_cfg.
_FOR_TIMM = {"features_only", "in_chans", "out_indices"}


def read_sam(path: Path, architecture: str = "vit") -> Any:
    """The network of a checkpoint of the segment-anything package.

    Parameters
    ----------
    path
        A ``.pth`` or ``.safetensors`` file.
    architecture
        ``"vit_b"``, ``"vit_l"`` or ``"vit_h"`` when that is what it must be, ``"vit"``: any.

    Returns
    -------
    segment_anything.modeling.Sam
        In fp32 on the CPU, for inference.

    Raises
    ------
    WeightsError
        It cannot be read, would run code, or holds something else.
    MissingExtraError
        torch or segment-anything is not installed.
    """
    need("segment_anything", "sam", "SAM")
    torch = need("torch", "sam", "SAM")
    path = Path(path)
    shapes = shapes_in(path)  # refuses what is not a readable file of tensors
    sizes = vit_sizes(shapes, path)
    if architecture != "vit" and sizes.name != architecture:
        raise WeightsError(
            f"{path} should be {architecture}, but {_words(sizes)}. Choose the model it belongs "
            "to, or get the right file."
        )
    with torch.device("meta"):  # no time is lost with drawing random weights
        network = _build(sizes, shapes, path)
    needed = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    complain(
        path,
        f"{_words(sizes)}, of which",
        missing=[name for name in needed if name not in shapes],
        foreign=[name for name in shapes if name not in needed],
        wrong=[name for name in needed if shapes.get(name, needed[name]) != needed[name]],
    )
    state = _tensors(path)
    # Copies: the file is mapped into memory, and may be replaced while we run.
    network.load_state_dict(
        {name: state[name].to(torch.float32, copy=True) for name in needed}, assign=True
    )
    for name, values in (("pixel_mean", _MEAN), ("pixel_std", _DEVIATION)):
        network.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)
    return network.eval()


def _tensors(path: Path) -> Mapping[str, Any]:
    if path.suffix == ".safetensors":
        state: Mapping[str, Any] = need("safetensors.torch", "sam", "SAM").load_file(path)
        return state
    torch = need("torch", "sam", "SAM")
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    return state


def _words(sizes: VitSizes) -> str:
    if sizes.name != "vit":
        return f"it holds a {sizes.name}"
    return f"it holds a ViT of width {sizes.width} with {sizes.depth} blocks"


def _build(sizes: VitSizes, shapes: Shapes, path: Path) -> Any:
    """The network of segment-anything, as its own `build_sam` makes it, in other sizes."""
    torch = need("torch", "sam", "SAM")
    parts = need("segment_anything.modeling", "sam", "SAM")
    patch = shapes["image_encoder.patch_embed.proj.weight"][-1]
    cells = sizes.side // patch
    try:
        attention = shapes[f"{_DECODER}.0.cross_attn_token_to_image.q_proj.weight"][0]
        return parts.Sam(
            image_encoder=parts.ImageEncoderViT(
                depth=sizes.depth,
                embed_dim=sizes.width,
                img_size=sizes.side,
                mlp_ratio=shapes["image_encoder.blocks.0.mlp.lin1.weight"][0] / sizes.width,
                norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
                num_heads=sizes.heads,
                patch_size=patch,
                qkv_bias=True,
                use_rel_pos=True,
                global_attn_indexes=sizes.everywhere,
                window_size=sizes.window,
                out_chans=sizes.channels,
            ),
            prompt_encoder=parts.PromptEncoder(
                embed_dim=sizes.channels,
                image_embedding_size=(cells, cells),
                input_image_size=(sizes.side, sizes.side),
                mask_in_chans=shapes["prompt_encoder.mask_downscaling.3.weight"][0],
            ),
            mask_decoder=parts.MaskDecoder(
                num_multimask_outputs=3,
                transformer=parts.TwoWayTransformer(
                    depth=_count(shapes, _DECODER),
                    embedding_dim=sizes.channels,
                    mlp_dim=shapes[f"{_DECODER}.0.mlp.lin1.weight"][0],
                    num_heads=_DECODER_HEADS,
                    attention_downsample_rate=sizes.channels // attention,
                ),
                transformer_dim=sizes.channels,
                iou_head_depth=_count(shapes, _IOU),
                iou_head_hidden_dim=shapes[f"{_IOU}.0.weight"][0],
            ),
        )
    except (KeyError, IndexError, ZeroDivisionError, AssertionError, RuntimeError) as error:
        raise WeightsError(
            f"{path} holds the image encoder of SAM, but no prompt encoder and mask decoder that "
            f"fit it ({error}); a checkpoint must hold the whole model."
        ) from error


def _count(shapes: Shapes, prefix: str) -> int:
    """How many numbered modules there are below `prefix`."""
    begin = len(prefix) + 1
    return len({n[begin:].partition(".")[0] for n in shapes if n.startswith(f"{prefix}.")})


def complain(
    path: Path, what: str, *, missing: list[str], foreign: list[str], wrong: list[str]
) -> None:
    """Raise unless a file holds exactly the tensors that are needed."""
    problems = [
        f"{len(names)} {how} ({', '.join(sorted(names)[:_SHOWN])}"
        f"{', …' if len(names) > _SHOWN else ''})"
        for names, how in (
            (missing, "missing"),
            (foreign, "not part of it"),
            (wrong, "of another shape"),
        )
        if names
    ]
    if problems:
        raise WeightsError(
            f"{path} cannot be used: {what} tensors are {'; '.join(problems)}. Get the file again, "
            "or choose the model it belongs to."
        )


def read_transformers(folder: Path, architecture: str) -> Any:
    """The network of a folder that transformers wrote.

    Parameters
    ----------
    folder
        With ``config.json`` and ``model.safetensors``.
    architecture
        One of :data:`FAMILIES`.

    Returns
    -------
    transformers.PreTrainedModel
        In fp32 on the CPU, for inference.

    Raises
    ------
    WeightsError
        It cannot be read, wants to run code, or holds something else.
    MissingExtraError
        torch, torchvision, transformers or (EdgeTAM) timm is not installed.
    """
    folder = Path(folder)
    if architecture not in FAMILIES:
        known = ", ".join(FAMILIES)
        raise WeightsError(f"{folder} is said to be a {architecture}: it must be one of {known}.")
    found = identify(folder)
    if found.backend != "transformers" or found.architecture != architecture:
        raise WeightsError(
            f"{folder} should be a {architecture}, but it holds a {found.architecture}. Choose "
            "the model it belongs to."
        )
    return load_folder(folder, architecture, ("torchvision", *found.requires))


def load_folder(folder: Path, architecture: str, requires: tuple[str, ...] = ()) -> Any:
    """Any network of a folder that transformers wrote, once it is known what it holds.

    Parameters
    ----------
    folder
        With ``config.json`` and ``model.safetensors``.
    architecture
        A class of transformers.
    requires
        Modules it needs besides torch and transformers.

    Returns
    -------
    transformers.PreTrainedModel
        In fp32 on the CPU, for inference.

    Raises
    ------
    WeightsError, MissingExtraError
        As :func:`read_transformers`.
    """
    if (folder / "adapter_config.json").exists():  # which may name a model elsewhere
        raise WeightsError(
            f"{folder} is not used: its adapter_config.json would load other weights on top. Merge "
            "the adapter into the model and save it again, or remove that file."
        )
    _check_config(folder / "config.json")
    torch = need("torch", "sam", architecture)
    transformers = need("transformers", "sam", architecture)
    for module in requires:
        need(module, "sam", architecture)
    shapes = {name: shape for file in weights_in(folder) for name, shape in shapes_in(file).items()}
    _check_counts(folder / "config.json", len(shapes))
    try:
        with _quiet(transformers):
            make = getattr(transformers, architecture)
            config = make.config_class.from_pretrained(folder, local_files_only=True)
            with torch.device("meta"):  # whatever its size, it takes no memory
                check_room(make(config), shapes, folder)
            network, told = make.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                attn_implementation={"": "sdpa"},  # of the parts: what each can do, as ever
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # told instead of raised: we name them
            )
    except (MemoryError, WeightsError):
        raise
    except Exception as error:  # whatever a damaged folder makes of the library
        first = (str(error).strip().splitlines() or [""])[0][:200]
        raise WeightsError(
            f"{folder} cannot be read as a {architecture} ({type(error).__name__}: {first}). It is "
            "damaged, or was not copied whole."
        ) from error
    complain(
        folder,
        f"of the {architecture} its config.json describes,",
        missing=list(told["missing_keys"]),
        foreign=list(told["unexpected_keys"]),
        wrong=[str(key[0]) for key in told["mismatched_keys"]],
    )
    return network.eval()


def check_room(network: Any, shapes: Shapes, path: Path) -> None:
    """Refuse a network that is far larger than its weights, before it takes any memory.

    A configuration of a hundred bytes can describe a network of a hundred gigabytes. What is a
    little larger than its file is told by :func:`complain`, tensor by tensor.

    Parameters
    ----------
    network
        On torch's device ``meta``, where tensors have a shape and no content.
    shapes
        Of the tensors in the file.
    path
        For the message.

    Raises
    ------
    WeightsError
        It is.
    """
    held = sum(map(math.prod, shapes.values()))
    asked = sum(one.numel() for one in (*network.parameters(), *network.buffers()))
    if asked > 2 * held + _SPARE:
        raise WeightsError(
            f"{path} cannot be used: it describes a network of {asked / 1e6:,.0f} million numbers, "
            f"and its weights are {held / 1e6:,.1f} million. It was not copied whole, or the "
            "description is of another model."
        )


def _check_counts(file: Path, tensors: int) -> None:
    """Refuse a configuration of more layers than there are tensors: even empty ones take memory."""
    for key, value in _items(json.loads(file.read_bytes())):
        numbers = value if isinstance(value, list) else [value]
        total = sum(one for one in numbers if isinstance(one, int))
        if total > tensors and _COUNTS.fullmatch(key):
            raise WeightsError(
                f"{file} is not used: it says {key}={total}, and the weights have {tensors} "
                "tensors. Get both again from where they came."
            )


def _check_config(file: Path) -> None:
    """Refuse a configuration that would have something fetched, unpickled or run."""
    for key, value in _items(json.loads(file.read_bytes())):
        reason = ""
        if key == "auto_map":
            reason = "it names code to run (auto_map)"
        # All others are, or fall back to, code that transformers fetches from the hub.
        elif "attn_implementation" in key and value not in (None, "eager", "sdpa"):
            reason = f"its {key} may be eager or sdpa, not {value}"
        # Of timm, whose names may be addresses: "hf-hub:someone/model".
        elif key in ("architecture", "backbone") and isinstance(value, str) and ":" in value:
            reason = f"it names a model elsewhere ({value})"
        elif key == "use_pretrained_backbone" and value:
            reason = f"it wants weights from elsewhere ({key})"
        elif key in ("model_args", "backbone_kwargs") and value:
            foreign = sorted(set(value) - _FOR_TIMM) if isinstance(value, dict) else [value]
            if foreign:
                reason = f"its {key} may hold {', '.join(sorted(_FOR_TIMM))}, not {foreign[0]}"
        if reason:
            raise WeightsError(f"{file} is not used: {reason}.")


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    """All keys with their values, at any depth."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            yield from one.items()
            left += one.values()
        elif isinstance(one, list):
            left += one


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Keep what the library says while loading off the screen: we compare the tensors ourselves."""
    thread, log = threading.get_ident(), transformers.utils.logging
    handlers = list(logging.getLogger("transformers").handlers)

    def elsewhere(record: logging.LogRecord) -> bool:
        return record.thread != thread

    bars = log.is_progress_bar_enabled()
    for handler in handlers:
        handler.addFilter(elsewhere)
    if bars:
        log.disable_progress_bar()
    try:
        yield
    finally:
        if bars:
            log.enable_progress_bar()
        for handler in handlers:
            handler.removeFilter(elsewhere)
