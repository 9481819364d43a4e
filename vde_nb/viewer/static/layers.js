/** The popover in which layers and colours are chosen. */
import { createCleanup, make, setHidden } from "./dom.js";
import { HATCHED_TYPE } from "./colour.js";
import { icon } from "./icons.js";

const LAYER_NAMES = [
  ["mask", "Mask"],
  ["outline", "Outlines"],
  ["label", "Labels"],
  ["prompts", "Prompts"],
  ["ignore", "Ignored areas"],
];

/**
 * @param {HTMLElement} parent positioned, the popover hangs from it
 * @param {object} store
 * @returns {{destroy: function(): void}}
 */
export function mountLayers(parent, store) {
  const { state, actions } = store;
  const cleanup = createCleanup();

  const button = make("button", {
    type: "button",
    class: "vde-button",
    title: "Layers and colours (L)",
    "aria-label": "Layers and colours",
    "aria-keyshortcuts": "L",
    "aria-haspopup": "dialog",
    "aria-expanded": "false",
    "data-vde-layers": true,
  });
  button.append(icon("layers"), make("span", { class: "vde-collapses", text: "Layers" }));

  const boxes = new Map();
  const list = make("div", { class: "vde-checks" });
  for (const [key, name] of LAYER_NAMES) {
    list.append(
      check(name, boxes, key, (on) => actions.setView({ layers: { [key]: on } })),
    );
  }
  const opacity = make("input", {
    type: "range",
    class: "vde-range",
    min: "0",
    max: "100",
    "aria-label": "Opacity of the mask in percent",
    oninput: () => actions.setView({ opacity: Number(opacity.value) / 100 }),
  });
  const opacityText = make("span", { class: "vde-number" });
  const opacityRow = make("label", { class: "vde-row" }, "Opacity", opacity, opacityText);

  const by = make("div", { class: "vde-segmented", role: "group", "aria-label": "Colour by" });
  const byButtons = [
    ["severity", "Severity"],
    ["type", "Type"],
  ].map(([key, name]) => {
    const one = make("button", {
      type: "button",
      class: "vde-segment",
      text: name,
      "data-key": key,
      onclick: () => actions.setView({ colour_by: key }),
    });
    by.append(one);
    return one;
  });
  const hatch = check("Hatch as well as colour", boxes, "hatch", (on) =>
    actions.setView({ hatch: on }),
  );
  const legend = make("ul", { class: "vde-legend", "aria-label": "Colours" });

  const popover = make(
    "div",
    { class: "vde-popover", role: "dialog", "aria-label": "Layers and colours", hidden: true },
    make("div", { class: "vde-caption", text: "Show" }),
    list,
    opacityRow,
    make("div", { class: "vde-caption", text: "Colour by" }),
    by,
    legend,
    hatch,
  );
  parent.append(button, popover);

  const open = (on) => {
    setHidden(popover, !on);
    if (on) {
      // Where the button has wrapped to the left there is no room to its left.
      const edge = parent.closest(".vde-viewer")?.getBoundingClientRect().left ?? 0;
      const room = parent.getBoundingClientRect().right - edge;
      popover.classList.toggle("vde-popover-right", room < popover.offsetWidth + 8);
    }
    button.setAttribute("aria-expanded", String(on));
    if (on) popover.querySelector("input").focus({ preventScroll: true });
  };
  button.addEventListener("click", () => open(popover.hidden));
  cleanup.listen(parent, "keydown", (event) => {
    if (event.key !== "Escape" || popover.hidden) return;
    event.preventDefault();
    open(false);
    button.focus({ preventScroll: true });
  });
  // Anything done elsewhere closes it; Tab walks out of it like out of any other place.
  cleanup.listen(document, "pointerdown", (event) => {
    if (!popover.hidden && !event.composedPath().includes(parent)) open(false);
  });
  cleanup.listen(parent, "focusout", (event) => {
    if (!popover.hidden && event.relatedTarget && !parent.contains(event.relatedTarget)) {
      open(false);
    }
  });

  const show = () => {
    const { view } = state;
    for (const [key] of LAYER_NAMES) boxes.get(key).checked = view.layers[key];
    boxes.get("hatch").checked = view.hatch;
    const percent = Math.round(view.opacity * 100);
    opacity.value = String(percent);
    opacityText.textContent = `${percent} %`;
    for (const one of byButtons) {
      one.setAttribute("aria-pressed", String(one.dataset.key === view.colour_by));
    }
    legend.replaceChildren(...legendItems(state));
  };
  cleanup.add(store.on(["view", "colours", "result"], show), () => {
    button.remove();
    popover.remove();
  });
  show();
  return { destroy: cleanup.run };
}

function check(name, boxes, key, changed) {
  const box = make("input", { type: "checkbox", onchange: () => changed(box.checked) });
  boxes.set(key, box);
  return make("label", { class: "vde-check" }, box, make("span", { text: name }));
}

/** One line per colour in use, with how many regions have it. */
function legendItems({ view, colours, result }) {
  const by = view.colour_by;
  const table = colours[by] ?? {};
  const counts = new Map();
  const anomalies = result?.anomalies ?? [];
  for (const one of anomalies) {
    counts.set(one[by], (counts.get(one[by]) ?? 0) + 1);
  }
  const names = by === "severity" ? Object.keys(table) : [...counts.keys()].sort();
  const entry = (name, colour, number) => {
    const swatch = make("i", { class: "vde-swatch" });
    swatch.style.backgroundColor = colour;
    swatch.classList.toggle("vde-swatch-hatched", name === HATCHED_TYPE);
    const count = make("span", { class: "vde-number", text: String(number) });
    return make("li", {}, swatch, make("span", { class: "vde-legend-name", text: name }), count);
  };
  const entries = names.map((name) => entry(name, table[name] ?? "#808080", counts.get(name) ?? 0));
  const hatched = anomalies.filter((one) => one.type === HATCHED_TYPE).length;
  // Whatever the colours stand for, these are hatched.
  if (by !== "type" && hatched) entries.push(entry(HATCHED_TYPE, "transparent", hatched));
  return entries;
}
