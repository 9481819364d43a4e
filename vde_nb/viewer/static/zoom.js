/** Zoom from buttons and keys: about the middle of the pane. */
import { fitScale, scaledTo, transformOf, zoomed } from "./geometry.js";

const SOME_PANE = { width: 640, height: 420 };

/** @returns {number|null} CSS px per image px as now seen */
export function currentScale({ state }) {
  if (!state.pair) return null;
  const pane = state.viewport ?? SOME_PANE;
  return state.view.scale ?? fitScale(state.pair, pane);
}

/** @param {object} store @param {number} factor */
export function zoomBy(store, factor) {
  const { pair, view, viewport } = store.state;
  if (pair) store.actions.setView(zoomed(view, factor, pair, viewport ?? SOME_PANE));
}

/** Show the whole picture. */
export function zoomFit(store) {
  store.actions.setView({ scale: null });
}

/** Show each picture pixel as one CSS pixel. */
export function zoomOne(store) {
  const { pair, view, viewport } = store.state;
  if (!pair) return;
  const pane = viewport ?? SOME_PANE;
  const now = transformOf(view, pair, pane);
  store.actions.setView(scaledTo(now, 1, pair, pane, pane.width / 2, pane.height / 2));
}
