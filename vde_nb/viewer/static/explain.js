/** Teaching mode: the stages of the comparison as a strip of pictures, each with a sentence. */
import { createCleanup, make, setHidden, setText } from "./dom.js";
import { icon } from "./icons.js";
import { partIcon } from "./part_icons.js";

/** Longest side of a stage's small picture, in CSS px. */
const STAGE_WIDTH = 176;
const STAGE_HEIGHT = 132;

/**
 * The size of a picture that fills a room without being distorted.
 *
 * @returns {number[]} [width, height]
 */
export function fittedSize(width, height, roomWidth, roomHeight) {
  const scale = Math.min(roomWidth / width, roomHeight / height);
  return [Math.max(1, width * scale), Math.max(1, height * scale)];
}

/** Draw a bitmap on a canvas at the screen's resolution. */
function drawStage(canvas, bitmap, roomWidth, roomHeight) {
  if (!bitmap?.width) return; // taken away already
  const [width, height] = fittedSize(bitmap.width, bitmap.height, roomWidth, roomHeight);
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  const ctx = canvas.getContext("2d");
  ctx.imageSmoothingEnabled = w < 3 * bitmap.width;
  ctx.imageSmoothingQuality = "high";
  ctx.clearRect(0, 0, w, h);
  ctx.drawImage(bitmap, 0, 0, w, h);
}

/**
 * @param {HTMLElement} parent
 * @param {object} store
 * @returns {{destroy: function(): void}}
 */
export function mountExplain(parent, store) {
  const { state, actions, host } = store;
  const cleanup = createCleanup();
  let large = ""; // key of the stage that is shown large
  let cameFrom = null;

  const toggle = make("button", {
    type: "button",
    class: "vde-button",
    title: "Show how the result came about, step by step",
    onclick: () => actions.explain(!state.explaining),
  });
  toggle.append(icon("explain"), make("span", { text: "Explain" }));
  const waiting = make("span", { class: "vde-explain-waiting", text: "Making the pictures…" });
  const head = make("div", { class: "vde-explain-head" }, toggle, waiting);
  const strip = make("ol", { class: "vde-explain-strip", "aria-label": "Stages of the comparison" });
  const cards = new Map();

  const title = make("strong");
  const sentence = make("p");
  const canvas = make("canvas", { "aria-hidden": "true" });
  const button = (name, label, act) => {
    const element = make("button", {
      type: "button",
      class: "vde-button vde-icon-button",
      title: label,
      "aria-label": label,
      onclick: act,
    });
    element.append(partIcon(name));
    return element;
  };
  const before = button("left", "Stage before", () => turn(-1));
  const after = button("right", "Next stage", () => turn(1));
  const close = button("remove", "Close", () => enlarge(""));
  const dialog = make(
    "div",
    { class: "vde-explain-large", role: "dialog", "aria-label": "Stage, enlarged" },
    make("div", { class: "vde-explain-bar" }, title, before, after, close),
    make("div", { class: "vde-explain-room" }, canvas),
    sentence,
  );
  const body = make("div", { class: "vde-explain-body" }, strip, dialog);
  const root = make("section", { class: "vde-explain", "aria-label": "Explain" }, head, body);
  parent.append(root);

  const stages = () => state.explain?.stages ?? [];

  function makeCard(key) {
    const small = make("canvas", { "aria-hidden": "true" });
    const name = make("span", { class: "vde-explain-title" });
    const text = make("span", { class: "vde-explain-text" });
    const open = make("button", { type: "button", class: "vde-explain-open", title: "Enlarge" });
    open.append(make("span", { class: "vde-explain-picture" }, small), name);
    open.addEventListener("click", () => {
      cameFrom = open;
      enlarge(large === key ? "" : key);
    });
    const arrow = make("span", { class: "vde-explain-arrow", "aria-hidden": "true" });
    arrow.append(partIcon("right"));
    return { element: make("li", { class: "vde-explain-stage" }, arrow, open, text), small, name, text, open };
  }

  function show() {
    const on = state.explaining;
    setHidden(root, !state.pair || (host.static && !stages().length));
    setHidden(toggle, host.static);
    toggle.setAttribute("aria-expanded", String(on));
    setHidden(waiting, !on || stages().length > 0);
    setHidden(body, !on || !stages().length);
    const keys = new Set(stages().map(({ key }) => key));
    for (const [key, card] of cards) {
      if (on && keys.has(key)) continue;
      card.element.remove();
      cards.delete(key);
    }
    if (!keys.has(large)) large = "";
    if (!on) return showLarge();
    let last = null;
    for (const { key, title: words, sentence: said, bitmap } of stages()) {
      if (!cards.has(key)) cards.set(key, makeCard(key));
      const card = cards.get(key);
      setText(card.name, words);
      setText(card.text, said);
      drawStage(card.small, bitmap, STAGE_WIDTH, STAGE_HEIGHT);
      const follows = last ? last.nextSibling : strip.firstChild;
      if (follows !== card.element) strip.insertBefore(card.element, follows);
      last = card.element;
    }
    return showLarge();
  }

  function showLarge() {
    const all = stages();
    const at = all.findIndex(({ key }) => key === large);
    const stage = all[at];
    setHidden(dialog, !stage);
    for (const [key, card] of cards) {
      card.open.setAttribute("aria-expanded", String(key === large));
    }
    if (!stage) return;
    setText(title, `${at + 1}. ${stage.title}`);
    setText(sentence, stage.sentence);
    before.disabled = at === 0;
    after.disabled = at === all.length - 1;
    const width = Math.max(120, dialog.clientWidth - 26);
    drawStage(canvas, stage.bitmap, width, Math.max(240, Math.min(520, 0.6 * window.innerHeight)));
  }

  function enlarge(key) {
    const wasOpen = large !== "";
    const hadFocus = dialog.contains(root.getRootNode().activeElement);
    large = key;
    showLarge();
    if (key && !wasOpen) close.focus({ preventScroll: true });
    if (key) dialog.scrollIntoView({ block: "nearest" });
    else if (hadFocus) cameFrom?.focus({ preventScroll: true });
  }

  function turn(by) {
    const all = stages();
    const to = all[all.findIndex(({ key }) => key === large) + by];
    if (!to) return;
    enlarge(to.key);
    // A button that was the last one of its kind cannot keep the focus.
    if (before.disabled || after.disabled) (before.disabled ? after : before).focus();
  }

  cleanup.listen(body, "keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape" && large) enlarge("");
    else if (by && large && dialog.contains(event.target)) turn(by);
    else return;
    event.preventDefault();
  });
  // What a notebook hid may come back with empty canvases.
  const watcher = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) show();
  });
  watcher.observe(body);
  const sizes = new ResizeObserver(showLarge);
  sizes.observe(root);
  cleanup.add(
    store.on(["explain", "explaining", "pair"], show),
    () => watcher.disconnect(),
    () => sizes.disconnect(),
    () => root.remove(),
  );
  show();
  return { destroy: cleanup.run };
}
