"""A trained model as segmenter: boxes and clicks in, outlines out, from both pictures.

The model draws what it takes for the object behind a prompt. Detection knows where something
changed. So the outline is taken from the picture, and of several masks the one, that agrees with
what was detected; it stays in the neighbourhood of the prompt, without crumbs; and where the
model finds nothing of what was detected, the detected mask is kept and this is said.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from vde_nb._progress import report
from vde_nb.detect import Box
from vde_nb.errors import SettingError
from vde_nb.segment._backend import Backend, open_backend
from vde_nb.segment._batches import Prediction
from vde_nb.segment._device import out_of_memory
from vde_nb.segment._embedded import Embedded
from vde_nb.segment._masks import tidied
from vde_nb.segment._seen import view_key
from vde_nb.segment._tasks import Task, around, checked_task, within
from vde_nb.segment._views import (
    View,
    best_view,
    overlap,
    shared_pixels,
    views_evidence,
)
from vde_nb.segment._zoom import MOST_CROPS, plan_crops
from vde_nb.segment.base import Outline, Prompt, Scene
from vde_nb.segment.embeddings import EmbeddingCache, shared
from vde_nb.segment.predictor import Predictor

if TYPE_CHECKING:
    from vde_nb.segment.weights import Weights

__all__ = ["PreparedSam", "SamOptions", "SamSegmenter", "predictor_for", "release"]

Bool = npt.NDArray[np.bool_]
UInt8 = npt.NDArray[np.uint8]

_AGREES = 0.5  # overlap with what was detected below which the prompt may have meant another thing
_LOST, _STRAY = 0.01, 0.1  # of what was detected, of the outline: so little shared is nothing
_FLOODED, _FILLED = 0.98, 0.9  # of the neighbourhood: an outline of so much, detected so little
_MOST_LOADED = 2  # models in memory: they weigh up to 2.5 GB each


@dataclass(frozen=True)
class SamOptions:
    """How a model is run and what is made of its answers.

    Attributes
    ----------
    device, precision, compile
        See :func:`vde_nb.segment._backend.open_backend`.
    multimask
        Three masks per prompt, or one; ``"auto"``: three where the prompt may mean several
        things, which is a single click, or a region whose one mask is not what was detected.
    clip
        Keep outlines within the prompt's box grown by its `reach`. Prompts without a box are
        never clipped.
    min_island
        Islands and holes smaller than this share of the largest piece are removed; 0 keeps all.
    views
        ``"both"`` pictures are looked at, or only the ``"current"`` one.
    zoom
        Look at small regions through enlarged crops: ``"on"``, ``"off"``, or ``"auto"``: where
        encoding is fast, that is not on a CPU.
    disk
        Keep encodings on the disk, too.
    """

    device: str = "auto"
    precision: str = "auto"
    compile: bool = False
    multimask: bool | str = "auto"
    clip: bool = True
    min_island: float = 0.02
    views: str = "both"
    zoom: str = "auto"
    disk: bool = True

    def __post_init__(self) -> None:
        for name, allowed in (
            ("multimask", (True, False, "auto")),
            ("views", ("both", "current")),
            ("zoom", ("auto", "on", "off")),
        ):
            value = getattr(self, name)
            if value not in allowed:
                choices = ", ".join(map(repr, allowed))
                raise SettingError(f"{name} is {value!r}: it must be one of {choices}.")
        if not 0 <= self.min_island <= 1:
            raise SettingError(f"min_island is {self.min_island}: it must lie in 0 to 1.")


@dataclass(frozen=True, eq=False)
class SamSegmenter:
    """A model of the registry as :class:`~vde_nb.segment.base.Segmenter`.

    Attributes
    ----------
    name
        Of the model, see :data:`vde_nb.segment.models.MODELS`.
    options
        How it is run.
    predictor
        The loaded model; None: :func:`predictor_for` finds or loads it.
    """

    name: str
    options: SamOptions = field(default_factory=SamOptions)
    predictor: Predictor | None = None

    def prepare(self, scene: Scene) -> PreparedSam:
        """Load the model. Pictures are encoded when the first prompt needs them.

        Raises
        ------
        WeightsError, MissingExtraError, SettingError
            There are no weights, nothing to run them, or no such device.
        """
        return PreparedSam(
            scene, self.predictor or predictor_for(self.name, self.options), self.options
        )


class PreparedSam:
    """A scene, ready for any number of prompts.

    Parameters
    ----------
    scene
        Both pictures; the heatmap is not looked at.
    predictor
        The model.
    options
        How its answers are used.
    """

    def __init__(self, scene: Scene, predictor: Predictor, options: SamOptions) -> None:
        self.scene, self.predictor, self.options = scene, predictor, options
        self._notes: list[str] = []
        self._pictures = [(scene.current, "the current picture")]
        if options.views == "both":
            self._pictures.append((scene.reference, "the reference"))
        self._whole: dict[str, Embedded] = {}
        if predictor.remark:
            self._notes.append(predictor.remark)

    @property
    def notes(self) -> tuple[str, ...]:
        """What there is to say about the answers so far, each thing once, in words."""
        return tuple(dict.fromkeys(self._notes))

    def segment(self, prompts: Sequence[Prompt]) -> list[Outline]:
        """One outline per prompt, in order.

        Parameters
        ----------
        prompts
            The model is given box and points; the mask is what its answers are held against.
            Boxes are cut to the picture.

        Returns
        -------
        list of Outline
            From the current picture, or from the reference where its outline agrees more with
            the detected mask (:func:`vde_nb.segment._views.agreement`). The score is the model's
            predicted IoU, cut to [0, 1]; evidence as in
            :func:`vde_nb.segment._views.views_evidence`. Where the outline has nothing of what
            was detected, or floods its neighbourhood, the detected mask is kept with a note and
            score 0; where there is no mask to keep, it is empty.

        Raises
        ------
        SettingError
            As :func:`vde_nb.segment._batches.check_prompt`; or a box or point lies outside of the
            picture, or a positive point out of reach.
        """
        height, width = self.scene.current.shape[:2]
        tasks = [checked_task(prompt, height, width, self.options.clip) for prompt in prompts]
        outlines: dict[int, Outline] = {}
        clicks: dict[int, View] = {}
        boxed = {i: task.extent for i, task in enumerate(tasks) if task.prompt.box is not None}
        crops, of = self._zoomed(boxed, tasks)
        for part, members in _parts(range(len(tasks)), of, len(crops)):
            shown = [tasks[i] for i in members]
            for i, views in zip(members, self._look(shown, crops, part), strict=True):
                outlines[i] = self._outline(tasks[i], views)
                if part < 0 and i not in boxed:
                    clicks[i] = views[best_view(views, None)]
        self._look_closer(tasks, clicks, outlines)
        return [outlines[i] for i in range(len(tasks))]

    def _look_closer(
        self, tasks: list[Task], clicks: dict[int, View], outlines: dict[int, Outline]
    ) -> None:
        """Outline small things that were clicked on once more, now that their size is known."""
        boxes = {i: view.box for i, view in clicks.items() if view.area}
        crops, of = self._zoomed(boxes, tasks)
        closer = {i: replace(tasks[i].prompt, box=boxes[i]) for i in boxes if of[i] >= 0}
        for part, members in _parts(closer, of, len(crops)):
            shown = [replace(tasks[i], prompt=closer[i]) for i in members]
            for i, views in zip(members, self._look(shown, crops, part), strict=True):
                # A crop may show another thing at that place; it is the same thing that is meant.
                if max(overlap(view, clicks[i]) for view in views) >= _AGREES:
                    outlines[i] = self._outline(tasks[i], views)

    def _zoomed(
        self, boxes: dict[int, Box], tasks: list[Task]
    ) -> tuple[tuple[Box, ...], dict[int, int]]:
        """Crops for small boxes, and for every task the number of its crop or -1."""
        of = dict.fromkeys(range(len(tasks)), -1)
        zoom = self.options.zoom
        if not boxes or zoom == "off" or (zoom == "auto" and not self.predictor.is_fast):
            return (), of
        height, width = self.scene.current.shape[:2]
        plan = plan_crops(
            list(boxes.values()),
            [tasks[i].prompt.reach if self.options.clip else 0 for i in boxes],
            (width, height),
            self.predictor.backend.grid,
            self.predictor.cells_per_pixel(height, width),
        )
        if plan.left_out:
            self._notes.append(
                f"{plan.left_out} small regions have coarser outlines: at most {MOST_CROPS} "
                "enlarged crops of a picture are looked at."
            )
        return plan.crops, {**of, **dict(zip(boxes, plan.of, strict=True))}

    def _look(self, tasks: list[Task], crops: tuple[Box, ...], part: int) -> list[list[View]]:
        """Each task's view of each picture, through crop number `part` or on the whole."""
        crop, text = None, "{}"
        if part >= 0:
            crop, text = crops[part], f"part {part + 1} of {len(crops)} of {{}}"
        seen = []
        for image, what in self._pictures:
            embedded = self._whole.get(what) if crop is None else None
            if embedded is None:
                embedded = self.predictor.embed(image, text.format(what), part=crop)
                self._notes += embedded.notes
            if crop is None:
                self._whole[what] = embedded
            seen.append(embedded)
        views = [self._views(embedded, tasks, self.options.multimask) for embedded in seen]
        if self.options.multimask == "auto":
            self._look_again(tasks, seen, views)
        return [list(pair) for pair in zip(*views, strict=True)]

    def _look_again(self, tasks: list[Task], seen: list[Embedded], views: list[list[View]]) -> None:
        """Ask for three masks where one is not what was detected, in no picture."""
        doubtful = [
            i for i, task in enumerate(tasks) if _is_doubtful(task, [one[i] for one in views])
        ]
        if not doubtful:
            return
        for embedded, before in zip(seen, views, strict=True):
            after = self._views(embedded, [tasks[i] for i in doubtful], True)
            for i, view in zip(doubtful, after, strict=True):
                detected = tasks[i].detected
                if detected and overlap(view, detected) > overlap(before[i], detected):
                    before[i] = view

    def _views(self, embedded: Embedded, tasks: list[Task], multimask: bool | str) -> list[View]:
        """What the model finds in one picture, for each task."""
        seen = self.predictor.seen
        keys = [view_key(embedded, one, multimask, self.options.min_island) for one in tasks]
        views = [seen.get(key) for key in keys]
        new = [i for i, view in enumerate(views) if view is None]
        prompts = [within(tasks[i].prompt, embedded.box) for i in new]
        for place, prediction in self.predictor.stream(
            embedded, prompts, multimask=multimask, notes=self._notes
        ):
            i = new[place]
            views[i] = view = self._view(tasks[i], prediction)
            seen.put(keys[i], view)
        return [view for view in views if view is not None]

    def _view(self, task: Task, prediction: Prediction) -> View:
        """The mask of a prediction; of several, the one most like what was detected."""
        detected = task.detected
        if detected is None:
            return self._cut(task, prediction, prediction.best)
        views = [self._cut(task, prediction, i) for i in range(len(prediction.iou))]
        return max(views, key=lambda view: overlap(view, detected))

    def _cut(self, task: Task, prediction: Prediction, which: int) -> View:
        (x, y, w, h), mask = prediction.tight(task.frame, which)
        points = [(px - x, py - y, label) for px, py, label in task.prompt.points]
        on = [(px, py) for px, py, label in points if label]
        off = [(px, py) for px, py, label in points if not label]
        mask = tidied(mask, self.options.min_island, on, off)
        if w:
            left, top, w, h = cv2.boundingRect(mask.view(np.uint8))
            # A copy: a view of what was cut away would keep it in memory.
            mask = np.ascontiguousarray(mask[top : top + h, left : left + w])
            x, y = x + left, y + top
        iou = float(np.clip(np.nan_to_num(prediction.iou[which]), 0, 1))
        return View((x, y, w, h), mask, iou, float(prediction.stability[which]))

    def _outline(self, task: Task, views: list[View]) -> Outline:
        chosen = views[best_view(views, task.detected)]
        evidence = views_evidence(views, task.detected)
        detected, title = task.detected, self.predictor.backend.model.title
        if detected is None:
            if chosen.area:
                return Outline(chosen.box, chosen.mask, chosen.iou, "", evidence)
            box = task.prompt.box or around(task.prompt)
            return Outline(box, np.zeros(box[:1:-1], np.bool_), 0.0, "", evidence)
        common, area, own = shared_pixels(chosen, detected), chosen.area, detected.area
        room = task.frame[2] * task.frame[3]
        if not area or common < _LOST * own or common < _STRAY * area:
            note = f"{title} kept the detected mask of some regions: it found no object there."
        elif area > _FLOODED * room and own < _FILLED * room:
            note = f"{title} kept the detected mask of some regions: it found no border there."
        else:
            return Outline(chosen.box, chosen.mask, chosen.iou, "", evidence)
        return Outline(detected.box, detected.mask, 0.0, note, evidence)


