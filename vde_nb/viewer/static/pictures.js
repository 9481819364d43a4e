/**
 * The two pictures: drawn at any zoom from the base picture and, closer up, from tiles.
 *
 * @typedef {object} Frame where a picture lies on a canvas, all in device pixels
 * @property {number} s device px per image px
 * @property {number} ox where image x = 0 lies @property {number} oy
 * @property {number} x the pane's left edge @property {number} y
 * @property {number} width of the pane @property {number} height
 */
import { clamp } from "./geometry.js";
import { createTileCache, tileLevel, tilesIn } from "./tilecache.js";

/** A reduced copy smaller than this saves nothing. */
const SMALLEST_COPY = 200;

/**
 * The part of the image that a frame shows.
 * @param {Frame} frame @param {{width: number, height: number}} image
 * @returns {[number, number, number, number]} x0, y0, x1, y1 in image px
 */
export function frameEdges({ s, ox, oy, x, y, width, height }, image) {
  return [
    clamp((x - ox) / s, 0, image.width),
    clamp((y - oy) / s, 0, image.height),
    clamp((x + width - ox) / s, 0, image.width),
    clamp((y + height - oy) / s, 0, image.height),
  ];
}

/**
 * @param {object} store
 * @returns {{draw: function, foresee: function, settle: function(): void,
 *   pixelAt: function, onArrival: function,
 *   destroy: function(): void}}
 */
