/** What is drawn by hand (prompts, ignored areas, the nudge) as plain data. */

/** @typedef {{box: number[]|null, points: number[][]}} Prompt */

const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** @param {Prompt} prompt @returns {string} such as "box, 2 on, 1 off" */
export function promptText({ box, points }) {
  const on = points.filter(([, , label]) => label).length;
  const off = points.length - on;
  const parts = [];
  if (box) parts.push("box");
  if (on) parts.push(`${on} on`);
  if (off) parts.push(`${off} off`);
  return parts.join(", ") || "empty";
}

/** @param {Prompt} prompt @returns {string} in words, for a tooltip */
export function promptWords({ box, points }) {
  const on = points.filter(([, , label]) => label).length;
  const off = points.length - on;
  const parts = [];
  if (box) parts.push(`box ${boxText(box)}`);
  if (on) parts.push(`${plural(on, "point")} on it`);
  if (off) parts.push(`${plural(off, "point")} not on it`);
  return parts.join(", ") || "nothing yet";
}

/** @param {number[]} box @returns {string} */
export function boxText([x, y, w, h]) {
  return `${Math.round(w)} × ${Math.round(h)} at ${Math.round(x)}, ${Math.round(y)}`;
}

/** @returns {any[]} a copy without one item; the same items if there is no such index */
export function withoutItem(items, index) {
  return items.filter((_, at) => at !== index);
}

/**
 * The active prompt after one was deleted: the same prompt if it still exists, else none.
 *
 * @param {number} active index or -1
 * @param {number} deleted index
 */
export function activeAfterDeleting(active, deleted) {
  if (active === deleted) return -1;
  return active > deleted ? active - 1 : active;
}

/** @param {number[]} nudge @returns {string} such as "2 right, 0.5 up" */
export function nudgeText([dx, dy]) {
  const number = (value) => String(Math.round(Math.abs(value) * 100) / 100);
  const parts = [];
  if (number(dx) !== "0") parts.push(`${number(dx)} px ${dx > 0 ? "right" : "left"}`);
  if (number(dy) !== "0") parts.push(`${number(dy)} px ${dy > 0 ? "down" : "up"}`);
  return parts.join(", ") || "not moved";
}

/**
 * How well the pictures fit, before and after registration.
 *
 * @param {{before: number|null, after: number|null}|null} registration residuals 0..1
 * @returns {string} empty if nothing is known
 */
export function fitText(registration) {
  const { before, after } = registration ?? {};
  if (!Number.isFinite(after)) return "";
  const from = Number.isFinite(before) ? `${before.toFixed(2)} → ` : "";
  return `Structure that does not fit: ${from}${after.toFixed(2)}`;
}

/**
 * What Ctrl/Cmd with a key asks for.
 *
 * @param {{key: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean, shiftKey: boolean}} e
 * @returns {"undo"|"redo"|null}
 */
export function historyKey({ key, ctrlKey, metaKey, altKey, shiftKey }) {
  if (altKey || ctrlKey === metaKey) return null;
  const letter = key.toLowerCase();
  if (letter === "z") return shiftKey ? "redo" : "undo";
  return letter === "y" && !shiftKey ? "redo" : null;
}
