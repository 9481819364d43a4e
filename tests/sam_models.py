"""Shrunken promptable models with random weights, written where a test wants them.

They have the layers, files and names of the real ones, at a side of 128 pixels instead of 1024
(masks of 32 x 32 instead of 256 x 256), and load in milliseconds. Their weights are drawn so that
the masks depend on the picture and on the prompt; nothing they outline means anything.
"""

from __future__ import annotations

import math
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

#: Pixels along the frame of every model made here, and cells along its masks.
SIDE, GRID = 128, 32

#: What `tiny` makes, with the transformers class of each.
KINDS = {
    "sam": "SamModel",
    "sam_hq": "SamHQModel",
    "sam2": "Sam2Model",
    "edgetam": "EdgeTamModel",
    "sam3_tracker": "Sam3TrackerModel",
}


def tiny_sam(folder: Path, seed: int = 0, **changes: Any) -> Path:
    """A checkpoint of segment-anything, ``tiny_sam.pth``; `changes` go to the image encoder."""
    torch = pytest.importorskip("torch")
    with torch.random.fork_rng(devices=[]):
        model = build_sam(**changes)
    scramble(model, seed)
    path = Path(folder) / "tiny_sam.pth"
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), path)
    return path


def build_sam(**changes: Any) -> Any:
    """The shrunken model of segment-anything, made of its own classes, not yet scrambled."""
    torch = pytest.importorskip("torch")
    modeling = pytest.importorskip("segment_anything.modeling")
    width, patch = 32, 16
    encoder: dict[str, Any] = {
        "depth": 3,
        "embed_dim": 48,
        "img_size": SIDE,
        "mlp_ratio": 4,
        "norm_layer": partial(torch.nn.LayerNorm, eps=1e-6),
        "num_heads": 4,
        "patch_size": patch,
        "qkv_bias": True,
        "use_rel_pos": True,
        "global_attn_indexes": [1],
        "window_size": 3,
        "out_chans": width,
    }
    encoder |= changes
    side = encoder["img_size"]
    model = modeling.Sam(
        image_encoder=modeling.ImageEncoderViT(**encoder),
        prompt_encoder=modeling.PromptEncoder(
            embed_dim=width,
            image_embedding_size=(side // patch, side // patch),
            input_image_size=(side, side),
            mask_in_chans=16,
        ),
        mask_decoder=modeling.MaskDecoder(
            num_multimask_outputs=3,
            transformer=modeling.TwoWayTransformer(
                depth=2, embedding_dim=width, mlp_dim=64, num_heads=8
            ),
            transformer_dim=width,
            iou_head_depth=3,
            iou_head_hidden_dim=32,
        ),
    )
    return model.eval()


def tiny_sam2(folder: Path, seed: int = 0) -> Path:
    """A transformers folder of a SAM 2 model: ``config.json`` and ``model.safetensors``."""
    return tiny("sam2", folder, seed)


def tiny(kind: str, folder: Path, seed: int = 0) -> Path:
    """A transformers folder of one of `KINDS`, with its ``preprocessor_config.json``."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("torchvision")
    if kind == "edgetam":
        pytest.importorskip("timm")
    with torch.random.fork_rng(devices=[]):
        model = getattr(transformers, KINDS[kind])(_config(kind)).eval()
    scramble(model, seed)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    image_processor(kind).save_pretrained(folder)
    return folder


def image_processor(kind: str) -> Any:
    """The library's own image processor for one of `KINDS`, at the side of the tiny models."""
    import transformers

    square = {"height": SIDE, "width": SIDE}
    if kind in ("sam", "sam_hq"):
        return transformers.SamImageProcessor(size={"longest_edge": SIDE}, pad_size=square)
    name = "Sam3ImageProcessor" if kind == "sam3_tracker" else "Sam2ImageProcessor"
    return getattr(transformers, name)(size=square)


def _config(kind: str) -> Any:
    import transformers as t

    width = 32
    prompt = {"hidden_size": width, "image_size": SIDE, "patch_size": 16}
    decoder = {
        "hidden_size": width,
        "mlp_dim": 64,
        "num_attention_heads": 8,
        "iou_head_hidden_dim": 32,
    }
    sizes = [[GRID, GRID], [GRID // 2, GRID // 2], [GRID // 4, GRID // 4]]
    if kind in ("sam", "sam_hq"):
        vision = {
            "hidden_size": 48,
            "output_channels": width,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "image_size": SIDE,
            "window_size": 3,
            "global_attn_indexes": [1],
            "num_pos_feats": width // 2,
        }
        if kind == "sam":
            return t.SamConfig(
                vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder
            )
        return t.SamHQConfig(
            vision_config=vision,
            prompt_encoder_config=prompt,
            mask_decoder_config=decoder | {"vit_dim": 48},
        )
    if kind == "sam2":
        backbone = t.Sam2HieraDetConfig(
            hidden_size=8,
            image_size=[SIDE, SIDE],
            window_positional_embedding_background_size=[4, 4],
            blocks_per_stage=[1, 1, 2, 1],
            embed_dim_per_stage=[8, 16, 32, 64],
            num_attention_heads_per_stage=[1, 1, 2, 4],
            window_size_per_stage=[4, 4, 4, 4],
            global_attention_blocks=[3],
        )
        vision = t.Sam2VisionConfig(
            backbone_config=backbone,
            backbone_channel_list=[64, 32, 16, 8],
            backbone_feature_sizes=sizes,
            fpn_hidden_size=width,
        )
        return t.Sam2Config(
            vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder
        )
    if kind == "edgetam":
        backbone = t.TimmWrapperConfig(
            architecture="repvit_m1",
            model_args={"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]},
        )
        vision = t.EdgeTamVisionConfig(
            backbone_config=backbone, backbone_feature_sizes=sizes, fpn_hidden_size=width
        )
        return t.EdgeTamConfig(
            vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder
        )
    backbone = t.Sam3ViTConfig(
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        image_size=SIDE,
        patch_size=16,
        window_size=4,
        global_attn_indexes=[1],
        pretrain_image_size=SIDE // 2,
    )
    vision = t.Sam3VisionConfig(
        backbone_config=backbone, backbone_feature_sizes=sizes, fpn_hidden_size=width
    )
    return t.Sam3TrackerConfig(
        vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder
    )


def scramble(model: Any, seed: int) -> None:
    """Draw weights that let the picture and the prompt through to the masks.

    What the libraries begin training with is nearly deaf (SAM's encoder at 1e-10), and every mask
    would be the same.
    """
    import torch

    draw = torch.Generator().manual_seed(seed)

    def normal(tensor: Any, deviation: float, mean: float = 0.0) -> None:
        tensor.copy_(torch.randn(tensor.shape, generator=draw) * deviation + mean)

    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            if "positional_e" in name:  # the random frequencies of places
                normal(weight, 1.0)
            elif name.endswith("_token.weight") or "tokens" in name:  # same for every prompt
                normal(weight, 0.3)
            elif weight.ndim >= 2 and "embed" in name and not re.search("proj|conv", name):
                normal(weight, 1.0)
            elif weight.ndim >= 2:
                gain = 2.5 if "decoder.transformer" in name else 1.6
                if "timm" in name:  # of real depth: more would grow beyond float16
                    gain = 0.7
                normal(weight, gain / math.sqrt(math.prod(weight.shape[1:])))
            elif name.endswith("bias"):
                normal(weight, 0.1)
            else:  # the gains of the norms
                normal(weight, 0.1, mean=1.0)
        for name, buffer in sorted(model.named_buffers()):
            if "positional_e" in name:
                normal(buffer, 1.0)
