"""A small network that rebuilds what light and camera did to the embeddings of a picture.

It sees how far every embedding lies from its place's mean, and answers what of that belongs to a
normal picture. Three things keep it from copying whatever it is shown, which would make a defect
normal (after Dinomaly: Guo et al., *Dinomaly: The Less Is More Philosophy in Multi-Class
Unsupervised Anomaly Detection*, 2025):

- a noisy bottleneck: all it learns of a picture passes through a few numbers per block of cells,
  some of them dropped at random, so a defect smaller than a block cannot be described;
- a task of which copying is no solution: while it learns, patches of the input are exchanged for
  what is normal elsewhere in the scene, and it has to answer as if they had not been;
- a loss that looks at what is rebuilt badly: cells above the 90 % quantile count in full, others
  less.

Each cell also has a code of what is normally there and of where it lies, so the same light may mean
one thing on a pipe and another on the wall behind it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._extras import need
from vde_nb._progress import report

__all__ = ["BOTTLENECK", "Crop", "Layers", "Task", "layers_of", "rebuilt", "trained"]

Float32 = npt.NDArray[np.float32]
#: Weights and biases by name: float32.
Layers: TypeAlias = "dict[str, npt.NDArray[np.float32]]"

_HIDDEN, BOTTLENECK, _AROUND = 64, 24, 48  # channels of a cell, of a block, of its surroundings
_DROPPED = 0.2  # share of the numbers of a block
_RATE, _WARM_UP, _DECAY = 4e-3, 20, 1e-4  # of AdamW
_HARD, _EASY = 0.9, 0.3  # quantile of the hard cells, and what the others count
_COSINE = 0.2  # weight of the angle's part of the loss
_CHECKED, _PATIENCE = 20, 4  # steps between two looks at the held-out crops, and looks in vain
_LARGEST = 14  # cells: semi-axes of an exchanged patch, at most
_EXTRA = "sam"  # what installs torch


@dataclass(frozen=True, eq=False)
class Crop:
    """Cells of one picture.

    Attributes
    ----------
    deviations
        ``(h, w, q)`` float32: how far each embedding lies from normal, 1 is usual.
    code
        ``(h, w, c)`` float32: what is normally there.
    shown
        ``(h, w)`` float32: 1 where the picture shows something.
    elsewhere
        ``(h, w, q)`` float32: deviations of what lies elsewhere in the scene, put here.
    """

    deviations: Float32
    code: Float32
    shown: Float32
    elsewhere: Float32 | None = None


@dataclass(frozen=True, eq=False)
class Task:
    """What a network is trained on.

    Attributes
    ----------
    draw
        ``draw(rng)`` returns a random crop of the pictures to learn from; all have one size.
    held_out
        Crops of pictures it does not learn from, to stop early; empty: all steps are taken.
    block
        Cells on each side of a block.
    steps, batch
        Most steps, and crops in each.
    """

    draw: Callable[[np.random.Generator], Crop]
    held_out: tuple[Crop, ...]
    block: int
    steps: int
    batch: int


def layers_of(channels: int, code: int) -> dict[str, tuple[int, ...]]:
    """Shapes of all weights and biases, for `channels` deviations and a `code` per cell."""
    sizes = {
        "see": (_HIDDEN, channels + code, 1),
        "tell": (BOTTLENECK + 1, _HIDDEN, 1),
        "around": (_AROUND, BOTTLENECK, 3),
        "all": (BOTTLENECK, 2 * _AROUND, 3),
        "place": (_HIDDEN, BOTTLENECK + code, 1),
        "mix": (_HIDDEN, _HIDDEN, 1),
        "answer": (channels, _HIDDEN, 1),
    }
    shapes: dict[str, tuple[int, ...]] = {}
    for name, (out, into, side) in sizes.items():
        shapes[f"{name}.weight"] = (out, into, side, side)
        shapes[f"{name}.bias"] = (out,)
    return shapes


def trained(task: Task, seed: int, what: str, share: tuple[float, float] = (0, 1)) -> Layers:
    """Train a network.

    Parameters
    ----------
    task
        What on.
    seed
        The same seed gives the same numbers on the same machine.
    what
        Text of the progress.
    share
        Where in the whole work this begins and ends.

    Returns
    -------
    dict
        The layers as they were when the held-out crops were rebuilt best.

    Raises
    ------
    MissingExtraError
        torch is not installed.
    """
    torch = need("torch", _EXTRA, "The decoder of normality")
    rng = np.random.Generator(np.random.PCG64([seed, 97]))
    # Of its own: the random numbers of whoever calls stay as they are.
    generator = torch.Generator().manual_seed(seed)
    first = task.draw(rng)
    with _one_thread(torch), torch.enable_grad():
        layers = _begun(torch, layers_of(first.deviations.shape[2], first.code.shape[2]), generator)
        optimiser = torch.optim.AdamW(layers.values(), lr=_RATE, weight_decay=_DECAY)
        kept, least, vain = _copied(layers), math.inf, 0
        for step in range(task.steps):
            report(what, share[0] + (share[1] - share[0]) * step / task.steps)
            for group in optimiser.param_groups:
                warm = min(1.0, (step + 1) / _WARM_UP)
                group["lr"] = _RATE * warm * (0.55 + 0.45 * math.cos(math.pi * step / task.steps))
            crops = [task.draw(rng) for _ in range(task.batch)]
            aim = _tensor(torch, [crop.deviations for crop in crops])
            seen = _tensor(torch, [_exchanged(crop, rng) for crop in crops])
            code = _tensor(torch, [crop.code for crop in crops])
            shown = _tensor(torch, [crop.shown[..., None] for crop in crops])
            answer = _forward(torch, layers, seen, code, shown, task.block, generator)
            loss = _loss(torch, answer, aim, shown)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if not task.held_out or ((step + 1) % _CHECKED and step + 1 < task.steps):
                continue
            found = _missed(torch, layers, task)
            vain = 0 if found < least else vain + 1
            if found < least:
                kept, least = _copied(layers), found
            if vain >= _PATIENCE:
                break
    return kept if task.held_out else _copied(layers)


def rebuilt(layers: Mapping[str, Float32], crop: Crop, block: int) -> Float32:
    """What of the deviations of a picture belongs to a normal one, ``(h, w, q)``.

    Raises
    ------
    MissingExtraError
        torch is not installed.
    """
    torch = need("torch", _EXTRA, "The decoder of normality")
    with torch.no_grad():
        answer = _forward(
            torch,
            {name: torch.from_numpy(values) for name, values in layers.items()},
            _tensor(torch, [crop.deviations]),
            _tensor(torch, [crop.code]),
            _tensor(torch, [crop.shown[..., None]]),
            block,
        )
        return np.ascontiguousarray(answer[0].permute(1, 2, 0).numpy(), np.float32)


@contextmanager
def _one_thread(torch: Any) -> Iterator[None]:
    """Have torch compute on one thread.

    Steps are so small that two are hardly quicker, and where other work runs they wait for each
    other: 13 s instead of 4 s for ten steps. The sums do not depend on the number of cores, either.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _begun(torch: Any, shapes: Mapping[str, tuple[int, ...]], generator: Any) -> dict[str, Any]:
    """Random layers (He et al. 2015); the last one is 0, so that all begins with the mean."""
    layers = {}
    for name, shape in shapes.items():
        if len(shape) == 1 or name == "answer.weight":
            layers[name] = torch.zeros(shape)
        else:
            deviation = math.sqrt(2 / math.prod(shape[1:]))
            layers[name] = torch.randn(shape, generator=generator) * deviation
        layers[name].requires_grad_(True)
    return layers


