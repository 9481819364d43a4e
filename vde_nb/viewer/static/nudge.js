/** Moving the current picture by hand, and how well it fits. */
import { createCleanup, make, setHidden, setText } from "./dom.js";
import { partIcon } from "./part_icons.js";
import { fitText, nudgeText } from "./edits.js";

const NUDGE_STEPS = [0.25, 0.5, 1, 2, 5, 10];
const NUDGE_ARROWS = [
  { key: "ArrowUp", name: "up", dx: 0, dy: -1 },
  { key: "ArrowLeft", name: "left", dx: -1, dy: 0 },
  { key: "ArrowRight", name: "right", dx: 1, dy: 0 },
  { key: "ArrowDown", name: "down", dx: 0, dy: 1 },
];

/**
 * @param {HTMLElement} parent
 * @param {object} store
 * @returns {{destroy: function(): void}}
 */
export function mountNudge(parent, store) {
  const { state, actions } = store;
  const cleanup = createCleanup();
  let step = 1;

  const pad = make("div", { class: "vde-nudge-pad", role: "group" });
  pad.setAttribute("aria-label", "Move the current picture");
  for (const { name, dx, dy } of NUDGE_ARROWS) {
    const button = make("button", {
      type: "button",
      class: `vde-button vde-icon-button vde-nudge-${name}`,
      title: `Move ${name} (arrow key)`,
      "aria-label": `Move ${name}`,
      onclick: () => actions.nudge(dx * step, dy * step),
    });
    button.append(partIcon(name));
    pad.append(button);
  }
  cleanup.listen(pad, "keydown", (event) => {
    const arrow = NUDGE_ARROWS.find(({ key }) => key === event.key);
    if (!arrow || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (state.link === "gone" || !state.pair) return;
    const by = event.shiftKey ? 10 * step : step;
    actions.nudge(arrow.dx * by, arrow.dy * by);
  });

  const steps = make("select", { class: "vde-nudge-step", "aria-label": "Step in pixels" });
  for (const value of NUDGE_STEPS) {
    steps.append(make("option", { value: String(value), text: `${value} px` }));
  }
  steps.value = String(step);
  steps.addEventListener("change", () => {
    step = Number(steps.value);
  });
  const moved = make("span", { class: "vde-nudge-moved" });
  const small = (text, title, act) =>
    make("button", { type: "button", class: "vde-button vde-small", text, title, onclick: act });
  const reset = small("Reset", "Back to where registration put it", () => {
    const [dx, dy] = state.edits.nudge;
    actions.nudge(-dx, -dy);
  });
  const auto = small("Auto-align", "Let registration find the best fit", () => actions.autoAlign());
  const fit = make("span", { class: "vde-edit-hint vde-nudge-fit" });
  const row = [pad, steps, moved, reset, auto, fit];
  parent.append(...row);

  const show = () => {
    const works = state.link !== "gone" && Boolean(state.pair);
    const { nudge } = state.edits;
    for (const button of pad.querySelectorAll("button")) button.disabled = !works;
    auto.disabled = !works;
    reset.disabled = !works || (nudge[0] === 0 && nudge[1] === 0);
    setText(moved, nudgeText(nudge));
    const words = fitText(state.registration);
    setText(fit, words);
    fit.title = words ? "0 = everything fits, 1 = nothing does" : "";
    setHidden(fit, !words);
  };
  cleanup.add(store.on(["edits", "registration", "link", "pair"], show), () => {
    for (const element of row) element.remove();
  });
  show();
  return { destroy: cleanup.run };
}
