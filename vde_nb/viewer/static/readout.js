/** The line that tells what lies under the pointer. */
import { createCleanup, make, setText } from "./dom.js";
import { hitTest } from "./trace.js";

const ASK_EVERY = 80;

/**
 * @param {HTMLElement} parent
 * @param {object} store
 * @returns {{destroy: function(): void}}
 */
export function mountReadout(parent, store) {
  const { state, actions } = store;
  const cleanup = createCleanup();
  const place = field("Position", "x, y");
  const reference = colourField("Reference", "Ref");
  const current = colourField("Current", "Cur");
  const delta = field("Largest difference of the three channels", "Δ");
  const heat = field("Heatmap value", "Heat");
  const under = make("span", { class: "vde-under" });
  const line = make("div", { class: "vde-readout", role: "group", "aria-label": "Under the pointer" });
  line.append(place.node, reference.node, current.node, delta.node, heat.node, under);
  parent.append(line);

  let asked = null; // "x,y" of the pixel that Python was asked for
  let askTimer = 0;
  let destroyed = false;

  const ask = (x, y) => {
    const key = `${x},${y}`;
    if (asked === key || store.host.static) return;
    asked = key;
    clearTimeout(askTimer);
    askTimer = setTimeout(async () => {
      const pixel = await actions.requestPixel(x, y);
      if (pixel && asked === key && !destroyed) write({ ...pixel, exact: true });
    }, ASK_EVERY);
  };

  const write = (pixel) => {
    reference.show(pixel?.reference);
    current.show(pixel?.current);
    const both = pixel?.reference && pixel?.current;
    const far = pixel?.delta ?? (both ? largest(pixel.reference, pixel.current) : null);
    setText(delta.value, far === null ? "–" : String(far));
    const value = pixel?.clean ?? pixel?.heat;
    setText(heat.value, value === null || value === undefined ? "–" : String(value));
    heat.node.classList.toggle("vde-above", (value ?? -1) > state.threshold);
    line.classList.toggle("vde-rough", Boolean(pixel) && pixel.exact === false);
  };

  const show = () => {
    const { pointer, pair } = state;
    const x = pointer ? Math.floor(pointer.x) : -1;
    const y = pointer ? Math.floor(pointer.y) : -1;
    const inside = pair && x >= 0 && y >= 0 && x < pair.width && y < pair.height;
    line.classList.toggle("vde-idle", !inside);
    if (!inside) {
      asked = null;
      clearTimeout(askTimer);
      setText(place.value, pair ? `${pair.width} × ${pair.height}` : "–");
      place.name("Size");
      write(null);
      showUnder(null);
      return;
    }
    place.name("x, y");
    setText(place.value, `${x}, ${y}`);
    const pixel = store.pictures?.pixelAt?.(x, y) ?? null;
    if (asked !== `${x},${y}`) write(pixel);
    if (!pixel || pixel.exact === false) ask(x, y);
    const slack = pointer.slack ?? 0;
    showUnder(state.result ? hitTest(state.result.anomalies, pointer.x, pointer.y, slack) : null);
  };

  const showUnder = (one) => {
    if (!one) {
      under.replaceChildren();
      return;
    }
    const swatch = make("i", { class: "vde-swatch" });
    const { colour_by } = state.view;
    swatch.style.backgroundColor = state.colours[colour_by]?.[one[colour_by]] ?? "#808080";
    const words = `#${one.number} ${one.type} · ${one.severity} · ${one.score.toFixed(2)}`;
    under.replaceChildren(swatch, make("span", { text: words, title: words }));
  };

  // Many pointer events may come per frame; one is enough.
  let frame = 0;
  const later = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      show();
    });
  };
  cleanup.add(
    store.on(["pointer", "pair", "result", "reference", "current", "clean", "threshold"], later),
    () => {
      destroyed = true;
      cancelAnimationFrame(frame);
      clearTimeout(askTimer);
      line.remove();
    },
  );
  show();
  return { destroy: cleanup.run };
}

/** The largest difference of the three channels. @param {number[]} a @param {number[]} b */
export function largest(a, b) {
  return Math.max(...[0, 1, 2].map((i) => Math.abs(a[i] - b[i])));
}

function field(title, name) {
  const label = make("span", { class: "vde-field-name", text: name });
  const value = make("span", { class: "vde-field-value", text: "–" });
  const node = make("span", { class: "vde-field", title }, label, value);
  return { node, value, name: (text) => setText(label, text) };
}

/** A colour as three numbers of constant width, with a swatch. */
function colourField(title, name) {
  const swatch = make("i", { class: "vde-swatch" });
  const numbers = [0, 1, 2].map(() => make("span", { class: "vde-channel", text: "–" }));
  const node = make("span", { class: "vde-field vde-colour-field", title: `${title}, RGB` });
  node.append(make("span", { class: "vde-field-name", text: name }), swatch, ...numbers);
  return {
    node,
    show(rgb) {
      numbers.forEach((span, i) => setText(span, rgb ? String(rgb[i]) : "–"));
      swatch.style.backgroundColor = rgb ? `rgb(${rgb.join(",")})` : "transparent";
    },
  };
}
