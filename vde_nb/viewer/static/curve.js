/** The curve of scores above the filmstrip: drawn, pointed at, and walked along with keys. */
import { createCleanup, make, setHidden, setText } from "./dom.js";
import { makeSvg } from "./icons.js";
import { frameLines } from "./frame_words.js";
import { timeLabels } from "./frame_times.js";
import {
  curveArea,
  curveCrosses,
  curveDots,
  curveHeight,
  curveLine,
  curveMarks,
  curveNearest,
  curvePlaces,
  curveRuns,
  curveScore,
  curveTop,
  scoreText,
} from "./score_curve.js";

/** Height of the drawing, and of what lies below it: the labels of the frames. */
const CURVE_SIZE = 88;
const CURVE_FOOT = 20;
const CURVE_HEAD = 8;
/** Nearer than this, points would run into each other: only the line is drawn. */
const CURVE_DOT_GAP = 7;

/**
 * @param {HTMLElement} parent
 * @param {object} store
 * @param {object} strip the filmstrip below
 * @param {HTMLElement} strip.list what scrolls
 * @param {function(): number[]} strip.centres x of the frames in the list's content, in px
 * @param {function(): number} strip.at the frame that is shown, or where a key walks ahead
 * @param {function(number): void} strip.go
 * @param {function(KeyboardEvent): void} strip.walk follows a key
 * @returns {{show: function(): void, place: function(): void, destroy: function(): void}}
 */
