"""Models of the SAM family in their real architectures, and how their own libraries run them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests import sam_models
from tests.benchmarks.common import verdict
from vde_nb.detect import Box
from vde_nb.segment._backend import Backend, open_backend
from vde_nb.segment.base import Prompt
from vde_nb.segment.models import add_model, get_model
from vde_nb.segment.weights import obtain

#: facebook/sam2.1-hiera-large; the tiny one is what transformers makes unasked.
LARGE = {
    "hidden_size": 144,
    "num_attention_heads": 2,
    "blocks_per_stage": [2, 6, 36, 4],
    "embed_dim_per_stage": [144, 288, 576, 1152],
    "num_attention_heads_per_stage": [2, 4, 8, 16],
    "window_size_per_stage": [8, 4, 16, 8],
    "global_attention_blocks": [23, 33, 43],
}
#: Those that a CPU can be asked to run, and those for a GPU.
SMALL, BIG = ("SAM ViT-B", "SAM 2.1 tiny"), ("SAM ViT-H", "SAM 2.1 large")
#: What can be written: title to the encoder.
ENCODERS = {
    "SAM ViT-B": "vit_b",
    "SAM ViT-H": "vit_h",
    "SAM 2.1 tiny": "hiera_tiny",
    "SAM 2.1 large": "hiera_large",
}


def write(title: str, folder: Path) -> Path:
    """Random weights of that model, as its library keeps them: a file or a folder."""
    encoder, model = ENCODERS[title], _build(ENCODERS[title])
    # What the libraries begin training with is nearly deaf, see there.
    sam_models.scramble(model, seed=0)
    if encoder.startswith("vit"):
        path = folder / f"{encoder}.pth"
        torch.save(model.state_dict(), path)
        return path
    from transformers import Sam2ImageProcessor

    _without_bars()
    path = folder / encoder
    model.save_pretrained(path)
    Sam2ImageProcessor().save_pretrained(path)
    return path


def _build(encoder: str) -> Any:
    if encoder.startswith("vit"):
        from segment_anything import sam_model_registry

        return sam_model_registry[encoder]().eval()
    from transformers import Sam2Config, Sam2HieraDetConfig, Sam2Model, Sam2VisionConfig

    vision = Sam2VisionConfig()
    if encoder == "hiera_large":
        vision = Sam2VisionConfig(
            backbone_config=Sam2HieraDetConfig(**LARGE),
            backbone_channel_list=LARGE["embed_dim_per_stage"][::-1],
        )
    return Sam2Model(Sam2Config(vision_config=vision)).eval()


def _without_bars() -> None:
    from transformers.utils import logging

    logging.disable_progress_bar()


def corners(boxes: list[Box]) -> np.ndarray:
    """``(N, 4)`` corners of boxes x, y, w, h."""
    found = np.array(boxes, np.float64)
    found[:, 2:] += found[:, :2]
    return found


class Meta:
    """``SamPredictor`` of segment-anything."""

    def __init__(self, path: Path, device: str) -> None:
        from segment_anything import SamPredictor, sam_model_registry

        model = sam_model_registry[Path(path).stem](checkpoint=str(path))
        self.predictor = SamPredictor(model.to(device))

    @property
    def encoder(self) -> Any:
        return self.predictor.model.image_encoder

    @encoder.setter
    def encoder(self, module: Any) -> None:
        self.predictor.model.image_encoder = module

    def look(self, image: np.ndarray) -> None:
        self.predictor.set_image(image)

    def take(self, arrays: dict[str, np.ndarray], size: tuple[int, int]) -> None:
        """Be as after a look at a picture whose encoding is known."""
        one = self.predictor
        one.original_size = size
        one.input_size = one.transform.get_preprocess_shape(*size, one.transform.target_length)
        one.features = torch.from_numpy(arrays["image"]).float()[None].to(one.device)
        one.is_image_set = True

    def input(self, image: np.ndarray) -> Any:
        """What the encoder is given."""
        small = self.predictor.transform.apply_image(image)
        tensor = torch.from_numpy(small).permute(2, 0, 1).contiguous()[None]
        return self.predictor.model.preprocess(tensor.to(self.predictor.device))

    @torch.inference_mode()
    def encode(self, tensor: Any) -> dict[str, np.ndarray]:
        return {"image": self.encoder(tensor)[0].float().cpu().numpy()}

    def ask(self, prompt: Prompt, multimask: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Masks ``(C, H, W)`` and scores ``(C,)``."""
        points = np.array(prompt.points, np.float64).reshape(-1, 3)
        masks, scores, _ = self.predictor.predict(
            point_coords=points[:, :2] if prompt.points else None,
            point_labels=points[:, 2].astype(int) if prompt.points else None,
            box=None if prompt.box is None else corners([prompt.box])[0],
            multimask_output=multimask,
        )
        return masks, scores

    def ask_boxes(self, boxes: list[Box]) -> Any:
        """Masks ``(N, 1, H, W)`` of boxes in one call."""
        one = self.predictor
        tensor = torch.from_numpy(corners(boxes)).float().to(one.device)
        inside = one.transform.apply_boxes_torch(tensor, one.original_size)
        return one.predict_torch(None, None, boxes=inside, multimask_output=False)[0].cpu()


