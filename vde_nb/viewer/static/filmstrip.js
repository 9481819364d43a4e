/** The pairs of a series as a strip of thumbnails, with what is known of each, and their scores. */
import { createCleanup, make, setHidden, setText } from "./dom.js";
import { partIcon } from "./part_icons.js";
import { createCurve } from "./curve.js";
import { filmStatusText, frameLines } from "./frame_words.js";
import { timeStyle, timeText } from "./frame_times.js";
import { galleryPlaces, galleryStep } from "./gallery_words.js";
import { shortName } from "./names.js";

/** A key that is held down walks on; the kernel is asked for where it stops. */
const FILM_SETTLES = 180;

/** Frames from which on only pictures in sight are asked for, one after the other. */
const FILM_LONG = 200;
/** Frames beyond the sight whose pictures are asked for, too. */
const FILM_AHEAD = 6;

/**
 * Where a key leads in a row of `count`.
 *
 * @returns {number} -1 if the key means nothing here
 */
export function filmKeyTarget(key, index, count) {
  const to = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: count - 1 }[key];
  if (to === undefined || !count) return -1;
  return Math.min(count - 1, Math.max(0, to));
}

/** The scroll position nearest to `scrollLeft` that shows [left, left + width) whole. */
export function scrollToItem(left, width, scrollLeft, room, margin = 8) {
  if (left - margin < scrollLeft) return Math.max(0, left - margin);
  return Math.max(scrollLeft, left + width + margin - room);
}

/**
 * @param {HTMLElement} parent
 * @param {object} store
 * @returns {{destroy: function(): void}}
 */
