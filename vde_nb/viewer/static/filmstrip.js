/** The pairs of a series as a strip of thumbnails, with what is known of each. */
import { createCleanup, make, setHidden, setText } from "./dom.js";
import { partIcon } from "./part_icons.js";
import { plainName, shortName } from "./names.js";

/** A key that is held down walks on; the kernel is asked for where it stops. */
const FILM_SETTLES = 180;

const FILM_WORDS = new Map([
  ["running", "running"],
  ["clean", "no change"],
  ["error", "failed"],
  ["reviewed", "reviewed"],
]);

/**
 * @param {{status: string, count: number|null}} item
 * @returns {string} such as "3 regions"
 */
export function filmStatusText({ status, count }) {
  const many = Number.isFinite(count) ? count : 0;
  if (status === "changed") return many ? `${many} region${many === 1 ? "" : "s"}` : "changed";
  return FILM_WORDS.get(status) ?? "not compared";
}

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
  let focusIndex = -1; // while a key walks ahead of the kernel

  const stepButton = (name, label, by) => {
    const button = make("button", {
      type: "button",
      class: "vde-button vde-icon-button",
      title: label,
      "aria-label": label,
      onclick: () => go(state.filmstrip.index + by),
    });
    button.append(partIcon(name));
    return button;
  };
  const previous = stepButton("left", "Previous pair", -1);
  const next = stepButton("right", "Next pair", 1);
  const place = make("span", { class: "vde-film-place" });
  const list = make("div", { class: "vde-film-list", role: "listbox", "aria-label": "Pairs" });
  list.setAttribute("aria-orientation", "horizontal");
  const head = make("div", { class: "vde-film-head" }, previous, place, next);
  const root = make("section", { class: "vde-film", "aria-label": "Pairs of pictures" }, head, list);
  parent.append(root);
  const frames = [];

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
    return {
      element,
      update(item, { chosen, tabStop, total }) {
        // Without a picture nothing is asked for: an empty address would be the page's own.
        if (!item.thumb) picture.removeAttribute("src");
        else if (picture.getAttribute("src") !== item.thumb) picture.src = item.thumb;
        setHidden(picture, !item.thumb);
        setText(name, shortName(item.name, 13));
        setText(status, filmStatusText(item));
        if (shownMark !== item.status) mark.replaceChildren(partIcon(item.status));
        shownMark = item.status;
        element.dataset.status = item.status;
        element.title = `${plainName(item.name)}: ${status.textContent}`;
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
    const stop = focusIndex >= 0 ? focusIndex : index;
    items.forEach((item, at) => {
      frames[at].update(item, { chosen: at === index, tabStop: at === stop, total: items.length });
    });
    previous.disabled = index <= 0;
    next.disabled = index >= items.length - 1;
    setText(place, `${index + 1} / ${items.length}`);
    place.setAttribute("aria-label", `Pair ${index + 1} of ${items.length}`);
    bringFrame(stop);
  }

  /** Scrolls the strip, never the page around it. */
  function bringFrame(index) {
    const element = frames[index]?.element;
    if (!element || !list.clientWidth) return;
    const left = element.offsetLeft - list.offsetLeft;
    const to = scrollToItem(left, element.offsetWidth, list.scrollLeft, list.clientWidth);
    if (to !== list.scrollLeft) list.scrollLeft = to;
  }

  cleanup.listen(list, "keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { items, index } = state.filmstrip;
    const at = focusIndex >= 0 ? focusIndex : index;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      go(at);
      return;
    }
    const to = filmKeyTarget(event.key, at, items.length);
    if (to < 0) return;
    event.preventDefault();
    if (to === at) return;
    focusIndex = to;
    show();
    frames[to].element.focus({ preventScroll: true });
    clearTimeout(timer);
    timer = setTimeout(() => go(to), FILM_SETTLES);
  });
  const sizes = new ResizeObserver(() => bringFrame(state.filmstrip.index));
  sizes.observe(list);
  cleanup.add(
    store.on("filmstrip", show),
    () => clearTimeout(timer),
    () => sizes.disconnect(),
    () => root.remove(),
  );
  show();
  return { destroy: cleanup.run };
}
