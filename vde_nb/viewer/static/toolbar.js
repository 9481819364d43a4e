/** The row of controls on top: modes, zoom, layers, tools. */
import { createCleanup, make, setHidden, setText } from "./dom.js";
import { icon } from "./icons.js";
import { MODES, TOOLS } from "./modes.js";
import { mountLayers } from "./layers.js";
import { currentScale, zoomBy, zoomFit, zoomOne } from "./zoom.js";

/** A button with an icon and a name that is read out and shown as a tooltip. */
export function iconButton(name, label, shortcut, onclick) {
  const title = shortcut ? `${label} (${shortcut})` : label;
  const button = make("button", {
    type: "button",
    class: "vde-button vde-icon-button",
    title,
    "aria-label": label,
    "aria-keyshortcuts": shortcut || null,
    onclick,
  });
  button.append(icon(name));
  return button;
}

/**
 * Buttons of which one is chosen: one stop for Tab, arrows choose.
 *
 * @param {string} label what the group is called
 * @param {{key: string, name: string, hint: string, shortcut: string}[]} choices
 * @param {function(string): void} choose
 * @param {boolean} named whether names are shown beside the icons
 */
export function segmented(label, choices, choose, named) {
  const buttons = choices.map(({ key, name, hint, shortcut }) => {
    const button = make("button", {
      type: "button",
      role: "radio",
      class: "vde-segment",
      title: `${name} (${shortcut}): ${hint}`,
      "aria-label": name,
      "aria-keyshortcuts": shortcut,
      "data-key": key,
      onclick: () => choose(key),
    });
    button.append(icon(key));
    if (named) button.append(make("span", { class: "vde-segment-name", text: name }));
    return button;
  });
  const group = make("div", { class: "vde-segmented", role: "radiogroup", "aria-label": label });
  group.append(...buttons);
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const at = buttons.indexOf(event.target);
    if (!step || at < 0) return;
    event.preventDefault();
    const next = buttons[(at + step + buttons.length) % buttons.length];
    next.focus();
    choose(next.dataset.key);
  });
  const show = (chosen) => {
    // Keys that choose from elsewhere take the focus of the group along.
    if (group.contains(document.activeElement)) {
      buttons.find((button) => button.dataset.key === chosen)?.focus({ preventScroll: true });
    }
    for (const button of buttons) {
      const on = button.dataset.key === chosen;
      button.setAttribute("aria-checked", String(on));
      button.tabIndex = on ? 0 : -1;
    }
  };
  return { group, show, buttons };
}

/**
 * @param {HTMLElement} parent
 * @param {object} store
 * @param {{fullScreen: function(): void}} shell what only the whole viewer can do
 * @returns {{destroy: function(): void, showFull: function(boolean): void}}
 */
