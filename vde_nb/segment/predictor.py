"""One model on one device: pictures are encoded once and prompted for ever.

A model of the SAM family (Kirillov et al., *Segment Anything*, ICCV 2023; Ravi et al., *SAM 2*,
2024) splits in two: an encoder looks at the picture for seconds, a decoder answers a prompt from
what it left behind in milliseconds. So encodings are kept (see
:mod:`vde_nb.segment.embeddings`), and prompts are decoded many at once.

Where memory runs out, fewer prompts are decoded at once, and at last the CPU takes over; what
happened is said in the notes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vde_nb._progress import report, shown_when_long
from vde_nb.detect import Box
from vde_nb.errors import SettingError, WeightsError
from vde_nb.images import Source, load
from vde_nb.segment._batches import (
    MakeUp,
    Prediction,
    batch,
    check_place,
    check_prompt,
    make_up_of,
)
from vde_nb.segment._decoding import LOADED_BYTES, Decoding, Places, drop_oldest
from vde_nb.segment._device import out_of_memory
from vde_nb.segment._embedded import Arrays, Embedded, checked_part, grid_of, rounded, size_of
from vde_nb.segment._masks import Grid, stability_scores
from vde_nb.segment._seen import Seen
from vde_nb.segment.base import Prompt
from vde_nb.segment.embeddings import embedding_key, pixels_key

if TYPE_CHECKING:
    from vde_nb.segment._backend import Backend
    from vde_nb.segment.embeddings import EmbeddingCache

__all__ = ["Embedded", "Prediction", "Predictor"]

Float32 = npt.NDArray[np.float32]
UInt8 = npt.NDArray[np.uint8]


class Predictor:
    """A model, and what it has looked at.

    Parameters
    ----------
    backend
        The model on its device, see :func:`vde_nb.segment._backend.open_backend`.
    cache
        Where encodings are kept; None keeps only the last few, in memory.
    spare
        Opens the same model on the CPU, for when the device has no memory left.
    chunk
        Prompts decoded at once; None: by device and free memory.
    remark
        What people are to know about how it was opened, in words.

    Notes
    -----
    May be used from any number of threads. Pictures are encoded one after the other; whoever
    waits keeps reporting, and so can be cancelled.
    """

    def __init__(
        self,
        backend: Backend,
        cache: EmbeddingCache | None = None,
        *,
        spare: Callable[[], Backend] | None = None,
        chunk: int | None = None,
        remark: str = "",
    ) -> None:
        self.backend = backend
        self.remark = remark
        #: What was found for regions; the segmenter asks again only about those that changed.
        self.seen = Seen()
        self.cache = cache
        self._chunk = chunk
        # Once: the file may go while the model stays loaded.
        self._weights = "" if backend.weights is None else backend.weights.digest
        self._places = Places(backend, spare)
        self._encoding, self._lock = threading.Lock(), threading.Lock()
        self._recent: OrderedDict[str, Arrays] = OrderedDict()

    @property
    def is_fast(self) -> bool:
        """Whether encoding one more crop costs little: not on a CPU."""
        return self.backend.device != "cpu"

    # -- looking ------------------------------------------------------------------------------

    def embed(
        self,
        image: Source,
        what: str = "the picture",
        *,
        part: Box | None = None,
    ) -> Embedded:
        """Look at a picture, or remember having looked at it.

        Parameters
        ----------
        image
            Path, bytes, file object, PIL image or array, as :func:`vde_nb.compare` takes them.
        what
            What it is, for people who watch the progress and read the notes.
        part
            ``(x, y, w, h)`` inside the picture: encode that crop only, enlarged.

        Returns
        -------
        Embedded
            The same whether the encoding was kept or not: it is rounded to float16 before use,
            as it is kept, which moves each number by at most 0.05 %. With random weights the
            masks of 156 prompts overlap with those of the unrounded encoding by 0.999 and more
            (intersection over union) for ViT-B's architecture, by 0.987 and more, 0.9986 in the
            median, for SAM 2.1 tiny's; predicted IoU moves by up to 0.005.

        Raises
        ------
        ImageError
            `image` cannot be read.
        SettingError
            `part` does not lie in it.
        WeightsError
            What the model computes are no finite numbers, on the CPU either.

        Notes
        -----
        Tells :func:`vde_nb._progress.report`, whose listener may raise to stop it: then nothing
        is kept.
        """
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.shape[2:] != (3,):
            image = load(image).array
        with shown_when_long():
            return self._embed(image, what, part)

    def _embed(self, image: UInt8, what: str, part: Box | None) -> Embedded:
        box = checked_part(image, part)
        x, y, w, h = box
        shown = image[y : y + h, x : x + w]
        digest = pixels_key(shown)  # of what is encoded, now: arrays of users may change
        fit = self.backend.fit(h, w)
        key = self._key(digest, self.backend)
        kept = self._find(key)
        if kept is None:
            with self._turn():
                kept = self._find(key)  # another thread may have looked at it meanwhile
                if kept is None:
                    arrays, notes, key = self._encode(shown, what, digest, key)
                    return Embedded(key, box, fit, arrays, "encoded", notes)
        return Embedded(key, box, fit, kept, "kept", self._cache_notes())

    def _key(self, digest: str, backend: Backend) -> str:
        # By what it is, not by its name: the same weights under another name see the same.
        kind = backend.model.architecture
        return embedding_key(digest, kind, self._weights, backend.preprocessing, backend.precision)

    def _find(self, key: str) -> Arrays | None:
        with self._lock:
            recent = self._recent.get(key)
            if recent is not None:
                self._recent.move_to_end(key)
        if recent is not None or self.cache is None:
            return recent
        found = self.cache.get(key)
        return None if found is None else dict(found)

    def _keep(self, key: str, arrays: Arrays) -> None:
        if self.cache is not None:
            self.cache.put(key, arrays, model=self.backend.model.title)
            return
        with self._lock:
            self._recent[key] = arrays
            drop_oldest(self._recent, LOADED_BYTES, size_of)

    def _cache_notes(self) -> tuple[str, ...]:
        note = "" if self.cache is None else self.cache.note()
        return (note,) if note else ()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Hold the right to encode; who waits for it can be cancelled."""
        while not self._encoding.acquire(timeout=0.1):
            report(f"{self.backend.model.title} is busy with another picture")
        try:
            yield
        finally:
            self._encoding.release()

    def _encode(
        self, image: UInt8, what: str, digest: str, key: str
    ) -> tuple[Arrays, tuple[str, ...], str]:
        """Encode and keep; the key is another one where the CPU had to step in."""
        title, device = self.backend.model.title, self.backend.device
        notes: list[str] = []
        arrays: Arrays | None = None
        try:
            arrays = rounded(self.backend.encode(image, what))
            if arrays is None:
                trouble = f"computes no finite numbers in {self.backend.precision} on {device}"
        except Exception as error:
            if not out_of_memory(error) or device == "cpu":
                raise
            trouble = f"finds no memory on {device}"
        if arrays is None:
            # Outside of the handler, so that what the traceback holds on the device is free.
            exact = self.backend.precision == "fp32" and device == "cpu"
            self._places.make_room()
            spare = self.backend if exact else self._places.spare()
            key = self._key(digest, spare)
            arrays = self._find(key)
            if arrays is None and not exact:
                arrays = rounded(spare.encode(image, what))
            if arrays is None:
                raise WeightsError(
                    f"{title} computes no finite numbers for {what}: its weights are damaged or "
                    "not its own. 'vde-nb weights verify' tells."
                )
            notes.append(f"{title} {trouble}: the CPU encoded {what}, which is slower.")
        self._keep(key, arrays)
        return arrays, (*notes, *self._cache_notes()), key

    def __repr__(self) -> str:
        model = self.backend.model
        return f"Predictor({model.title}, {self.backend.device}, {self.backend.precision})"

    # -- answering ----------------------------------------------------------------------------

    def predict(
        self,
        embedded: Embedded,
        prompts: Sequence[Prompt] | Prompt,
        *,
        multimask: bool | str = "auto",
        refine: int = 0,
        previous: Sequence[Float32 | None] | None = None,
        notes: list[str] | None = None,
    ) -> list[Prediction]:
        """Answer prompts, in their order; see :meth:`stream`, which needs less memory.

        Parameters
        ----------
        embedded
            Of :meth:`embed`.
        prompts
            One or several.
        multimask, refine, previous, notes
            As for :meth:`stream`.

        Returns
        -------
        list of Prediction
            One for each prompt.

        Raises
        ------
        SettingError
            As :meth:`stream`; or `embedded` is not what :meth:`embed` returns, or a prompt lies
            outside of the picture.

        Examples
        --------
        ``predictor.predict(embedded, [vde.Prompt(box=(60, 60, 120, 90))])[0].mask()`` is the
        best mask of the picture's size.
        """
        if not isinstance(embedded, Embedded):
            raise SettingError("predict() takes what embed(picture) returned, then the prompts.")
        if isinstance(prompts, Prompt):
            prompts = [prompts]
        prompts = list(prompts)
        for i, prompt in enumerate(prompts, 1):
            check_prompt(prompt, f"Prompt {i}")
            check_place(prompt, embedded.box, f"Prompt {i}")
        with shown_when_long():
            answers = dict(
                self.stream(
                    embedded,
                    prompts,
                    multimask=multimask,
                    refine=refine,
                    previous=previous,
                    notes=notes,
                )
            )
        return [answers[i] for i in range(len(prompts))]

    def stream(
        self,
        embedded: Embedded,
        prompts: Sequence[Prompt],
        *,
        multimask: bool | str = "auto",
        refine: int = 0,
        previous: Sequence[Float32 | None] | None = None,
        notes: list[str] | None = None,
    ) -> Iterator[tuple[int, Prediction]]:
        """Answer prompts as they are decoded: one chunk's logits exist at a time.

        Prompts of the same make-up (box or not, number of points, previous mask or not) are
        decoded together.

        Parameters
        ----------
        embedded
            Of :meth:`embed`.
        prompts
            Boxes and points in picture pixels. Masks, and how far outlines may reach, are no
            matter here.
        multimask
            Three masks per prompt, of which `best` has the highest predicted IoU. ``"auto"``:
            for a single point without a box, which may mean a part or the whole.
        refine
            So many times the best mask goes back in with its prompt, for one mask.
        previous
            For each prompt ``(g, g)`` logits of an earlier answer, or None.
        notes
            What happened on the way is added to this list, in words.

        Yields
        ------
        index, prediction
            Of every prompt once, grouped by make-up.

        Raises
        ------
        SettingError
            A prompt has neither box nor point, or numbers that are not finite; or `multimask`,
            `refine` or `previous` are not what they should be.
        """
        for i, prompt in enumerate(prompts, 1):
            check_prompt(prompt, f"Prompt {i}")
        if multimask not in (True, False, "auto"):
            raise SettingError(f"multimask is {multimask!r}: it must be True, False or 'auto'.")
        if refine < 0:
            raise SettingError(f"refine is {refine}: it must be at least 0.")
        earlier = self._checked_previous(previous, len(prompts))
        groups: dict[MakeUp, list[int]] = {}
        for i, prompt in enumerate(prompts):
            groups.setdefault(make_up_of(prompt, earlier[i], multimask), []).append(i)
        run = Decoding(self._places, embedded, refine, self._chunk, notes)
        grid = grid_of(self.backend, embedded)
        done = 0
        for make_up, members in groups.items():
            while members:
                report(f"{self.backend.model.title} draws outlines", done / len(prompts))
                chunk, members = members[: run.chunk], members[run.chunk :]
                asked = batch(
                    make_up,
                    [prompts[i] for i in chunk],
                    [earlier[i] for i in chunk],
                    embedded.fit,
                    embedded.box[:2],
                )
                answers = run.decode(asked, len(chunk), make_up.multimask)
                if answers is None:  # no memory for so many: the chunk is smaller now
                    members = chunk + members
                    continue
                for place, i in enumerate(chunk):
                    yield i, _prediction(answers[0][place], answers[1][place], grid, embedded)
                done += len(chunk)

    def _checked_previous(
        self, previous: Sequence[Float32 | None] | None, count: int
    ) -> list[Float32 | None]:
        if previous is None:
            return [None] * count
        if len(previous) != count:
            raise SettingError(f"previous has {len(previous)} entries for {count} prompts.")
        cells = self.backend.grid
        for logits in previous:
            if logits is not None and logits.shape != (cells, cells):
                raise SettingError(
                    f"previous has shape {logits.shape}: needed are the logits of an earlier "
                    f"answer, {(cells, cells)}."
                )
        return list(previous)

    def cells_per_pixel(self, height: int, width: int) -> tuple[float, float]:
        """Cells of the mask grid per pixel of a `height` x `width` picture, across and down."""
        fit, backend = self.backend.fit(height, width), self.backend
        share = backend.grid / backend.side
        return fit.scale_x * share, fit.scale_y * share


def _prediction(logits: Float32, iou: Float32, grid: Grid, embedded: Embedded) -> Prediction:
    best = int(np.argmax(np.nan_to_num(iou, nan=-np.inf)))
    return Prediction(logits, iou, stability_scores(logits, grid), best, grid, embedded.box[:2])
