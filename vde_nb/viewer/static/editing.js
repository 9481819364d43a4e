/**
 * What clicks and drags do to prompts and ignored areas; nothing here changes what it is given.
 *
 * @typedef {{box: number[]|null, points: number[][]}} Prompt points are x, y, 1 (on it) or 0
 */
import { inBox } from "./geometry.js";

/**
 * A point joins the active prompt, or starts a new one.
 * @param {Prompt[]} prompts @param {number} active index or -1 @param {number} x
 * @param {number} y whole image px @param {0|1} label
 * @returns {{prompts: Prompt[], active: number}|null} null when there is nothing a negative point
 *   could be taken from
 */
export function promptsWithPoint(prompts, active, x, y, label) {
  if (active < 0 || active >= prompts.length) {
    if (!label) return null;
    return { prompts: [...prompts, { box: null, points: [[x, y, label]] }], active: prompts.length };
  }
  const changed = { ...prompts[active], points: [...(prompts[active].points ?? []), [x, y, label]] };
  return { prompts: prompts.map((one, i) => (i === active ? changed : one)), active };
}

/**
 * A box is given to the active prompt when it has points only, else it starts a new one.
 * @param {Prompt[]} prompts @param {number} active @param {number[]} box
 * @returns {{prompts: Prompt[], active: number}}
 */
export function promptsWithBox(prompts, active, box) {
  const joins = active >= 0 && active < prompts.length && !prompts[active].box;
  if (!joins) return { prompts: [...prompts, { box, points: [] }], active: prompts.length };
  return { prompts: prompts.map((one, i) => (i === active ? { ...one, box } : one)), active };
}

/**
 * Areas without the smallest that holds the point.
 * @param {number[][]} areas boxes @param {number} x @param {number} y
 * @returns {number[][]|null} null when there is none
 */
export function areasWithout(areas, x, y) {
  const hit = areas
    .filter((box) => inBox(box, x, y))
    .sort((a, b) => a[2] * a[3] - b[2] * b[3])[0];
  return hit ? areas.filter((box) => box !== hit) : null;
}
