/** What is drawn behind the threshold slider, as SVG path data in a 256 x 100 box, y down. */

/**
 * Bars of a histogram, heights by logarithm: many pixels differ a little, a handful matters. The
 * zeros, which outnumber all others, are cut at the top.
 *
 * @param {ArrayLike<number>|null} histogram 256 counts
 * @returns {string} one closed outline, "" when there is no histogram
 */
export function barsPath(histogram) {
  if (!histogram) return "";
  let most = 0;
  for (let i = 1; i < 256; i += 1) most = Math.max(most, histogram[i]);
  const scale = 94 / Math.log1p(Math.max(most, 1));
  const height = (count) => Math.min(100, Math.log1p(count) * scale);
  let path = "M0 100";
  for (let i = 0; i < 256; i += 1) {
    path += `V${round(100 - height(histogram[i]))}H${i + 1}`;
  }
  return `${path}V100Z`;
}

/**
 * The number of regions at each threshold, as steps; heights by logarithm, too.
 *
 * @param {ArrayLike<number>|null} counts 256 numbers
 * @returns {string}
 */
export function stepsPath(counts) {
  if (!counts) return "";
  let most = 1;
  for (let i = 0; i < 256; i += 1) most = Math.max(most, counts[i]);
  const scale = 92 / Math.log1p(most);
  const at = (i) => round(98 - Math.log1p(counts[i]) * scale);
  let path = `M0 ${at(0)}`;
  for (let i = 1; i < 256; i += 1) {
    if (counts[i] === counts[i - 1]) continue;
    path += `H${i}V${at(i)}`;
  }
  return `${path}H256`;
}

function round(value) {
  return Math.round(value * 100) / 100;
}

/** @param {number} count @returns {string} "no regions", "1 region", "7 regions" */
export function regionsText(count) {
  if (count === 0) return "no regions";
  return count === 1 ? "1 region" : `${count.toLocaleString("en")} regions`;
}

/**
 * How many regions there are at a threshold, as far as that is known: what the kernel reported
 * for it, otherwise what it counted ahead.
 *
 * @param {{result: object|null, counts: object|null, threshold: number}} state
 * @param {number} [threshold]
 * @returns {number|null}
 */
export function regionCount(state, threshold = state.threshold) {
  const { result, counts } = state;
  if (result && result.threshold === threshold) return result.anomalies.length;
  return counts?.values[threshold] ?? null;
}
