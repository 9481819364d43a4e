/** The threshold: a slider in front of the heatmap's histogram and the count of regions. */
import { createCleanup, make, setHidden, setText } from "./dom.js";
import { makeSvg } from "./icons.js";
import { barsPath, regionCount, regionsText, stepsPath } from "./curves.js";

/** Arrow keys held down are one movement; it ends this long after the last, in ms. */
const KEYS_END = 250;
const SAID_AFTER = 700;

/**
 * @param {HTMLElement} parent
 * @param {object} store
 * @returns {{destroy: function(): void}}
 */
export function mountThreshold(parent, store) {
  const { state, actions } = store;
  const cleanup = createCleanup();

  const entry = make("input", {
    type: "number",
    class: "vde-entry-number",
    min: "0",
    max: "255",
    step: "1",
    "aria-label": "Threshold",
    title: "0 marks every difference, 255 none",
  });
  const count = make("output", { class: "vde-count" });
  const bars = makeSvg("path", { class: "vde-bars" });
  const above = makeSvg("path", { class: "vde-bars-above" });
  const steps = makeSvg("path", { class: "vde-steps", "vector-effect": "non-scaling-stroke" });
  const frame = { viewBox: "0 0 256 100", preserveAspectRatio: "none", "aria-hidden": "true" };
  const clipped = makeSvg("svg", { ...frame, class: "vde-chart vde-chart-above" }, above);
  const handle = make("span", { class: "vde-handle" });
  const hint = make("span", { class: "vde-chart-hint", hidden: true });
  const ghost = make("span", { class: "vde-ghost", hidden: true });
  const slider = make(
    "div",
    {
      class: "vde-track",
      role: "slider",
      tabindex: "0",
      "aria-label": "Threshold",
      "aria-valuemin": "0",
      "aria-valuemax": "255",
      "aria-orientation": "horizontal",
    },
    makeSvg("svg", { ...frame, class: "vde-chart" }, bars),
    clipped,
    makeSvg("svg", { ...frame, class: "vde-chart" }, steps),
    ghost,
    handle,
    hint,
  );
  const key = make(
    "div",
    { class: "vde-chart-key", "aria-hidden": "true" },
    make("span", { class: "vde-key-bars", text: "pixels" }),
    make("span", { class: "vde-key-steps", text: "regions" }),
  );
  const strip = make(
    "section",
    { class: "vde-threshold", "aria-label": "Threshold" },
    make("div", { class: "vde-threshold-head" }, make("label", { class: "vde-entry" }, "Threshold", entry), key, count),
    slider,
  );
  parent.append(strip);

  // The value under the pointer: the track is one value per 1/256 of its width.
  const valueAt = (event) => {
    const { left, width } = slider.getBoundingClientRect();
    return Math.min(255, Math.max(0, Math.floor(((event.clientX - left) / width) * 256)));
  };

  let dragged = false;
  cleanup.listen(slider, "pointerdown", (event) => {
    if (event.button !== 0 || !state.pair) return;
    event.preventDefault();
    slider.focus({ preventScroll: true });
    slider.setPointerCapture(event.pointerId);
    dragged = true;
    actions.setThreshold(valueAt(event), false);
  });
  cleanup.listen(slider, "pointermove", (event) => {
    if (dragged) actions.setThreshold(valueAt(event), false);
    showHint(valueAt(event));
  });
  const release = () => {
    if (!dragged) return;
    dragged = false;
    actions.setThreshold(state.threshold, true);
  };
  for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) {
    cleanup.listen(slider, type, release);
  }
  cleanup.listen(slider, "pointerleave", () => {
    setHidden(hint, true);
    setHidden(ghost, true);
  });

  let keysTimer = 0;
  const endKeys = () => {
    if (!keysTimer) return;
    clearTimeout(keysTimer);
    keysTimer = 0;
    actions.setThreshold(state.threshold, true);
  };
  cleanup.listen(slider, "keydown", (event) => {
    if (!state.pair || event.ctrlKey || event.metaKey || event.altKey) return;
    const value = keyed(event, state.threshold);
    if (value === null) return;
    event.preventDefault();
    event.stopPropagation();
    actions.setThreshold(value, false);
    clearTimeout(keysTimer);
    keysTimer = setTimeout(endKeys, KEYS_END);
  });
  cleanup.listen(slider, "blur", endKeys);

  cleanup.listen(entry, "change", () => {
    const value = Number.parseInt(entry.value, 10);
    if (Number.isFinite(value)) actions.setThreshold(value, true);
    entry.value = String(state.threshold);
  });
  cleanup.listen(entry, "keydown", (event) => event.stopPropagation());

  const showHint = (value) => {
    const known = regionCount(state, value);
    setText(hint, known === null ? String(value) : `${value} · ${regionsText(known)}`);
    setHidden(hint, dragged || !state.pair);
    setHidden(ghost, dragged || !state.pair);
    const place = `${((value + 0.5) / 256) * 100}%`;
    ghost.style.left = place;
    hint.style.left = place;
    hint.classList.toggle("vde-hint-left", value > 160);
  };

  let saidTimer = 0;
  let said = "";
  const say = (text) => {
    clearTimeout(saidTimer);
    if (state.dragging || text === said) return;
    saidTimer = setTimeout(() => {
      said = text;
      store.set({ announce: text });
    }, SAID_AFTER);
  };

  const showValue = () => {
    const { threshold, result } = state;
    const known = regionCount(state);
    const shown = known ?? result?.anomalies.length ?? null;
    slider.setAttribute("aria-valuenow", String(threshold));
    const words = shown === null ? "" : regionsText(shown);
    slider.setAttribute("aria-valuetext", words ? `${threshold}, ${words}` : String(threshold));
    const place = ((threshold + 0.5) / 256) * 100;
    handle.style.left = `${place}%`;
    clipped.style.clipPath = `inset(0 0 0 ${((threshold + 1) / 256) * 100}%)`;
    if (document.activeElement !== entry) entry.value = String(threshold);
    setText(count, words ? `${words} at ${threshold}` : "");
    const awaited = !store.host.static && result?.threshold !== threshold;
    count.classList.toggle("vde-unsure", known === null || awaited);
    if (known !== null && words) say(`${words} at threshold ${threshold}`);
  };
  const showCurves = () => {
    const path = barsPath(state.histogram);
    bars.setAttribute("d", path);
    above.setAttribute("d", path);
    steps.setAttribute("d", stepsPath(state.counts?.values ?? null));
    setHidden(key, !path);
    key.lastElementChild.hidden = !state.counts;
  };
  const showPair = () => {
    entry.disabled = !state.pair;
    slider.setAttribute("aria-disabled", String(!state.pair));
  };

  cleanup.add(
    store.on(["threshold", "result", "counts", "dragging"], showValue),
    store.on(["histogram", "counts"], showCurves),
    store.on("pair", showPair),
    () => clearTimeout(saidTimer),
    () => clearTimeout(keysTimer),
    () => strip.remove(),
  );
  showValue();
  showCurves();
  showPair();
  return { destroy: cleanup.run };
}

/** The value a key moves to, null for keys that are none of the slider's. */
export function keyed({ key, shiftKey }, value) {
  const step = shiftKey ? 10 : 1;
  const moves = {
    ArrowRight: value + step,
    ArrowUp: value + step,
    ArrowLeft: value - step,
    ArrowDown: value - step,
    PageUp: value + 10,
    PageDown: value - 10,
    Home: 0,
    End: 255,
  };
  return key in moves ? Math.min(255, Math.max(0, moves[key])) : null;
}
