/**
 * Colours: 256-entry tables for maps of uint8, ink that is legible on a ground, hatching.
 *
 * @typedef {[number, number, number]} Rgb each 0..255
 */

/**
 * Points of the heat scale, from "same" to "quite different": black, violet, red, orange, pale
 * yellow. Lightness rises all the way (as in matplotlib's inferno), so the scale reads the same
 * in grey and with any kind of colour blindness.
 */
const HEAT_POINTS = [
  [0, 0, 4], [10, 7, 34], [32, 12, 74], [59, 9, 100], [87, 16, 110], [114, 25, 110],
  [140, 41, 99], [167, 50, 88], [193, 62, 74], [217, 80, 54], [235, 104, 34], [247, 132, 12],
  [252, 165, 10], [250, 198, 48], [243, 228, 96], [252, 255, 164],
];

/** Always hatched: found, but taken for a shadow or a reflection. */
export const HATCHED_TYPE = "environmental";

/** @param {string} text "#rrggbb" or "#rgb" @param {Rgb} [otherwise] @returns {Rgb} */
export function rgbOf(text, otherwise = [128, 128, 128]) {
  const match = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(String(text ?? "").trim());
  if (!match) return otherwise;
  const digits = match[1].length === 3 ? [...match[1]].map((d) => d + d).join("") : match[1];
  const number = Number.parseInt(digits, 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
}

/** @param {Rgb} rgb @param {number} [alpha] 0..1 @returns {string} */
export function cssColour([r, g, b], alpha = 1) {
  return `rgba(${r},${g},${b},${alpha})`;
}

/**
 * One pixel as canvas keeps it in memory (R, G, B, A bytes), read as a little-endian word.
 * Every machine a browser runs on is little-endian.
 * @param {number} r @param {number} g @param {number} b @param {number} a 0..255 @returns {number}
 */
export function rgbaWord(r, g, b, a) {
  return ((a << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

/**
 * The table which shows a map above a threshold: nothing up to it, one tint beyond.
 * @param {number} threshold 0..255 @param {Rgb} rgb @param {number} opacity 0..1
 * @returns {Uint32Array} 256 words
 */
export function thresholdTable(threshold, rgb, opacity) {
  const table = new Uint32Array(256);
  const from = Math.min(Math.max(Math.floor(threshold) + 1, 0), 256);
  table.fill(rgbaWord(rgb[0], rgb[1], rgb[2], Math.round(opacity * 255)), from);
  return table;
}

/**
 * The table which dims what is not above the threshold and leaves the rest alone.
 * @param {number} threshold @param {Rgb} rgb @param {number} opacity @returns {Uint32Array}
 */
export function veilTable(threshold, rgb, opacity) {
  const table = new Uint32Array(256);
  const to = Math.min(Math.max(Math.floor(threshold) + 1, 0), 256);
  table.fill(rgbaWord(rgb[0], rgb[1], rgb[2], Math.round(opacity * 255)), 0, to);
  return table;
}

/** @param {number} value 0..255 @returns {Rgb} */
export function heatColour(value) {
  const place = (Math.min(Math.max(value, 0), 255) / 255) * (HEAT_POINTS.length - 1);
  const index = Math.min(Math.floor(place), HEAT_POINTS.length - 2);
  const part = place - index;
  const [low, high] = [HEAT_POINTS[index], HEAT_POINTS[index + 1]];
  return [0, 1, 2].map((c) => Math.round(low[c] + (high[c] - low[c]) * part));
}

/**
 * The heat scale as a table. Nothing is seen of 0, and from `solid` on nothing of the ground.
 * @param {number} [solid] 0..255 @returns {Uint32Array} 256 words
 */
export function heatTable(solid = 0) {
  return Uint32Array.from({ length: 256 }, (_, value) => {
    const alpha = value >= solid ? 255 : Math.round((255 * value) / solid);
    return rgbaWord(...heatColour(value), alpha);
  });
}

/**
 * Relative luminance (WCAG 2.2).
 * @param {Rgb} rgb @returns {number} 0..1
 */
export function luminance(rgb) {
  const [r, g, b] = rgb.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** @param {Rgb} a @param {Rgb} b @returns {number} contrast ratio 1..21 (WCAG 2.2) */
export function contrast(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((p, q) => p - q);
  return (high + 0.05) / (low + 0.05);
}

/** @param {Rgb} ground @returns {Rgb} black or white, whichever is easier to read on it */
export function inkOn(ground) {
  return contrast(ground, [0, 0, 0]) >= contrast(ground, [255, 255, 255]) ? [16, 18, 22] : [255, 255, 255];
}

/** @param {Rgb} rgb @param {Rgb} other @param {number} part 0..1 of other @returns {Rgb} */
export function blend(rgb, other, part) {
  return rgb.map((value, c) => Math.round(value + (other[c] - value) * part));
}

/**
 * A colour for a line inside a dark casing: the same hue, light enough to stand out of it.
 * @param {Rgb} rgb @returns {Rgb}
 */
export function lineColour(rgb) {
  let colour = rgb;
  for (let step = 0; step < 6 && luminance(colour) < 0.28; step += 1) {
    colour = blend(colour, [255, 255, 255], 0.18);
  }
  return colour;
}

/**
 * A pattern of slanted lines, seamless, to tell regions apart without colour.
 * @param {CanvasRenderingContext2D} ctx the context that will fill with it
 * @param {Rgb} rgb @param {number} alpha @param {number} slant 0 = /, 1 = \, 2 = both
 * @param {number} ratio device px per CSS px @returns {CanvasPattern|null}
 */
export function hatchPattern(ctx, rgb, alpha, slant, ratio) {
  const side = Math.max(Math.round(8 * ratio), 4);
  const tile = new OffscreenCanvas(side, side);
  const pen = tile.getContext("2d");
  pen.strokeStyle = cssColour(rgb, alpha);
  pen.lineWidth = Math.max(1.4 * ratio, 1);
  pen.beginPath();
  // Each line is drawn with its neighbours, so that the corners of the tile join up.
  for (const shift of [-side, 0, side]) {
    if (slant !== 1) {
      pen.moveTo(shift - 1, side + 1);
      pen.lineTo(shift + side + 1, -1);
    }
    if (slant !== 0) {
      pen.moveTo(shift - 1, -1);
      pen.lineTo(shift + side + 1, side + 1);
    }
  }
  pen.stroke();
  return ctx.createPattern(tile, "repeat");
}
