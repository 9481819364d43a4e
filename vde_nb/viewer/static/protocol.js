/**
 * Messages from Python become state. The other direction is in actions.js.
 *
 * Whatever is costly to decode is started when it arrives and shown in the order of arrival, so
 * that a result never meets the heatmap of another. What belongs to an earlier pair is dropped.
 *
 * @typedef {object} Host how a viewer talks to Python; see widget.js and report.js
 * @property {function(object, ArrayBuffer[]=): void} send
 * @property {function(function(object, DataView[])): function()} onMessage
 * @property {function(function(string)): function()} onLink
 * @property {boolean} static there is no Python
 */
import { mergeView } from "./store.js";
import { createLink } from "./link.js";
import { addActions } from "./actions.js";
import {
  createAssembly,
  decodeMap,
  decodePicture,
  decodeResult,
  mapHistogram,
} from "./decode.js";
import { copyText, saveFile } from "./out.js";

const PLAIN_KEYS = [
  "selected",
  "registration",
  "types",
  "colours",
  "error",
  "explaining",
  "explain",
  "panel_id",
  "active_prompt",
  "gallery",
];

/**
 * Let a store hear its host and give it its actions.
 *
 * @param {object} store
 * @param {object} [tools] replaced in tests
 * @param {function(Uint8Array): Promise<ImageBitmap>} [tools.picture]
 * @returns {function(): void} takes it all back
 */
