/**
 * What is drawn over the pictures: masks, outlines, numbers, prompts, ignored areas. Lines keep
 * their width on the screen whatever the zoom, light on a dark casing, so that they are seen on any
 * ground.
 */
import { HATCHED_TYPE, blend, cssColour, hatchPattern, inkOn, lineColour, rgbOf } from "./colour.js";
import { boxesOverlap, clamp } from "./geometry.js";

const CASING = "rgba(12,14,18,0.78)";
const POSITIVE = [0, 158, 115];
const NEGATIVE = [213, 94, 0];
const PROMPT = [64, 224, 208];
/** More chips than this hide the picture: then only regions larger than their chip have one. */
const MANY_LABELS = 60;

/**
 * @param {object} anomaly @param {object} view @param {object} colours see the store
 * @returns {[number, number, number]}
 */
export function anomalyColour(anomaly, view, colours) {
  return rgbOf(colours[view.colour_by]?.[anomaly[view.colour_by]], [230, 159, 0]);
}

/** Which way a region is hatched: by severity, or by the place of its type among all types. */
function slantOf(anomaly, view, colours) {
  const names = Object.keys(colours[view.colour_by] ?? {});
  return Math.max(names.indexOf(anomaly[view.colour_by]), 0) % 3;
}

/** Paths of outlines, at the detail that a zoom can show. @returns {function(object, number)} */
export function createPaths() {
  const paths = new WeakMap(); // loops -> Map(detail -> Path2D)
  return (anomaly, s) => {
    const detail = s >= 1 ? 0 : Math.ceil(-Math.log2(s));
    let known = paths.get(anomaly.loops);
    if (!known) paths.set(anomaly.loops, (known = new Map()));
    let path = known.get(detail);
    if (!path) known.set(detail, (path = pathOf(anomaly.loops, detail)));
    return path;
  };
}

/** Steps below three quarters of a device pixel cannot be seen, only waited for. */
function pathOf(loops, detail) {
  const path = new Path2D();
  const least = detail ? 0.75 * 2 ** (detail - 1) : 0;
  for (const loop of loops) {
    let [x, y] = loop;
    path.moveTo(x, y);
    for (let i = 2; i < loop.length; i += 2) {
      if (least && Math.abs(loop[i] - x) < least && Math.abs(loop[i + 1] - y) < least) continue;
      x = loop[i];
      y = loop[i + 1];
      path.lineTo(x, y);
    }
    path.closePath();
  }
  return path;
}

function isSeen([x, y, w, h], { s, ox, oy, ...pane }) {
  const box = [ox + x * s - 4, oy + y * s - 4, w * s + 8, h * s + 8];
  return boxesOverlap(box, [pane.x, pane.y, pane.width, pane.height]);
}

/** Clip to the pane and draw in image pixels. */
function inFrame(ctx, frame, draw) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(frame.x, frame.y, frame.width, frame.height);
  ctx.clip();
  ctx.translate(frame.ox, frame.oy);
  ctx.scale(frame.s, frame.s);
  draw();
  ctx.restore();
}

/**
 * Fill the masks of a result.
 * @param {CanvasRenderingContext2D} ctx @param {object} state of the store @param {object} frame
 *   see pictures.js @param {number} ratio device px per CSS px
 * @param {function(object, number): Path2D} paths from createPaths
 */
export function drawMasks(ctx, state, frame, ratio, paths) {
  const { view, colours, result } = state;
  const patterns = new Map(); // few: one for each colour, slant and opacity
  const hatching = (rgb, alpha, slant) => {
    const key = `${rgb}/${alpha}/${slant}`;
    if (!patterns.has(key)) {
      const pattern = hatchPattern(ctx, lineColour(rgb), alpha, slant, ratio);
      pattern.setTransform(new DOMMatrix().scale(1 / frame.s));
      patterns.set(key, pattern);
    }
    return patterns.get(key);
  };
  inFrame(ctx, frame, () => {
    for (const anomaly of result.anomalies) {
      if (!isSeen(anomaly.box, frame)) continue;
      const rgb = anomalyColour(anomaly, view, colours);
      const opacity = view.opacity * (anomaly.verdict === "rejected" ? 0.3 : 1);
      const path = paths(anomaly, frame.s);
      const hatched = view.hatch || anomaly.type === HATCHED_TYPE;
      ctx.fillStyle = cssColour(rgb, hatched ? opacity * 0.4 : opacity);
      ctx.fill(path, "evenodd");
      if (!hatched) continue;
      ctx.fillStyle = hatching(rgb, Math.min(opacity * 1.8, 1), slantOf(anomaly, view, colours));
      ctx.fill(path, "evenodd");
    }
  });
}

