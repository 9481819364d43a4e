/** What the viewer is doing: progress, a summary of the result, the link, errors, text to copy. */
import { createCleanup, make, setHidden, setText } from "./dom.js";
import { icon } from "./icons.js";
import { regionsText } from "./curves.js";
import { reviewsJson, saveFile } from "./out.js";

const LINK_WORDS = {
  busy: "The kernel is busy; viewing keeps working.",
  gone: "The kernel is gone: run the cell again. Viewing keeps working.",
};

/** Progress that ends within this many ms is not worth showing. */
const SHOWN_AFTER = 250;

/**
 * @param {HTMLElement} parent
 * @param {object} store
 * @returns {{destroy: function(): void}}
 */
export function mountStatus(parent, store) {
  const { state, actions } = store;
  const cleanup = createCleanup();
  const text = make("span", { class: "vde-status-text" });
  const meter = make("progress", { class: "vde-progress", max: "1", "aria-label": "Progress" });
  const cancel = make("button", {
    type: "button",
    class: "vde-button vde-small",
    text: "Cancel",
    onclick: () => actions.cancel(),
  });
  const link = make("span", { class: "vde-link", role: "status" });
  const live = make("div", { class: "vde-said", role: "status", "aria-live": "polite" });
  const save = make("button", {
    type: "button",
    class: "vde-button vde-small vde-save-reviews",
    text: "Save reviews",
    title: "Save what was decided here as a file; this page forgets it when it is closed",
    onclick() {
      const bytes = new TextEncoder().encode(reviewsJson(state.result));
      saveFile(bytes, "reviews.json", "application/json");
      store.set({ unsaved_reviews: false, announce: "Reviews saved." });
    },
  });
  const count = make("summary", {});
  const list = make("ul", {});
  const notes = make("details", { class: "vde-notes" }, count, list);
  const row = make("div", { class: "vde-status" }, text, meter, cancel, notes, save, link, live);
  parent.append(row);

  let timer = 0;
  let shown = false;
  const tick = () => {
    const { progress } = state;
    if (!progress) return;
    shown ||= performance.now() - progress.started >= SHOWN_AFTER;
    if (shown) setText(text, progressText(progress, performance.now()));
    setHidden(meter, !shown);
    setHidden(cancel, !shown || !progress.cancellable);
    if (progress.share != null) meter.value = progress.share;
    else if (progress.total > 0) meter.value = progress.done / progress.total;
    else meter.removeAttribute("value");
  };
  const show = () => {
    clearInterval(timer);
    row.classList.toggle("vde-working", Boolean(state.progress));
    if (state.progress) {
      timer = setInterval(tick, 100);
      tick();
      if (shown) return;
    } else {
      shown = false;
      setHidden(meter, true);
      setHidden(cancel, true);
    }
    setText(text, summaryText(state));
    text.title = state.result ? timingsText(state.result.summary) : "";
  };
  const showNotes = () => {
    const lines = state.result?.summary?.notes ?? [];
    setText(count, lines.length === 1 ? "1 note" : `${lines.length} notes`);
    list.replaceChildren(...lines.map((line) => make("li", { text: line })));
    setHidden(notes, !lines.length);
    if (!lines.length) notes.open = false;
  };
  const showLink = () => {
    const words = LINK_WORDS[state.link] ?? "";
    link.replaceChildren(...(words ? [icon("warning"), make("span", { text: words })] : []));
    row.classList.toggle("vde-linkless", Boolean(words));
  };
  const showSave = () => setHidden(save, !state.unsaved_reviews);
  const say = () => setText(live, state.announce);

  cleanup.add(
    store.on(["progress", "result", "pair", "error", "threshold"], show),
    store.on("result", showNotes),
    store.on("link", showLink),
    store.on("unsaved_reviews", showSave),
    store.on("announce", say),
    () => clearInterval(timer),
    () => row.remove(),
  );
  show();
  showNotes();
  showLink();
  showSave();
  return { destroy: cleanup.run };
}