export function connect(store, tools = {}) {
  const { host, state } = store;
  const picture = tools.picture ?? decodePicture;
  const assembly = createAssembly();
  const link = createLink(store);
  const sent = { seq: 0, edits: 0, selects: 0, viewPending: false };
  const newest = {}; // key -> token of the blob that is wanted
  let epoch = 0;
  let chain = Promise.resolve();

  /** Show what `decoding` gives, after all that arrived before it. */
  const inTurn = (decoding, show) => {
    const own = epoch;
    // A failure is shown in its turn; without this it would count as unhandled until then.
    decoding.catch(() => {});
    chain = chain
      .then(() => decoding)
      .then((value) => {
        if (own === epoch) show(value);
        else value?.close?.();
      })
      .catch((error) => {
        if (own === epoch) store.fail(error);
      });
    return chain;
  };

  const onPair = ({ pair }) => {
    // The same again, after the link was cut: what is here still holds.
    if (pair && state.pair?.token === pair.token) {
      store.set({ pair });
      return;
    }
    epoch += 1;
    assembly.clear();
    for (const key of Object.keys(newest)) delete newest[key];
    const old = state.pair;
    const same = old && pair && old.width === pair.width && old.height === pair.height;
    const gone = [state.reference?.bitmap, state.current?.bitmap];
    gone.push(...(state.explain?.stages ?? []).map((stage) => stage.bitmap));
    store.set({
      pair,
      reference: null,
      current: null,
      clean: null,
      heatmap: null,
      histogram: null,
      counts: null,
      result: null,
      registration: null,
      explain: null,
      selected: 0,
      hovered: 0,
      active_prompt: -1,
      ...(same ? {} : { view: mergeView(state.view, { scale: null }) }),
    });
    for (const bitmap of gone) bitmap?.close?.();
  };

  const isHere = (key, token) => newest[key] === token && state[key]?.token === token;

  const onPicture = ({ key, token, bytes }) => {
    if (isHere(key, token)) return;
    newest[key] = token;
    inTurn(picture(bytes), (bitmap) => {
      if (newest[key] !== token) {
        bitmap.close?.();
        return;
      }
      const old = state[key]?.bitmap;
      store.set({ [key]: { token, bitmap } });
      old?.close?.();
    });
  };

  const onMap = ({ key, token, meta, bytes }) => {
    if (isHere(key, token)) return;
    newest[key] = token;
    inTurn(decodeMap(token, meta, bytes), (map) => {
      if (newest[key] !== token) return;
      const more = key === "clean" ? { histogram: mapHistogram(map), counts: null } : {};
      store.set({ [key]: map, ...more });
    });
  };

  const onThumb = ({ meta, bytes }) => {
    const items = [...state.filmstrip.items];
    const item = items[meta.index];
    if (!item) return;
    if (item.thumb) URL.revokeObjectURL(item.thumb);
    const thumb = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
    items[meta.index] = { ...item, thumb };
    store.set({ filmstrip: { ...state.filmstrip, items } });
  };

  const onStage = ({ meta, bytes }) => {
    inTurn(picture(bytes), (bitmap) => {
      if (!state.explaining) {
        bitmap.close?.();
        return;
      }
      const { index, total, ...stage } = meta;
      const old = state.explain?.stages ?? [];
      // Each stage replaces its predecessor on its own, so that the strip never goes blank.
      const stages = old.filter((one) => one.index !== index && one.index < total);
      const replaced = old.filter((one) => !stages.includes(one));
      stages.push({ ...stage, index, bitmap });
      stages.sort((a, b) => a.index - b.index);
      store.set({ explain: { stages } });
      for (const one of replaced) one.bitmap.close?.();
    });
  };

  const onBlob = (content, buffers) => {
    const blob = assembly.add(content, buffers);
    if (!blob) return;
    if (blob.key === "reference" || blob.key === "current") onPicture(blob);
    else if (blob.key === "clean" || blob.key === "heatmap") onMap(blob);
    else if (blob.key === "thumb") onThumb(blob);
    else if (blob.key === "stage") onStage(blob);
    else if (blob.key === "download") saveFile(blob.bytes, blob.meta.name, blob.meta.mime);
  };

  const onResult = ({ result, masks }, buffers) => {
    if (!result) {
      inTurn(Promise.resolve(), () => store.set({ result: null }));
      return;
    }
    // Python need not answer a threshold it has already answered, such as that of a release at
    // the place of the last movement: an older answer holds when it is to the same question.
    const isOld = () => (result.seq ?? 0) < sent.seq && result.threshold !== state.threshold;
    const stale = () => isOld() || isOther(result.token);
    if (stale()) return;
    inTurn(decodeResult(result, masks ?? [], buffers[0]), (decoded) => {
      if (stale()) return;
      const numbers = new Set(decoded.anomalies.map((one) => one.number));
      store.set({
        result: decoded,
        selected: numbers.has(state.selected) ? state.selected : 0,
        hovered: numbers.has(state.hovered) ? state.hovered : 0,
      });
    });
  };

  const isOther = (token) =>
    token !== undefined && state.pair !== null && token !== state.pair.token;

  const onCounts = ({ token, values }) => {
    inTurn(Promise.resolve(), () => {
      const fits = !token || token === state.clean?.token || token === state.pair?.token;
      if (fits && values) store.set({ counts: { token, values } });
    });
  };

  const onState = ({ patch = {}, seq = patch.seq ?? 0 }) => {
    const next = {};
    for (const key of PLAIN_KEYS) {
      if (key in patch) next[key] = patch[key];
    }
    // Who walks quickly from region to region is not set back to one chosen before.
    if ("selected" in next) {
      const seen = patch.selected_seq ?? sent.selects;
      if (seen < sent.selects) delete next.selected;
      sent.selects = Math.max(sent.selects, seen);
    }
    if ("explain" in next && next.explain === null) {
      for (const stage of state.explain?.stages ?? []) stage.bitmap.close?.();
    }
    if ("threshold" in patch && !state.dragging && seq >= sent.seq) {
      next.threshold = patch.threshold;
    }
    // Python may have counted further before this page was loaded again.
    sent.seq = Math.max(sent.seq, seq);
    if (patch.view && !sent.viewPending) next.view = mergeView(state.view, patch.view);
    if (patch.edits && (patch.edits.seq ?? sent.edits) >= sent.edits) {
      next.edits = { ...state.edits, ...patch.edits };
      sent.edits = Math.max(sent.edits, patch.edits.seq ?? 0);
      const last = next.edits.prompts.length - 1;
      if (state.active_prompt > last) next.active_prompt = last;
    }
    if ("progress" in patch) next.progress = withStart(patch.progress);
    if (patch.filmstrip) next.filmstrip = newStrip(patch.filmstrip, state.filmstrip);
    if (next.filmstrip && next.filmstrip.index !== state.leaving) next.leaving = -1;
    // Python says which pairs a run opens with; from then on the person does.
    if (patch.gallery && patch.gallery.run !== state.gallery?.run) next.film_filter = patch.gallery.filter;
    store.set(next);
  };

  const withStart = (progress) =>
    progress && {
      cancellable: true,
      ...progress,
      started: performance.now() - (progress.elapsed ?? 0),
    };

  /** One frame of the strip changed; the others stay the objects they are. */
  const onFrame = ({ index, item, ...strip }) => {
    const items = [...state.filmstrip.items];
    const old = items[index];
    if (!old || old.name !== item.name) return;
    items[index] = { ...item, thumb: old.thumb };
    const { sweep = null, missing = 0 } = strip;
    store.set({ filmstrip: { ...state.filmstrip, items, sweep, missing } });
  };

  const handlers = {
    state: onState,
    frame: onFrame,
    pair: onPair,
    blob: onBlob,
    result: onResult,
    counts: onCounts,
    clipboard: ({ text }) => copyText(store, text),
    announce: ({ text }) => store.set({ announce: text }),
  };

  const offMessage = host.onMessage((content, buffers = []) => {
    try {
      link.heard(content, buffers);
      handlers[content.kind]?.(content, buffers);
    } catch (error) {
      store.fail(error);
    }
  });
  const stopActions = addActions(store, link, sent, { picture });

  const stop = () => {
    offMessage?.();
    stopActions();
    link.destroy();
    epoch += 1;
    for (const key of ["reference", "current"]) state[key]?.bitmap.close?.();
    for (const stage of state.explain?.stages ?? []) stage.bitmap.close?.();
    withThumbs({ items: [], index: 0 }, state.filmstrip);
  };
  store.onDestroy(stop);
  return stop;
}

/** A strip as it was sent: all of it, or, of a long one, the frames that are not as they were. */
function newStrip(next, old) {
  if (next.items) return withThumbs(next, old);
  const { changed = [], ...rest } = next;
  const items = changed.length ? [...old.items] : old.items;
  for (const [index, item] of changed) items[index] = { ...item, thumb: old.items[index]?.thumb ?? null };
  return { ...rest, items };
}

/** A new filmstrip that keeps the thumbs of the old one; those not used any more are freed. */
function withThumbs(next, old) {
  const items = next.items.map((item, index) => {
    const before = old.items[index];
    const thumb = item.thumb ?? (before?.name === item.name ? before.thumb : null) ?? null;
    return { ...item, thumb };
  });
  const kept = new Set(items.map((item) => item.thumb));
  for (const { thumb } of old.items) {
    if (thumb && !kept.has(thumb)) URL.revokeObjectURL(thumb);
  }
  return { index: 0, ...next, items };
}
