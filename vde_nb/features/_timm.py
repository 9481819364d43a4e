"""Vision transformers of the timm package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vde_nb._extras import need
from vde_nb.errors import SettingError, WeightsError
from vde_nb.features._identify import colours_of, config_of
from vde_nb.features._network import VitNetwork
from vde_nb.segment._checkpoint import check_room, complain
from vde_nb.segment._identify import shapes_in

if TYPE_CHECKING:
    from vde_nb.segment.weights import Weights

__all__ = ["open_timm"]

# What is used of a network; others than plain vision transformers lack some of it.
_NEEDED = ("blocks", "norm", "patch_embed", "num_prefix_tokens", "forward_features")


def open_timm(weights: Weights, layers: str, device: str, precision: str) -> VitNetwork:
    """A network of timm with weights from a folder as on the hub, or from a file.

    Only the name of the architecture and the colours are taken from the folder's configuration:
    nothing it says is called.

    Raises
    ------
    SettingError
        timm has no such model, or it is none that describes patches of pictures of any size.
    WeightsError
        The weights are damaged, or those of another model.
    MissingExtraError
        torch or timm is not installed.
    """
    model, path = weights.model, weights.path
    if path.is_dir():
        said = config_of(path).get("architecture", model.architecture)
        if said != model.architecture:
            raise WeightsError(
                f"{path} should be a {model.architecture}, but it holds a {said}. Choose the "
                "model it belongs to."
            )
    shapes = {name: shape for file in weights.files for name, shape in shapes_in(file).items()}
    check_room(_built(model.architecture, "meta"), shapes, path)
    network = _built(model.architecture)
    for file in weights.files:
        _fill(network, file, model.architecture)
    patch = network.patch_embed.patch_size
    if len(set(patch)) != 1:
        raise SettingError(f"{model.title} has patches of {patch}: only square ones can be used.")
    mean, deviation = colours_of(path)
    if not path.is_dir():
        known = network.pretrained_cfg
        mean, deviation = known.get("mean", mean), known.get("std", deviation)
    return VitNetwork(
        model.title,
        network,
        blocks=network.blocks,
        norm=network.norm,
        run=network.forward_features,
        patch=int(patch[0]),
        prefix=int(network.num_prefix_tokens),
        layers=layers,
        colours=(mean, deviation),
        device=device,
        precision=precision,
    )


def _built(architecture: str, device: str = "cpu") -> Any:
    """The network with random weights, which takes pictures of any size; on "meta" without any."""
    timm, torch = need("timm", "sam", architecture), need("torch", "sam", architecture)
    if not timm.is_model(architecture):
        raise SettingError(
            f"timm {timm.__version__} has no model {architecture!r}; timm.list_models() lists them."
        )
    try:
        # other people's random numbers stay theirs
        with torch.random.fork_rng(devices=[]), torch.device(device):
            network = timm.create_model(
                architecture, pretrained=False, num_classes=0, dynamic_img_size=True
            )
    except TypeError as error:  # it knows no such option
        raise _unfit(architecture) from error
    if not all(hasattr(network, name) for name in _NEEDED):
        raise _unfit(architecture)
    return network


def _unfit(architecture: str) -> SettingError:
    return SettingError(
        f"timm's {architecture} cannot be used: it is no vision transformer for pictures of any "
        "size. Those called vit_*, deit_* and eva* are."
    )


def _fill(network: Any, file: Path, architecture: str) -> None:
    """Give a network the weights of a file, of which only those of its classifier may be over."""
    safetensors = need("safetensors", "sam", architecture)
    try:
        state = need("safetensors.torch", "sam", architecture).load_file(file)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise WeightsError(
            f"{file} is damaged, or was not copied whole. Get it again from where it came."
        ) from error
    needed = {name: tuple(one.shape) for name, one in network.state_dict().items()}
    heads = network.pretrained_cfg.get("classifier") or ()
    heads = (heads,) if isinstance(heads, str) else tuple(heads)
    over = tuple(f"{head}." for head in heads)
    complain(
        file,
        f"of timm's {architecture}",
        missing=[name for name in needed if name not in state],
        foreign=[name for name in state if name not in needed and not name.startswith(over)],
        wrong=[n for n in needed if n in state and tuple(state[n].shape) != needed[n]],
    )
    network.load_state_dict({name: state[name].float() for name in needed})
