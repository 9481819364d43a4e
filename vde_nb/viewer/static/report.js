/** Where the HTML report enters: the same viewer, fed from data in the page. */
import { createStore } from "./store.js";
import { connect } from "./protocol.js";
import { mountApp } from "./app.js";
import { fromBase64 } from "./decode.js";

/** A host that nobody is behind. */
function staticHost() {
  const listeners = new Set();
  return {
    static: true,
    send() {},
    onMessage(fn) {
      listeners.add(fn);
      return () => listeners.delete(fn);
    },
    onLink: () => () => {},
    feed(content, buffers = []) {
      for (const fn of listeners) fn(content, buffers);
    },
  };
}

/**
 * @param {HTMLElement} root where the viewer is to be
 * @param {object} data see vde_nb/export/_interactive.py
 * @returns {{store: object, destroy: function(): void}}
 */
export function startReport(root, data) {
  const host = staticHost();
  const store = createStore(host);
  connect(store);
  const app = mountApp(root, store);
  const { pair, blobs } = data;
  host.feed({ kind: "pair", pair });
  host.feed({ kind: "state", patch: data.state ?? {} });
  for (const key of ["current", "reference"]) {
    if (!blobs[key]) continue;
    host.feed({ kind: "blob", key, token: pair.token }, [fromBase64(blobs[key])]);
  }
  for (const key of ["clean", "heatmap"]) {
    if (!blobs[key]) continue;
    const { meta, data: packed } = blobs[key];
    host.feed({ kind: "blob", key, token: pair.token, meta }, [fromBase64(packed)]);
  }
  const masks = fromBase64(data.masks_data ?? "");
  host.feed({ kind: "result", result: data.result, masks: data.masks }, [masks]);
  if (data.counts) host.feed({ kind: "counts", token: pair.token, values: data.counts });
  return {
    store,
    destroy() {
      app.destroy();
      store.destroy();
    },
  };
}

/** Start where a page holds data for it; a page without is left alone. */
function startWhereFound() {
  const found = document.getElementById("vde-data");
  const root = document.getElementById("vde-root");
  if (!found || !root) return;
  try {
    startReport(root, JSON.parse(found.textContent));
  } catch (error) {
    // The static report stays; an empty root makes it show.
    root.replaceChildren();
    console.error(error);
  }
}

if (typeof document !== "undefined") startWhereFound();
