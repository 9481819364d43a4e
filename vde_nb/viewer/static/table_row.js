/** One row of the region table. */
import { make, setHidden, setText } from "./dom.js";
import { cssColour, inkOn, rgbOf } from "./colour.js";
import { partIcon } from "./part_icons.js";
import { plainName } from "./names.js";
import { thumbnailRects } from "./regions.js";

/** Side of a thumbnail in CSS px. */
export const THUMBNAIL = 44;

const VERDICT_WORDS = { accepted: "Accepted", rejected: "Rejected" };

/** @param {number} area in pixels @returns {string} such as "1,234 px" */
export function areaText(area) {
  return `${Math.round(area).toLocaleString("en-US")} px`;
}

/** @param {number[]} box @returns {string} such as "812, 344 · 24 × 31" */
export function placeText([x, y, w, h]) {
  return `${x}, ${y} · ${w} × ${h}`;
}

/** @returns {string} the colour a region has on the picture */
export function regionColour(one, { view, colours }) {
  return colours[view.colour_by]?.[one[view.colour_by]] ?? "#808080";
}

/**
 * @param {object} store
 * @param {string} id unique in the document
 * @returns {object} `element`; `update(region, place)`; `draw()` its thumbnails; `review`, the cell
 *   for the buttons of the row that is selected
 */
export function createRegionRow(store, id) {
  const { state } = store;
  const number = make("span", { class: "vde-region-number" });
  const canvases = ["reference", "current"].map((which) => {
    const canvas = make("canvas", { class: "vde-region-thumb", "aria-hidden": "true" });
    canvas.dataset.which = which;
    return canvas;
  });
  const type = make("span", { class: "vde-region-type-name" });
  const remark = make("span", { class: "vde-region-remark" });
  const severity = make("span", { class: "vde-region-severity-name" });
  const severityMark = make("span", { class: "vde-region-mark" });
  const verdict = make("span", { class: "vde-region-verdict" });
  const cell = (name, ...children) =>
    make("td", { role: "gridcell", class: `vde-region-${name}` }, ...children);
  const score = cell("score");
  const area = cell("area");
  const position = cell("position");
  const review = cell("review", verdict);
  const element = make(
    "tr",
    { role: "row", class: "vde-region", id, tabindex: "-1" },
    cell("no", number),
    cell("thumbs", ...canvases),
    cell("type", type, remark),
    cell("severity", severityMark, severity),
    score,
    area,
    position,
    review,
  );
  let region = null;
  let marked = "";

  return {
    element,
    review,
    /** @returns {boolean} whether the thumbnails show something else now */
    update(one, { index, top, selected, hovered, current }) {
      const moved = !region || String(region.box) !== String(one.box);
      region = one;
      element.dataset.number = String(one.number);
      element.setAttribute("aria-rowindex", String(index + 2)); // 1 is the head
      element.setAttribute("aria-selected", String(selected));
      element.style.top = `${top}px`;
      element.tabIndex = current ? 0 : -1;
      element.classList.toggle("vde-selected", selected);
      element.classList.toggle("vde-hovered", hovered);
      element.classList.toggle("vde-rejected", one.verdict === "rejected");

      const ground = rgbOf(regionColour(one, state));
      number.style.backgroundColor = cssColour(ground);
      number.style.color = cssColour(inkOn(ground));
      setText(number, String(one.number));
      setText(type, plainName(one.type));
      const said = remarkText(one);
      setText(remark, said);
      setHidden(remark, !said);
      element.title = one.comment ? plainName(one.comment) : "";
      if (marked !== one.severity) severityMark.replaceChildren(partIcon(one.severity));
      marked = one.severity;
      severityMark.style.color = state.colours.severity?.[one.severity] ?? "currentColor";
      setText(severity, String(one.severity));
      setText(score, one.score.toFixed(2));
      setText(area, areaText(one.area));
      setText(position, placeText(one.box));
    position.title = `${placeText(one.box)} (left, top · width × height)`;
      showVerdict(verdict, one.verdict);
      return moved;
    },
    draw() {
      if (region) for (const canvas of canvases) drawThumbnail(canvas, region.box, store);
    },
  };
}

/** What there is to know about a type: where it comes from, what was noted. */
function remarkText({ type, type_found, origin, comment }) {
  const parts = [];
  if (origin === "prompted") parts.push("marked by hand");
  if (type_found && type_found !== type) parts.push(`found as ${plainName(type_found)}`);
  if (comment) parts.push(`“${plainName(comment)}”`);
  return parts.join(", ");
}

function showVerdict(element, verdict) {
  const words = VERDICT_WORDS[verdict] ?? "";
  if (element.dataset.verdict === (verdict ?? "")) return;
  element.dataset.verdict = verdict ?? "";
  element.replaceChildren();
  if (!words) return;
  const mark = partIcon(verdict === "accepted" ? "accept" : "reject");
  element.append(mark, make("span", { class: "vde-region-verdict-name", text: words }));
}

function drawThumbnail(canvas, box, store) {
  const { pair } = store.state;
  const ratio = window.devicePixelRatio || 1;
  const size = Math.round(THUMBNAIL * ratio);
  if (canvas.width !== size || canvas.height !== size) canvas.width = canvas.height = size;
  const ctx = canvas.getContext("2d");
  ctx.clearRect(0, 0, size, size);
  if (!pair || !store.pictures || !store.state[canvas.dataset.which]) return;
  const { from, to } = thumbnailRects(box, pair, size);
  const scale = to[2] / from[2];
  ctx.save();
  ctx.beginPath();
  ctx.rect(...to);
  ctx.clip();
  store.pictures.draw(ctx, canvas.dataset.which, {
    s: scale,
    ox: to[0] - from[0] * scale,
    oy: to[1] - from[1] * scale,
    x: to[0],
    y: to[1],
    width: to[2],
    height: to[3],
  });
  ctx.restore();
}
