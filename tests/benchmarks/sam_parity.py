"""Whether SAM's masks are its library's, and what cheaper encoders do to them.

Parts of `tests.benchmarks.segmenters`.
"""

from __future__ import annotations

import copy
import itertools
import statistics
import warnings
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch

from tests.benchmarks.common import in_turn, milliseconds, photo_pair, verdict
from tests.benchmarks.sam_libraries import SMALL, Subjects, boxes_in, gain, overlap
from vde_nb.detect import Box
from vde_nb.segment._backend import Backend
from vde_nb.segment._batches import batch, make_up_of
from vde_nb.segment.base import Prompt
from vde_nb.segment.predictor import Predictor

#: Width and height of pictures for parity.
SIZES = ((977, 31), (640, 427), (1500, 1000))


def bench_parity(subjects: Subjects) -> None:
    """Masks and scores beside the library's own, for boxes, points and both."""
    for subject in subjects(*SMALL):
        library, backend = subject.library(), subject.backend(device="cpu")
        least, most = 1.0, 0.0
        different: list[float] = []
        for width, height in SIZES:
            image = cv2.resize(photo_pair(2)[1], (width, height), interpolation=cv2.INTER_AREA)
            found = _compared(library, backend, image, different)
            print(f"  {subject.title:13} {width}x{height}, {len(found['exact'])} answers")
            for how, answers in found.items():
                overlaps, scores = zip(*answers, strict=True)
                if how == "exact":
                    least, most = min(least, *overlaps), max(most, *scores)
                print(
                    f"  {'':13}   {how:6} IoU {min(overlaps):.5f} at least, "
                    f"{statistics.median(overlaps):.5f} median; scores within {max(scores):.1e}"
                )
        print(
            f"  {subject.title:13} exact  IoU {verdict(least, 0.999)}; "
            f"scores {verdict(most, 1e-4, at_most=True)}"
        )
        # Masks that are all the same would agree whatever we did.
        same = statistics.median(different)
        said = verdict(same, 0.95, at_most=True)
        print(f"  {'':13} masks of different prompts: IoU {same:.2f}, {said}")


def _compared(
    library: Any, backend: Any, image: np.ndarray, different: list[float]
) -> dict[str, list[tuple[float, float]]]:
    """IoU and difference of scores for every answer, encodings exact or rounded to be kept."""
    height, width = image.shape[:2]
    library.look(image)
    arrays = backend.encode(image)
    ready = copy.copy(backend)
    ready.encode = lambda *_: arrays
    predictor = Predictor(ready)
    embedded = predictor.embed(image)
    loaded = backend.load(arrays)
    found: dict[str, list[tuple[float, float]]] = {"exact": [], "kept": []}
    for multimask in (False, True):
        masks = []
        for prompt in _prompts(width, height):
            theirs, scores = library.ask(prompt, multimask)
            asked = batch(
                make_up_of(prompt, None, multimask), [prompt], [None], embedded.fit, (0, 0)
            )
            logits, ours = backend.decode(loaded, *asked, multimask)
            whole = _enlarged(backend, logits[0], height, width)
            answer = predictor.predict(embedded, [prompt], multimask=multimask)[0]
            for at in range(len(scores)):
                exact = overlap(whole[at], theirs[at])
                found["exact"].append((exact, abs(float(ours[0, at] - scores[at]))))
                kept = overlap(answer.mask(which=at), theirs[at])
                found["kept"].append((kept, abs(float(answer.iou[at] - scores[at]))))
            masks.append(theirs[0])
        different += itertools.starmap(overlap, itertools.pairwise(masks))
    return found


def _prompts(width: int, height: int) -> list[Prompt]:
    """Boxes, single clicks, clicks on and off an object, and boxes with clicks."""
    draw = np.random.default_rng(7)

    def click(box: Box, label: int) -> tuple[int, int, int]:
        x, y, w, h = box
        return int(draw.integers(x, x + w)), int(draw.integers(y, y + h)), label

    prompts = [Prompt((0, 0, width, height))]
    for at, box in enumerate(boxes_in(12, width, height)):
        points = (click(box, 1), click((0, 0, width, height), 0))
        prompts.append(
            (
                Prompt(box),
                Prompt(None, points[:1]),
                Prompt(None, points),
                Prompt(box, points),
            )[at % 4]
        )
    return prompts


def _enlarged(backend: Backend, logits: np.ndarray, height: int, width: int) -> np.ndarray:
    """Masks of the picture's size, made of the logits by torch as the libraries do it."""
    tensor, fit = torch.from_numpy(logits)[None], backend.fit(height, width)
    resize = partial(torch.nn.functional.interpolate, mode="bilinear", align_corners=False)
    if backend.preprocessing.startswith("longest"):
        tensor = resize(tensor, (backend.side, backend.side))
        tensor = tensor[..., : fit.inner_h, : fit.inner_w]
    return (resize(tensor, (height, width))[0] > 0).numpy()


def bench_int8(subjects: Subjects) -> None:
    """Encoders with int8 weights in their linear layers, and in bf16, against fp32."""
    image = photo_pair(2)[1]
    height, width = image.shape[:2]
    prompts = [Prompt(box) for box in boxes_in(16, width, height)]
    print(f"  quantised by {torch.backends.quantized.engine}")
    for subject in subjects(*SMALL):
        library, backend = subject.library(), subject.backend(device="cpu")
        (base, *taken), arrays = _encodings(library, library.input(image))
        print(f"  {subject.title:13} fp32 {milliseconds(base)}")
        masks = [_low(backend, one, prompts, height, width) for one in arrays.values()]
        for name, one, found in zip(("int8", "bf16"), taken, masks[1:], strict=True):
            overlaps = [overlap(*pair) for pair in zip(masks[0], found, strict=True)]
            same = statistics.mean(overlaps)
            print(
                f"  {'':13} {name} {milliseconds(one)}  {gain(base / one, 1.5)}; mask IoU "
                f"{same:.4f}, {min(overlaps):.4f} at least, {verdict(same, 0.98)}"
            )


def _encodings(library: Any, tensor: Any) -> tuple[list[float], dict[str, dict[str, np.ndarray]]]:
    """Times and encodings in fp32, int8 and bf16."""
    exact = library.encoder
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that this way of quantising will move
        small = torch.ao.quantization.quantize_dynamic(
            copy.deepcopy(exact), {torch.nn.Linear}, torch.qint8
        )
    arrays: dict[str, dict[str, np.ndarray]] = {}

    def encode(name: str) -> None:
        library.encoder = small if name == "int8" else exact
        with torch.autocast("cpu", torch.bfloat16, enabled=name == "bf16"):
            arrays[name] = library.encode(tensor)

    return in_turn([partial(encode, name) for name in ("fp32", "int8", "bf16")], 2), arrays


def _low(
    backend: Backend,
    arrays: dict[str, np.ndarray],
    prompts: list[Prompt],
    height: int,
    width: int,
) -> np.ndarray:
    """Masks ``(N, grid, grid)`` of an encoding, on the cells that show the picture."""
    asked = batch(
        make_up_of(prompts[0], None, False),
        prompts,
        [None] * len(prompts),
        backend.fit(height, width),
        (0, 0),
    )
    fit, cell = backend.fit(height, width), backend.side // backend.grid
    logits, _ = backend.decode(backend.load(arrays), *asked, False)
    return logits[:, 0, : -(-fit.inner_h // cell), : -(-fit.inner_w // cell)] > 0
