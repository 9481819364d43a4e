/** The row below the toolbar: what belongs to the tool in hand, and undo and redo. */
import { createCleanup, make, setHidden } from "./dom.js";
import { partIcon } from "./part_icons.js";
import { mountNudge } from "./nudge.js";
import {
  activeAfterDeleting,
  boxText,
  historyKey,
  promptText,
  promptWords,
  withoutItem,
} from "./edits.js";

/**
 * @param {HTMLElement} parent
 * @param {object} store
 * @returns {{destroy: function(): void}}
 */
export function mountPrompts(parent, store) {
  const { state, actions } = store;
  const cleanup = createCleanup();

  const textButton = (text, title, act) =>
    make("button", { type: "button", class: "vde-button vde-small", text, title, onclick: act });
  const history = (name, label, keys) => {
    const button = make("button", {
      type: "button",
      class: "vde-button vde-icon-button",
      title: `${label} (${keys})`,
      "aria-label": label,
      onclick: () => actions[name](),
    });
    button.append(partIcon(name));
    return button;
  };
  const undo = history("undo", "Undo", "Ctrl / ⌘ + Z");
  const redo = history("redo", "Redo", "Ctrl / ⌘ + Shift + Z");
  const past = make("div", { class: "vde-group", role: "group", "aria-label": "History" }, undo, redo);

  // Prompts
  const promptChips = make("div", { class: "vde-edit-chips", role: "group", "aria-label": "Prompts" });
  const add = make("button", {
    type: "button",
    class: "vde-button vde-small",
    title: "The next click starts another region",
    onclick: () => store.set({ active_prompt: -1 }),
  });
  add.append(partIcon("add"), make("span", { text: "New prompt" }));
  const promptHint = make("span", {
    class: "vde-edit-hint",
    text: "Click = on it, Shift-click = not it, drag = box",
  });
  const promptPane = make("div", { class: "vde-edit-pane" }, promptChips, add, promptHint);

  // Ignored areas
  const areaChips = make("div", { class: "vde-edit-chips", role: "group" });
  areaChips.setAttribute("aria-label", "Ignored areas");
  const clear = textButton("Clear all", "Ignore nothing", () =>
    actions.setEdits({ ignore: [] }, "clear ignored areas"),
  );
  const areaHint = make("span", {
    class: "vde-edit-hint",
    text: "Drag a box: what is in it is left out",
  });
  const areaPane = make("div", { class: "vde-edit-pane" }, areaChips, clear, areaHint);

  const nudgePane = make("div", { class: "vde-edit-pane" });
  const panPane = make("div", { class: "vde-edit-pane" });
  const panes = { prompt: promptPane, ignore: areaPane, nudge: nudgePane, pan: panPane };
  const root = make("div", { class: "vde-edits", role: "group", "aria-label": "Tool" });
  root.append(past, ...Object.values(panes));
  parent.append(root);
  const nudge = mountNudge(nudgePane, store);

  /** One item: a button that chooses it, where there is something to choose, and one to delete. */
  function chip({ text, title, active, choose, remove, named }) {
    const name = choose
      ? make("button", { type: "button", class: "vde-edit-name", text, title, onclick: choose })
      : make("span", { class: "vde-edit-name", text, title });
    if (choose) name.setAttribute("aria-pressed", String(active));
    const away = make("button", {
      type: "button",
      class: "vde-edit-remove",
      title: `Delete ${named}`,
      "aria-label": `Delete ${named}`,
      onclick: remove,
    });
    away.append(partIcon("remove"));
    return make("span", { class: `vde-edit-chip${active ? " vde-active" : ""}` }, name, away);
  }

  /** New chips in place of the old; the focus stays at the same place in the row. */
  function replaceChips(parentOfChips, chips, otherwise) {
    const before = [...parentOfChips.querySelectorAll("button")];
    const at = before.indexOf(root.getRootNode().activeElement);
    parentOfChips.replaceChildren(...chips);
    if (at < 0) return;
    const now = [...parentOfChips.querySelectorAll("button")];
    (now[Math.min(at, now.length - 1)] ?? otherwise).focus({ preventScroll: true });
  }

  function showPrompts() {
    const { prompts } = state.edits;
    const chips = prompts.map((prompt, index) =>
      chip({
        text: `${index + 1}: ${promptText(prompt)}`,
        title: `Prompt ${index + 1}: ${promptWords(prompt)}`,
        named: `prompt ${index + 1}`,
        active: index === state.active_prompt,
        choose: () => store.set({ active_prompt: index === state.active_prompt ? -1 : index }),
        remove: () => {
          store.set({ active_prompt: activeAfterDeleting(state.active_prompt, index) });
          actions.setEdits({ prompts: withoutItem(state.edits.prompts, index) }, "delete prompt");
        },
      }),
    );
    replaceChips(promptChips, chips, add);
    setHidden(promptChips, !chips.length);
    add.disabled = state.active_prompt < 0;
  }

  function showAreas() {
    const { ignore } = state.edits;
    const chips = ignore.map((box, index) =>
      chip({
        text: boxText(box),
        title: `Ignored area: ${boxText(box)} px`,
        named: `ignored area ${index + 1}`,
        active: false,
        choose: null,
        remove: () =>
          actions.setEdits({ ignore: withoutItem(state.edits.ignore, index) }, "delete ignored area"),
      }),
    );
    replaceChips(areaChips, chips, undo);
    setHidden(areaChips, !chips.length);
    setHidden(clear, !chips.length);
  }

  function show() {
    for (const [tool, pane] of Object.entries(panes)) setHidden(pane, tool !== state.tool);
    root.dataset.tool = state.tool;
    const works = state.link !== "gone" && Boolean(state.pair);
    undo.disabled = !works || !state.edits.can_undo;
    redo.disabled = !works || !state.edits.can_redo;
    // Chips that nobody sees need no making; many points can come in a second.
    if (state.tool === "prompt") showPrompts();
    if (state.tool === "ignore") showAreas();
  }

  const viewer = parent.closest(".vde-viewer") ?? root;
  cleanup.listen(viewer, "keydown", (event) => {
    const wanted = event.defaultPrevented ? null : historyKey(event);
    if (!wanted) return;
    // Fields have a history of their own.
    const field = "input:not([type=range]):not([type=checkbox]), textarea, [contenteditable]";
    if (event.target.closest?.(field)) return;
    event.preventDefault();
    if (state.edits[wanted === "undo" ? "can_undo" : "can_redo"]) actions[wanted]();
  });
  cleanup.add(
    store.on(["tool", "edits", "active_prompt", "link", "pair"], show),
    () => nudge.destroy(),
    () => root.remove(),
  );
  show();
  return { destroy: cleanup.run };
}
