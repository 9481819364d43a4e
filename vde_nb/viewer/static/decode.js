/** Messages that carry much: parts put together, bytes made into what components draw. */
import { inflate } from "./inflate.js";
import { histogramOf } from "./heat.js";
import { withMasks } from "./trace.js";

/** @param {DataView|Uint8Array|ArrayBuffer} data @returns {Uint8Array} the same bytes */
export function bytesOf(data) {
  if (data instanceof Uint8Array) return data;
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** @param {Uint8Array[]} parts @returns {Uint8Array} */
export function joined(parts) {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * Puts blobs together whose parts arrive one by one.
 *
 * @returns {{add: function(object, DataView[]): (object|null), clear: function(): void}} `add`
 *   takes one `blob` message and gives `{key, token, meta, bytes}` when it was the last missing
 *   part. A newer token of the same key drops what was under way for the older one.
 */
export function createAssembly() {
  const open = new Map();
  return {
    add(content, buffers) {
      const { key, token, part = 0, parts = 1, meta } = content;
      // Thumbs and stages come several under one key, each with an index of its own.
      const slot = `${key}/${meta?.index ?? ""}`;
      let entry = open.get(slot);
      if (!entry || entry.token !== token || entry.parts !== parts) {
        entry = { token, parts, got: new Map(), meta: null };
        open.set(slot, entry);
      }
      entry.got.set(part, bytesOf(buffers[0] ?? new ArrayBuffer(0)));
      entry.meta ??= meta ?? null;
      if (entry.got.size < parts) return null;
      open.delete(slot);
      const ordered = [...entry.got.keys()].sort((a, b) => a - b);
      const bytes = joined(ordered.map((index) => entry.got.get(index)));
      return { key, token, meta: entry.meta ?? {}, bytes };
    },
    clear() {
      open.clear();
    },
  };
}

/** @param {Uint8Array} bytes of a PNG file @returns {Promise<ImageBitmap>} its exact pixels */
export function decodePicture(bytes) {
  const exact = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  return createImageBitmap(new Blob([bytes], { type: "image/png" }), exact);
}

/**
 * @param {string} token @param {{width: number, height: number, factor: number}} meta
 * @param {Uint8Array} bytes a zlib stream of uint8 rows
 */
export async function decodeMap(token, meta, bytes) {
  const { width, height, factor = 1 } = meta;
  const values = await inflate(bytes, width * height);
  return { token, width, height, factor, values };
}

/** How often each value occurs in a map. */
export function mapHistogram(map) {
  return histogramOf(map.values);
}

/**
 * @param {object} result as sent @param {number[]} offsets @param {DataView|Uint8Array} [bytes]
 * @returns {Promise<object>} the result whose anomalies have `bits` and `loops`
 */
export async function decodeResult(result, offsets, bytes) {
  const anomalies = result.anomalies ?? [];
  const packed = bytes?.byteLength ? await inflate(bytes) : new Uint8Array(0);
  return { ...result, anomalies: withMasks(anomalies, offsets, packed) };
}

/** @param {string} text base64 @returns {Uint8Array} */
export function fromBase64(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i += 1) bytes[i] = raw.charCodeAt(i);
  return bytes;
}
