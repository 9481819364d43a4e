"""DINOv2 (Oquab et al., 2023) and DINOv3 (Siméoni et al., 2025) as transformers runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vde_nb._extras import need
from vde_nb.errors import WeightsError
from vde_nb.features._identify import colours_of, identify_features
from vde_nb.features._network import VitNetwork
from vde_nb.segment._checkpoint import load_folder

if TYPE_CHECKING:
    from vde_nb.segment.weights import Weights

__all__ = ["open_vit"]


def open_vit(weights: Weights, layers: str, device: str, precision: str) -> VitNetwork:
    """The network of a folder that transformers wrote.

    Patch size and register tokens are what its ``config.json`` says. DINOv2's embeddings of
    positions are interpolated to the size of the input by transformers, DINOv3's are computed
    for it (rotary position embedding).

    Raises
    ------
    WeightsError
        The folder does not hold that model, or is damaged.
    MissingExtraError
        torch or transformers is not installed.
    """
    model, folder = weights.model, weights.path
    found = identify_features(folder)
    if found.architecture != model.architecture:
        raise WeightsError(
            f"{folder} should be a {model.architecture}, but it holds a {found.architecture}. "
            "Choose the model it belongs to."
        )
    network = load_folder(folder, model.architecture)
    config = network.config
    return VitNetwork(
        model.title,
        network,
        blocks=_blocks(network),
        norm=getattr(network, "layernorm", None) or network.norm,
        run=lambda tensor: network(pixel_values=tensor),
        patch=_side(config.patch_size, folder),
        prefix=1 + int(getattr(config, "num_register_tokens", 0)),
        layers=layers,
        colours=colours_of(folder),
        device=device,
        precision=precision,
    )


def _blocks(network: Any) -> Any:
    """The list of blocks: the longest there is, whatever it is called."""
    torch = need("torch", "sam", "DINO")
    return max((m for m in network.modules() if isinstance(m, torch.nn.ModuleList)), key=len)


def _side(size: Any, folder: object) -> int:
    sides = {int(side) for side in (size if isinstance(size, (list, tuple)) else [size])}
    if len(sides) != 1 or min(sides) < 1:
        raise WeightsError(f"{folder} has patches of {size}: only square ones can be used.")
    return sides.pop()
