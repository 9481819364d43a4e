/** A run that is gone through pair by pair: which pairs are shown, and how far one is. */

/** What may be shown of a run, in the order of the list: key, name, and which pairs it means. */
export const GALLERY_FILTERS = [
  { key: "all", name: "All", means: () => true },
  { key: "changed", name: "Changed", means: ({ found }) => found === "changed" },
  { key: "failing", name: "Failing", means: ({ verdict }) => verdict === "fail" },
  { key: "errors", name: "Errors", means: ({ found, status }) => found === "error" || status === "error" },
  { key: "unreviewed", name: "Not reviewed", means: ({ reviewed }) => !reviewed },
];

/**
 * Places of the pairs that are shown. The pair on the stage stays among them until it is left:
 * whoever has just reviewed the last region of a pair shall not lose it.
 *
 * @param {object[]} items of the filmstrip
 * @param {string} filter a key of GALLERY_FILTERS; another is as "all"
 * @param {number} index of the pair on the stage
 * @returns {number[]} in rising order
 */
export function galleryPlaces(items, filter, index) {
  const { means } = GALLERY_FILTERS.find(({ key }) => key === filter) ?? GALLERY_FILTERS[0];
  const places = [];
  items.forEach((item, place) => {
    if (place === index || means(item)) places.push(place);
  });
  return places;
}

/**
 * The pair `by` steps on among those that are shown.
 *
 * @param {number[]} places from galleryPlaces
 * @param {number} index of the pair on the stage, one of them
 * @param {number} by 1 or -1
 * @returns {number} -1 at either end
 */
export function galleryStep(places, index, by) {
  return places[places.indexOf(index) + by] ?? -1;
}

/** @param {object[]} items @returns {Object<string, number>} how many pairs each filter shows */
export function galleryCounts(items) {
  const counts = {};
  for (const { key, means } of GALLERY_FILTERS) counts[key] = items.filter(means).length;
  return counts;
}

/** @param {object[]} items @returns {string} such as "37 of 120 reviewed" */
export function galleryText(items) {
  const left = galleryCounts(items).unreviewed;
  if (items.length && !left) return `All ${items.length} reviewed`;
  return `${items.length - left} of ${items.length} reviewed`;
}
