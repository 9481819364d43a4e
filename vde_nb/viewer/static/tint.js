/**
 * A map of uint8 drawn over a picture through a 256-entry table, ready to be recoloured.
 */
import { clamp } from "./geometry.js";
import { buildPyramid, pooledView, recolour } from "./heat.js";

/** Beyond this many output pixels the map is drawn at half the density (and still by maximum). */
const MOST_TINTED = 2.4e6;

/**
 * A layer that keeps the reduced map between frames.
 * @param {boolean} [over] whether it is laid over what is on the canvas, instead of replacing it
 * @returns {{show: function, recolour: function, prepare: function,
 *   forget: function(): void}}
 */
export function createTint(over = false) {
  const pyramids = new WeakMap(); // values -> pyramid
  let kept = null;
  let values = new Uint8Array(0);
  let scratch = null;

  const pyramidOf = (map) => {
    if (!pyramids.has(map.values)) {
      pyramids.set(map.values, buildPyramid(map.values, map.width, map.height));
    }
    return pyramids.get(map.values);
  };

  /** Which part of the map goes where; null when nothing of it is seen. */
  const place = (map, image, frame) => {
    const unit = map.factor * frame.s; // device px per value
    const left = Math.max(frame.x, Math.round(frame.ox));
    const top = Math.max(frame.y, Math.round(frame.oy));
    const right = Math.min(frame.x + frame.width, Math.round(frame.ox + image.width * frame.s));
    const bottom = Math.min(frame.y + frame.height, Math.round(frame.oy + image.height * frame.s));
    if (right <= left || bottom <= top) return null;
    const x0 = clamp((left - frame.ox) / unit, 0, map.width);
    const y0 = clamp((top - frame.oy) / unit, 0, map.height);
    const x1 = clamp((right - frame.ox) / unit, 0, map.width);
    const y1 = clamp((bottom - frame.oy) / unit, 0, map.height);
    if (unit >= 1) {
      const edges = [Math.floor(x0), Math.floor(y0), Math.ceil(x1), Math.ceil(y1)];
      const columns = edges[2] - edges[0];
      const rows = edges[3] - edges[1];
      if (columns < 1 || rows < 1) return null;
      const at = [frame.ox + edges[0] * unit, frame.oy + edges[1] * unit, columns * unit, rows * unit];
      return { edges, columns, rows, at, direct: false };
    }
    let step = 1;
    while (((right - left) / step) * ((bottom - top) / step) > MOST_TINTED) step += 1;
    const columns = Math.ceil((right - left) / step);
    const rows = Math.ceil((bottom - top) / step);
    const at = [left, top, right - left, bottom - top];
    return { edges: [x0, y0, x1, y1], columns, rows, at, direct: step === 1 };
  };

  const paint = (ctx, table) => {
    recolour(values, table, kept.words, kept.columns * kept.rows);
    const [x, y, w, h] = kept.at;
    if (kept.direct && !over) {
      ctx.putImageData(kept.image, x, y);
      return;
    }
    scratch.putImageData(kept.image, 0, 0);
    const { x: px, y: py, width, height } = kept.frame;
    ctx.save();
    ctx.beginPath();
    ctx.rect(px, py, width, height);
    ctx.clip();
    if (!over) ctx.clearRect(px, py, width, height);
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(scratch.canvas, 0, 0, kept.columns, kept.rows, x, y, w, h);
    ctx.restore();
  };

  return {
    /**
     * Reduce the map for a frame and draw it. The pane is taken to be clear.
     * @param {CanvasRenderingContext2D} ctx @param {object} map clean or heatmap
     * @param {{width: number, height: number}} image @param {object} frame see pictures.js
     * @param {Uint32Array} table @returns {boolean} whether anything was drawn
     */
    show(ctx, map, image, frame, table) {
      const where = place(map, image, frame);
      if (!where) {
        kept = null;
        return false;
      }
      const { columns, rows } = where;
      values = pooledView(pyramidOf(map), where.edges, columns, rows, values);
      const before = kept?.image;
      const fits = before && before.width === columns && before.height === rows;
      const pixels = fits ? before : new ImageData(columns, rows);
      kept = { ...where, frame, image: pixels, words: new Uint32Array(pixels.data.buffer) };
      if (!where.direct || over) {
        scratch ??= new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
        // Grown only: a canvas is costly to make.
        if (scratch.canvas.width < columns) scratch.canvas.width = columns;
        if (scratch.canvas.height < rows) scratch.canvas.height = rows;
      }
      paint(ctx, table);
      return true;
    },

    /** Draw the same part again through another table. @returns {boolean} false: show() first */
    recolour(ctx, table) {
      if (!kept) return false;
      paint(ctx, table);
      return true;
    },

    /** Do now what the first drawing of a map would have to do. */
    prepare: (map) => pyramidOf(map),

    forget() {
      kept = null;
    },
  };
}
