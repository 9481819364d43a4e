"""SAM 1 as its authors run it: checkpoints of the segment-anything package.

The input is made exactly as by their ``SamPredictor`` (Kirillov et al., ICCV 2023): Pillow's
bilinear filter, the longer side to 1024 pixels, padding at the right and below. Their attention is
computed by torch's fused kernel, which gives the same numbers to six digits; on one thread of a CPU
a block that looks at the whole picture takes 2.3 s instead of 3.2 s.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from vde_nb._extras import need
from vde_nb.segment._backend import Fit
from vde_nb.segment._checkpoint import read_sam
from vde_nb.segment._decoder import CellDecoder
from vde_nb.segment._torch import TorchBackend, longest_side

if TYPE_CHECKING:
    from vde_nb.segment.weights import Weights

__all__ = ["SamBackend"]


class SamBackend(TorchBackend):
    """A model of the segment-anything package.

    Parameters
    ----------
    weights
        A ``.pth`` or ``.safetensors`` file.
    device, precision, compile
        As in :func:`vde_nb.segment._backend.open_backend`.

    Raises
    ------
    WeightsError
        The file is not a checkpoint of that model.
    """

    def __init__(
        self,
        weights: Weights,
        *,
        device: str = "cpu",
        precision: str = "fp32",
        compile: bool = False,
    ) -> None:
        network = read_sam(weights.path, weights.model.architecture)
        encoder = network.image_encoder
        for block in encoder.blocks:
            block.attn.forward = partial(_attend, block.attn)
        super().__init__(
            weights,
            network,
            encoder,
            encoder.blocks,
            device=device,
            precision=precision,
            compile=compile,
        )
        self.side = encoder.img_size
        self.grid = 4 * network.prompt_encoder.image_embedding_size[0]
        self.preprocessing = f"longest-{self.side}-pillow"
        if device == "cpu":
            prompts = network.prompt_encoder
            self._cells = CellDecoder(
                network.mask_decoder, prompts.get_dense_pe(), prompts.no_mask_embed.weight
            )

    def fit(self, height: int, width: int) -> Fit:
        """The longer of `height` and `width` fills the frame."""
        return longest_side(height, width, self.side)

    def _input(self, image: npt.NDArray[np.uint8]) -> Any:
        fit = self.fit(*image.shape[:2])
        small = Image.fromarray(np.ascontiguousarray(image)).resize(
            (fit.inner_w, fit.inner_h), Image.Resampling.BILINEAR
        )
        tensor = self._torch.from_numpy(np.array(small).transpose(2, 0, 1).copy())
        return self._network.preprocess(tensor.to(self.device)[None])

    def _encoded(self, tensor: Any) -> dict[str, Any]:
        return {"image": self._network.image_encoder(tensor)}

    def _prompted(self, boxes: Any, points: Any, labels: Any, masks: Any) -> tuple[Any, Any]:
        sparse, dense = self._network.prompt_encoder(
            points=None if points is None else (points, labels), boxes=boxes, masks=masks
        )
        return sparse, dense

    def _decoded(
        self, loaded: Any, boxes: Any, points: Any, labels: Any, masks: Any, multimask: bool
    ) -> tuple[Any, Any]:
        sparse, dense = self._prompted(boxes, points, labels, masks)
        logits, iou = self._network.mask_decoder(
            image_embeddings=loaded["image"],
            image_pe=self._network.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask,
        )
        return logits, iou


def _attend(attention: Any, x: Any) -> Any:
    """Replace the ``forward`` of segment-anything's ``Attention``: same weights, same result.

    Parameters
    ----------
    attention
        ``segment_anything.modeling.image_encoder.Attention`` with relative positions.
    x
        ``(B, H, W, C)``, windows or whole pictures of tokens.
    """
    torch = need("torch", "sam", "SAM")
    positions = need("segment_anything.modeling.image_encoder", "sam", "SAM").get_rel_pos
    many, height, width, _ = x.shape
    heads, tokens = attention.num_heads, height * width
    qkv = attention.qkv(x).reshape(many, tokens, 3, heads, -1).permute(2, 0, 3, 1, 4)
    q, k, v = qkv.unbind(0)
    # The bias of a pair of tokens is the sum of what rows and columns between them give.
    places = q.reshape(many * heads, height, width, -1)
    rows = positions(height, height, attention.rel_pos_h)
    columns = positions(width, width, attention.rel_pos_w)
    of_rows = torch.einsum("bhwc,hkc->bhwk", places, rows)
    of_columns = torch.einsum("bhwc,wkc->bhwk", places, columns)
    bias = of_rows[..., :, None] + of_columns[..., None, :]
    mixed = torch.nn.functional.scaled_dot_product_attention(
        q, k, v, attn_mask=bias.reshape(many, heads, tokens, tokens)
    )
    return attention.proj(mixed.transpose(1, 2).reshape(many, height, width, -1))
