/**
 * The bar of a run: what is left to be reviewed, which pairs are shown, and what is known and said
 * of the one on the stage. Reviews of its regions are made in the table.
 */
import { createCleanup, make, setHidden, setText } from "./dom.js";
import { icon } from "./icons.js";
import { partIcon } from "./part_icons.js";
import {
  GALLERY_FILTERS,
  galleryCounts,
  galleryPlaces,
  galleryStep,
  galleryText,
} from "./gallery_words.js";
import { plainName } from "./names.js";

/**
 * @param {HTMLElement} parent
 * @param {object} store
 * @param {{stage: function(): HTMLElement|null}} more what takes the keyboard
 * @returns {{destroy: function(): void}}
 */
export function mountGallery(parent, store, { stage }) {
  const { state, actions } = store;
  const cleanup = createCleanup();

  // Made

  const button = (name, label, title, act) => {
    const element = make("button", {
      type: "button",
      class: "vde-button vde-icon-button",
      title,
      "aria-label": label,
      onclick: act,
    });
    element.append(partIcon(name));
    return element;
  };
  const previous = button("left", "Previous pair", "Previous pair (,)", () => step(-1));
  const next = button("right", "Next pair", "Next pair (.)", () => step(1));
  const place = make("span", { class: "vde-gallery-place" });
  const choice = make("select", { class: "vde-gallery-filter", "aria-label": "Pairs to show" });
  const options = GALLERY_FILTERS.map(({ key }) => make("option", { value: key }));
  choice.append(...options);
  const left = make("span", { class: "vde-gallery-left" });
  const meter = make("progress", { class: "vde-progress", "aria-label": "Pairs reviewed" });
  const saved = make("span", { class: "vde-gallery-saved", role: "status" });
  const csv = exportButton("csv", "CSV", "The run and its reviews as a table");
  const json = exportButton("json", "JSON", "The run and its reviews as JSON");
  const run = make("strong", { class: "vde-gallery-run" });
  const steps = make("div", { class: "vde-gallery-steps" }, previous, place, next);
  const top = make("div", { class: "vde-gallery-row" });
  const leaves = make("div", { class: "vde-gallery-out" }, make("span", { text: "Reviews:" }), csv, json);
  top.append(run, left, meter, saved, leaves);

  const name = make("span", { class: "vde-gallery-name" });
  const facts = make("span", { class: "vde-gallery-facts" });
  const note = make("input", {
    type: "text",
    class: "vde-gallery-note",
    maxlength: "10000",
    placeholder: "Note on this pair (C)",
    "aria-label": "Note on this pair",
  });
  const done = make("button", {
    type: "button",
    class: "vde-button vde-small vde-gallery-done",
    title: "Reviewed, and on to the next (D)",
    onclick: () => actions.reviewPair(state.filmstrip.index, { marked: !state.gallery?.pair.marked }),
  });
  const onward = make("button", {
    type: "button",
    class: "vde-button vde-small vde-main vde-gallery-onward",
    title: "Mark this pair as reviewed and go to the next one shown (D)",
    text: "Done, next",
    onclick: () => goOn(),
  });
  const what = make("div", { class: "vde-gallery-what" }, name, facts);
  const say = make("div", { class: "vde-gallery-say" }, note, done, onward);
  const walk = make("div", { class: "vde-gallery-walk" }, steps, choice);
  const here = make("div", { class: "vde-gallery-row" }, walk, what, say);
  const remark = make("span");
  const warning = make("div", { class: "vde-gallery-remark", role: "note" }, icon("warning"), remark);
  const root = make("section", { class: "vde-gallery", "aria-label": "Run" }, top, here, warning);
  parent.append(root);

  function exportButton(form, text, title) {
    const element = make("button", { type: "button", class: "vde-button vde-small", text, title });
    element.addEventListener("click", () => actions.exportReviews(form));
    return element;
  }

  // Shown

  const places = () =>
    galleryPlaces(state.filmstrip.items, state.film_filter, state.filmstrip.index);

  function show() {
    const { gallery, filmstrip } = state;
    setHidden(root, !gallery);
    if (!gallery) return;
    const { items, index } = filmstrip;
    const shown = places();
    const at = shown.indexOf(index);
    setText(run, plainName(gallery.title));
    run.title = gallery.about ?? "";
    setText(place, `${at + 1} / ${shown.length}`);
    place.setAttribute("aria-label", `Pair ${at + 1} of the ${shown.length} that are shown`);
    previous.disabled = galleryStep(shown, index, -1) < 0;
    next.disabled = galleryStep(shown, index, 1) < 0;
    const counts = galleryCounts(items);
    GALLERY_FILTERS.forEach(({ key, name: words }, number) => {
      setText(options[number], `${words} (${counts[key]})`);
    });
    if (choice.value !== state.film_filter) choice.value = state.film_filter;
    setText(left, galleryText(items));
    meter.max = Math.max(1, items.length);
    meter.value = items.length - counts.unreviewed;
    setText(saved, gallery.trouble ? "Not saved" : gallery.saved);
    saved.title = gallery.trouble;
    saved.classList.toggle("vde-gallery-unsaved", Boolean(gallery.trouble));
    showPair(gallery, items[index]);
  }

  function showPair({ run: token, pair, trouble }, item) {
    setText(name, pair.number ? `${pair.number}. ${plainName(pair.name)}` : plainName(pair.name));
    name.title = plainName(pair.name);
    setText(facts, pair.facts);
    facts.title = `What the run found: ${pair.facts}`;
    // What is being typed is the newer.
    const isSame = note.dataset.index === String(pair.index) && note.dataset.run === token;
    if (!isSame || document.activeElement !== note) note.value = pair.comment;
    note.dataset.index = String(pair.index);
    note.dataset.run = token;
    const isDone = Boolean(item?.reviewed);
    done.setAttribute("aria-pressed", String(isDone));
    done.classList.toggle("vde-gallery-is-done", isDone);
    const words = isDone ? "Reviewed" : "Not reviewed";
    if (done.textContent !== words) done.replaceChildren(partIcon(isDone ? "accept" : "todo"), words);
    const byRegions = isDone && !pair.marked;
    done.setAttribute("aria-disabled", String(byRegions));
    done.title = byRegions
      ? "All its regions are decided"
      : isDone
        ? "Marked as reviewed; take it back"
        : "Mark this pair as reviewed";
    const warnings = [trouble, pair.remark].filter(Boolean).join(" ");
    setText(remark, warnings);
    setHidden(warning, !warnings);
  }

  // Done

  function step(by) {
    const to = galleryStep(places(), state.filmstrip.index, by);
    if (to < 0) {
      store.set({ announce: by > 0 ? "This is the last pair shown." : "This is the first pair shown." });
      return;
    }
    leaveTo(to);
  }

  /** The pair is done: on to the next. */
  function goOn() {
    const { items, index } = state.filmstrip;
    const to = galleryStep(places(), index, 1);
    if (!items[index]?.reviewed) actions.reviewPair(index, { marked: true });
    if (to < 0) store.set({ announce: "That was the last pair shown." });
    else leaveTo(to);
  }

  const takeKeys = () => stage()?.focus({ preventScroll: true });

  function leaveTo(index) {
    // A row that has the keyboard goes with its pair.
    if (document.activeElement?.closest(".vde-table")) takeKeys();
    actions.goto(index);
  }

  function keepNote() {
    const { pair } = state.gallery ?? {};
    const index = Number(note.dataset.index);
    if (pair && pair.index === index && note.value === pair.comment) return;
    if (Number.isInteger(index)) actions.reviewPair(index, { comment: note.value }, note.dataset.run);
  }
  cleanup.listen(note, "change", keepNote);
  cleanup.listen(note, "keydown", (event) => {
    if (event.key === "Escape") note.value = state.gallery?.pair.comment ?? "";
    else if (event.key !== "Enter") return;
    event.preventDefault();
    event.stopPropagation();
    takeKeys(); // leaving the field keeps what it says
  });
  cleanup.listen(choice, "change", () => {
    store.set({ film_filter: choice.value });
    const shown = places();
    store.set({ announce: `${shown.length} of ${state.filmstrip.items.length} pairs shown.` });
    // Letters typed into a list would choose from it.
    takeKeys();
  });

  const viewer = parent.closest(".vde-viewer") ?? root;
  cleanup.listen(viewer, "keydown", (event) => {
    if (!state.gallery || event.defaultPrevented) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input:not([type=range]):not([type=checkbox]), select, textarea")) return;
    const key = event.key.toLowerCase();
    const { shiftKey } = event;
    if (key === "." || (shiftKey && key === "j")) step(1);
    else if (key === "," || (shiftKey && key === "k")) step(-1);
    else if (key === "d" && !event.repeat) goOn();
    else if (key === "c") {
      note.focus({ preventScroll: true });
      note.select();
    } else return;
    event.preventDefault();
  });

  cleanup.add(
    store.on(["gallery", "filmstrip", "film_filter"], show),
    () => root.remove(),
  );
  show();
  return { destroy: cleanup.run };
}
