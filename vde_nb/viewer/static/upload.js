/** Sending a file to Python in parts, and a button for it. */
import { createCleanup, holdShortcuts, make, setHidden, setText } from "./dom.js";
import { partIcon } from "./part_icons.js";
import { plainName, shortName } from "./names.js";

/** Bytes of one part: on Colab a message of 1 MB, which is text by then, ends the connection. */
export const UPLOAD_PART_BYTES = 1 << 19;
export const UPLOAD_MOST_BYTES = 300 * (1 << 20);
/** Parts under way at once. */
const UPLOAD_AHEAD = 4;
/** Who does not answer a ping within this many ms is sent the rest all the same, but not at once. */
const UPLOAD_PATIENCE = 1500;
const UPLOAD_PACE = 25;

/** Endings and types that are taken for pictures; whether they are, Python finds out. */
const PICTURE_ENDINGS =
  /\.(png|jpe?g|jpe|jfif|webp|tiff?|bmp|dib|gif|p[bgpn]m|pnm|jp2|j2k|tga|ico|avif|heic|heif|hdr|exr)$/i;
export const PICTURE_ACCEPT = "image/*,.tif,.tiff,.bmp,.pgm,.ppm,.pnm,.jp2,.tga";

/** Longest name that is sent. */
const UPLOAD_NAME = 200;

/**
 * Why a file cannot be taken.
 *
 * @param {{name: string, size: number, type: string}} file
 * @returns {string} empty if it can
 */
export function uploadRefusal({ name, size, type }) {
  const shown = shortName(name, 60);
  if (!PICTURE_ENDINGS.test(name) && !/^image\//.test(type ?? "")) {
    return `${shown} is not a picture. Choose a PNG, JPEG, WebP, TIFF, BMP or GIF file.`;
  }
  if (size === 0) return `${shown} is empty (0 bytes).`;
  if (size > UPLOAD_MOST_BYTES) {
    const megabytes = Math.ceil(size / (1 << 20));
    return (
      `${shown} has ${megabytes} MB; files up to ${UPLOAD_MOST_BYTES >> 20} MB can be uploaded. ` +
      "Put it beside the notebook and choose it there."
    );
  }
  return "";
}

/**
 * The bytes each part holds.
 *
 * @param {number} size of the file
 * @returns {number[][]} [first, last) of each part
 */
export function uploadParts(size, part = UPLOAD_PART_BYTES) {
  const count = Math.max(1, Math.ceil(size / part));
  return Array.from({ length: count }, (_, i) => [i * part, Math.min(size, (i + 1) * part)]);
}

let uploadsMade = 0;

/**
 * Send a file in parts. After each part goes a ping, and only a few parts are sent ahead of its
 * pong: a large file neither fills the connection nor the memory.
 *
 * @param {object} host see protocol.js
 * @param {"reference"|"current"} side
 * @param {File} file
 * @param {object} [options]
 * @param {function(number): void} [options.onProgress] part of the file that arrived, 0..1
 * @param {AbortSignal} [options.signal]
 * @param {number} [options.patience] ms to wait for a pong
 * @returns {Promise<{ok: boolean, message: string}>} what Python said; never rejected
 */
