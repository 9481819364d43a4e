"""What goes over a kernel's websocket, noted by the page itself as it comes and goes."""

from __future__ import annotations

import dataclasses
from typing import Any

#: Runs before the page's own scripts. Jupyter's ``v1.kernel.websocket.jupyter.org`` packs a
#: message as a count of offsets, the offsets (little-endian 64-bit), and then channel, header,
#: parent header, metadata, content and buffers, one after another. Noting it here keeps megabytes
#: from being copied to the test, and gives the page's own clock.
NOTE_FRAMES = """
(() => {
  window.vdeFrames = [];
  const text = new TextDecoder();
  const note = (data, sent) => {
    try {
      const at = performance.now();
      let header, content, buffers, size;
      if (typeof data === "string") {
        ({ header, content } = JSON.parse(data));
        buffers = [];
        size = data.length;
      } else {
        const view = new DataView(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
        const count = Number(view.getBigUint64(0, true));
        const offset = n => Number(view.getBigUint64(8 * (n + 1), true));
        const part = n => new Uint8Array(
          view.buffer, view.byteOffset + offset(n), offset(n + 1) - offset(n));
        header = JSON.parse(text.decode(part(1)));
        content = JSON.parse(text.decode(part(4)));
        buffers = [];
        for (let n = 5; n < count - 1; n += 1) buffers.push(offset(n + 1) - offset(n));
        size = data.byteLength;
      }
      // Scripts and pictures in states would be kept forever here.
      const { comm_id, data: said } = content;
      const made = said?.state?._model_name;
      if (said?.method !== "custom") content = { comm_id, made, method: said?.method };
      window.vdeFrames.push({ at, sent, kind: header.msg_type, content, buffers, size });
    } catch {
      // Not a kernel's message.
    }
  };
  window.WebSocket = class extends window.WebSocket {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", event => note(event.data, false));
    }
    send(data) {
      note(data, true);
      super.send(data);
    }
  };
})();
"""


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
    """One message between the page and the kernel.

    Attributes
    ----------
    at : float
        When, in milliseconds of the page's ``performance.now()``.
    sent : bool
        From the page to the kernel, or the other way.
    kind : str
        ``comm_msg``, ``execute_request``, ``status`` …
    content : dict
        The message's content.
    buffers : list of int
        Sizes of its binary buffers.
    size : int
        Of the whole, in bytes.
    """

    at: float
    sent: bool
    kind: str
    content: dict[str, Any]
    buffers: list[int]
    size: int

    @property
    def custom(self) -> dict[str, Any]:
        """What a widget's custom message says; empty for anything else."""
        data = self.content.get("data") or {}
        if self.kind != "comm_msg" or data.get("method") != "custom":
            return {}
        return data.get("content") or {}

    @property
    def says(self) -> str:
        """The name of a custom message of the viewer."""
        return str(self.custom.get("kind", ""))
