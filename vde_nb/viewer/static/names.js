/** Names of files as they can be shown: whatever a file may be called, one line of plain text. */

/** Control characters, line breaks, and what turns the direction of the text around it. */
const ODD_CHARACTERS =
  /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const SHORT_ESCAPES = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/**
 * Characters that would break a line or turn its direction are spelt out (`\n`, `\u202e`).
 *
 * @param {string} text
 * @returns {string}
 */
export function plainName(text) {
  const code = (found) => `\\u${found.codePointAt(0).toString(16).padStart(4, "0")}`;
  return String(text).replace(ODD_CHARACTERS, (found) => SHORT_ESCAPES[found] ?? code(found));
}

/**
 * A plain name of at most `most` characters: the middle goes, for the end often tells files apart.
 *
 * @param {string} text
 * @param {number} most at least 3
 * @returns {string}
 */
export function shortName(text, most) {
  const letters = nameLetters(plainName(text));
  if (letters.length <= most) return letters.join("");
  const head = Math.ceil((most - 1) / 2);
  const tail = most - 1 - head;
  return [...letters.slice(0, head), "…", ...letters.slice(letters.length - tail)].join("");
}

/** What is read as one letter stays whole: 👩‍🔬 is one, of three code points. */
function nameLetters(text) {
  if (typeof Intl.Segmenter !== "function") return Array.from(text);
  const segments = new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(text);
  return Array.from(segments, ({ segment }) => segment);
}