export function createPictures(store) {
  const { state } = store;
  const arrivals = new Set();
  const copies = { reference: null, current: null }; // reduced copies of each base
  const load = (tile) => store.actions.requestTile?.(tile) ?? Promise.resolve(null);
  const cache = createTileCache(load, () => arrivals.forEach((fn) => fn()));
  let wishes = [];
  const probe = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  probe.imageSmoothingEnabled = false;

  const linked = () => state.link === "live" || state.link === "busy";
  const offs = [
    store.on("pair", () => cache.clear()),
    store.on("link", () => state.link === "live" && cache.retry()),
  ];

  /** The base and its halves, each half of the one before. */
  const copiesOf = (which) => {
    const { token, bitmap } = state[which];
    if (copies[which]?.bitmap === bitmap) return copies[which].levels;
    const levels = [bitmap];
    let last = bitmap;
    while (Math.min(last.width, last.height) > 2 * SMALLEST_COPY) {
      // A drawing at exactly half the size averages two by two pixels; at a quarter, the browser's
      // filter would skip pixels.
      const next = new OffscreenCanvas(Math.ceil(last.width / 2), Math.ceil(last.height / 2));
      const pen = next.getContext("2d");
      pen.imageSmoothingEnabled = true;
      pen.drawImage(last, 0, 0, next.width, next.height);
      levels.push(next);
      last = next;
    }
    copies[which] = { token, bitmap, levels };
    return levels;
  };

  const drawBase = (ctx, which, frame, edges) => {
    const { pair } = state;
    const base = state[which].bitmap;
    const shrink = (frame.s * pair.width) / base.width; // device px per px of the base
    let source = base;
    if (shrink < 0.75) {
      const levels = copiesOf(which);
      source = levels[clamp(Math.floor(Math.log2(1 / shrink) + 0.4), 0, levels.length - 1)];
    }
    const kx = source.width / pair.width;
    const ky = source.height / pair.height;
    const left = clamp(Math.floor(edges[0] * kx) - 1, 0, source.width);
    const top = clamp(Math.floor(edges[1] * ky) - 1, 0, source.height);
    const right = clamp(Math.ceil(edges[2] * kx) + 1, 0, source.width);
    const bottom = clamp(Math.ceil(edges[3] * ky) + 1, 0, source.height);
    if (right <= left || bottom <= top) return;
    // Pixels of the picture itself are shown as they are; those of a coarser base are not pixels
    // of the picture, and squares of them would look like something that is there.
    ctx.imageSmoothingEnabled = frame.s <= 1 || base.width < pair.width;
    ctx.imageSmoothingQuality = shrink < 1 ? "medium" : "low";
    ctx.drawImage(
      source,
      left,
      top,
      right - left,
      bottom - top,
      frame.ox + (left / kx) * frame.s,
      frame.oy + (top / ky) * frame.s,
      ((right - left) / kx) * frame.s,
      ((bottom - top) / ky) * frame.s,
    );
  };

  const drawTiles = (ctx, which, frame, edges) => {
    const { pair } = state;
    const { token } = state[which];
    const wantedLevel = tileLevel(pair.levels, frame.s);
    const levels = pair.levels.filter((level) => level >= wantedLevel).sort((a, b) => b - a);
    ctx.imageSmoothingEnabled = frame.s <= 1;
    ctx.imageSmoothingQuality = "medium";
    for (const level of levels) {
      const span = level * pair.tile;
      for (const place of tilesIn(edges, level, pair.tile, pair)) {
        const tile = { picture: which, token, level, ...place };
        if (level === wantedLevel) wishes.push(tile);
        const bitmap = cache.get(tile);
        if (!bitmap) continue;
        const x0 = place.x * span;
        const y0 = place.y * span;
        // A tile at the edge may be filled up beyond the picture.
        const w = Math.min(bitmap.width * level, pair.width - x0);
        const h = Math.min(bitmap.height * level, pair.height - y0);
        // Whole device pixels, or hairlines would show between tiles.
        const left = Math.round(frame.ox + x0 * frame.s);
        const top = Math.round(frame.oy + y0 * frame.s);
        const right = Math.round(frame.ox + (x0 + w) * frame.s);
        const bottom = Math.round(frame.oy + (y0 + h) * frame.s);
        ctx.drawImage(bitmap, 0, 0, w / level, h / level, left, top, right - left, bottom - top);
      }
    }
  };

  /** One pixel of a picture: `[rgb, exact]`. */
  const sample = (which, x, y) => {
    const { pair } = state;
    const base = state[which]?.bitmap;
    if (!base) return [null, false];
    const read = (source, sx, sy) => {
      probe.clearRect(0, 0, 1, 1);
      probe.drawImage(source, sx, sy, 1, 1, 0, 0, 1, 1);
      return [...probe.getImageData(0, 0, 1, 1).data.subarray(0, 3)];
    };
    if (base.width === pair.width && base.height === pair.height) return [read(base, x, y), true];
    const place = { x: Math.floor(x / pair.tile), y: Math.floor(y / pair.tile) };
    const tile = cache.get({ picture: which, token: state[which].token, level: 1, ...place });
    if (tile) return [read(tile, x - place.x * pair.tile, y - place.y * pair.tile), true];
    const bx = Math.min(Math.floor((x * base.width) / pair.width), base.width - 1);
    const by = Math.min(Math.floor((y * base.height) / pair.height), base.height - 1);
    return [read(base, bx, by), false];
  };

  const pictures = {
    /**
     * Draw what a frame shows of a picture; the canvas is clipped to the pane by the caller.
     * @param {CanvasRenderingContext2D} ctx @param {"reference"|"current"} which
     * @param {Frame} frame
     */
    draw(ctx, which, frame) {
      const { pair } = state;
      if (!pair || !state[which]) return;
      const edges = frameEdges(frame, pair);
      if (edges[2] <= edges[0] || edges[3] <= edges[1]) return;
      drawBase(ctx, which, frame, edges);
      const base = state[which].bitmap;
      if (pair.deep && frame.s * pair.width > base.width * 1.1) drawTiles(ctx, which, frame, edges);
    },

    /** A picture that will be drawn next: its tiles are asked for after those of this frame. */
    foresee(which, frame) {
      const { pair } = state;
      if (!pair?.deep || !state[which]) return;
      if (frame.s * pair.width <= state[which].bitmap.width * 1.1) return;
      const level = tileLevel(pair.levels, frame.s);
      const { token } = state[which];
      for (const place of tilesIn(frameEdges(frame, pair), level, pair.tile, pair)) {
        wishes.push({ picture: which, token, level, ...place });
      }
    },

    /** After a frame: ask for the tiles it lacked, and only for those. */
    settle() {
      if (linked()) cache.want(wishes);
      wishes = [];
    },

    /**
     * What is known here of a pixel.
     * @param {number} x @param {number} y whole image px
     * @returns {{reference: number[]|null, current: number[]|null, clean: number|null,
     *   heat: number|null, exact: boolean}|null} null outside the pictures or before they are here
     */
    pixelAt(x, y) {
      const { pair } = state;
      if (!pair || x < 0 || y < 0 || x >= pair.width || y >= pair.height) return null;
      if (!state.reference && !state.current) return null;
      const [reference, isReference] = sample("reference", x, y);
      const [current, isCurrent] = sample("current", x, y);
      const [clean, isClean] = valueAt(state.clean, x, y);
      const [heat] = valueAt(state.heatmap, x, y);
      return { reference, current, clean, heat, exact: isReference && isCurrent && isClean };
    },

    /** @param {function(): void} fn called when there are new tiles @returns {function(): void} */
    onArrival(fn) {
      arrivals.add(fn);
      return () => arrivals.delete(fn);
    },

    destroy() {
      for (const off of offs.splice(0)) off();
      arrivals.clear();
      cache.clear();
      copies.reference = copies.current = null;
    },
  };
  store.onDestroy?.(pictures.destroy);
  return pictures;
}

/** A map's value over an image pixel and whether it is that pixel's own: `[value, exact]`. */
function valueAt(map, x, y) {
  if (!map) return [null, true];
  const { width, height, factor, values } = map;
  const mx = Math.min(Math.floor(x / factor), width - 1);
  const my = Math.min(Math.floor(y / factor), height - 1);
  return [values[my * width + mx], factor === 1];
}