export function mountToolbar(parent, store, shell) {
  const { state, actions, host } = store;
  const cleanup = createCleanup();
  const bar = make("div", { class: "vde-toolbar", role: "group", "aria-label": "View" });

  const modes = segmented(
    "Way of looking",
    MODES.map((mode, index) => ({ ...mode, shortcut: String(index + 1) })),
    (mode) => actions.setView({ mode }),
    true,
  );
  modes.group.classList.add("vde-modes");

  const options = modeOptions(store, cleanup);

  const percentage = make("button", {
    type: "button",
    class: "vde-button vde-zoom-value",
    title: "Show at 100 %",
    onclick: () => zoomOne(store),
  });
  const fit = make("button", {
    type: "button",
    class: "vde-button",
    text: "Fit",
    title: "Show the whole picture (0)",
    "aria-keyshortcuts": "0",
    onclick: () => zoomFit(store),
  });
  const one = make("button", {
    type: "button",
    class: "vde-button",
    text: "1:1",
    title: "One picture pixel per screen point",
    "aria-label": "Show at 100 %",
    onclick: () => zoomOne(store),
  });
  const zoom = make("div", { class: "vde-group", role: "group", "aria-label": "Zoom" });
  zoom.append(
    iconButton("minus", "Zoom out", "-", () => zoomBy(store, 1 / 1.5)),
    percentage,
    iconButton("plus", "Zoom in", "+", () => zoomBy(store, 1.5)),
    fit,
    one,
  );

  const layers = make("div", { class: "vde-group vde-anchor" });
  const layersPart = mountLayers(layers, store);

  const tools = segmented(
    "Tool",
    TOOLS,
    (tool) => actions.setTool(tool),
    false,
  );
  tools.group.classList.add("vde-tools");
  setHidden(tools.group, host.static);

  const full = iconButton("full", "Full screen", "F", () => shell.fullScreen());
  const help = iconButton("help", "Keys and gestures", "?", () => store.set({ help: true }));
  const end = make("div", { class: "vde-group vde-end" }, full, help);

  bar.append(modes.group, options, make("span", { class: "vde-grow" }), zoom, layers);
  bar.append(tools.group, end);
  parent.append(bar);

  const showView = () => {
    modes.show(state.view.mode);
    const scale = currentScale(store);
    setText(percentage, scale ? percentText(scale) : "–");
    percentage.setAttribute("aria-label", `Zoom ${percentage.textContent}, show at 100 %`);
    fit.setAttribute("aria-pressed", String(state.view.scale === null));
    one.setAttribute("aria-pressed", String(state.view.scale === 1));
  };
  const showTool = () => tools.show(state.tool);
  const showPair = () => {
    for (const button of bar.querySelectorAll(".vde-group button, .vde-segment")) {
      button.disabled = !state.pair && !end.contains(button);
    }
  };
  cleanup.add(
    store.on(["view", "pair", "viewport"], showView),
    store.on("tool", showTool),
    store.on("pair", showPair),
    () => layersPart.destroy(),
    () => bar.remove(),
  );
  showView();
  showTool();
  showPair();

  return {
    destroy: cleanup.run,
    showFull(on) {
      full.replaceChildren(icon(on ? "unfull" : "full"));
      const label = on ? "Leave full screen" : "Full screen";
      full.setAttribute("aria-label", label);
      full.title = `${label} (F)`;
    },
  };
}

/** @param {number} scale CSS px per image px @returns {string} such as "37 %" */
export function percentText(scale) {
  const percent = scale * 100;
  return `${percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}

/** What can be set about the mode that is on: a slot of constant width, so that nothing jumps. */
function modeOptions(store, cleanup) {
  const { state, actions } = store;
  const speed = make("input", {
    type: "range",
    class: "vde-range",
    min: "200",
    max: "2000",
    step: "100",
    "aria-label": "Blink interval in milliseconds",
    oninput: () => actions.setView({ blink_ms: 2200 - Number(speed.value) }),
  });
  const blink = make("label", { class: "vde-option", title: "How fast the pictures take turns" });
  blink.append(make("span", { text: "Speed" }), speed);

  const direction = make("button", { type: "button", class: "vde-button" });
  direction.addEventListener("click", () =>
    actions.setView({ wipe_across: !state.view.wipe_across }),
  );

  const opacity = make("input", {
    type: "range",
    class: "vde-range",
    min: "0",
    max: "100",
    "aria-label": "Opacity of the mask in percent",
    oninput: () => actions.setView({ opacity: Number(opacity.value) / 100 }),
  });
  const mask = make("label", { class: "vde-option", title: "Opacity of the mask" });
  mask.append(make("span", { text: "Mask" }), opacity);

  const slot = make("div", { class: "vde-options" }, blink, direction, mask);
  const show = () => {
    const { mode, blink_ms, wipe_across } = state.view;
    setHidden(blink, mode !== "blink");
    setHidden(direction, mode !== "wipe");
    setHidden(mask, mode !== "overlay" && mode !== "side");
    speed.value = String(2200 - blink_ms);
    speed.setAttribute("aria-valuetext", `${blink_ms} milliseconds`);
    opacity.value = String(Math.round(state.view.opacity * 100));
    const label = wipe_across ? "Left | right" : "Top | bottom";
    direction.replaceChildren(icon(wipe_across ? "across" : "down"), make("span", { text: label }));
    direction.title = wipe_across ? "Divide top from bottom instead" : "Divide left from right instead";
  };
  cleanup.add(store.on("view", show));
  show();
  return slot;
}
