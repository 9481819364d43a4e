/**
 * The one place that holds what a viewer shows. Components read `store.state`, subscribe with
 * `store.on` and change things only through `store.actions` (made by protocol.js) or `store.set`.
 */

/** @typedef {{x: number, y: number, width: number, height: number}} Rect */

/**
 * @typedef {object} View
 * @property {"overlay"|"wipe"|"blink"|"side"|"heatmap"|"reference"|"current"} mode
 * @property {number|null} scale CSS pixels per image pixel; null = fit
 * @property {number} cx image x at the centre (ignored while scale is null)
 * @property {number} cy image y at the centre
 * @property {number} opacity of the mask, 0..1
 * @property {"type"|"severity"} colour_by
 * @property {boolean} hatch
 * @property {{mask: boolean, outline: boolean, label: boolean, prompts: boolean,
 *   ignore: boolean}} layers
 * @property {number} wipe position of the divider, 0..1
 * @property {boolean} wipe_across true = vertical divider
 * @property {number} blink_ms
 */

/** @returns {View} */
export function defaultView() {
  return {
    mode: "overlay",
    scale: null,
    cx: 0,
    cy: 0,
    opacity: 0.45,
    colour_by: "severity",
    hatch: false,
    layers: { mask: true, outline: true, label: true, prompts: true, ignore: true },
    wipe: 0.5,
    wipe_across: true,
    blink_ms: 700,
  };
}

/** Everything a viewer can know, before anything has arrived. */
export function initialState() {
  return {
    pair: null,
    reference: null,
    current: null,
    clean: null,
    heatmap: null,
    histogram: null,
    counts: null,
    threshold: 50,
    dragging: false,
    result: null,
    view: defaultView(),
    selected: 0,
    hovered: 0,
    tool: "pan",
    edits: { prompts: [], ignore: [], nudge: [0, 0], can_undo: false, can_redo: false },
    active_prompt: -1,
    registration: null,
    types: [],
    colours: { type: {}, severity: { minor: "#56b4e9", moderate: "#e69f00", major: "#d55e00" } },
    progress: null,
    error: null,
    link: "live",
    filmstrip: { items: [], index: 0 },
    // A run whose pairs are the strip's, and which of them are shown.
    gallery: null,
    film_filter: "all",
    // Place of the pair that is being left: what is on the stage is no longer what Python means.
    leaving: -1,
    explain: null,
    explaining: false,
    announce: "",
    // Where the pointer is, in image pixels: written by the stage, read by the read-out.
    pointer: null,
    // Size in CSS pixels of one picture area on the stage: written by the stage.
    viewport: null,
    // Text that could not be put on the clipboard, shown to be copied by hand.
    clipboard: null,
    // Reviews made where no kernel keeps them, in a report.
    unsaved_reviews: false,
    help: false,
    panel_id: "",
  };
}

/**
 * A new view from an old one and a patch; `layers` are merged one level deeper, values that make
 * no sense are left out (a view can come from a session file edited by hand).
 *
 * @param {View} view
 * @param {object} patch
 * @returns {View}
 */
export function mergeView(view, patch) {
  const next = { ...view, layers: { ...view.layers } };
  const number = (key, least, most) => {
    const value = patch[key];
    if (typeof value === "number" && Number.isFinite(value)) {
      next[key] = Math.min(most, Math.max(least, value));
    }
  };
  const modes = ["overlay", "wipe", "blink", "side", "heatmap", "reference", "current"];
  if (modes.includes(patch.mode)) next.mode = patch.mode;
  if (patch.scale === null) next.scale = null;
  else number("scale", 1e-4, 1e3);
  number("cx", -1e6, 1e6);
  number("cy", -1e6, 1e6);
  number("opacity", 0, 1);
  number("wipe", 0, 1);
  number("blink_ms", 100, 10000);
  if (patch.colour_by === "type" || patch.colour_by === "severity") {
    next.colour_by = patch.colour_by;
  }
  for (const key of ["hatch", "wipe_across"]) {
    if (typeof patch[key] === "boolean") next[key] = patch[key];
  }
  for (const [key, value] of Object.entries(patch.layers ?? {})) {
    if (key in next.layers && typeof value === "boolean") next.layers[key] = value;
  }
  return next;
}

/**
 * @param {object} host see protocol.js
 * @returns {object} the store: `state`, `set(patch)`, `on(keys, fn) -> off`, `actions`, `host`,
 *   `pictures` (set by app.js), `fail(error)`, `destroy()`
 *
 * Listeners are called as `fn(state, changed)` with `changed` a Set of keys: once for each
 * `set`, however many of its keys changed, after all of them have.
 */
export function createStore(host) {
  const state = initialState();
  if (host.static) state.link = "static";
  const listeners = new Map();
  const endings = new Set();
  let destroyed = false;

  const store = {
    state,
    host,
    actions: {},
    pictures: null,

    set(patch) {
      if (destroyed) return;
      const changed = new Set();
      for (const [key, value] of Object.entries(patch)) {
        if (Object.is(state[key], value)) continue;
        state[key] = value;
        changed.add(key);
      }
      if (!changed.size) return;
      const called = new Set();
      for (const key of changed) {
        for (const fn of listeners.get(key) ?? []) called.add(fn);
      }
      for (const fn of called) {
        // One component that fails must not keep the others from hearing.
        try {
          fn(state, changed);
        } catch (error) {
          store.fail(error);
        }
      }
    },

    on(keys, fn) {
      const own = (...given) => fn(...given);
      const names = typeof keys === "string" ? [keys] : keys;
      for (const key of names) {
        if (!listeners.has(key)) listeners.set(key, new Set());
        listeners.get(key).add(own);
      }
      return () => {
        for (const key of names) listeners.get(key)?.delete(own);
      };
    },

    /** Run `fn` when the store is destroyed. */
    onDestroy(fn) {
      endings.add(fn);
      return () => endings.delete(fn);
    },

    /** Show a failure of the viewer itself in words, and tell Python. */
    fail(error) {
      const message = error instanceof Error ? error.message : String(error);
      const details = error instanceof Error ? (error.stack ?? message) : message;
      if (destroyed || state.error?.details === details) return;
      store.set({ error: { title: "The viewer had a problem", message, details } });
      try {
        host.send({ kind: "error", message, details });
      } catch {
        // Nobody to tell; it is on the screen.
      }
    },

    destroy() {
      if (destroyed) return;
      for (const fn of endings) {
        try {
          fn();
        } catch {
          // The rest must be freed all the same.
        }
      }
      destroyed = true;
      endings.clear();
      listeners.clear();
      // Whatever still holds on to the store shall not hold the pictures, too.
      for (const key of ["reference", "current"]) state[key]?.bitmap?.close?.();
      Object.assign(state, initialState());
      store.pictures = null;
    },
  };
  return store;
}
