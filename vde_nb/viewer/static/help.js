/** The overlay that lists keys and gestures. */
import { createCleanup, make } from "./dom.js";
import { icon } from "./icons.js";
import { MODES } from "./modes.js";

const HELP_GROUPS = [
  [
    "Look",
    [
      ["1 … 7", MODES.map((mode) => mode.name.toLowerCase()).join(", ")],
      ["Ctrl + wheel", "zoom; on a Mac also ⌘ + wheel; or pinch"],
      ["Double click", "zoom in; whole picture again"],
      ["+  −  0", "zoom in, zoom out, whole picture"],
      ["Drag, arrows", "move the picture"],
      ["L", "layers and colours"],
      ["F", "full screen"],
    ],
  ],
  [
    "Threshold",
    [
      ["← →", "one step; ten with Shift or Page Up, Page Down"],
      ["Home, End", "lowest, highest"],
    ],
  ],
  [
    "Regions",
    [
      ["Click", "choose a region; in the table it is zoomed to"],
      ["↓ ↑, J K", "next, previous"],
      ["A  R  U", "accept, reject, take the verdict back"],
      ["T  C", "give another type (in the table also L), note something"],
      ["Enter", "zoom to it"],
    ],
  ],
  [
    "Pairs",
    [
      ["← →", "in the strip or on the curve: the pair before, the next"],
      ["Home, End", "the first, the last"],
    ],
  ],
  [
    "Run",
    [
      [".  ,", "the next pair that is shown, the one before; also Shift + J, K"],
      ["D", "done with this pair: on to the next"],
      ["C", "with no region chosen: a note on the pair"],
    ],
  ],
  [
    "Tools",
    [
      ["V", "look around (Escape, too)"],
      ["P", "mark a region: click what belongs to it, Shift + click what does not, drag a box"],
      ["I", "drag a box to be ignored"],
      ["N", "nudge: arrow keys move the current picture"],
      ["Ctrl + Z", "undo; with Shift redo"],
    ],
  ],
];

/**
 * @param {HTMLElement} root positioned; what is covered
 * @param {object} store
 * @returns {{destroy: function(): void}}
 */
export function mountHelp(root, store) {
  const { state } = store;
  const cleanup = createCleanup();
  let overlay = null;
  let before = null;

  const close = () => store.set({ help: false });

  const build = () => {
    const button = make("button", {
      type: "button",
      class: "vde-button vde-icon-button",
      "aria-label": "Close",
      title: "Close (Escape)",
      onclick: close,
    });
    button.append(icon("close"));
    const means = { Tools: !store.host.static, Run: Boolean(state.gallery) };
    const panes = HELP_GROUPS.filter(([title]) => means[title] ?? true).map(
      ([title, rows]) => {
        const list = make("dl", { class: "vde-help-list" });
        for (const [keys, what] of rows) {
          list.append(make("dt", { text: keys }), make("dd", { text: what }));
        }
        return make("section", {}, make("h3", { text: title }), list);
      },
    );
    const dialog = make(
      "div",
      { class: "vde-help", role: "dialog", "aria-modal": "true", "aria-label": "Keys and gestures" },
      make("div", { class: "vde-card-head" }, make("strong", { text: "Keys and gestures" }), button),
      make("div", { class: "vde-help-body", tabindex: "0" }, ...panes),
    );
    const cover = make("div", { class: "vde-cover" }, dialog);
    cover.addEventListener("pointerdown", (event) => {
      if (event.target === cover) close();
    });
    dialog.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Escape" || event.key === "?") {
        event.preventDefault();
        close();
      }
      if (event.key !== "Tab") return;
      // A modal dialog keeps the focus while it is open; Escape is the way out.
      const stops = [...dialog.querySelectorAll("button, [tabindex='0']")];
      const at = stops.indexOf(document.activeElement);
      const next = (at + (event.shiftKey ? -1 : 1) + stops.length) % stops.length;
      event.preventDefault();
      stops[next].focus();
    });
    return { cover, button };
  };

  const show = () => {
    if (state.help && !overlay) {
      const active = document.activeElement;
      before = root.contains(active) ? active : null;
      const built = build();
      overlay = built.cover;
      root.append(overlay);
      built.button.focus({ preventScroll: true });
    } else if (!state.help && overlay) {
      overlay.remove();
      overlay = null;
      before?.focus({ preventScroll: true });
      before = null;
    }
  };
  cleanup.add(store.on("help", show), () => overlay?.remove());
  show();
  return { destroy: cleanup.run };
}