def _copied(layers: Mapping[str, Any]) -> Layers:
    return {name: layer.detach().numpy().copy() for name, layer in layers.items()}


def _tensor(torch: Any, cells: list[Float32]) -> Any:
    """``(n, channels, h, w)``."""
    return torch.from_numpy(np.stack(cells)).permute(0, 3, 1, 2).contiguous()


def _exchanged(crop: Crop, rng: np.random.Generator) -> Float32:
    """The deviations with one to four patches from elsewhere."""
    if crop.elsewhere is None:
        return crop.deviations
    height, width = crop.shown.shape
    mask = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(1, 5))):
        centre = int(rng.integers(width)), int(rng.integers(height))
        axes = int(rng.integers(1, _LARGEST + 1)), int(rng.integers(1, _LARGEST + 1))
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, (1,), -1)
    out = crop.deviations.copy()
    there = mask.view(np.bool_)
    out[there] = crop.elsewhere[there]
    return out


def _forward(
    torch: Any,
    layers: Mapping[str, Any],
    deviations: Any,
    code: Any,
    shown: Any,
    block: int,
    generator: Any = None,
) -> Any:
    """Answer of the network; with a generator, numbers of the blocks are dropped."""
    functions = torch.nn.functional

    def layer(name: str, values: Any) -> Any:
        weight = layers[f"{name}.weight"]
        margin = weight.shape[-1] // 2
        return functions.conv2d(values, weight, layers[f"{name}.bias"], padding=margin)

    height, width = deviations.shape[2:]
    told = layer("tell", torch.relu(layer("see", torch.cat([deviations, code], 1))))
    # The last number says how much a cell is to be believed: what does not belong here, little.
    trust = torch.sigmoid(told[:, -1:]) * shown
    top = functions.avg_pool2d(told[:, :-1] * trust, block, ceil_mode=True)
    under = functions.avg_pool2d(trust, block, ceil_mode=True)
    blocks = top / (under + 1e-3)
    if generator is not None:
        kept = torch.empty_like(blocks).bernoulli_(1 - _DROPPED, generator=generator)
        blocks = blocks * kept / (1 - _DROPPED)
    around = torch.relu(layer("around", blocks))
    whole = (around * under).sum((2, 3), keepdim=True) / (under.sum((2, 3), keepdim=True) + 1e-3)
    blocks = layer("all", torch.cat([around, whole.expand_as(around)], 1))
    size = blocks.shape[2] * block, blocks.shape[3] * block
    light = functions.interpolate(blocks, size=size, mode="bilinear", align_corners=False)
    light = light[:, :, :height, :width]
    answer = torch.relu(layer("place", torch.cat([light, code], 1)))
    return layer("answer", torch.relu(layer("mix", answer)))