export function createCurve(parent, store, { list, centres, at: shownAt, go, walk }) {
  const { state } = store;
  const cleanup = createCleanup();
  const path = (name) => makeSvg("path", { class: `vde-curve-${name}` });
  const seen = makeSvg("rect", { class: "vde-curve-seen", y: 0, height: CURVE_SIZE - CURVE_FOOT });
  const grid = makeSvg("g", { class: "vde-curve-grid" });
  const feet = makeSvg("g", { class: "vde-curve-feet" });
  const above = path("above");
  const line = path("line");
  const level = path("level");
  const dots = path("dots");
  const hot = path("hot");
  const failed = path("failed");
  const now = path("now");
  const nowDot = path("now-dot");
  const pointed = path("pointed");
  const clipName = `vde-clip-${Math.random().toString(36).slice(2)}`;
  const clipBox = makeSvg("rect", { x: 0, y: 0, width: 0, height: 0 });
  const clip = makeSvg("clipPath", { id: clipName }, clipBox);
  above.setAttribute("clip-path", `url(#${clipName})`);
  const svg = makeSvg(
    "svg",
    { class: "vde-curve-drawing", height: CURVE_SIZE, "aria-hidden": "true", focusable: "false" },
    clip, seen, grid, above, level, line, dots, hot, failed, now, nowDot, pointed, feet,
  );
  const tip = make("div", { class: "vde-curve-tip", "aria-hidden": "true", hidden: true });
  const axis = make("div", { class: "vde-curve-axis", "aria-hidden": "true" });
  const slider = make(
    "div",
    { class: "vde-curve-plot", role: "slider", tabindex: "0", "aria-label": "Score of the frames" },
    tip,
  );
  slider.prepend(svg);
  const root = make("div", { class: "vde-curve" }, axis, slider);
  parent.append(root);
  let xs = [];
  let hovered = -1;

  const plot = CURVE_SIZE - CURVE_HEAD - CURVE_FOOT;
  const bottom = CURVE_HEAD + plot;

  function show() {
    const { items, curve } = state.filmstrip;
    const index = Math.min(shownAt(), items.length - 1);
    const shown = Boolean(curve) && items.length > 1;
    setHidden(root, !shown);
    if (!shown) return;
    slider.setAttribute("aria-valuemin", "1");
    slider.setAttribute("aria-valuemax", String(items.length));
    slider.setAttribute("aria-valuenow", String(index + 1));
    const words = frameLines(items[index], curve.level);
    slider.setAttribute("aria-valuetext", `Frame ${index + 1} of ${items.length}: ${words.join(", ")}`);
    const width = slider.clientWidth;
    if (!width) return; // not on the page now
    svg.setAttribute("width", width);
    const all = list.scrollWidth <= list.clientWidth + 1;
    xs = all ? centres() : curvePlaces(items.length, width);
    if (xs.length !== items.length) return; // the strip is being rebuilt
    const top = curveTop(items, curve.level);
    const yOf = (score) => bottom - curveHeight(score, top) * plot;
    const at = yOf(curve.level);

    const runs = curveRuns(items, xs, yOf);
    line.setAttribute("d", curveLine(runs));
    above.setAttribute("d", curveArea(runs, bottom));
    for (const [key, value] of Object.entries({ width, height: at })) clipBox.setAttribute(key, value);
    level.setAttribute("d", `M0 ${Math.round(at) + 0.5}H${width}`);

    const points = items.map((item, i) => [xs[i], curveScore(item)]);
    const dense = items.length > 1 && xs[1] - xs[0] < CURVE_DOT_GAP;
    const alone = new Set(runs.filter((run) => run.length === 1).map((run) => run[0][0]));
    const dotted = points.filter(([x, score]) => score !== null && (!dense || alone.has(x)));
    const drawn = (wanted) => dotted.filter(([, score]) => wanted(score)).map(([x, s]) => [x, yOf(s)]);
    dots.setAttribute("d", curveDots(drawn((score) => score <= curve.level), 2.2));
    hot.setAttribute("d", curveDots(drawn((score) => score > curve.level), 3));
    const lost = items.flatMap((item, i) => (item.status === "error" ? [[xs[i], bottom - 4]] : []));
    failed.setAttribute("d", curveCrosses(lost, 3));

    now.setAttribute("d", `M${Math.round(xs[index]) + 0.5} 0V${bottom}`);
    const score = curveScore(items[index]);
    nowDot.setAttribute("d", score === null ? "" : curveDots([[xs[index], yOf(score)]], 4));
    grid.replaceChildren();
    axis.replaceChildren(make("span", { class: "vde-curve-name", text: curve.title ?? "Score" }));
    for (const mark of curveMarks(curve.level, top, plot)) {
      const y = Math.round(yOf(mark));
      const is = mark === curve.level;
      if (!is) grid.append(makeSvg("path", { d: `M0 ${y + 0.5}H${width}` }));
      const label = make("span", { class: is ? "vde-curve-mark vde-curve-mark-level" : "vde-curve-mark" });
      setText(label, is ? `level ${scoreText(mark).replace(/\.0$/, "")}` : String(mark));
      label.style.top = `${y}px`;
      axis.append(label);
    }
    feet.replaceChildren(
      ...timeLabels(items, xs, 58).map(({ x, text, day }) => {
        // The outermost labels stay inside of the drawing.
        const anchor = x < 24 ? "start" : x > width - 24 ? "end" : "middle";
        const near = { start: Math.max(2, x - 8), end: Math.min(width - 2, x + 8), middle: x }[anchor];
        const label = makeSvg("text", { x: near, y: CURVE_SIZE - 6, "text-anchor": anchor });
        if (day) label.classList.add("vde-curve-day");
        label.textContent = text;
        return label;
      }),
    );
    place();
    point(hovered);
  }

  /** Which part of the strip is seen: marked where it is not all of it. */
  function place() {
    const { items } = state.filmstrip;
    const all = list.scrollWidth <= list.clientWidth + 1;
    const ends = all || !xs.length ? [] : seenFrames(centres(), list.scrollLeft, list.clientWidth);
    const [first, last] = ends;
    if (first === undefined || xs.length !== items.length) {
      seen.setAttribute("width", 0);
      return;
    }
    const half = (xs[1] - xs[0]) / 2;
    seen.setAttribute("x", xs[first] - half);
    seen.setAttribute("width", xs[last] - xs[first] + 2 * half);
  }

  function point(index) {
    const { items, curve } = state.filmstrip;
    hovered = index >= 0 && index < items.length ? index : -1;
    setHidden(tip, hovered < 0);
    pointed.setAttribute("d", hovered < 0 ? "" : `M${Math.round(xs[hovered]) + 0.5} 0V${bottom}`);
    if (hovered < 0) return;
    const [name, ...rest] = frameLines(items[hovered], curve.level);
    tip.replaceChildren(make("strong", { text: name }), ...rest.map((text) => make("span", { text })));
    const width = slider.clientWidth;
    const room = tip.offsetWidth + 10;
    const left = xs[hovered] + 10 + room > width ? xs[hovered] - room : xs[hovered] + 10;
    tip.style.left = `${Math.max(0, Math.round(left))}px`;
  }

  const under = (event) => curveNearest(xs, event.clientX - slider.getBoundingClientRect().left);
  cleanup.listen(slider, "pointermove", (event) => point(under(event)));
  cleanup.listen(slider, "pointerleave", () => point(-1));
  cleanup.listen(slider, "click", (event) => {
    const index = under(event);
    if (index >= 0) go(index);
  });
  cleanup.listen(slider, "keydown", (event) => {
    if (event.key === "Escape" && hovered >= 0) {
      event.preventDefault();
      point(-1);
    } else {
      walk(event);
    }
  });
  cleanup.listen(list, "scroll", place, { passive: true });
  const sizes = new ResizeObserver(show);
  sizes.observe(slider);
  cleanup.add(
    () => sizes.disconnect(),
    () => root.remove(),
  );
  return { show, place, destroy: cleanup.run };
}

/**
 * First and last frame whose middle is seen in a strip.
 *
 * @param {number[]} middles in the strip's content, in px
 * @returns {[number, number]|[]}
 */
export function seenFrames(middles, scrollLeft, room) {
  const inside = (x) => x >= scrollLeft && x <= scrollLeft + room;
  const first = middles.findIndex(inside);
  if (first < 0) return [];
  let last = first;
  while (last + 1 < middles.length && inside(middles[last + 1])) last += 1;
  return [first, last];
}
