/** What is known of a frame of the strip, in words. */
import { plainName } from "./names.js";
import { curveScore, scoreText } from "./score_curve.js";
import { timeWhole } from "./frame_times.js";

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
 * Name, time, score and count of a frame, a line each; what is not known is left out.
 *
 * @param {object} item
 * @param {number} [level] of the scores
 * @returns {string[]}
 */
export function frameLines(item, level = 1) {
  const lines = [plainName(item.name)];
  const when = timeWhole(item.time);
  if (when) lines.push(when);
  const score = curveScore(item);
  if (score !== null) {
    lines.push(`Score ${scoreText(score)}, ${score > level ? "above" : "below"} the level`);
  }
  lines.push(filmStatusText(item) + (item.outdated ? " (with other settings)" : ""));
  if (item.verdict) lines.push(item.verdict === "fail" ? "fails the rule of the run" : "passes");
  if (item.reviewed && item.status !== "reviewed") lines.push("reviewed");
  if (item.note) lines.push(plainName(item.note));
  return lines;
}
