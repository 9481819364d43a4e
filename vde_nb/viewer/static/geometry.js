/**
 * Where things are: image pixels to canvas pixels and back, boxes, the limits of zoom and pan.
 *
 * Pure functions. Three frames occur: *image* (pixels of the reference, pixel (x, y) covers
 * [x, x+1) x [y, y+1)), *pane* (CSS pixels from the top left corner of the area that shows one
 * picture) and *device* (pane times devicePixelRatio).
 *
 * @typedef {[number, number, number, number]} Box x, y, width, height; half-open
 * @typedef {{width: number, height: number}} Size
 * @typedef {{scale: number|null, cx: number, cy: number}} Camera the place-keeping part of a view
 * @typedef {{scale: number, ox: number, oy: number, cx: number, cy: number, fitted: boolean}}
 *   Transform pane = image * scale + (ox, oy)
 */

/** Most CSS pixels that one image pixel is ever shown with. */
export const MOST_SCALE = 64;
/** CSS pixels left free around a fitted picture. */
export const FIT_MARGIN = 12;

/** @param {number} value @param {number} low @param {number} high @returns {number} */
export function clamp(value, low, high) {
  return value < low ? low : value > high ? high : value;
}

/**
 * The scale at which the whole image is seen.
 * @param {Size} image @param {Size} pane @returns {number} CSS px per image px
 */
export function fitScale(image, pane) {
  const width = Math.max(pane.width - 2 * FIT_MARGIN, 1);
  const height = Math.max(pane.height - 2 * FIT_MARGIN, 1);
  return Math.min(width / image.width, height / image.height, MOST_SCALE);
}

/**
 * Zooming out ends where the whole image is seen, or at 1:1 for an image smaller than its pane.
 * @param {Size} image @param {Size} pane @returns {[number, number]} least and most scale
 */
export function scaleLimits(image, pane) {
  return [Math.min(fitScale(image, pane), 1), MOST_SCALE];
}

/**
 * What a view means in a pane of this size. A centre outside the image is moved onto its edge, so
 * that the picture can't be lost; an axis on which the whole image is seen is centred.
 * @param {Camera} camera @param {Size} image @param {Size} pane @returns {Transform}
 */
export function transformOf(camera, image, pane) {
  const fitted = camera.scale === null || !Number.isFinite(camera.scale) || camera.scale <= 0;
  const scale = fitted ? fitScale(image, pane) : Math.min(camera.scale, MOST_SCALE);
  const cx = fitted ? image.width / 2 : clampCentre(camera.cx, image.width, scale, pane.width);
  const cy = fitted ? image.height / 2 : clampCentre(camera.cy, image.height, scale, pane.height);
  return { scale, ox: pane.width / 2 - cx * scale, oy: pane.height / 2 - cy * scale, cx, cy, fitted };
}

/**
 * One coordinate of the image point in the middle of the pane, kept where the image is. A margin
 * may be pulled in, so that a corner of the image can be looked at in comfort.
 * @param {number} centre @param {number} length image px @param {number} scale
 * @param {number} room CSS px @returns {number}
 */
export function clampCentre(centre, length, scale, room) {
  if (!Number.isFinite(centre)) return length / 2;
  const half = room / scale / 2;
  const slack = Math.min(half * 0.5, length * 0.5);
  const low = Math.min(half - slack, length / 2);
  return clamp(centre, low, length - low);
}

/** @param {Transform} t @param {number} x @param {number} y @returns {[number, number]} pane px */
export function toPane(t, x, y) {
  return [x * t.scale + t.ox, y * t.scale + t.oy];
}

/** @param {Transform} t @param {number} px @param {number} py @returns {[number, number]} image px */
export function toImage(t, px, py) {
  return [(px - t.ox) / t.scale, (py - t.oy) / t.scale];
}

/**
 * The view after zooming so that the image point under (px, py) stays there.
 * Back at the least scale the view is "fit" again (scale null).
 * @param {Camera} camera @param {number} factor > 1 = closer @param {Size} image @param {Size} pane
 * @param {number} [px] pane px, the middle by default @param {number} [py] @returns {Camera}
 */
export function zoomed(camera, factor, image, pane, px = pane.width / 2, py = pane.height / 2) {
  const now = transformOf(camera, image, pane);
  const [least, most] = scaleLimits(image, pane);
  return scaledTo(now, clamp(now.scale * factor, least, most), image, pane, px, py);
}

/**
 * The view at a given scale with the image point under (px, py) kept there.
 * @param {Transform} now @param {number} scale @param {Size} image @param {Size} pane
 * @param {number} px @param {number} py @returns {Camera}
 */