def _loss(torch: Any, answer: Any, aim: Any, shown: Any) -> Any:
    """Length and angle of what is missed; hard cells count most."""
    missed = ((answer - aim) ** 2).mean(1)
    with torch.no_grad():
        # A quantile of every fourth cell each way: sorting all costs as much as the network.
        hard = torch.quantile(missed[:, ::4, ::4].flatten(), _HARD)
        weight = torch.where(missed > hard, 1.0, _EASY) * shown[:, 0]
    # The square root of 1 + x: a cell that is far out in one normal picture must not rule.
    length = torch.sqrt(1 + missed) - 1
    angle = 1 - torch.nn.functional.cosine_similarity(answer, aim, dim=1, eps=1e-3)
    return ((length + _COSINE * angle) * weight).sum() / weight.sum().clamp(min=1)


def _missed(torch: Any, layers: Mapping[str, Any], task: Task) -> float:
    """Mean loss of the held-out crops."""
    with torch.no_grad():
        total = 0.0
        for crop in task.held_out:
            shown = _tensor(torch, [crop.shown[..., None]])
            aim, code = _tensor(torch, [crop.deviations]), _tensor(torch, [crop.code])
            answer = _forward(torch, layers, aim, code, shown, task.block)
            total += float(_loss(torch, answer, aim, shown))
    return total / len(task.held_out)
