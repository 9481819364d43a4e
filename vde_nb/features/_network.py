"""A vision transformer on its device: pictures in, the embeddings of its patches out.

What transformers and timm build is run alike. The outputs of the chosen blocks pass the final
normalisation of the network, as in DINOv2's own `get_intermediate_layers`, lose the tokens that
stand for no patch (the class token, registers: Darcet et al., *Vision Transformers Need
Registers*, ICLR 2024) and are averaged, as SubspaceAD (2025) does with the middle ones.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt

from vde_nb._extras import need
from vde_nb._progress import report
from vde_nb.errors import SettingError, WeightsError
from vde_nb.features._identify import Colours
from vde_nb.segment._device import autocast_type

__all__ = ["LAYERS", "VitNetwork", "chosen_blocks"]

#: Which blocks' outputs are averaged.
LAYERS = ("middle", "last", "all")

_PATIENCE = 0.1  # seconds between two reports while another thread computes


def chosen_blocks(layers: str, count: int) -> range:
    """Numbers of the blocks that `layers` names, of `count`.

    Raises
    ------
    SettingError
        It names none.

    Examples
    --------
    >>> chosen_blocks("middle", 12), chosen_blocks("last", 12)
    (range(3, 9), range(11, 12))
    """
    if layers not in LAYERS:
        raise SettingError(f"feature_layers is {layers!r}: it must be one of {', '.join(LAYERS)}.")
    if layers == "middle":
        return range(count // 4, -(-3 * count // 4))
    return range(count - 1, count) if layers == "last" else range(count)


class VitNetwork:
    """A network of which only the blocks up to the last chosen one are kept and run.

    Parameters
    ----------
    title
        For people.
    module
        The network, in fp32 on the CPU.
    blocks
        Its list of blocks, which is shortened in place.
    norm
        What the network's last block is followed by.
    run
        ``run(tensor)`` computes all blocks for a ``(n, 3, H, W)`` input.
    patch
        Pixels along a patch.
    prefix
        Tokens before those of the patches, as the model itself says.
    layers
        One of :data:`LAYERS`.
    colours
        Mean and deviation of each channel in [0, 1].
    device, precision
        As chosen by :mod:`vde_nb.segment._device`.
    """

    def __init__(
        self,
        title: str,
        module: Any,
        *,
        blocks: Any,
        norm: Any,
        run: Callable[[Any], object],
        patch: int,
        prefix: int,
        layers: str,
        colours: Colours,
        device: str,
        precision: str,
    ) -> None:
        self._torch = torch = need("torch", "sam", title)
        self.title, self.device, self.precision = title, device, precision
        self.patch, self.prefix = patch, prefix
        chosen = chosen_blocks(layers, len(blocks))
        #: Millions, of the whole network: what it costs to run goes with it.
        self.parameters = sum(one.numel() for one in module.parameters()) / 1e6
        del blocks[chosen.stop :]
        module.to(device).eval().requires_grad_(False)
        self._blocks, self._chosen = list(blocks), list(blocks)[chosen.start :]
        self._norm, self._run = norm, run
        self._mean, self._deviation = (
            torch.tensor(three, dtype=torch.float32, device=device)[:, None, None] * 255.0
            for three in colours
        )
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, text: str) -> Iterator[None]:
        """Hold the right to compute; who waits for it keeps reporting, and so can be stopped."""
        while not self._lock.acquire(timeout=_PATIENCE):
            report(text, 0.0)
        try:
            yield
        finally:
            self._lock.release()

    def describe(
        self, tiles: npt.NDArray[np.uint8], tell: Callable[[float], object]
    ) -> npt.NDArray[np.float32]:
        """Embeddings of the patches of some pictures; call it within :meth:`turn`.

        Parameters
        ----------
        tiles
            ``(n, H, W, 3)`` RGB uint8, H and W multiples of the patch.
        tell
            Called before each block with the share that is done; what it raises ends the work.

        Returns
        -------
        numpy.ndarray
            ``(n, H / patch, W / patch, d)`` float32, C-contiguous.

        Raises
        ------
        WeightsError
            The network computes other tokens than its configuration says, or numbers that are
            not finite in full precision.
        """
        torch = self._torch
        with torch.inference_mode():
            pixels = torch.from_numpy(np.ascontiguousarray(tiles)).to(self.device)
            values = (pixels.permute(0, 3, 1, 2).float() - self._mean) / self._deviation
            averaged = self._averaged(values, tell, autocast_type(self.precision))
            if self.precision == "fp16" and not averaged.isfinite().all():
                averaged = self._averaged(values, tell, None)  # beyond the 65504 of fp16
            found = averaged.cpu().numpy()
        if not np.isfinite(found).all():
            raise WeightsError(
                f"{self.title} computes no finite numbers: its weights are damaged or not its "
                "own. 'vde-nb weights verify' tells."
            )
        count, height, width = tiles.shape[:3]
        grid = height // self.patch, width // self.patch
        return np.ascontiguousarray(found.reshape(count, *grid, -1))

    def _averaged(self, values: Any, tell: Callable[[float], object], dtype: Any) -> Any:
        """Mean over the chosen blocks, ``(n, patches, d)`` float32 on the device."""
        sums: list[Any] = []
        height, width = values.shape[2:]
        patches = (height // self.patch) * (width // self.patch)

        def add(_module: Any, _given: Any, answer: Any) -> None:
            tokens = answer[0] if isinstance(answer, tuple) else answer
            if tokens.ndim != 3 or tokens.shape[1] != self.prefix + patches:
                raise WeightsError(
                    f"{self.title} computes {tuple(tokens.shape)[1]} tokens for {patches} patches "
                    f"and {self.prefix} other ones: its configuration does not fit its weights."
                )
            part = self._norm(tokens)[:, self.prefix :].float()
            if sums:
                sums[0] += part
            else:
                sums.append(part.clone())

        place = self.device.partition(":")[0]
        with (
            self._hooks(add, tell),
            nullcontext() if dtype is None else self._torch.autocast(place, dtype),
        ):
            self._run(values)
        return sums[0] / len(self._chosen)

    @contextmanager
    def _hooks(
        self, add: Callable[[Any, Any, Any], None], tell: Callable[[float], object]
    ) -> Iterator[None]:
        handles: list[Any] = []
        blocks: Sequence[Any] = self._blocks
        try:
            for at, block in enumerate(blocks):
                share = at / len(blocks)
                handles.append(
                    block.register_forward_pre_hook(lambda *_, share=share: (tell(share), None)[1])
                )
            handles += [block.register_forward_hook(add) for block in self._chosen]
            yield
        finally:
            for handle in handles:
                handle.remove()