/** 2 = selected, 1 = hovered, 0 = neither. */
function rankOf({ number }, { selected, hovered }) {
  return number === selected ? 2 : number === hovered ? 1 : 0;
}

/**
 * Outlines of all regions, none of them accented.
 * @param {number} strength 0..1: an outline that is being replaced is faint
 */
export function drawOutlines(ctx, state, frame, ratio, paths, strength = 1) {
  const seen = state.result.anomalies.filter(({ box }) => isSeen(box, frame));
  strokeAll(ctx, seen, () => 0, state, frame, ratio, paths, strength);
}

/** The outlines of the hovered and the selected region, stronger, over those of all. */
export function drawAccents(ctx, state, frame, ratio, paths, strength = 1) {
  const rank = (anomaly) => rankOf(anomaly, state);
  const seen = state.result.anomalies.filter((one) => rank(one) && isSeen(one.box, frame));
  seen.sort((a, b) => rank(a) - rank(b));
  strokeAll(ctx, seen, rank, state, frame, ratio, paths, strength);
}

function strokeAll(ctx, seen, rank, { view, colours }, frame, ratio, paths, strength) {
  const px = ratio / frame.s; // image px per CSS px
  inFrame(ctx, frame, () => {
    ctx.lineJoin = "round";
    for (const anomaly of seen) {
      const level = rank(anomaly);
      const rejected = anomaly.verdict === "rejected";
      const rgb = lineColour(anomalyColour(anomaly, view, colours));
      const stroke = level === 2 ? [255, 255, 255] : level === 1 ? blend(rgb, [255, 255, 255], 0.5) : rgb;
      const [x, y, w, h] = anomaly.box;
      const tiny = Math.max(w, h) < 7 * px;
      const path = tiny ? ringAround(x + w / 2, y + h / 2, 6 * px) : paths(anomaly, frame.s);
      const width = [1.5, 2.2, 2.4][level] * px;
      ctx.globalAlpha = strength * (rejected && level === 0 ? 0.55 : 1);
      ctx.setLineDash(rejected ? [4 * px, 4 * px] : []);
      ctx.strokeStyle = CASING;
      ctx.lineWidth = width + 2 * px;
      ctx.stroke(path);
      ctx.strokeStyle = cssColour(stroke);
      ctx.lineWidth = width;
      ctx.stroke(path);
      if (level === 2) drawCorners(ctx, anomaly.box, px);
    }
  });
}

function ringAround(x, y, radius) {
  const path = new Path2D();
  path.arc(x, y, radius, 0, 2 * Math.PI);
  return path;
}

/** Brackets at the corners of the selected region's box. */
function drawCorners(ctx, [x, y, w, h], px) {
  const gap = 6 * px;
  const arm = clamp(Math.min(w, h) * 0.25 + gap, 6 * px, 18 * px);
  const [x0, y0, x1, y1] = [x - gap, y - gap, x + w + gap, y + h + gap];
  ctx.setLineDash([]);
  ctx.beginPath();
  for (const [cx, cy, dx, dy] of [[x0, y0, 1, 1], [x1, y0, -1, 1], [x1, y1, -1, -1], [x0, y1, 1, -1]]) {
    ctx.moveTo(cx + dx * arm, cy);
    ctx.lineTo(cx, cy);
    ctx.lineTo(cx, cy + dy * arm);
  }
  ctx.strokeStyle = CASING;
  ctx.lineWidth = 4 * px;
  ctx.stroke();
  ctx.strokeStyle = "#fff";
  ctx.lineWidth = 2 * px;
  ctx.stroke();
}

/**
 * Number chips at the regions, inside the pane and, where cheap, not over each other.
 * @param {string} font family of the chips
 */