/** @param {object} progress @param {number} now @returns {string} such as "Fusing… 1.2 s" */
export function progressText(progress, now) {
  const seconds = Math.max(0, (now - progress.started) / 1000);
  const { share, done, total } = progress;
  let of = total > 1 ? ` (${done} of ${total})` : "";
  if (share != null) of = ` ${Math.floor(100 * share)} %`;
  return `${progress.stage || "Working"}${of} · ${seconds.toFixed(1)} s`;
}

/** @returns {string} the result in one line */
export function summaryText({ result, pair, error, link, threshold }) {
  if (!result) return pair || error ? "" : "No pictures yet.";
  const { summary, anomalies } = result;
  const words = regionsText(anomalies.length);
  if (link === "static" && threshold !== result.threshold) {
    return `The table lists what was found at ${result.threshold}: ${words}.`;
  }
  const parts = [words[0].toUpperCase() + words.slice(1)];
  if (Number.isFinite(summary?.changed)) parts.push(`${shortNumber(summary.changed)} % changed`);
  if (Number.isFinite(summary?.ssim)) parts.push(`SSIM ${summary.ssim.toFixed(3)}`);
  if (Number.isFinite(summary?.ms)) parts.push(`${Math.round(summary.ms)} ms`);
  return parts.join("  ·  ");
}

function shortNumber(value) {
  if (value === 0) return "0";
  return value < 0.01 ? "< 0.01" : value.toFixed(value < 10 ? 2 : 1);
}

function timingsText(summary) {
  const lines = Object.entries(summary?.timings ?? {}).map(([name, ms]) => `${name}: ${ms} ms`);
  return [`Method ${summary?.method ?? ""}`, ...lines].join("\n");
}

/**
 * Errors and text to be copied by hand: cards over the stage, so that nothing is pushed aside.
 *
 * @param {HTMLElement} parent positioned
 * @param {object} store
 * @returns {{destroy: function(): void}}
 */
export function mountCards(parent, store) {
  const { state, actions } = store;
  const holder = make("div", { class: "vde-cards" });
  parent.append(holder);
  const cards = { error: null, clipboard: null };

  const replace = (key, card) => {
    const had = cards[key]?.contains(document.activeElement);
    cards[key]?.remove();
    cards[key] = card;
    if (card) holder.append(card);
    // Keys must not fall back to the page when the focused card goes.
    else if (had) holder.closest(".vde-viewer")?.focus({ preventScroll: true });
  };
  const showError = () => {
    const { error } = state;
    if (!error) {
      replace("error", null);
      return;
    }
    const card = cardOf("alert", error.title || "Something went wrong", () =>
      actions.dismissError(),
    );
    card.classList.add("vde-card-error");
    if (error.message) card.append(make("p", { class: "vde-card-text", text: error.message }));
    if (error.details) {
      const details = make("details", {}, make("summary", { text: "Details" }));
      details.append(make("pre", { class: "vde-pre", tabindex: "0", text: error.details }));
      card.append(details);
    }
    replace("error", card);
  };
  const showText = () => {
    if (!state.clipboard) {
      replace("clipboard", null);
      return;
    }
    const card = cardOf("dialog", "Copy this text", () => store.set({ clipboard: null }));
    card.setAttribute("aria-label", "Copy this text");
    const area = make("textarea", { class: "vde-copy", readonly: true, rows: "6" });
    area.value = state.clipboard.text;
    card.append(
      make("p", { class: "vde-card-text", text: "The browser keeps the clipboard closed here." }),
      area,
    );
    replace("clipboard", card);
    area.focus({ preventScroll: true });
    area.select();
  };
  const offs = [store.on("error", showError), store.on("clipboard", showText)];
  showError();
  showText();
  return {
    destroy() {
      for (const off of offs) off();
      holder.remove();
    },
  };
}

function cardOf(role, title, dismiss) {
  const close = make("button", {
    type: "button",
    class: "vde-button vde-icon-button",
    "aria-label": "Dismiss",
    title: "Dismiss (Escape)",
    onclick: dismiss,
  });
  close.append(icon("close"));
  const card = make("div", { class: "vde-card", role });
  card.append(make("div", { class: "vde-card-head" }, make("strong", { text: title }), close));
  card.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.preventDefault();
      dismiss();
    }
  });
  return card;
}
