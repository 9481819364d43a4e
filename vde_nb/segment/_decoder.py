"""SAM's mask decoder on a CPU: the same answers for less than half of the computing.

The decoder (Kirillov et al., *Segment Anything*, ICCV 2023, appendix A) lets some ten tokens of a
prompt and the thousands of cells of a picture look at one another. The libraries project every
cell three times for each of these looks. Matrix products are associative: it is enough to project
the few tokens, into what the cells are compared with::

    (cells Wk) (tokens Wq)^T  =  cells (tokens Wq Wk^T)^T

Both enlargements are transposed convolutions whose steps are as wide as their kernels, so they are
matrix products, too: the cells stay rows from the first step to the last, four and sixteen for one,
and only the finished masks are laid out as pictures. What depends on nothing but the picture is
made once for all of its prompts. Results differ from the libraries' by rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._extras import need

__all__ = ["CellDecoder", "Picture"]


@dataclass(frozen=True, eq=False)
class Picture:
    """An encoding as rows, one for each cell of the picture.

    Attributes
    ----------
    cells
        ``(n, C)`` float32, n = `side`² cells from left to right and down.
    half, whole
        What is added when they are enlarged to halves and quarters of a cell: ``(n, C)`` and
        ``(4 n, C / 2)`` where the encoder left finer features (SAM 2), otherwise the bias alone.
    side
        Cells along a side.
    """

    cells: Any
    half: Any
    whole: Any
    side: int


class CellDecoder:
    """Prompt tokens and a picture's cells in, masks and their predicted IoU out.

    Not for several threads at once: what it computes with is kept for the next prompt.

    Parameters
    ----------
    decoder
        The mask decoder of segment-anything, or of SAM, SAM 2.1, EdgeTAM or SAM 3's tracker in
        transformers; float32, on the CPU.
    places
        ``(1, C, side, side)``: what tells the cells where they are.
    no_mask
        ``(1, C)``: what stands for an earlier mask where there is none.
    """

    def __init__(self, decoder: Any, places: Any, no_mask: Any) -> None:
        self._torch = torch = need("torch", "sam", "SAM")
        self._decoder, self._no_mask = decoder, no_mask
        self._places = _rows(places)
        transformer = decoder.transformer
        self._layers = [_Layer(layer) for layer in transformer.layers]
        self._last = _Attention(transformer.final_attn_token_to_image)
        self._last_norm = _part(transformer, "norm_final_attn", "layer_norm_final_attn")
        if hasattr(decoder, "output_upscaling"):
            first, norm, _, second, _ = decoder.output_upscaling
        else:
            first, second = decoder.upscale_conv1, decoder.upscale_conv2
            norm = decoder.upscale_layer_norm
        self._first, self._second, self._norm = _Enlarging(first), _Enlarging(second), norm
        tokens = [decoder.iou_token.weight, decoder.mask_tokens.weight]
        self._before = 0  # tokens before the one that predicts the IoU
        if hasattr(decoder, "obj_score_token"):
            tokens.insert(0, decoder.obj_score_token.weight)
            self._before = 1
        self._tokens = torch.cat(tokens)
        self._buffers: dict[str, Any] = {}

    def picture(self, levels: Mapping[str, npt.NDArray[Any]]) -> Picture:
        """Lay out what an encoder left behind.

        Parameters
        ----------
        levels
            ``(C, h, w)`` float16 or float32: ``"image"``, or ``"level_0"`` to ``"level_2"`` from
            fine to coarse.
        """
        half, whole = self._first.bias, self._second.bias
        if "image" in levels:
            image = levels["image"]
            side = image.shape[-1]
        else:
            fine, middle, image = (levels[f"level_{at}"] for at in range(3))
            side = image.shape[-1]
            cells = self._turned(middle).view(side, 2, side, 2, -1).transpose(1, 2)
            half = self._added(cells, half, side**2)
            cells = self._turned(fine).view(side, 2, 2, side, 2, 2, -1)
            whole = self._added(cells.permute(0, 3, 1, 4, 2, 5, 6), whole, 4 * side**2)
        return Picture(self._turned(image).float(), half, whole, side)

    def _turned(self, level: npt.NDArray[Any]) -> Any:
        """``(h w, C)``, in the type of the level; fifteen times as fast as torch does it."""
        rows = level.reshape(len(level), -1)
        if level.dtype == np.float16:  # which OpenCV does not know
            return self._torch.from_numpy(cv2.transpose(rows.view(np.uint16)).view(np.float16))
        return self._torch.from_numpy(cv2.transpose(rows))

    def _added(self, cells: Any, bias: Any, rows: int) -> Any:
        """A level in the order of cells, with the bias of what it is added to."""
        made = self._torch.from_numpy(np.empty((rows, len(bias)), np.float32))
        self._torch.add(cells, bias.view(-1, cells.shape[-1])[0], out=made.view(cells.shape))
        return made

    def __call__(
        self, picture: Picture, prompts: Any, masks: Any, multimask: bool
    ) -> tuple[Any, Any]:
        """Answer prompts.

        Parameters
        ----------
        picture
            Of :meth:`picture`.
        prompts
            ``(N, P, C)`` tokens of the prompt encoder.
        masks
            ``(N, C, side, side)`` from the prompt encoder, or None without earlier masks.
        multimask
            Three masks per prompt.

        Returns
        -------
        logits, iou
            ``(N, M, 4 side, 4 side)`` and ``(N, M)``; M is 3 with `multimask`, otherwise 1.
        """
        answers = [
            self._one(picture, tokens, None if masks is None else masks[at : at + 1], multimask)
            for at, tokens in enumerate(prompts)
        ]
        logits, iou = zip(*answers, strict=True)
        return self._torch.stack(logits), self._torch.stack(iou)

    def _one(self, picture: Picture, prompt: Any, mask: Any, multimask: bool) -> tuple[Any, Any]:
        torch = self._torch
        tokens = torch.cat([self._tokens, prompt])
        dense = self._no_mask if mask is None else _rows(mask)
        cells = torch.add(picture.cells, dense, out=self._buffer("cells", picture.cells.shape))
        tokens, cells = self._looked(tokens, cells)
        tokens = tokens[self._before :]
        iou = self._decoder.iou_prediction_head(tokens[:1])[0]
        heads = self._decoder.output_hypernetworks_mlps
        weights = torch.cat([head(tokens[at : at + 1]) for at, head in enumerate(heads, 1)])
        logits = weights @ self._enlarged(picture, cells).T
        chosen = self._chosen(logits, iou, multimask)
        side = picture.side
        # From rows of cells, halves and quarters to rows and columns of the mask.
        logits = logits[chosen].view(-1, side, side, 2, 2, 2, 2).permute(0, 1, 3, 5, 2, 4, 6)
        return logits.reshape(-1, 4 * side, 4 * side), iou[chosen]

    def _looked(self, prompt: Any, cells: Any) -> tuple[Any, Any]:
        """Tokens and cells after they have looked at one another."""
        torch, tokens = self._torch, prompt
        other = self._buffer("placed", cells.shape)
        for at, layer in enumerate(self._layers):
            asking = tokens if at == 0 else tokens + prompt
            heard = layer.own.among(asking, tokens)
            tokens = layer.norm1(heard if at == 0 else tokens + heard)
            placed = torch.add(cells, self._places, out=other)
            tokens = layer.norm2(tokens + layer.to_image.from_cells(tokens + prompt, placed, cells))
            tokens = layer.norm3(tokens + layer.mlp(tokens))
            layer.to_tokens.add_to_cells(cells, placed, tokens + prompt, tokens)
            cells = layer.norm4(cells)
        placed = torch.add(cells, self._places, out=other)
        heard = self._last.from_cells(tokens + prompt, placed, cells)
        return self._last_norm(tokens + heard), cells

    def _enlarged(self, picture: Picture, cells: Any) -> Any:
        """``(16 n, C / 8)``: sixteen rows for each cell."""
        half = self._first(cells, picture.half)
        norm = self._norm
        half = self._torch.layer_norm(half, norm.weight.shape, norm.weight, norm.bias, norm.eps)
        whole = self._second(self._torch.ops.aten.gelu_(half), picture.whole)
        return self._torch.ops.aten.gelu_(whole)

    def _chosen(self, logits: Any, iou: Any, multimask: bool) -> Any:
        """Which masks are the answer; of one that hangs on the threshold SAM 2.1 takes another."""
        if multimask:
            return slice(1, None)
        decoder = self._decoder
        if not getattr(decoder, "dynamic_multimask_via_stability", False):
            return slice(0, 1)
        offset = decoder.dynamic_multimask_stability_delta
        inner, outer = ((logits[0] > limit).sum().item() for limit in (offset, -offset))
        stability = inner / outer if outer else 1.0
        if stability >= decoder.dynamic_multimask_stability_thresh:
            return slice(0, 1)
        best = 1 + int(iou[1:].argmax())
        return slice(best, best + 1)

    def _buffer(self, name: str, shape: Any) -> Any:
        found = self._buffers.get(name)
        if found is None or found.shape != shape:
            # Of NumPy, which asks for large pages: in a new process memory costs more than sums.
            found = self._torch.from_numpy(np.empty(tuple(shape), np.float32))
            self._buffers[name] = found
        return found


class _Layer:
    """The parts of one layer of the decoder, whatever its library calls them."""

    def __init__(self, layer: Any) -> None:
        self.own = _Attention(layer.self_attn)
        self.to_image = _Attention(layer.cross_attn_token_to_image)
        self.to_tokens = _Attention(layer.cross_attn_image_to_token)
        self.mlp = layer.mlp
        self.norm1, self.norm2, self.norm3, self.norm4 = (
            _part(layer, f"norm{at}", f"layer_norm{at}") for at in range(1, 5)
        )


class _Attention:
    """Weights of an attention with H heads of D channels, which lie one after the other."""

    def __init__(self, attention: Any) -> None:
        self._torch = need("torch", "sam", "SAM")
        self._query, self._key, self._value = (
            attention.q_proj,
            attention.k_proj,
            attention.v_proj,
        )
        self._out = _part(attention, "out_proj", "o_proj")
        self._heads = int(_part(attention, "num_heads", "num_attention_heads"))
        self._scale = (self._query.out_features // self._heads) ** -0.5

    def among(self, asking: Any, tokens: Any) -> Any:
        """What tokens hear from one another, ``(T, C)``."""
        q, k = self._split(self._query(asking)), self._split(self._key(asking))
        v = self._split(self._value(tokens))
        shares = self._torch.softmax(self._scale * (q @ k.transpose(1, 2)), -1)
        return self._out((shares @ v).transpose(0, 1).flatten(1))

    def from_cells(self, asking: Any, placed: Any, cells: Any) -> Any:
        """What tokens ``(T, C)`` hear from the cells ``(n, C)``; `placed` know where they are."""
        # The bias of the keys is the same for all cells: softmax does not see it.
        q = self._scale * self._split(self._query(asking))
        compared = (q @ self._by_head(self._key)).flatten(0, 1)
        shares = self._torch.softmax(compared @ placed.T, -1)
        heard = (shares @ cells).view(self._heads, len(asking), -1)
        values = heard @ self._by_head(self._value).transpose(1, 2)
        return self._out(values.transpose(0, 1).flatten(1) + self._value.bias)

    def add_to_cells(self, cells: Any, placed: Any, asked: Any, tokens: Any) -> None:
        """Add to the cells what they hear from tokens, whose keys are made of `asked`."""
        torch = self._torch
        k = self._scale * self._split(self._key(asked))
        compared = (k @ self._by_head(self._query)).flatten(0, 1)
        bias = (k @ self._split(self._query.bias[None]).transpose(1, 2)).flatten()
        logits = torch.addmm(bias[:, None], compared, placed.T)
        shares = torch.softmax(logits.view(self._heads, len(tokens), -1), 1).flatten(0, 1)
        v = self._split(self._value(tokens))
        said = v @ self._out.weight.view(-1, self._heads, v.shape[-1]).permute(1, 2, 0)
        # The shares of each head add up to 1, so that the bias comes in once.
        said = (said + self._out.bias / self._heads).flatten(0, 1)
        cells.addmm_(shares.T, said)

    def _split(self, rows: Any) -> Any:
        """``(H, T, D)`` of ``(T, H D)``."""
        return rows.view(len(rows), self._heads, -1).transpose(0, 1)

    def _by_head(self, linear: Any) -> Any:
        """``(H, D, C)``: the weights of a projection."""
        return linear.weight.view(self._heads, -1, linear.in_features)


class _Enlarging:
    """A transposed convolution with steps as wide as its kernel of 2 x 2, as a matrix product."""

    def __init__(self, convolution: Any) -> None:
        self._torch = need("torch", "sam", "SAM")
        weight = convolution.weight  # (C, width, 2, 2)
        self._width = weight.shape[1]
        self._weight = weight.permute(0, 2, 3, 1).reshape(len(weight), -1).contiguous()
        self._result = weight.new_empty(0)
        self.bias = convolution.bias.repeat(4)

    def __call__(self, rows: Any, added: Any) -> Any:
        """``(4 n, width)`` of ``(n, C)``, with the bias in `added`; good until the next call."""
        if len(self._result) != len(rows):  # memory of this size is slow to get, every time
            result = np.empty((len(rows), self._weight.shape[1]), np.float32)
            self._result = self._torch.from_numpy(result)
        self._torch.addmm(added, rows, self._weight, out=self._result)
        return self._result.view(-1, self._width)


def _part(module: Any, *names: str) -> Any:
    """What the libraries call differently."""
    return next(getattr(module, name) for name in names if hasattr(module, name))


def _rows(picture: Any) -> Any:
    """``(n, C)`` of ``(1, C, side, side)``."""
    return picture[0].flatten(1).T.contiguous()