def _parts(
    members: Sequence[int] | dict[int, Prompt] | range, of: dict[int, int], crops: int
) -> Iterator[tuple[int, list[int]]]:
    """The whole picture (-1) and every crop, with those who look through it."""
    for part in range(-1, crops):
        inside = [i for i in members if of[i] == part]
        if inside:
            yield part, inside


def _is_doubtful(task: Task, views: list[View]) -> bool:
    """Whether the best of a task's views is another thing than what was detected."""
    detected = task.detected
    if detected is None:
        return False
    return overlap(views[best_view(views, detected)], detected) < _AGREES


_ready: OrderedDict[Hashable, Predictor] = OrderedDict()
_ready_lock, _opening = threading.Lock(), threading.Lock()


def predictor_for(model_name: str, options: SamOptions) -> Predictor:
    """A model of the registry, loaded once for the whole process.

    Parameters
    ----------
    model_name
        See :data:`vde_nb.segment.models.MODELS`.
    options
        Those that concern loading: `device`, `precision`, `compile` and `disk`.

    Returns
    -------
    Predictor
        Shared by all threads. The two models used last stay loaded.

    Raises
    ------
    SettingError
        There is no such model or device.
    WeightsError
        Its weights are not to be had, or not what they should be.
    MissingExtraError
        torch or the model's library is not installed.
    """
    from vde_nb.segment.models import get_model
    from vde_nb.segment.weights import obtain

    model = get_model(model_name)
    weights = obtain(model)
    key = (
        model,
        weights.digest,
        options.device,
        options.precision,
        options.compile,
        options.disk,
    )
    found = _find_ready(key)
    if found is not None:
        return found
    while not _opening.acquire(timeout=0.1):
        report(f"{model.title} waits for another model to be loaded")
    try:
        found = _find_ready(key)  # another thread may have loaded it meanwhile
        if found is None:
            report(f"{model.title} is being loaded")
            backend, remark = _opened(weights, options)
            cache = shared() if options.disk else EmbeddingCache(disk_bytes=0)
            found = Predictor(backend, cache, remark=remark)
            with _ready_lock:
                _ready[key] = found
                while len(_ready) > _MOST_LOADED:
                    _ready.popitem(last=False)
        return found
    finally:
        _opening.release()


def _opened(weights: Weights, options: SamOptions) -> tuple[Backend, str]:
    """The model where it was asked for, or on the CPU where it does not fit; and a note on that."""
    try:
        backend = open_backend(
            weights,
            device=options.device,
            precision=options.precision,
            compile=options.compile,
        )
    except Exception as error:
        if not out_of_memory(error) or options.device == "cpu":
            raise
        backend = open_backend(weights, device="cpu", precision="fp32")
        title = weights.model.title
        return backend, f"{title} runs on the CPU: there is not enough memory for it on the GPU."
    return backend, ""


def _find_ready(key: Hashable) -> Predictor | None:
    with _ready_lock:
        found = _ready.get(key)
        if found is not None:
            _ready.move_to_end(key)
        return found


def release() -> None:
    """Let go of all loaded models; those in use go when their work is done."""
    with _ready_lock:
        _ready.clear()