class Hub:
    """``Sam2Model`` and ``Sam2Processor`` of transformers."""

    def __init__(self, path: Path, device: str) -> None:
        from transformers import Sam2ImageProcessor, Sam2Model, Sam2Processor

        _without_bars()
        self.model = Sam2Model.from_pretrained(path).eval().to(device)
        self.processor = Sam2Processor(Sam2ImageProcessor.from_pretrained(path))

    @property
    def encoder(self) -> Any:
        return self.model.vision_encoder

    @encoder.setter
    def encoder(self, module: Any) -> None:
        self.model.vision_encoder = module

    def look(self, image: np.ndarray) -> None:
        self.size = image.shape[:2]
        self.features = self._features(self.input(image))

    def take(self, arrays: dict[str, np.ndarray], size: tuple[int, int]) -> None:
        """Be as after a look at a picture whose encoding is known."""
        self.size = size
        levels = (arrays[f"level_{at}"] for at in range(len(arrays)))
        self.features = [
            torch.from_numpy(level).float()[None].to(self.model.device) for level in levels
        ]

    def input(self, image: np.ndarray) -> Any:
        """What the encoder is given."""
        found = self.processor(images=image, return_tensors="pt")["pixel_values"]
        return found.to(self.model.device)

    @torch.inference_mode()
    def _features(self, tensor: Any) -> list[Any]:
        return self.model.get_image_embeddings(tensor)

    def encode(self, tensor: Any) -> dict[str, np.ndarray]:
        levels = self._features(tensor)
        return {f"level_{at}": level[0].float().cpu().numpy() for at, level in enumerate(levels)}

    def ask(self, prompt: Prompt, multimask: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Masks ``(C, H, W)`` and scores ``(C,)``."""
        given: dict[str, Any] = {}
        if prompt.points:
            given["input_points"] = [[[[float(x), float(y)] for x, y, _ in prompt.points]]]
            given["input_labels"] = [[[label for *_, label in prompt.points]]]
        if prompt.box is not None:
            given["input_boxes"] = [corners([prompt.box]).tolist()]
        masks, scores = self._answers(given, multimask)
        return masks[0].numpy(), scores[0].cpu().numpy()

    def ask_boxes(self, boxes: list[Box]) -> Any:
        """Masks ``(N, 1, H, W)`` of boxes in one call."""
        return self._answers({"input_boxes": [corners(boxes).tolist()]}, False)[0]

    @torch.inference_mode()
    def _answers(self, given: dict[str, Any], multimask: bool) -> tuple[Any, Any]:
        inputs = self.processor(original_sizes=[list(self.size)], return_tensors="pt", **given)
        inputs.pop("original_sizes")
        out = self.model(
            image_embeddings=self.features,
            multimask_output=multimask,
            **inputs.to(self.model.device),
        )
        masks = self.processor.post_process_masks(list(out.pred_masks), [list(self.size)])
        return masks[0].cpu(), out.iou_scores[0]


@dataclass(frozen=True)
class Subject:
    """A model to be measured: its title, its name in the registry and where its weights lie."""

    title: str
    name: str
    path: Path

    def backend(self, **options: Any) -> Backend:
        return open_backend(obtain(get_model(self.name)), **options)

    def library(self, device: str = "cpu") -> Meta | Hub:
        kind = Meta if ENCODERS[self.title].startswith("vit") else Hub
        return kind(self.path, device)


class Subjects:
    """Models, written when they are first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: dict[str, Subject] = {}

    def __call__(self, *titles: str) -> Iterator[Subject]:
        for title in titles:
            if title not in self._made:
                path = write(title, self.folder)
                self._made[title] = added(title, path)
            yield self._made[title]


def added(title: str, path: Path | str) -> Subject:
    """Make a model known to the registry."""
    name = f"bench_{ENCODERS[title]}"
    add_model(name, path, title)
    return Subject(title, name, Path(path))


def boxes_in(count: int, width: int, height: int) -> list[Box]:
    """Boxes like those of detection, all over a picture; the same ones every time."""
    draw = np.random.default_rng(4)
    sizes = np.minimum(
        draw.integers(30, 150, (count, 2)), (max(2, width // 2), max(2, height // 2))
    )
    places = draw.integers((0, 0), (width, height) - sizes)
    return [tuple(map(int, (*place, *size))) for place, size in zip(places, sizes, strict=True)]


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """IoU of two masks; two empty ones are the same."""
    union = np.count_nonzero(one | other)
    return float(np.count_nonzero(one & other) / union) if union else 1.0


def gain(ratio: float, wanted: float) -> str:
    """How many times as fast, and whether that was wanted."""
    return f"{ratio:6.1f}×  {verdict(ratio, wanted)}"
