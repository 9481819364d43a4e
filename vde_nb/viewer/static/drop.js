/** Pictures dropped onto the viewer. */
import { createCleanup, make, setHidden, setText } from "./dom.js";
import { partIcon } from "./part_icons.js";
import { plainName, shortName } from "./names.js";

/** A drag that ends outside of the window says nothing; silence of this many ms is its end. */
const DROP_SILENCE = 1200;

const DROP_SIDES = [
  { side: "reference", name: "Reference", hint: "the picture as it should be" },
  { side: "current", name: "Current", hint: "the picture to check" },
];

/**
 * Which dropped file goes where: one to the side it was dropped on, two to both, in order.
 *
 * @param {File[]} files
 * @param {"reference"|"current"} side
 * @returns {{side: string, file: File}[]|null} null if there are too many, or none
 */
export function droppedSides(files, side) {
  if (files.length === 1) return [{ side, file: files[0] }];
  if (files.length !== 2) return null;
  return [
    { side: "reference", file: files[0] },
    { side: "current", file: files[1] },
  ];
}

/**
 * @param {HTMLElement} parent the viewer; positioned
 * @param {object} store
 * @returns {{destroy: function(): void}}
 */
export function mountDrop(parent, store) {
  const { actions, host } = store;
  const cleanup = createCleanup();
  if (host.static) return { destroy: cleanup.run };
  let timer = 0;
  let sending = null;

  const targets = DROP_SIDES.map(({ side, name, hint }) => {
    const element = make(
      "div",
      { class: "vde-drop-target" },
      partIcon("upload"),
      make("strong", { text: name }),
      make("span", { text: hint }),
    );
    element.dataset.side = side;
    return element;
  });
  const cover = make("div", { class: "vde-drop", "aria-hidden": "true" }, ...targets);
  const note = make("span", { class: "vde-drop-name" });
  const meter = make("progress", { class: "vde-progress", max: "1", "aria-label": "Upload" });
  const cancel = make("button", {
    type: "button",
    class: "vde-button vde-small",
    text: "Cancel",
    onclick: () => sending?.abort(),
  });
  const sent = make("div", { class: "vde-drop-sending", role: "status" }, note, meter, cancel);
  cover.hidden = sent.hidden = true;
  parent.append(cover, sent);

  const hide = () => {
    clearTimeout(timer);
    setHidden(cover, true);
  };
  /** Over what is in sight of the viewer, which may be higher than the window. */
  const place = () => {
    const { top, bottom } = parent.getBoundingClientRect();
    const from = Math.max(0, -top);
    cover.style.top = `${from}px`;
    cover.style.height = `${Math.max(120, Math.min(bottom, window.innerHeight) - top - from)}px`;
  };
  const carriesFiles = ({ dataTransfer }) => [...(dataTransfer?.types ?? [])].includes("Files");
  const over = (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault(); // or the browser would open the file instead of the notebook
    event.stopPropagation();
    event.dataTransfer.dropEffect = "copy";
    setHidden(cover, false);
    place();
    const at = event.target.closest?.(".vde-drop-target");
    for (const target of targets) target.classList.toggle("vde-over", target === at);
    clearTimeout(timer);
    timer = setTimeout(hide, DROP_SILENCE);
  };
  const refuse = (message) =>
    store.set({ error: { title: "This was not taken", message, details: "" } });

  async function take(assigned) {
    const own = new AbortController();
    sending = own;
    setHidden(sent, false);
    for (const { side, file } of assigned) {
      setText(note, `${shortName(file.name, 32)} → ${side}`);
      note.title = plainName(file.name);
      meter.removeAttribute("value"); // until it is known how far it is
      const onProgress = (part) => {
        meter.value = part;
      };
      const answer = await actions.upload(side, file, { onProgress, signal: own.signal });
      if (sending !== own) return;
      if (own.signal.aborted) break;
      if (answer && !answer.ok) {
        refuse(answer.message);
        break;
      }
    }
    sending = null;
    setHidden(sent, true);
  }

  cleanup.listen(parent, "dragenter", over);
  cleanup.listen(parent, "dragover", over);
  cleanup.listen(parent, "dragleave", (event) => {
    if (!parent.contains(event.relatedTarget)) hide();
  });
  cleanup.listen(parent, "drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    event.stopPropagation();
    hide();
    const side = event.target.closest?.(".vde-drop-target")?.dataset.side ?? "current";
    const files = [...event.dataTransfer.files];
    const assigned = droppedSides(files, side);
    if (sending) refuse("Another picture is being sent; drop this one when it has arrived.");
    else if (assigned) take(assigned);
    else refuse(`Drop one picture or two, not ${files.length}.`);
  });
  cleanup.add(hide, () => cover.remove(), () => sent.remove(), () => {
    sending?.abort();
    sending = null;
  });
  return { destroy: cleanup.run };
}
