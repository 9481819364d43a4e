/** The list of regions as plain data: which are shown, in which order, and which comes next. */

/** @typedef {{key: string, descending: boolean}} Sorting */
/** @typedef {{text: string, severities: string[], verdict: string}} RegionFilter */

export const SEVERITY_NAMES = ["minor", "moderate", "major"];

/** Sortable columns in their order: key, heading, what the heading means. */
export const REGION_COLUMNS = [
  { key: "number", name: "No.", hint: "Number on the picture" },
  { key: "type", name: "Type", hint: "What kind of change" },
  { key: "severity", name: "Severity", hint: "How grave: minor, moderate, major" },
  { key: "score", name: "Score", hint: "Mean heat inside the outline, 0 to 1" },
  { key: "area", name: "Area", hint: "Pixels inside the outline" },
  { key: "position", name: "Position", hint: "Left, top · width × height, in pixels" },
  { key: "review", name: "Review", hint: "Accepted, rejected or not reviewed" },
];

const VERDICT_ORDER = { accepted: 1, rejected: 2 };

/** For each column the numbers or texts it is sorted by, most important first. */
const REGION_KEYS = {
  number: (one) => [one.number],
  type: (one) => [String(one.type)],
  severity: (one) => [SEVERITY_NAMES.indexOf(one.severity), one.severity_score ?? 0],
  score: (one) => [one.score],
  area: (one) => [one.area],
  position: (one) => [one.box[1], one.box[0]], // as one reads: from top to bottom
  review: (one) => [VERDICT_ORDER[one.verdict] ?? 0],
};

/**
 * A sorted copy; regions that are equal in the column keep the order of their numbers.
 *
 * @param {object[]} anomalies
 * @param {Sorting} sorting
 * @returns {object[]}
 */
export function sortRegions(anomalies, { key, descending }) {
  const keysOf = REGION_KEYS[key] ?? REGION_KEYS.number;
  const sign = descending ? -1 : 1;
  return anomalies
    .map((one) => ({ one, keys: keysOf(one) }))
    .sort((a, b) => sign * compareKeys(a.keys, b.keys) || a.one.number - b.one.number)
    .map(({ one }) => one);
}

function compareKeys(a, b) {
  for (let i = 0; i < a.length; i += 1) {
    const order = typeof a[i] === "string" ? a[i].localeCompare(b[i]) : a[i] - b[i];
    if (order) return order;
  }
  return 0;
}

/**
 * What a heading does when it is chosen: sort by it, then the other way round, then by number.
 *
 * @param {Sorting} sorting
 * @param {string} key
 * @returns {Sorting}
 */
export function nextSorting(sorting, key) {
  // Who sorts by a measure looks for the large ones.
  const first = ["severity", "score", "area"].includes(key);
  if (sorting.key !== key) return { key, descending: first };
  if (sorting.descending === first) return { key, descending: !first };
  return key === "number" ? { key, descending: false } : { key: "number", descending: false };
}

/**
 * @param {object[]} anomalies
 * @param {RegionFilter} filter `text`: words that must all occur in the type, the type found at
 *   first or the comment; digits stand for the start of a number, `#3` for exactly number 3.
 *   `severities`: none = all. `verdict`: "all", "unreviewed", "accepted" or "rejected"
 * @returns {object[]}
 */
export function filterRegions(anomalies, { text, severities, verdict }) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return anomalies.filter(
    (one) =>
      (!severities.length || severities.includes(one.severity)) &&
      (verdict === "all" || (one.verdict ?? "unreviewed") === verdict) &&
      words.every((word) => regionHasWord(one, word)),
  );
}

function regionHasWord(one, word) {
  if (/^#\d+$/.test(word)) return one.number === Number(word.slice(1));
  if (/^\d+$/.test(word) && String(one.number).startsWith(word)) return true;
  const texts = [one.type, one.type_found ?? "", one.comment ?? ""];
  return texts.some((text) => String(text).toLowerCase().includes(word));
}

/**
 * The region to go to, `step` places from another.
 *
 * @param {object[]} shown
 * @param {number} number where one is; 0 or a region that is not shown: see `last`
 * @param {number} step 1 or -1
 * @param {number} last where `number` stood when it was shown last (a region that was just
 *   accepted may have left the list): what took its place is next
 * @returns {number} 0 if there is none
 */
export function stepRegion(shown, number, step, last = -1) {
  if (!shown.length) return 0;
  const at = shown.findIndex((one) => one.number === number);
  let to = at + step;
  if (at < 0) to = last < 0 ? (step > 0 ? 0 : shown.length - 1) : last - (step > 0 ? 0 : 1);
  return shown[Math.min(shown.length - 1, Math.max(0, to))].number;
}

/** @param {object[]} anomalies @returns {{reviewed: number, total: number}} */
export function reviewProgress(anomalies) {
  return { reviewed: anomalies.filter((one) => one.verdict).length, total: anomalies.length };
}

/** How many regions each severity and each verdict has, to be shown beside the filters. */
export function regionTally(anomalies) {
  const tally = { all: anomalies.length, unreviewed: 0, accepted: 0, rejected: 0 };
  for (const name of SEVERITY_NAMES) tally[name] = 0;
  for (const { severity, verdict } of anomalies) {
    tally[verdict ?? "unreviewed"] += 1;
    if (severity in tally) tally[severity] += 1;
  }
  return tally;
}

/**
 * Which rows of a long list must exist.
 *
 * @returns {{first: number, last: number}} half-open
 */
export function rowWindow(count, rowHeight, scrollTop, height, spare = 4) {
  const first = Math.max(0, Math.floor(scrollTop / rowHeight) - spare);
  const last = Math.min(count, Math.ceil((scrollTop + height) / rowHeight) + spare);
  return { first: Math.min(first, last), last };
}

/** The scroll position nearest to `scrollTop` that shows a row whole. */
export function scrollToRow(index, rowHeight, scrollTop, height) {
  const top = index * rowHeight;
  if (top < scrollTop) return top;
  return Math.max(scrollTop, Math.min(top, top + rowHeight - height));
}

/**
 * Where a thumbnail of a region is taken from and where it goes: a square with the region in its
 * middle and some of what is around it, moved into the picture where it stands out.
 *
 * @param {number[]} box [x, y, w, h]
 * @param {{width: number, height: number}} image
 * @param {number} size of the thumbnail
 * @returns {{from: number[], to: number[]}} both [x, y, w, h]; `to` leaves bars where the picture
 *   is narrower than the square
 */
export function thumbnailRects([x, y, w, h], image, size) {
  const side = Math.min(Math.max(1.5 * Math.max(w, h), 24), Math.max(image.width, image.height));
  const [fx, fw] = spanInside(x + w / 2, side, image.width);
  const [fy, fh] = spanInside(y + h / 2, side, image.height);
  const scale = size / side;
  const to = [((side - fw) / 2) * scale, ((side - fh) / 2) * scale, fw * scale, fh * scale];
  return { from: [fx, fy, fw, fh], to };
}

function spanInside(centre, length, room) {
  const inside = Math.min(length, room);
  return [Math.min(Math.max(centre - inside / 2, 0), room - inside), inside];
}

/**
 * Words for a table without rows.
 *
 * @param {{result: object|null, pair: object|null}} state
 * @returns {string} empty if there is something to show
 */
export function emptyTableWords({ result, pair }) {
  if (!pair) return "Nothing compared yet.";
  if (!result) return "The regions appear here when the comparison is done.";
  if (result.anomalies.length) return "";
  return `No differences found at threshold ${result.threshold}.`;
}