export function drawLabels(ctx, state, frame, ratio, font, strength = 1) {
  const { view, colours, result } = state;
  const { s, ox, oy } = frame;
  const rank = (anomaly) => rankOf(anomaly, state);
  const seen = result.anomalies.filter(({ box }) => isSeen(box, frame));
  seen.sort((a, b) => rank(b) - rank(a) || (b.severity_score ?? 0) - (a.severity_score ?? 0));
  const taken = [];
  ctx.save();
  ctx.beginPath();
  ctx.rect(frame.x, frame.y, frame.width, frame.height);
  ctx.clip();
  ctx.font = `600 ${11 * ratio}px ${font}`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "center";
  const height = 16 * ratio;
  const edge = 3 * ratio;
  for (const anomaly of seen) {
    // The chip of the selected region stands clear of the brackets around it.
    const gap = (rank(anomaly) === 2 ? 9 : 3) * ratio;
    const [bx, by, bw, bh] = anomaly.box;
    const large = Math.max(bw, bh) * s > 3 * height;
    if (taken.length >= MANY_LABELS && rank(anomaly) === 0 && !large) continue;
    const text = `${anomaly.number}${anomaly.verdict === "accepted" ? " ✓" : ""}`;
    const width = Math.max(ctx.measureText(text).width + 9 * ratio, height);
    // A region partly out of sight keeps its chip in sight.
    const x0 = clamp(ox + bx * s, frame.x, frame.x + frame.width);
    const y0 = clamp(oy + by * s, frame.y, frame.y + frame.height);
    const x1 = clamp(ox + (bx + bw) * s, frame.x, frame.x + frame.width);
    const y1 = clamp(oy + (by + bh) * s, frame.y, frame.y + frame.height);
    const places = [
      [x0 - gap, y0 - height - gap],
      [x1 - width + gap, y0 - height - gap],
      [x1 + gap, y0 - gap],
      [x0 - width - gap, y0 - gap],
      [x0 - gap, y1 + gap],
      [x1 - width + gap, y1 + gap],
      // A second row, for regions that crowd.
      [x0 - gap, y0 - 2 * height - 2 * gap],
      [x1 + gap, y0 + height],
      [x0 - width - gap, y0 + height],
      [x0 - gap, y1 + height + 2 * gap],
      [x1 + gap, y0 - 2 * height - 2 * gap],
      [x0 - width - gap, y0 - 2 * height - 2 * gap],
      [x1 + gap, y1 + height + 2 * gap],
    ].map(([x, y]) => [
      Math.round(clamp(x, frame.x + edge, frame.x + frame.width - width - edge)),
      Math.round(clamp(y, frame.y + edge, frame.y + frame.height - height - edge)),
      Math.round(width),
      Math.round(height),
    ]);
    const free = places.find((box) => !taken.some((other) => boxesOverlap(box, other)));
    if (!free && taken.length >= MANY_LABELS && rank(anomaly) === 0) continue;
    const chip = free ?? places[0];
    taken.push(chip);
    const rejected = anomaly.verdict === "rejected";
    ctx.globalAlpha = strength * (rejected && rank(anomaly) === 0 ? 0.6 : 1);
    drawChip(ctx, chip, text, anomalyColour(anomaly, view, colours), rank(anomaly), ratio, rejected);
  }
  ctx.restore();
}

function drawChip(ctx, [x, y, w, h], text, rgb, rank, ratio, crossed) {
  const ground = rank === 2 ? [255, 255, 255] : rgb;
  ctx.beginPath();
  ctx.roundRect(x, y, w, h, 4 * ratio);
  ctx.fillStyle = cssColour(ground);
  ctx.strokeStyle = CASING;
  ctx.lineWidth = 2 * ratio;
  ctx.stroke();
  ctx.fill();
  ctx.fillStyle = cssColour(inkOn(ground));
  ctx.fillText(text, x + w / 2, y + h / 2 + 0.5 * ratio);
  if (!crossed) return;
  ctx.strokeStyle = ctx.fillStyle;
  ctx.lineWidth = 1.25 * ratio;
  ctx.beginPath();
  ctx.moveTo(x + 3 * ratio, y + h / 2);
  ctx.lineTo(x + w - 3 * ratio, y + h / 2);
  ctx.stroke();
}

