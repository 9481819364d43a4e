"""Shrunken vision transformers with random weights, written where a test wants them.

They have the layers, files and names of the real ones at a width of 32, and load in milliseconds.
Nothing they compute means anything; but where attention is silenced (`alone=True`), the embedding
of a patch depends on that patch and its place alone, so that tokens can be followed to places.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

WIDTH, BLOCKS = 32, 4

#: What `tiny_vit` makes: class of transformers, patch, register tokens.
KINDS: dict[str, tuple[str, int, int]] = {
    "dinov2": ("Dinov2Model", 14, 0),
    "dinov2_reg": ("Dinov2WithRegistersModel", 14, 4),
    "dinov2_one_reg": ("Dinov2WithRegistersModel", 14, 1),
    "dinov3": ("DINOv3ViTModel", 16, 4),
    "dinov3_no_reg": ("DINOv3ViTModel", 16, 0),
}


def tiny_vit(folder: Path, kind: str, *, alone: bool = False, seed: int = 0) -> Path:
    """A folder as ``save_pretrained`` writes it, of one of `KINDS`."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    name, patch, registers = KINDS[kind]
    facts: dict[str, Any] = {
        "hidden_size": WIDTH,
        "num_hidden_layers": BLOCKS,
        "num_attention_heads": 2,
        "image_size": 4 * patch,
        "patch_size": patch,
    }
    if name != "Dinov2Model":
        facts["num_register_tokens"] = registers
    if name == "DINOv3ViTModel":
        facts["intermediate_size"] = 2 * WIDTH
    config = getattr(transformers, name.replace("Model", "Config"))(**facts)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = getattr(transformers, name)(config).eval()
    scramble(model, seed)
    if alone:
        silence(model)
    model.save_pretrained(folder)
    return folder


def tiny_timm(file: Path, architecture: str, *, alone: bool = False, seed: int = 0) -> Path:
    """The weights of a model of timm as a file, at their real size."""
    torch = pytest.importorskip("torch")
    timm = pytest.importorskip("timm")
    from safetensors.torch import save_file

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = timm.create_model(architecture, pretrained=False)  # with its classifier
    if alone:
        silence(model)
    save_file({name: one.contiguous() for name, one in model.state_dict().items()}, file)
    return file


def scramble(model: Any, seed: int) -> None:
    """Draw weights that let the picture through; those a library begins with are nearly deaf."""
    import torch

    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in sorted(model.named_parameters()):
            spread = 0.1 if weight.ndim < 2 else 1.5 / max(1, weight[0].numel()) ** 0.5
            if name.endswith(("_tokens", "_token", "position_embeddings")):
                spread = 0.3
            mean = 1.0 if ("norm" in name and name.endswith("weight")) or "lambda" in name else 0.0
            weight.copy_(mean + spread * torch.randn(weight.shape, generator=draw))


def silence(model: Any) -> None:
    """No token hears of another: what attention adds is scaled to nothing."""
    import torch

    with torch.no_grad():
        for name, weight in model.named_parameters():
            attention = name.endswith((".layer_scale1.lambda1", ".ls1.gamma", ".gamma_1"))
            if attention or ".attn.proj." in name:
                weight.zero_()
