/**
 * The table of regions: find, sort, look at, review.
 *
 * Only the rows in sight exist; each has the same height, and its place follows from its index.
 */
import { createCleanup, make, setHidden, setText } from "./dom.js";
import { partIcon } from "./part_icons.js";
import { createRegionRow } from "./table_row.js";
import { createTableFilter, openFilter } from "./table_filter.js";
import { createRelabel } from "./relabel.js";
import { createReviewButtons } from "./review_buttons.js";
import {
  REGION_COLUMNS,
  emptyTableWords,
  filterRegions,
  nextSorting,
  reviewProgress,
  rowWindow,
  scrollToRow,
  sortRegions,
  stepRegion,
} from "./regions.js";

/** From this width in CSS px a region takes one line. */
const ONE_LINE = 720;
const ROW_HEIGHTS = { one: 54, more: 68 };

let tablesMade = 0;

/**
 * @param {HTMLElement} parent
 * @param {object} store
 * @returns {{destroy: function(): void}}
 */
export function mountTable(parent, store) {
  const { state, actions, host } = store;
  const cleanup = createCleanup();
  const base = `vde-table-${(tablesMade += 1)}-${Math.random().toString(36).slice(2, 8)}`;
  let sorting = { key: "number", descending: false };
  let filter = openFilter();
  let shown = [];
  let current = 0; // number of the row that Tab leads to and keys start from
  let currentIndex = -1;
  let rowHeight = ROW_HEIGHTS.more;
  let editor = null;
  let inSight = false;
  let drawing = 0;
  const undrawn = new Set(); // rows whose thumbnails show something else
  const rows = new Map();
  let rowsMade = 0;

  // Made

  const heads = REGION_COLUMNS.map(({ key, name, hint }) => {
    const button = make("button", {
      type: "button",
      class: "vde-sort",
      title: hint,
      onclick: () => sortBy(key),
    });
    button.append(make("span", { text: name }), partIcon("up"));
    const names = `vde-region-${key === "number" ? "no" : key}`;
    const element = make("th", { role: "columnheader", class: names, scope: "col" }, button);
    return { key, element };
  });
  const pictures = make("th", { role: "columnheader", class: "vde-region-thumbs", scope: "col" });
  pictures.append(make("span", { text: "Before, after" }));
  const headRow = make("tr", { role: "row", "aria-rowindex": "1" }, heads[0].element, pictures);
  headRow.append(...heads.slice(1).map(({ element }) => element));
  const thead = make("thead", { role: "rowgroup" }, headRow);
  const tbody = make("tbody", { role: "rowgroup" });
  const table = make("table", { role: "grid", "aria-label": "Regions" }, thead, tbody);
  const scroll = make("div", { class: "vde-table-scroll" }, table);
  const bar = createTableFilter(store, (next) => {
    filter = next;
    refresh();
    store.set({ announce: countText() });
  });
  const emptyText = make("span");
  const clear = make("button", { type: "button", class: "vde-button vde-small", text: "Show all" });
  clear.addEventListener("click", () => bar.clear());
  const empty = make("div", { class: "vde-table-empty" }, emptyText, clear);
  const count = make("span", { class: "vde-table-count" });
  const reviewed = make("span", { class: "vde-table-reviewed" });
  const foot = make("div", { class: "vde-table-foot" }, count, reviewed);
  let pairShown = null;
  const root = make("section", { class: "vde-table", "aria-label": "Regions" });
  root.append(bar.element, scroll, empty, foot);
  parent.append(root);
  const reviewBar = createReviewButtons({
    accept: () => toggleVerdict(state.selected, "accepted"),
    reject: () => toggleVerdict(state.selected, "rejected"),
    relabel: () => openEditor(state.selected),
    refine: () => actions.refine(state.selected),
  });

  // Shown

  const byNumber = (number) => state.result?.anomalies.find((one) => one.number === number);
  const indexOf = (number) => shown.findIndex((one) => one.number === number);
  const countText = () => {
    const total = state.result?.anomalies.length ?? 0;
    return `${shown.length} of ${total} shown`;
  };

  /** The list itself may have changed. */
  function refresh() {
    const token = state.pair?.token ?? null;
    if (token !== pairShown) setCurrent(0); // another pair is gone through from its first region
    pairShown = token;
    const all = state.result?.anomalies ?? [];
    shown = sortRegions(filterRegions(all, filter), sorting);
    const at = indexOf(current);
    if (at >= 0) currentIndex = at;
    if (editor && !byNumber(editor.number)) closeEditor();
    bar.show();
    for (const { key, element } of heads) {
      const order = sorting.descending ? "descending" : "ascending";
      if (key === sorting.key) element.setAttribute("aria-sort", order);
      else element.removeAttribute("aria-sort");
    }
    table.setAttribute("aria-rowcount", String(shown.length + 1));
    tbody.style.height = `${shown.length * rowHeight}px`;
    const words = emptyTableWords(state);
    setText(emptyText, words || "No region is like that.");
    setHidden(empty, shown.length > 0);
    setHidden(clear, Boolean(words));
    setHidden(scroll, !shown.length);
    setHidden(bar.element, !all.length);
    setHidden(foot, !all.length);
    setText(count, countText());
    const progress = reviewProgress(all);
    setText(reviewed, `${progress.reviewed} of ${progress.total} reviewed`);
    setHidden(reviewed, host.static && !progress.reviewed);
    showRows();
  }

  /** Rows in sight, and those that have the focus or the buttons: exist, in place, up to date. */
  function showRows() {
    const { first, last } = rowWindow(
      shown.length,
      rowHeight,
      scroll.scrollTop,
      scroll.clientHeight - thead.offsetHeight,
    );
    const wanted = new Map();
    for (let index = first; index < last; index += 1) wanted.set(shown[index].number, index);
    const inPlace = shown[Math.min(Math.max(currentIndex, 0), shown.length - 1)];
    const tabStop = indexOf(current) >= 0 ? current : (inPlace?.number ?? 0);
    for (const number of [state.selected, tabStop]) {
      const index = indexOf(number);
      if (index >= 0) wanted.set(number, index);
    }
    const hadFocus = root.contains(focused()) && tbody.contains(focused());
    for (const [number, row] of rows) {
      if (wanted.has(number)) continue;
      row.element.remove();
      rows.delete(number);
    }
    // In the order of the list, for whoever walks through them by Tab or a screen reader.
    let before = null;
    for (const [number, index] of [...wanted].sort((a, b) => a[1] - b[1])) {
      let row = rows.get(number);
      if (!row) {
        row = createRegionRow(store, `${base}-${(rowsMade += 1)}`);
        rows.set(number, row);
      }
      const place = {
        index,
        top: index * rowHeight,
        selected: number === state.selected,
        hovered: number === state.hovered,
        current: number === tabStop,
      };
      const moved = row.update(shown[index], place);
      const follows = before ? before.nextSibling : tbody.firstChild;
      if (follows !== row.element) tbody.insertBefore(row.element, follows);
      before = row.element;
      if (moved) drawSoon([row]);
    }
    placeButtons();
    // Who stood on a row that is gone goes on from the row in its place.
    if (hadFocus && !tbody.contains(focused())) rows.get(tabStop)?.element.focus(STAY);
  }

  function placeButtons() {
    const row = rows.get(state.selected);
    const region = row && byNumber(state.selected);
    const { element } = reviewBar;
    if (host.static || !region) element.remove();
    else {
      reviewBar.show(region, state.link !== "gone");
      if (element.parentNode !== row.review) {
        const keep = element.contains(focused());
        row.review.append(element);
        if (keep) row.element.focus(STAY);
      }
    }
    if (!editor) return;
    const place = rows.get(editor.number)?.review;
    if (!place) closeEditor();
    else if (editor.element.parentNode !== place) place.append(editor.element);
  }

  /** Thumbnails are drawn once a frame: rows pass by quickly, pictures come in parts. */
  function drawSoon(more) {
    if (!inSight) return;
    for (const row of more) undrawn.add(row);
    drawing ||= requestAnimationFrame(() => {
      drawing = 0;
      for (const row of undrawn) if (row.element.isConnected) row.draw();
      undrawn.clear();
    });
  }
  const drawAll = () => drawSoon(rows.values());

  const STAY = { preventScroll: true };
  const focused = () => root.getRootNode().activeElement;

  function bringIntoView(number) {
    const index = indexOf(number);
    if (index < 0) return;
    const height = scroll.clientHeight - thead.offsetHeight;
    const top = scrollToRow(index, rowHeight, scroll.scrollTop, height);
    if (top !== scroll.scrollTop) scroll.scrollTop = top;
  }

  // Done

  function sortBy(key) {
    sorting = nextSorting(sorting, key);
    refresh();
    bringIntoView(current);
    showRows();
  }

  function setCurrent(number) {
    current = number;
    const index = indexOf(number);
    if (index >= 0 || !number) currentIndex = index;
  }

  /** Choose a region, and take the focus along if a row has it. */
  function choose(number) {
    if (!number) return;
    const takeFocus = tbody.contains(focused());
    setCurrent(number);
    actions.select(number);
    bringIntoView(number);
    showRows();
    if (takeFocus) rows.get(number)?.element.focus(STAY);
  }

  function step(by) {
    choose(stepRegion(shown, current || state.selected, by, currentIndex));
  }

  function review(number, verdict) {
    const region = byNumber(number);
    if (!region || host.static || state.link === "gone") return;
    setCurrent(number);
    if (state.selected !== number) actions.select(number);
    const at = indexOf(number);
    actions.review(number, { verdict });
    // Where the filter leaves it out now, reviewing goes on with what took its place.
    if (at >= 0 && indexOf(number) < 0) choose(shown[Math.min(at, shown.length - 1)]?.number);
    const word = { accepted: "accepted", rejected: "rejected" }[verdict] ?? "not reviewed";
    store.set({ announce: `Region ${number} ${word}.` });
  }

  function toggleVerdict(number, verdict) {
    review(number, byNumber(number)?.verdict === verdict ? null : verdict);
  }

  function zoom(number) {
    const region = byNumber(number);
    if (region) actions.zoomTo(region.box);
  }

  function openEditor(number, field = "") {
    const region = byNumber(number);
    if (!region || host.static || state.link === "gone" || indexOf(number) < 0) return;
    closeEditor();
    choose(number);
    editor = createRelabel(store, region, () => {
      closeEditor();
      rows.get(number)?.element.focus(STAY);
    });
    placeButtons();
    rows.get(number)?.element.classList.add("vde-editing");
    editor.focus(field);
  }

  function closeEditor() {
    if (!editor) return;
    const closing = editor;
    editor = null; // first: taking the field away moves the focus
    closing.element.closest("tr")?.classList.remove("vde-editing");
    closing.element.remove();
  }

  /** @returns {boolean} whether the key meant something */
  function reviewKey(key, inTable) {
    const number = inTable && current ? current : state.selected;
    if (key === "j" || (inTable && key === "ArrowDown")) step(1);
    else if (key === "k" || (inTable && key === "ArrowUp")) step(-1);
    else if (inTable && key === "Home") choose(shown[0]?.number);
    else if (inTable && key === "End") choose(shown.at(-1)?.number);
    else if (!number || !byNumber(number)) return false;
    else if (key === "Enter") {
      choose(number);
      zoom(number);
    } else if (host.static) return false;
    else if (key === "a") review(number, "accepted");
    else if (key === "r") review(number, "rejected");
    else if (key === "u") review(number, null);
    // On the stage L opens the layers.
    else if ((key === "l" && inTable) || key === "t") openEditor(number);
    else if (key === "c") openEditor(number, "note");
    else return false;
    return true;
  }

  // Heard

  cleanup.listen(tbody, "click", (event) => {
    if (event.target.closest(".vde-review-buttons, .vde-relabel")) return;
    const number = Number(event.target.closest("tr")?.dataset.number);
    if (!number) return;
    choose(number);
    rows.get(number)?.element.focus(STAY);
    zoom(number);
  });
  const hover = (number) => {
    if (state.hovered !== number) actions.hover(number);
  };
  cleanup.listen(tbody, "pointerover", (event) => {
    hover(Number(event.target.closest("tr")?.dataset.number) || 0);
  });
  cleanup.listen(tbody, "pointerleave", () => hover(0));
  cleanup.listen(tbody, "focusin", (event) => {
    const number = Number(event.target.closest("tr")?.dataset.number);
    if (number && number !== current) setCurrent(number);
  });
  cleanup.listen(scroll, "scroll", () => showRows(), { passive: true });

  const viewer = parent.closest(".vde-viewer") ?? root;
  cleanup.listen(viewer, "keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const { target } = event;
    const inTable = scroll.contains(target);
    // Who goes through a run reviews from wherever the last click was; Shift is for whole pairs.
    if (state.gallery ? event.shiftKey : !inTable && !target.closest?.(".vde-stage, .vde-stage-box")) return;
    if (target.closest("input, select, textarea, [contenteditable]")) return;
    // A button does by Enter what it says.
    if (target.localName === "button" && (event.key === "Enter" || event.key === " ")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (reviewKey(key, inTable)) event.preventDefault();
  });

  // Thumbnails are drawn while the table is in sight, and again when it comes back: a notebook
  // that hides its cells may have emptied the canvases.
  const watcher = new IntersectionObserver(
    (entries) => {
      inSight = entries.at(-1).isIntersecting;
      if (inSight) drawAll();
    },
    { rootMargin: "200px" },
  );
  watcher.observe(root);
  const measure = () => {
    const oneLine = root.clientWidth >= ONE_LINE;
    root.classList.toggle("vde-one-line", oneLine);
    rowHeight = oneLine ? ROW_HEIGHTS.one : ROW_HEIGHTS.more;
    tbody.style.height = `${shown.length * rowHeight}px`;
    showRows();
  };
  const sizes = new ResizeObserver(measure);
  sizes.observe(root);
  sizes.observe(scroll);

  cleanup.add(
    store.on(["result", "pair", "colours"], refresh),
    store.on(["hovered", "link", "view"], showRows),
    store.on("selected", () => {
      if (state.selected) setCurrent(state.selected);
      bringIntoView(state.selected);
      showRows();
    }),
    store.on(["reference", "current", "pair"], drawAll),
    store.pictures?.onArrival?.(drawAll), // tiles of a large picture
    () => sizes.disconnect(),
    () => watcher.disconnect(),
    () => cancelAnimationFrame(drawing),
    () => bar.destroy(),
    () => root.remove(),
  );
  root.classList.toggle("vde-static", host.static);
  refresh();
  return { destroy: cleanup.run };
}
