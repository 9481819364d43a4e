/** What a person can do in a viewer: state at once, a message to Python in good time. */
import { mergeView } from "./store.js";
import { viewOfBox } from "./geometry.js";
import { createThrottle } from "./throttle.js";
import { sendFile } from "./upload.js";

const THRESHOLD_EVERY = 100;
const VIEW_SETTLES = 250;

/**
 * Fill `store.actions`.
 *
 * @param {object} store
 * @param {object} link from link.js
 * @param {{seq: number, edits: number, selects: number, viewPending: boolean}} sent what protocol.js must know
 * @param {{picture: function(Uint8Array): Promise<ImageBitmap>}} tools
 * @returns {function(): void} stops timers
 */
export function addActions(store, link, sent, tools) {
  const { state, host } = store;
  const send = (kind, content = {}, buffers = undefined) =>
    link.send({ kind, ...content }, buffers);

  const sendThreshold = (final) => {
    sent.seq += 1;
    send("threshold", { value: state.threshold, seq: sent.seq, final });
  };
  const throttle = createThrottle(() => sendThreshold(false), THRESHOLD_EVERY);

  let viewTimer = 0;
  const sendView = () => {
    viewTimer = 0;
    sent.viewPending = false;
    send("view", { view: state.view });
  };

  Object.assign(store.actions, {
    setThreshold(value, final = true) {
      const threshold = Math.min(255, Math.max(0, Math.round(value)));
      if (!Number.isFinite(threshold)) return;
      store.set({ threshold, dragging: !final });
      if (!final) {
        throttle.call();
        return;
      }
      throttle.cancel();
      sendThreshold(true);
    },

    setView(patch) {
      store.set({ view: mergeView(state.view, patch) });
      if (host.static) return;
      sent.viewPending = true;
      clearTimeout(viewTimer);
      viewTimer = setTimeout(sendView, VIEW_SETTLES);
    },

    zoomTo(box) {
      if (!state.pair) return;
      const pane = state.viewport ?? { width: 640, height: 420 };
      store.actions.setView(viewOfBox(box, state.pair, pane));
    },

    select(number) {
      if (number === state.selected || state.leaving >= 0) return;
      store.set({ selected: number });
      sent.selects += 1;
      send("select", { number, seq: sent.selects });
    },

    hover(number) {
      store.set({ hovered: number });
    },

    setTool(tool) {
      store.set({ tool });
    },

    setEdits(patch, label) {
      const edits = { ...state.edits, ...patch, can_undo: true, can_redo: false };
      const { prompts, ignore } = edits;
      store.set({ edits });
      sent.edits += 1;
      send("edits", { prompts, ignore, label, seq: sent.edits });
    },

    undo: () => send("undo"),
    redo: () => send("redo"),

    nudge(dx, dy) {
      const [x, y] = state.edits.nudge;
      store.set({ edits: { ...state.edits, nudge: [x + dx, y + dy] } });
      send("nudge", { dx, dy });
    },

    autoAlign: () => send("auto_align"),
    refine: (number) => send("refine", { number }),

    review(number, change) {
      const { result, pair } = state;
      if (!result || state.leaving >= 0) return;
      const anomalies = result.anomalies.map((one) =>
        one.number === number ? { ...one, ...change } : one,
      );
      store.set({ result: { ...result, anomalies }, unsaved_reviews: host.static });
      send("review", { number, token: pair?.token, ...change });
    },

    cancel: () => send("cancel"),
    goto(index) {
      store.set({ leaving: state.filmstrip.index });
      send("goto", { index });
    },
    /** `change` may hold `marked` and `comment`, of a pair of the run that `run` stands for. */
    reviewPair: (index, change, run = state.gallery?.run) =>
      send("pair_review", { index, run: run ?? null, ...change }),
    exportReviews: (form) => send("export_reviews", { form }),
    wantThumbs: (indices) => send("thumbs", { indices }),
    compareAll: (on) => send("compare_all", { on }),

    explain(on) {
      const stages = on ? [] : (state.explain?.stages ?? []);
      store.set(on ? { explaining: true } : { explaining: false, explain: null });
      for (const stage of stages) stage.bitmap.close?.();
      send("explain", { on });
    },

    /** @returns {Promise<ImageBitmap|null>} null when it did not come or is out of date */
    async requestTile({ picture, level, x, y }) {
      const { token } = state[picture] ?? {};
      if (!token) return null;
      const ask = { kind: "tile", picture, level, x, y, token };
      const answer = await link.ask(ask, 30000);
      const bytes = answer?.buffers?.[0];
      if (!bytes || state[picture]?.token !== token) return null;
      return tools.picture(bytes).catch(() => null);
    },

    /** @returns {Promise<object|null>} reference, current, delta, heat, clean of one pixel */
    async requestPixel(x, y) {
      const answer = await link.ask({ kind: "pixel", x, y }, 3000);
      return answer?.content.reference ? answer.content : null;
    },

    /** @returns {Promise<{ok: boolean, message: string}>} */
    upload(side, file, options) {
      return sendFile(store.host, side, file, options);
    },

    dismissError() {
      store.set({ error: null });
      send("dismiss");
    },

    announce(text) {
      store.set({ announce: text });
    },

    hello: () => send("hello"),
  });

  return () => {
    throttle.cancel();
    clearTimeout(viewTimer);
  };
}