/** Areas that are left out: cross-hatched grey with a dashed edge. */
export function drawIgnored(ctx, boxes, frame, ratio) {
  const px = ratio / frame.s;
  const pattern = hatchPattern(ctx, [235, 236, 240], 0.5, 2, ratio);
  pattern.setTransform(new DOMMatrix().scale(1 / frame.s));
  inFrame(ctx, frame, () => {
    for (const [x, y, w, h] of boxes) {
      ctx.fillStyle = "rgba(40,44,52,0.38)";
      ctx.fillRect(x, y, w, h);
      ctx.fillStyle = pattern;
      ctx.fillRect(x, y, w, h);
      casedBox(ctx, [x, y, w, h], px, "rgb(235,236,240)", [5 * px, 3 * px]);
    }
  });
}

function casedBox(ctx, [x, y, w, h], px, colour, dash, width = 1.5) {
  ctx.setLineDash([]);
  ctx.strokeStyle = CASING;
  ctx.lineWidth = (width + 2) * px;
  ctx.strokeRect(x, y, w, h);
  ctx.setLineDash(dash);
  ctx.strokeStyle = colour;
  ctx.lineWidth = width * px;
  ctx.strokeRect(x, y, w, h);
  ctx.setLineDash([]);
}

/**
 * Prompts: boxes dashed, points as + and −; the active prompt stronger.
 * @param {{box: number[]|null, points: number[][]}[]} prompts @param {number} active index or -1
 */
export function drawPrompts(ctx, prompts, active, frame, ratio) {
  const px = ratio / frame.s;
  inFrame(ctx, frame, () => {
    prompts.forEach(({ box, points }, index) => {
      const isActive = index === active;
      ctx.globalAlpha = isActive || active < 0 ? 1 : 0.75;
      if (box) casedBox(ctx, box, px, cssColour(PROMPT), [6 * px, 3 * px], isActive ? 2.2 : 1.5);
      for (const [x, y, label] of points ?? []) {
        drawPoint(ctx, x + 0.5, y + 0.5, label, px * (isActive ? 1.15 : 1));
      }
    });
  });
}

function drawPoint(ctx, x, y, label, px) {
  ctx.beginPath();
  ctx.arc(x, y, 7 * px, 0, 2 * Math.PI);
  ctx.fillStyle = cssColour(label ? POSITIVE : NEGATIVE);
  ctx.strokeStyle = CASING;
  ctx.lineWidth = 4 * px;
  ctx.stroke();
  ctx.strokeStyle = "#fff";
  ctx.lineWidth = 2 * px;
  ctx.stroke();
  ctx.fill();
  ctx.lineWidth = 1.8 * px;
  ctx.beginPath();
  ctx.moveTo(x - 3.2 * px, y);
  ctx.lineTo(x + 3.2 * px, y);
  if (label) {
    ctx.moveTo(x, y - 3.2 * px);
    ctx.lineTo(x, y + 3.2 * px);
  }
  ctx.stroke();
}

/** Lines between pixels, once each is large enough to be looked at by itself. */
export function drawGrid(ctx, frame, image, ratio) {
  if (frame.s < 16 * ratio) return;
  const { s, ox, oy, x, y, width, height } = frame;
  const left = Math.max(x, ox);
  const right = Math.min(x + width, ox + image.width * s);
  const top = Math.max(y, oy);
  const bottom = Math.min(y + height, oy + image.height * s);
  ctx.beginPath();
  for (let i = Math.ceil((left - ox) / s); ox + i * s <= right; i += 1) {
    const at = Math.round(ox + i * s) + 0.5;
    ctx.moveTo(at, top);
    ctx.lineTo(at, bottom);
  }
  for (let i = Math.ceil((top - oy) / s); oy + i * s <= bottom; i += 1) {
    const at = Math.round(oy + i * s) + 0.5;
    ctx.moveTo(left, at);
    ctx.lineTo(right, at);
  }
  ctx.strokeStyle = "rgba(128,128,128,0.32)";
  ctx.lineWidth = 1;
  ctx.stroke();
}