export function mountFilmstrip(parent, store) {
  const { state, actions } = store;
  const cleanup = createCleanup();
  let timer = 0;
  let drawing = 0;
  let focusIndex = -1; // while a key walks ahead of the kernel

  const stepButton = (name, label, by) => {
    const button = make("button", {
      type: "button",
      class: "vde-button vde-icon-button",
      title: label,
      "aria-label": label,
      onclick: () => go(galleryStep(places(), state.filmstrip.index, by)),
    });
    button.append(partIcon(name));
    return button;
  };
  const previous = stepButton("left", "Previous pair", -1);
  const next = stepButton("right", "Next pair", 1);
  const place = make("span", { class: "vde-film-place" });
  const list = make("div", { class: "vde-film-list", role: "listbox", "aria-label": "Pairs" });
  list.setAttribute("aria-orientation", "horizontal");
  const all = make("button", { type: "button", class: "vde-button vde-small vde-film-all", onclick: compareAll });
  const meter = make("progress", { class: "vde-progress", "aria-label": "Pairs compared", hidden: true });
  const steps = make("div", { class: "vde-film-steps" }, previous, place, next);
  const head = make("div", { class: "vde-film-head" }, steps, ...(store.host.static ? [] : [all, meter]));
  const root = make("section", { class: "vde-film", "aria-label": "Pairs of pictures" });
  parent.append(root);
  const frames = [];
  let asked = 0;
  const isShort = () => !state.gallery && state.filmstrip.items.length <= FILM_LONG;
  const places = () =>
    galleryPlaces(state.filmstrip.items, state.gallery ? state.film_filter : "all", state.filmstrip.index);
  const centres = () =>
    frames.map(({ element }) => element.offsetLeft - list.offsetLeft + element.offsetWidth / 2);
  const at = () => (focusIndex >= 0 ? focusIndex : state.filmstrip.index);
  const curve = createCurve(root, store, { list, centres, at, go, walk });
  root.append(head, list);

  function compareAll() {
    if (all.getAttribute("aria-disabled") !== "true") actions.compareAll(!state.filmstrip.sweep);
  }

  function go(index) {
    clearTimeout(timer);
    timer = 0;
    focusIndex = -1;
    const { items, index: now } = state.filmstrip;
    if (index < 0 || index >= items.length || index === now) return show();
    return actions.goto(index);
  }

  function makeFrame(index) {
    const picture = make("img", { class: "vde-film-picture", alt: "", draggable: "false" });
    const mark = make("span", { class: "vde-film-mark" });
    const status = make("span", { class: "vde-film-status" });
    const name = make("span", { class: "vde-film-name" });
    const element = make(
      "div",
      { class: "vde-film-frame", role: "option", tabindex: "-1", onclick: () => go(index) },
      make("span", { class: "vde-film-box" }, picture),
      name,
      make("span", { class: "vde-film-line" }, mark, status),
    );
    let shownMark = "";
    let last = [];
    return {
      element,
      update(item, { chosen, tabStop, total, style, shown }) {
        // Thousands of frames hear of each other's results: those that are the same do nothing.
        const next = [item, chosen, tabStop, total, style.date, style.seconds, shown];
        if (next.every((value, at) => value === last[at])) return;
        last = next;
        setHidden(element, !shown);
        // Without a picture nothing is asked for: an empty address would be the page's own.
        if (!item.thumb) picture.removeAttribute("src");
        else if (picture.getAttribute("src") !== item.thumb) picture.src = item.thumb;
        setHidden(picture, !item.thumb);
        // Where frames have times those tell them apart; names of cameras' files rarely do.
        setText(name, timeText(item.time, style) || shortName(item.name, 13));
        setText(status, filmStatusText(item));
        element.classList.toggle("vde-film-outdated", Boolean(item.outdated));
        element.classList.toggle("vde-film-reviewed", Boolean(item.reviewed));
        element.classList.toggle("vde-film-failing", item.verdict === "fail");
        if (shownMark !== item.status) mark.replaceChildren(partIcon(item.status));
        shownMark = item.status;
        element.dataset.status = item.status;
        const { curve, level } = state.filmstrip;
        const [called, ...known] = frameLines(item, curve?.level ?? level);
        element.title = `${called}: ${known.join(", ")}`;
        element.setAttribute("aria-label", `${index + 1} of ${total}: ${element.title}`);
        element.setAttribute("aria-selected", String(chosen));
        element.tabIndex = tabStop ? 0 : -1;
      },
    };
  }

  function show() {
    const { items, index } = state.filmstrip;
    setHidden(root, items.length < 2);
    if (items.length < 2) {
      for (const frame of frames.splice(0)) frame.element.remove();
      return;
    }
    while (frames.length > items.length) frames.pop().element.remove();
    while (frames.length < items.length) {
      const frame = makeFrame(frames.length);
      frames.push(frame);
      list.append(frame.element);
    }
    const stop = at();
    const shown = places();
    const isShown = new Set(shown);
    const style = timeStyle(items);
    items.forEach((item, place) => {
      const how = { chosen: place === index, tabStop: place === stop, total: items.length, style };
      how.shown = isShown.has(place);
      frames[place].update(item, how);
    });
    previous.disabled = galleryStep(shown, index, -1) < 0;
    next.disabled = galleryStep(shown, index, 1) < 0;
    setText(place, `${shown.indexOf(index) + 1} / ${shown.length}`);
    place.setAttribute("aria-label", `Pair ${shown.indexOf(index) + 1} of ${shown.length}`);
    // A run has its own, above the pictures.
    setHidden(steps, Boolean(state.gallery));
    showSweep();
    bringFrame(stop);
    askSoon();
    // Results of a series come faster than anybody looks.
    drawing ||= requestAnimationFrame(() => {
      drawing = 0;
      curve.show();
    });
  }

  /** How far comparing all of them is. */
  function showSweep() {
    const { items, sweep, missing = 0 } = state.filmstrip;
    setText(all, sweep ? "Cancel" : missing ? "Compare all" : "All compared");
    all.setAttribute("aria-disabled", String(!sweep && !missing));
    const how = missing === items.length ? "all" : `the ${missing} of ${items.length} that are not`;
    all.title = sweep ? "Stop; what is compared stays" : `Compare ${how} compared as it is set now`;
    setHidden(meter, !sweep);
    if (!sweep) return;
    meter.max = sweep.total;
    meter.value = sweep.done;
    meter.title = `${sweep.done} of ${sweep.total} compared`;
  }

  /** Pictures of a long strip, or of a run, are asked for where they are in sight. */
  function askSoon() {
    if (isShort() || asked) return;
    asked = setTimeout(() => {
      asked = 0;
      const wide = frames.find(({ element }) => !element.hidden)?.element.offsetWidth;
      if (!wide) return;
      const { items } = state.filmstrip;
      const shown = places();
      const first = Math.floor(list.scrollLeft / wide) - FILM_AHEAD;
      const last = Math.ceil((list.scrollLeft + list.clientWidth) / wide) + FILM_AHEAD;
      const wanted = shown.slice(Math.max(0, first), last).filter((at) => !items[at].thumb);
      if (wanted.length) actions.wantThumbs(wanted);
    }, 120);
  }
  cleanup.listen(list, "scroll", askSoon, { passive: true });

  /** Scrolls the strip, never the page around it. */
  function bringFrame(index) {
    const element = frames[index]?.element;
    if (!element || !list.clientWidth) return;
    const left = element.offsetLeft - list.offsetLeft;
    const to = scrollToItem(left, element.offsetWidth, list.scrollLeft, list.clientWidth);
    if (to !== list.scrollLeft) list.scrollLeft = to;
  }

  /** Follows a key in the strip or on the curve; the focus goes along in the strip. */
  function walk(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const shown = places();
    const from = at();
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      go(from);
      return;
    }
    const to = shown[filmKeyTarget(event.key, shown.indexOf(from), shown.length)] ?? -1;
    if (to < 0) return;
    event.preventDefault();
    if (to === from) return;
    focusIndex = to;
    show();
    if (event.currentTarget === list) frames[to].element.focus({ preventScroll: true });
    clearTimeout(timer);
    timer = setTimeout(() => go(to), FILM_SETTLES);
  }
  cleanup.listen(list, "keydown", walk);
  const sizes = new ResizeObserver(() => bringFrame(state.filmstrip.index));
  sizes.observe(list);
  cleanup.add(
    store.on(["filmstrip", "film_filter", "gallery"], show),
    () => clearTimeout(timer),
    () => clearTimeout(asked),
    () => sizes.disconnect(),
    () => cancelAnimationFrame(drawing),
    curve.destroy,
    () => root.remove(),
  );
  show();
  return { destroy: cleanup.run };
}
