/**
 * Outlines of masks as loops along pixel borders, and which region lies under a point.
 *
 * @typedef {{number: number, box: [number, number, number, number], bits?: Uint8Array,
 *   loops?: Int32Array[]}} Traceable an anomaly with its mask; bits are box width * height 0/1
 */
import { unpackBits } from "./inflate.js";
import { inBox } from "./geometry.js";

/**
 * The borders of a mask as closed loops of pixel corners (crack following). Corners on a straight
 * line are left out, holes are loops of their own (fill with "evenodd"), pixels that touch at a
 * corner share a loop. The mask lies to the right of the way.
 * @param {Uint8Array} bits `width * height`, 0 or not @param {number} width
 * @param {number} height @param {number} [left] added to each x @param {number} [top]
 * @returns {Int32Array[]} each x0, y0, x1, y1, …; the last corner joins the first
 */
export function traceLoops(bits, width, height, left = 0, top = 0) {
  const loops = [];
  const done = new Uint8Array(width * height); // upper border of this pixel already walked
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = y * width + x;
      if (!bits[at] || done[at] || (y > 0 && bits[at - width])) continue;
      loops.push(followLoop(bits, width, height, x, y, left, top, done));
    }
  }
  return loops;
}

/** Walk one loop, starting eastwards along the upper border of pixel (x, y). */
function followLoop(bits, width, height, startX, startY, left, top, done) {
  const on = (px, py) =>
    px >= 0 && py >= 0 && px < width && py < height && bits[py * width + px] !== 0;
  const corners = [];
  let x = startX;
  let y = startY;
  let dx = 1;
  let dy = 0;
  let turned = true;
  do {
    if (turned) corners.push(x + left, y + top);
    if (dx === 1) done[y * width + x] = 1;
    x += dx;
    y += dy;
    // The two pixels ahead of the corner: on the left and on the right of the way.
    const aheadLeft = on(x + ((dx + dy - 1) >> 1), y + ((dy - dx - 1) >> 1));
    const aheadRight = on(x + ((dx - dy - 1) >> 1), y + ((dy + dx - 1) >> 1));
    turned = true;
    if (aheadLeft) [dx, dy] = [dy, -dx];
    else if (aheadRight) turned = false;
    else [dx, dy] = [-dy, dx];
  } while (x !== startX || y !== startY || dx !== 1 || dy !== 0);
  return Int32Array.from(corners);
}

/**
 * Give each anomaly of a result its mask and outline.
 * @template {Traceable} T
 * @param {T[]} anomalies @param {number[]} offsets first byte of each mask
 * @param {Uint8Array} packed the unpacked stream @returns {T[]} new objects with bits and loops
 */
export function withMasks(anomalies, offsets, packed) {
  return anomalies.map((anomaly, index) => {
    const [x, y, w, h] = anomaly.box;
    const bits = unpackBits(packed, offsets[index], w * h);
    return { ...anomaly, bits, loops: traceLoops(bits, w, h, x, y) };
  });
}

/**
 * Anomalies whose box holds the point, smallest box first.
 * @template {Traceable} T
 * @param {T[]} anomalies @param {number} x @param {number} y image px
 * @param {number} [slack] image px by which a box is taken larger @returns {T[]}
 */
export function boxesHit(anomalies, x, y, slack = 0) {
  return anomalies
    .filter(({ box }) => inBox(box, x, y, slack))
    .sort((a, b) => a.box[2] * a.box[3] - b.box[2] * b.box[3]);
}

/**
 * The anomaly whose mask holds the point; of several the one with the smallest box. A region too
 * small to be hit exactly (smaller than twice the slack) is also hit next to it.
 * @template {Traceable} T
 * @param {T[]} anomalies @param {number} x @param {number} y image px
 * @param {number} [slack] image px, the reach of a finger or mouse @returns {T|null}
 */
export function hitTest(anomalies, x, y, slack = 0) {
  const near = boxesHit(anomalies, x, y, slack);
  const px = Math.floor(x);
  const py = Math.floor(y);
  const exact = near.find(({ box: [bx, by, bw, bh], bits }) => {
    if (px < bx || py < by || px >= bx + bw || py >= by + bh) return false;
    return !bits || bits[(py - by) * bw + (px - bx)] !== 0;
  });
  return exact ?? near.find(({ box }) => Math.min(box[2], box[3]) < 2 * slack) ?? null;
}