export function scaledTo(now, scale, image, pane, px, py) {
  const fit = fitScale(image, pane);
  if (fit <= 1 && scale <= fit * 1.005) return { scale: null, cx: 0, cy: 0 };
  const [x, y] = toImage(now, px, py);
  return {
    scale,
    cx: clampCentre(x - (px - pane.width / 2) / scale, image.width, scale, pane.width),
    cy: clampCentre(y - (py - pane.height / 2) / scale, image.height, scale, pane.height),
  };
}

/**
 * The view after moving the picture by (dx, dy) CSS pixels.
 * @param {Camera} camera @param {number} dx @param {number} dy @param {Size} image
 * @param {Size} pane @returns {Camera}
 */
export function panned(camera, dx, dy, image, pane) {
  const now = transformOf(camera, image, pane);
  if (now.fitted) return { scale: null, cx: 0, cy: 0 };
  return {
    scale: now.scale,
    cx: clampCentre(now.cx - dx / now.scale, image.width, now.scale, pane.width),
    cy: clampCentre(now.cy - dy / now.scale, image.height, now.scale, pane.height),
  };
}

/**
 * The view in which a box fills about half of the pane.
 * @param {Box} box @param {Size} image @param {Size} pane @returns {Camera}
 */
export function viewOfBox(box, image, pane) {
  const [x, y, w, h] = box;
  const [least] = scaleLimits(image, pane);
  // Past 16 px per pixel a spot of a few pixels would fill the screen and say nothing.
  const most = Math.max(16, least);
  const wanted = 0.5 * Math.min(pane.width / Math.max(w, 1), pane.height / Math.max(h, 1));
  const scale = clamp(wanted, least, most);
  return {
    scale,
    cx: clampCentre(x + w / 2, image.width, scale, pane.width),
    cy: clampCentre(y + h / 2, image.height, scale, pane.height),
  };
}

/**
 * The pixels touched by a drag from one corner to the other, whichever way it went, clipped.
 * @param {number} xa @param {number} ya @param {number} xb @param {number} yb image px
 * @param {Size} image @returns {Box|null} null when nothing of it lies on the image
 */
export function boxFromCorners(xa, ya, xb, yb, image) {
  if (![xa, ya, xb, yb].every(Number.isFinite)) return null;
  const x0 = Math.floor(Math.min(xa, xb));
  const y0 = Math.floor(Math.min(ya, yb));
  const x1 = Math.ceil(Math.max(xa, xb));
  const y1 = Math.ceil(Math.max(ya, yb));
  return clipBox([x0, y0, x1 - x0, y1 - y0], image);
}

/** @param {Box} box @param {Size} image @returns {Box|null} */
export function clipBox([x, y, w, h], image) {
  const x0 = Math.max(x, 0);
  const y0 = Math.max(y, 0);
  const x1 = Math.min(x + w, image.width);
  const y1 = Math.min(y + h, image.height);
  return x1 > x0 && y1 > y0 ? [x0, y0, x1 - x0, y1 - y0] : null;
}

/** @param {Box} box @param {number} x @param {number} y @param {number} [slack] @returns {boolean} */
export function inBox([bx, by, bw, bh], x, y, slack = 0) {
  return x >= bx - slack && y >= by - slack && x < bx + bw + slack && y < by + bh + slack;
}

/** @param {Box} a @param {Box} b @returns {boolean} */
export function boxesOverlap(a, b) {
  return a[0] < b[0] + b[2] && b[0] < a[0] + a[2] && a[1] < b[1] + b[3] && b[1] < a[1] + a[3];
}

/**
 * A round length (1, 2 or 5 times a power of ten, at least a pixel) for a scale bar.
 * @param {number} scale CSS px per image px @param {number} [most] CSS px the bar may take
 * @returns {{length: number, css: number}} image px, CSS px
 */
export function scaleBar(scale, most = 120) {
  const limit = most / scale;
  const power = 10 ** Math.floor(Math.log10(Math.max(limit, 1)));
  const step = [5, 2, 1].find((factor) => factor * power <= limit) ?? 1;
  const length = Math.max(step * power, 1);
  return { length, css: length * scale };
}

/**
 * How one or two panes share the area: beside each other or one above the other, whichever shows
 * the pictures larger.
 * @param {Size} area CSS px @param {Size|null} image @param {boolean} two @param {number} [gap]
 * @returns {{x: number, y: number, width: number, height: number}[]}
 */
export function paneLayout(area, image, two, gap = 2) {
  if (!two) return [{ x: 0, y: 0, width: area.width, height: area.height }];
  const across = { width: Math.max((area.width - gap) / 2, 1), height: area.height };
  const down = { width: area.width, height: Math.max((area.height - gap) / 2, 1) };
  const beside = !image || fitScale(image, across) >= fitScale(image, down);
  const half = beside ? across : down;
  const second = beside ? { x: half.width + gap, y: 0 } : { x: 0, y: half.height + gap };
  return [
    { x: 0, y: 0, ...half },
    { ...second, ...half },
  ];
}
