/**
 * The curve of scores over a strip of frames, as numbers and SVG path data; nothing here draws.
 *
 * A score says how far the worst place of a frame is from what counts as unchanged: 1 is the level
 * at which the false alarms that were asked for are expected. Scores reach from nearly 0 to many
 * times the level, so heights grow with the logarithm of 1 + score.
 */

/** Scores that may be marked on the axis. */
const CURVE_MARKS = [2, 5, 10, 20, 50, 100, 200, 500, 1000];
const CURVE_LEAST = 1e-6;

/** @returns {number|null} a score that can be drawn */
export function curveScore(item) {
  const score = item?.score;
  return typeof score === "number" && Number.isFinite(score) ? Math.max(0, score) : null;
}

/**
 * The score at the upper edge: some room above the highest one, and the level well inside.
 *
 * @param {object[]} items
 * @param {number} level
 */
export function curveTop(items, level) {
  let most = 0;
  for (const item of items) most = Math.max(most, curveScore(item) ?? 0);
  return Math.max(2 * level, 1.15 * most);
}

/** Height of a score between 0 (bottom) and 1 (at `top`, which is 0 where all there is is 0). */
export function curveHeight(score, top) {
  return Math.min(1, Math.log1p(score) / Math.log1p(Math.max(top, CURVE_LEAST)));
}

/**
 * Scores to mark on an axis of `room` px: the level first, others where there is space.
 *
 * @returns {number[]} in rising order
 */
export function curveMarks(level, top, room, gap = 13) {
  const marks = [level];
  const place = (score) => curveHeight(score, top) * room;
  for (const mark of CURVE_MARKS) {
    if (mark >= top || place(mark) > room - 4) break;
    if (marks.every((one) => Math.abs(place(one) - place(mark)) >= gap)) marks.push(mark);
  }
  return marks.sort((a, b) => a - b);
}

/** x of `count` frames, spread evenly over `width` px. */
export function curvePlaces(count, width, margin = 10) {
  if (count === 1) return [width / 2];
  const step = Math.max(0, width - 2 * margin) / (count - 1);
  return Array.from({ length: count }, (_, at) => margin + at * step);
}

/**
 * Runs of neighbouring frames that have a score; a frame without one is a gap.
 *
 * @param {object[]} items
 * @param {number[]} xs one per item
 * @param {function(number): number} yOf px of a score
 * @returns {[number, number][][]}
 */
export function curveRuns(items, xs, yOf) {
  const runs = [];
  let run = null;
  items.forEach((item, at) => {
    const score = curveScore(item);
    if (score === null) {
      run = null;
      return;
    }
    if (!run) runs.push((run = []));
    run.push([xs[at], yOf(score)]);
  });
  return runs;
}

/** @param {[number, number][][]} runs @returns {string} lines through the points of each run */
export function curveLine(runs) {
  return runs
    .filter((run) => run.length > 1)
    .map((run) => `M${run.map(curvePoint).join("L")}`)
    .join("");
}

/** The area between each run and `base` px. */
export function curveArea(runs, base) {
  return runs
    .filter((run) => run.length > 1)
    .map((run) => {
      const [first, last] = [run[0][0], run[run.length - 1][0]];
      return `M${curveNumber(first)} ${curveNumber(base)}L${run.map(curvePoint).join("L")}L${curveNumber(last)} ${curveNumber(base)}Z`;
    })
    .join("");
}

/** Dots of a radius, as one path. @param {[number, number][]} points */
export function curveDots(points, radius) {
  const r = curveNumber(radius);
  const turn = curveNumber(2 * radius);
  return points
    .map(([x, y]) => `M${curveNumber(x - radius)} ${curveNumber(y)}a${r} ${r} 0 1 0 ${turn} 0a${r} ${r} 0 1 0 -${turn} 0Z`)
    .join("");
}

/** Crosses for frames that could not be compared. @param {[number, number][]} points */
export function curveCrosses(points, arm) {
  const at = (x, y) => `${curveNumber(x)} ${curveNumber(y)}`;
  return points
    .map(
      ([x, y]) =>
        `M${at(x - arm, y - arm)}L${at(x + arm, y + arm)}M${at(x + arm, y - arm)}L${at(x - arm, y + arm)}`,
    )
    .join("");
}

/**
 * The frame nearest to a place.
 *
 * @param {number[]} xs in rising order
 * @param {number} x
 * @returns {number} -1 when there is none
 */
export function curveNearest(xs, x) {
  if (!xs.length) return -1;
  let low = 0;
  let high = xs.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= x) low = middle;
    else high = middle;
  }
  return Math.abs(xs[high] - x) < Math.abs(xs[low] - x) ? high : low;
}

/** @returns {string} "0.42", "3.1", "24", and "≥ 1000" for what is beyond all measure */
export function scoreText(score) {
  if (score >= 999.5) return "≥ 1000";
  if (score < 9.95) return score.toFixed(score < 0.995 ? 2 : 1);
  return score.toFixed(0);
}

function curveNumber(value) {
  return Math.round(value * 100) / 100;
}

function curvePoint([x, y]) {
  return `${curveNumber(x)} ${curveNumber(y)}`;
}
