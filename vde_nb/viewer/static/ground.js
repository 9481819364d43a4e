/** The lowest canvas: what each way of looking shows of the pictures themselves. */
import { heatTable } from "./colour.js";
import { drawGrid } from "./marks.js";

const HEAT = heatTable(48);
/** How much of the picture is left below the heatmap, to find one's way by. */
const GHOST = 0.24;

/**
 * @param {CanvasRenderingContext2D} ctx clear
 * @param {object} scene `{state, pictures, heat, ratio, frames, shown}`: frames as in pictures.js,
 *   one or two; shown = the picture a blink shows now; heat = a tint layer of its own
 */
export function drawTheBase(ctx, { state, pictures, heat, ratio, frames, shown }) {
  const { view, pair } = state;
  const { mode } = view;
  const [first, second] = frames;
  const whole = (which, frame) => {
    inRect(ctx, frame, () => {
      edgeOf(ctx, frame, pair, ratio);
      pictures.draw(ctx, which, frame);
      drawGrid(ctx, frame, pair, ratio);
    });
  };
  if (mode === "side") {
    whole("reference", first);
    whole("current", second);
    ctx.fillStyle = "rgba(110,114,120,0.5)";
    if (second.x > first.x) ctx.fillRect(first.x + first.width, 0, second.x - first.width, first.height);
    else ctx.fillRect(0, first.y + first.height, first.width, second.y - first.height);
  } else if (mode === "wipe") {
    const { x, y, width, height } = first;
    const across = view.wipe_across;
    const at = Math.round((across ? width : height) * view.wipe);
    const before = across ? { x, y, width: at, height } : { x, y, width, height: at };
    const after = across
      ? { x: x + at, y, width: width - at, height }
      : { x, y: y + at, width, height: height - at };
    whole("reference", { ...first, ...before });
    whole("current", { ...first, ...after });
  } else if (mode === "heatmap" && state.heatmap) {
    inRect(ctx, first, () => drawGhost(ctx, pictures, first, pair, ratio));
    heat.show(ctx, state.heatmap, pair, first, HEAT);
    inRect(ctx, first, () => drawGrid(ctx, first, pair, ratio));
  } else if (mode === "blink") {
    whole(shown, first);
    pictures.foresee(shown === "reference" ? "current" : "reference", first);
  } else whole(mode === "reference" ? "reference" : "current", first);
}

/** The current picture, grey and dark. */
function drawGhost(ctx, pictures, frame, pair, ratio) {
  edgeOf(ctx, frame, pair, ratio);
  pictures.draw(ctx, "current", frame);
  const { s, ox, oy } = frame;
  const box = [ox, oy, Math.round(ox + pair.width * s) - ox, Math.round(oy + pair.height * s) - oy];
  ctx.globalCompositeOperation = "saturation";
  ctx.fillStyle = "#808080";
  ctx.fillRect(...box);
  ctx.globalCompositeOperation = "source-over";
  ctx.fillStyle = `rgba(0,0,4,${1 - GHOST})`;
  ctx.fillRect(...box);
}

function inRect(ctx, { x, y, width, height }, draw) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(x, y, width, height);
  ctx.clip();
  draw();
  ctx.restore();
}

/** A hairline around the picture: where it ends is seen on any ground. */
function edgeOf(ctx, { s, ox, oy }, pair, ratio) {
  ctx.fillStyle = "rgba(110,114,120,0.5)";
  const line = Math.max(Math.round(ratio), 1);
  const w = Math.round(ox + pair.width * s) - ox;
  const h = Math.round(oy + pair.height * s) - oy;
  ctx.fillRect(ox - line, oy - line, w + 2 * line, line);
  ctx.fillRect(ox - line, oy + h, w + 2 * line, line);
  ctx.fillRect(ox - line, oy, line, h);
  ctx.fillRect(ox + w, oy, line, h);
}

/**
 * Which names stand where.
 * @param {object} state @param {object[]} panes in CSS px @param {string} shown
 * @returns {[string, string, object][]} word, name of the picture, CSS place
 */
export function tagsOf(state, panes, shown) {
  const { pair, view } = state;
  if (!pair) return [];
  const reference = ["Reference", pair.reference_name];
  const current = ["Current", pair.current_name];
  const left = { left: "8px", top: "8px" };
  switch (view.mode) {
    case "side":
      return [
        [...reference, left],
        [...current, { left: `${panes[1].x + 8}px`, top: `${panes[1].y + 8}px` }],
      ];
    case "wipe":
      return [
        [...reference, left],
        [...current, view.wipe_across ? { right: "8px", top: "8px" } : { left: "8px", bottom: "44px" }],
      ];
    case "blink":
      return [[...(shown === "reference" ? reference : current), left]];
    case "reference":
      return [[...reference, left]];
    case "current":
      return [[...current, left]];
    default:
      return [];
  }
}

/** What somebody who does not see the pictures is told they show. */
export function labelOf({ pair, view, result }) {
  if (!pair) return "Pictures, none yet";
  const count = result?.anomalies.length;
  const regions = count === undefined ? "" : `, ${count} ${count === 1 ? "region" : "regions"} marked`;
  return `Pictures ${pair.reference_name} and ${pair.current_name}, ${view.mode}${regions}`;
}
