"""Between the panel and its viewer: what is sent when, and what is answered.

Pictures and maps are sent once for each content, however often the threshold moves; what they
are made of is packed on threads of its own, so that nothing waits for it.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xxhash

from vde_nb.panel import _messages as messages
from vde_nb.panel._messages import Blob
from vde_nb.viewer import payload
from vde_nb.viewer.tiles import SIZE, tile

if TYPE_CHECKING:
    from vde_nb.comparison import Comparison
    from vde_nb.images import ImagePair

__all__ = ["Link"]

UInt8 = npt.NDArray[np.uint8]
Send = Callable[..., None]

#: Threads for all panels: every panel's own would leave an arena of the allocator behind.
_packing = ThreadPoolExecutor(2, "vde-panel-pack")
_cutting = ThreadPoolExecutor(2, "vde-panel-tiles")

#: Tiles that wait at most; the oldest are dropped, as the viewer has moved on by then.
_MOST_TILES = 64


class Link:
    """Sends to a viewer, when there is one, and remembers what a reloaded page needs again.

    Parameters
    ----------
    post
        Has a callable called on the panel's thread.
    failed
        Called on the panel's thread with what went wrong on another.
    """

    def __init__(
        self,
        post: Callable[[Callable[[], object]], None],
        failed: Callable[[BaseException], object],
    ) -> None:
        self._post, self._failed = post, failed
        self._send: Send | None = None
        self._lock = threading.Lock()
        self._blobs: dict[str, Blob] = {}
        self._sent: weakref.WeakSet[Blob] = weakref.WeakSet()
        self._result: tuple[dict[str, Any], list[Any]] | None = None
        self._counts: dict[str, Any] | None = None
        self._pair: dict[str, Any] | None = None
        self._images: ImagePair | None = None
        self._comparison: Comparison | None = None
        self._raw = ""
        self._wanted: tuple[Comparison, int] | None = None
        self._tiles: list[dict[str, Any]] = []
        self._is_closed = False
        #: Pictures and comparison whose packing has begun.
        self._packs: ImagePair | None = None
        self._packs_result: Comparison | None = None
        #: Whether somebody looks, or is about to: then everything is packed ahead.
        self.is_expected = False
        #: Whether a page ever asked for anything.
        self.is_live = False
        #: The viewer's last threshold that has been seen.
        self.seq = 0
        #: The viewer's last selection that has been seen.
        self.selects = 0

    def connect(self, send: Send) -> None:
        """Use `send` from now on."""
        self._send = send

    def send(self, content: dict[str, Any], buffers: list[Any] | None = None) -> None:
        """Send a message; nothing happens where nobody listens."""
        if self._send is not None and self.is_live and not self._is_closed:
            self._send(content, buffers)

    def state(self, **patch: Any) -> None:
        """Send small parts of the state."""
        if self.is_live:
            if "selected" in patch:
                patch["selected_seq"] = self.selects
            self.send({"kind": "state", "patch": patch, "seq": self.seq})

    # What is shown

    def show_pair(self, images: ImagePair | None, token: str, names: tuple[str, str]) -> None:
        """Show a pair that was read; its pictures follow as soon as they are packed."""
        with self._lock:
            self._blobs = {k: v for k, v in self._blobs.items() if k.startswith("thumb:")}
        self._result = self._counts = self._comparison = self._wanted = None
        self._packs = self._packs_result = None
        self._images = images
        self._raw = f"{token}-raw"
        if images is None:
            self._pair = None
            self.send({"kind": "pair", "pair": None})
            return
        plan = payload.plan(*images.shape)
        self._pair = {
            "token": token,
            "reference_name": names[0],
            "current_name": names[1],
            **plan.to_dict(),
        }
        self.send({"kind": "pair", "pair": self._pair})
        self._pack()

    def expect(self) -> None:
        """A page will say hello in a moment: have ready what it will need."""
        self.is_expected = True
        self._pack()

    def show(self, comparison: Comparison, seq: int) -> None:
        """Show a result; an older one that is still being packed is dropped."""
        self._comparison = comparison
        self._wanted = (comparison, seq)
        self._counts = self._packs_result = None
        self._pack()

    def counts(self, values: list[int]) -> None:
        """Show how many regions there are at every threshold."""
        if self._pair is not None:
            self._counts = {"kind": "counts", "token": self._pair["token"], "values": values}
            self.send(dict(self._counts))

    def blob(self, blob: Blob, name: str = "") -> None:
        """Send something large, and keep it under `name` for a page that is loaded again."""
        if name:
            with self._lock:
                self._blobs[name] = blob
        if self.is_live:
            self._sent.add(blob)
            for content, buffers in blob.messages():
                self.send(content, buffers)

    def forget(self, prefix: str) -> None:
        """Forget blobs by the beginning of their names."""
        with self._lock:
            self._blobs = {k: v for k, v in self._blobs.items() if not k.startswith(prefix)}

    def hello(self, patch: Mapping[str, Any]) -> None:
        """A page was loaded: send it everything."""
        self.is_live = self.is_expected = True
        # A new pair makes the viewer forget what belonged to the old one, so it goes first.
        self.send({"kind": "pair", "pair": self._pair})
        self.state(**patch)
        if self._pair is None:
            return
        with self._lock:
            kept = list(self._blobs.values())
        for blob in kept:
            self.blob(blob)
        if self._result is not None:
            self.send(*self._result)
        self._pack()
        if self._counts is not None:
            self.send(dict(self._counts))

    # Packing, on threads of its own

    def _submit(self, work: Callable[..., None], *arguments: Any) -> None:
        if self._is_closed:
            return

        def guarded() -> None:
            try:
                work(*arguments)
            except Exception as error:
                failure = error
                self._post(lambda: self._failed(failure))

        _packing.submit(guarded)

    def _pack(self) -> None:
        """Begin to pack what is not packed yet, where somebody looks."""
        images = self._images
        if not self.is_expected or images is None:
            return
        if self._packs is not images:
            self._packs = images
            self._submit(self._pack_picture, "reference", images.reference.array, images)
            self._submit(self._pack_picture, "current", images.current.array, images)
        if self._wanted is not None and self._packs_result is not self._wanted[0]:
            self._packs_result = self._wanted[0]
            self._submit(self._pack_result, *self._wanted)

    def _pack_picture(self, key: str, array: UInt8, images: ImagePair) -> None:
        if self._images is not images or (key == "current" and "current" in self._blobs):
            return  # a registered picture is there already
        self._store(images, Blob(key, self._raw, self._picture(array)), is_first=True)

    def _picture(self, array: UInt8) -> bytes:
        return payload.picture_png(payload.base_picture(array, payload.plan(*array.shape[:2])))

    def _pack_result(self, comparison: Comparison, seq: int) -> None:
        images = comparison.pair

        def stale() -> bool:
            return self._wanted is None or self._wanted[0] is not comparison

        if stale():
            return
        raw = comparison.current is images.current.array
        tokens = {
            "clean": _digest(comparison.clean_heatmap),
            "heatmap": _digest(comparison.heatmap),
            "current": self._raw if raw else _digest(comparison.current),
        }
        for key, token in tokens.items():
            with self._lock:
                kept = self._blobs.get(key)
            if kept is not None and kept.token == token:
                continue
            if stale():
                return
            if key == "current":
                self._store(images, Blob(key, token, self._picture(comparison.current)))
            elif key == "clean":
                meta, data = payload.heat_payload(comparison.clean_heatmap)
                self._store(images, Blob(key, token, data, meta))
            else:
                most = payload.HEATMAP_BYTES
                meta, data = payload.heat_payload(comparison.heatmap, most_bytes=most)
                self._store(images, Blob(key, token, data, meta))
        result, offsets, masks = payload.anomalies_payload(comparison)
        self._post(lambda: self._send_result(comparison, seq, result, tokens, offsets, masks))

    def _store(self, images: ImagePair, blob: Blob, *, is_first: bool = False) -> None:
        """Keep a blob for its pair, and have it sent; a first one gives way to what is there."""
        with self._lock:
            if self._images is not images or self._is_closed:
                return
            if is_first and blob.key in self._blobs:
                return
            self._blobs[blob.key] = blob
        self._post(lambda: self._send_stored(blob))

    def _send_stored(self, blob: Blob) -> None:
        # A page that said hello in between has it already.
        if self._blobs.get(blob.key) is blob and blob not in self._sent:
            self.blob(blob)

    def _send_result(
        self,
        comparison: Comparison,
        seq: int,
        result: dict[str, Any],
        tokens: dict[str, str],
        offsets: list[int],
        masks: bytes,
    ) -> None:
        if self._pair is None or self._wanted is None or self._wanted[0] is not comparison:
            return
        whole = {**result, "token": self._pair["token"], "seq": seq, "tokens": tokens}
        self._result = ({"kind": "result", "result": whole, "masks": offsets}, [memoryview(masks)])
        self.send(*self._result)

    # What is asked for, answered on whatever thread the question came

    def pixel(self, content: Mapping[str, Any]) -> None:
        """Answer what there is at one pixel."""
        key = content.get("id")
        x, y = messages.whole(content, "x"), messages.whole(content, "y")
        comparison, images = self._comparison, self._images
        answer: dict[str, Any] = {"kind": "pixel", "id": key, "x": x, "y": y}
        with suppress(ValueError, IndexError):
            if comparison is not None:
                answer.update(payload.pixel(comparison, x, y))
            elif images is not None and 0 <= y < images.shape[0] and 0 <= x < images.shape[1]:
                one = images.reference.array[y, x].tolist()
                two = images.current.array[y, x].tolist()
                delta = max(abs(a - b) for a, b in zip(one, two, strict=True))
                answer.update(reference=one, current=two, delta=delta, heat=None, clean=None)
        self.send(answer)

    def tile(self, content: Mapping[str, Any]) -> None:
        """Have a tile cut; the newest request is served first."""
        if self._is_closed:
            return
        with self._lock:
            self._tiles.append(dict(content))
            del self._tiles[:-_MOST_TILES]
            _cutting.submit(self._cut)

    def _cut(self) -> None:
        with self._lock:
            if not self._tiles or self._is_closed:
                return
            content = self._tiles.pop()
        try:
            array = self._array(messages.text(content, "picture"), content.get("token"))
            if array is None:
                return
            level, x, y = (messages.whole(content, key, 0) for key in ("level", "x", "y"))
            data = tile(array, level, x, y, SIZE)
        except (ValueError, IndexError):
            return  # there is no such tile: the viewer has another picture by now
        except Exception as error:
            failure = error
            self._post(lambda: self._failed(failure))
            return
        answer = {key: content.get(key) for key in ("id", "picture", "level", "x", "y", "token")}
        self.send({"kind": "tile", **answer}, [memoryview(data)])

    def _array(self, name: str, token: object) -> UInt8 | None:
        """The picture of a name, if it is the one the viewer means."""
        comparison, images = self._comparison, self._images
        blob = self._blobs.get(name)
        if images is None or blob is None or blob.token != token:
            return None
        if name == "reference":
            return images.reference.array
        if name == "current":
            raw = token == self._raw or comparison is None
            return images.current.array if raw else comparison.current  # type: ignore[union-attr]
        if comparison is None:
            return None
        return {"clean": comparison.clean_heatmap, "heatmap": comparison.heatmap}.get(name)

    def close(self) -> None:
        """Send nothing more, and let go of everything."""
        self._is_closed = True
        self.is_live = False
        self._send = None
        with self._lock:
            self._blobs.clear()
            self._tiles.clear()
        self._result = self._counts = self._pair = self._wanted = None
        self._images = self._comparison = self._packs = self._packs_result = None


def _digest(array: UInt8) -> str:
    digest = xxhash.xxh3_128(repr(array.shape).encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:16]
