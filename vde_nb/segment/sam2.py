"""SAM 2.1, and everything else that transformers runs through the same calls.

SAM 1 and SlimSAM from the hub, SAM-HQ (Ke et al., NeurIPS 2023), SAM 2.1 (Ravi et al., 2024),
EdgeTAM and the tracker of SAM 3. The input is made exactly as by the library's own processors:
torchvision's bilinear filter with antialiasing on uint8, either with the longer side filling the
frame (SAM 1 and SAM-HQ) or squashed to a square.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vde_nb._extras import need
from vde_nb.errors import WeightsError
from vde_nb.segment._backend import Fit
from vde_nb.segment._checkpoint import FAMILIES, read_transformers
from vde_nb.segment._decoder import CellDecoder
from vde_nb.segment._torch import TorchBackend, longest_side

if TYPE_CHECKING:
    from vde_nb.segment.weights import Weights

__all__ = ["TransformersBackend"]

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_NAMED = {_IMAGENET: "", _HALF: "-half"}


@dataclass(frozen=True)
class _Input:
    """What makes a picture the input; a folder may say otherwise than its family."""

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    whole: bool  # the longer side fills the frame, instead of both

    def word(self, side: int) -> str:
        """For the key of a kept encoding."""
        numbers = _NAMED.get((self.mean, self.deviation))
        if numbers is None:
            numbers = "".join(f"-{n:g}" for n in (*self.mean, *self.deviation))
        return f"{'longest' if self.whole else 'squash'}-{side}-torchvision{numbers}"


class TransformersBackend(TorchBackend):
    """A promptable model of the transformers package.

    Parameters
    ----------
    weights
        A folder with ``config.json`` and ``model.safetensors``; the numbers of a
        ``preprocessor_config.json`` are used where there is one.
    device, precision, compile
        As in :func:`vde_nb.segment._backend.open_backend`.

    Raises
    ------
    WeightsError
        The folder does not hold that model.
    """

    def __init__(
        self,
        weights: Weights,
        *,
        device: str = "cpu",
        precision: str = "fp32",
        compile: bool = False,
    ) -> None:
        architecture = weights.model.architecture
        network = read_transformers(weights.path, architecture)
        encoder = network.vision_encoder
        super().__init__(
            weights,
            network,
            encoder,
            _longest_list(encoder),
            device=device,
            precision=precision,
            compile=compile,
        )
        prompts = network.prompt_encoder
        self.side = int(prompts.input_image_size)
        self.grid = 4 * int(prompts.image_embedding_size[0])
        self._family = FAMILIES[architecture]
        self._how = _how(Path(weights.path), architecture)
        self.preprocessing = self._how.word(self.side)
        self._mean = self._numbers(self._how.mean)
        self._deviation = self._numbers(self._how.deviation)
        if device == "cpu" and self._family != "sam_hq":  # whose decoder has tokens of its own
            self._cells = CellDecoder(
                network.mask_decoder,
                network.get_image_wide_positional_embeddings(),
                prompts.no_mask_embed.weight,
            )

    def _numbers(self, numbers: tuple[float, float, float]) -> Any:
        """Mean or deviation of colours, from [0, 1] to the 0 to 255 of pixels."""
        tensor = self._torch.tensor(numbers, dtype=self._torch.float32) * 255.0
        return tensor.to(self.device)[:, None, None]

    def fit(self, height: int, width: int) -> Fit:
        """The longer of `height` and `width` fills the frame (SAM 1), or both do."""
        if self._how.whole:
            return longest_side(height, width, self.side)
        return Fit(self.side / width, self.side / height, self.side, self.side)

    def _input(self, image: npt.NDArray[np.uint8]) -> Any:
        functional = need("torchvision.transforms.v2.functional", "sam", self.model.title)
        fit = self.fit(*image.shape[:2])
        # A copy: torch warns of arrays that it could write to but must not. Resized on the CPU
        # wherever the model runs, so that kept encodings of all devices are of the same input.
        pixels = self._torch.from_numpy(np.array(image.transpose(2, 0, 1), order="C"))[None]
        small = functional.resize(
            pixels,
            [fit.inner_h, fit.inner_w],
            interpolation=functional.InterpolationMode.BILINEAR,
            antialias=True,
        )
        values = (small.to(self.device).float() - self._mean) / self._deviation
        pad = self._torch.nn.functional.pad
        return pad(values, (0, self.side - fit.inner_w, 0, self.side - fit.inner_h))

    def _encoded(self, tensor: Any) -> dict[str, Any]:
        features = self._network.get_image_embeddings(tensor)
        if self._family == "sam":
            return {"image": features}
        if self._family == "sam_hq":  # the decoder looks at the first of the early features only
            return {"image": features[0], "early": features[1][0]}
        return {f"level_{at}": level for at, level in enumerate(features)}

    def _prompted(self, boxes: Any, points: Any, labels: Any, masks: Any) -> tuple[Any, Any]:
        given = _nested(boxes, points, labels, axis=0 if masks is None else 1)
        sparse, dense = self._network.prompt_encoder(**given, input_masks=masks)
        return sparse.flatten(0, 1), dense

    def _decoded(
        self, loaded: Any, boxes: Any, points: Any, labels: Any, masks: Any, multimask: bool
    ) -> tuple[Any, Any]:
        features = loaded
        if masks is not None:
            features = {
                name: level.expand(len(masks), *level.shape[1:]) for name, level in loaded.items()
            }
        given = _nested(boxes, points, labels, axis=0 if masks is None else 1)
        extra: dict[str, Any] = {}
        embeddings: Any = features.get("image")
        if self._family == "sam_hq":
            extra["intermediate_embeddings"] = [features["early"]]
        elif embeddings is None:
            embeddings = [features[f"level_{at}"] for at in range(len(features))]
        answer = self._network(
            image_embeddings=embeddings,
            input_masks=masks,
            multimask_output=multimask,
            **given,
            **extra,
        )
        return answer.pred_masks.flatten(0, 1), answer.iou_scores.flatten(0, 1)


def _nested(boxes: Any, points: Any, labels: Any, axis: int) -> dict[str, Any]:
    """Prompts as one picture's many (axis 0), or as many pictures' one, which masks have to be."""
    given = {"input_points": points, "input_labels": labels, "input_boxes": boxes}
    return {name: None if value is None else value.unsqueeze(axis) for name, value in given.items()}


def _longest_list(encoder: Any) -> list[Any]:
    """The blocks of an encoder: the longest list of modules in it, whatever it is called."""
    torch = need("torch", "sam", "SAM")
    lists = [
        m for m in encoder.modules() if isinstance(m, torch.nn.ModuleList | torch.nn.Sequential)
    ]
    return list(max(lists, key=len, default=()))


def _how(folder: Path, architecture: str) -> _Input:
    """How that folder wants its input."""
    mean, deviation = _HALF if architecture == "Sam3TrackerModel" else _IMAGENET
    for name in ("processor_config.json", "preprocessor_config.json"):
        file = folder / name
        if file.is_file():
            try:
                content = json.loads(file.read_bytes())
                said = content.get("image_processor", content)
                mean = _three(said.get("image_mean", mean))
                deviation = _three(said.get("image_std", deviation))
            except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
                raise WeightsError(
                    f"{file} cannot be used ({error}); get it again, or remove it."
                ) from error
    return _Input(mean, deviation, FAMILIES[architecture] in ("sam", "sam_hq"))


def _three(numbers: Any) -> tuple[float, float, float]:
    red, green, blue = map(float, numbers)
    return red, green, blue