export async function sendFile(host, side, file, options = {}) {
  const { onProgress = () => {}, signal, patience = UPLOAD_PATIENCE } = options;
  const refusal = uploadRefusal(file);
  if (refusal) return { ok: false, message: refusal };
  const shown = shortName(file.name, 60);
  const id = `file-${Date.now().toString(36)}-${(uploadsMade += 1)}`;
  const parts = uploadParts(file.size);
  const about = {
    kind: "upload",
    id,
    side,
    name: shortName(file.name, UPLOAD_NAME),
    size: file.size,
    parts: parts.length,
  };

  let arrived = 0;
  let isSilent = false;
  let ending = null;
  let wake = () => {};
  const end = (ok, message) => {
    ending ??= { ok, message };
    wake();
  };
  const progress = (count) => {
    if (count <= arrived) return;
    arrived = count;
    onProgress(arrived / parts.length);
  };
  const offMessage = host.onMessage((content) => {
    if (content.kind === "uploaded" && content.id === id) end(content.ok, content.message ?? "");
    if (content.kind !== "pong" || !String(content.id).startsWith(`${id}:`)) return;
    isSilent = false;
    progress(Number(String(content.id).slice(id.length + 1)) + 1);
    wake();
  });
  const offLink = host.onLink?.((link) => {
    if (link === "gone") end(false, `${shown} did not arrive: the kernel is gone.`);
  });
  const abort = () => end(false, "Cancelled.");
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();

  /** Until something happened, at most `most` ms. */
  const news = (most) =>
    new Promise((resolve) => {
      const timer = most && setTimeout(resolve, most);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  try {
    for (let index = 0; index < parts.length && !ending; index += 1) {
      const bytes = await file.slice(...parts[index]).arrayBuffer();
      const isAhead = () => index - arrived >= UPLOAD_AHEAD && !ending;
      if (isAhead()) await news(isSilent ? UPLOAD_PACE : patience);
      if (isAhead()) {
        isSilent = true;
        progress(index - UPLOAD_AHEAD + 1);
      }
      if (ending) break;
      host.send({ ...about, index }, [bytes]);
      host.send({ kind: "ping", id: `${id}:${index}` });
    }
    while (!ending) await news(0);
  } catch (error) {
    const why = error?.message ? ` (${error.message})` : "";
    end(false, `${shown} could not be read${why}. Was it moved or changed? Choose it again.`);
  }
  signal?.removeEventListener("abort", abort);
  offMessage?.();
  offLink?.();
  if (!ending.ok) {
    try {
      host.send({ kind: "upload_cancel", id });
    } catch {
      // Nobody is left to be told.
    }
  }
  return ending;
}

/**
 * A button that lets a person choose a picture and sends it.
 *
 * @param {HTMLElement} el
 * @param {object} host see protocol.js
 * @param {{side: "reference"|"current", label: string}} options
 * @returns {{destroy: function(): void, setLabel: function(string): void}}
 */
export function mountUpload(el, host, { side, label }) {
  const cleanup = createCleanup();
  let sending = null;
  const name = make("span");
  const input = make("input", { type: "file", accept: PICTURE_ACCEPT, "aria-label": label });
  input.hidden = true;
  const button = make("button", { type: "button", class: "vde-button vde-small vde-upload-button" });
  button.append(partIcon("upload"), name);
  button.addEventListener("click", () => input.click());
  const meter = make("progress", { class: "vde-progress", max: "1", "aria-label": "Upload" });
  const cancel = make("button", { type: "button", class: "vde-button vde-small", text: "Cancel" });
  cancel.addEventListener("click", () => sending?.abort());
  const said = make("span", { class: "vde-upload-said", role: "status" });
  const root = make("div", { class: "vde-viewer vde-upload" }, button, input, meter, cancel, said);
  holdShortcuts(root);
  el.append(root);

  const setLabel = (text) => {
    setText(name, text || "Upload…");
    input.setAttribute("aria-label", text || "Upload");
  };
  const show = () => {
    setHidden(meter, !sending);
    setHidden(cancel, !sending);
    button.disabled = Boolean(sending);
  };
  const say = (text, isTrouble) => {
    setText(said, text);
    root.classList.toggle("vde-trouble", isTrouble);
  };
  const send = async (file) => {
    const own = new AbortController();
    sending = own;
    meter.value = 0;
    say(shortName(file.name, 28), false);
    said.title = plainName(file.name);
    show();
    const onProgress = (part) => {
      meter.value = part;
    };
    const { ok, message } = await sendFile(host, side, file, { onProgress, signal: own.signal });
    if (sending !== own) return;
    sending = null;
    say(ok ? `${shortName(file.name, 28)} is here.` : message, !ok && message !== "Cancelled.");
    show();
  };
  cleanup.listen(input, "change", () => {
    const [file] = input.files;
    if (file && !sending) send(file);
    input.value = ""; // so that the same file can be chosen again
  });
  cleanup.add(
    () => root.remove(),
    () => {
      sending?.abort();
      sending = null;
    },
  );
  setLabel(label);
  show();
  return { destroy: cleanup.run, setLabel };
}
