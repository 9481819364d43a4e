/**
 * Tiles of pictures too large to be sent whole: asked for when they are looked at, kept while
 * there is room.
 */
import { clamp } from "./geometry.js";

/** Bytes of decoded tiles that are kept. */
const TILE_BYTES = 160e6;
/** Requests under way at once: enough to keep the kernel busy, few enough to change one's mind. */
const TILES_UNDER_WAY = 6;

/**
 * The level of tiles for a scale: the coarsest that still has a pixel for each device pixel.
 * @param {number[]} levels reductions, such as [1, 2, 4] @param {number} scale device px per
 *   image px @returns {number}
 */
export function tileLevel(levels, scale) {
  const fine = levels.filter((level) => level * scale <= 1.001);
  return fine.length ? Math.max(...fine) : Math.min(...levels);
}

/**
 * The tiles that a part of the image lies on, those nearest its middle first.
 * @param {[number, number, number, number]} edges x0, y0, x1, y1 in image px
 * @param {number} level @param {number} side of a tile, in its own px
 * @param {{width: number, height: number}} image @returns {{x: number, y: number}[]}
 */
export function tilesIn([x0, y0, x1, y1], level, side, image) {
  const span = level * side;
  const lastX = Math.ceil(image.width / span) - 1;
  const lastY = Math.ceil(image.height / span) - 1;
  const tiles = [];
  for (let y = clamp(Math.floor(y0 / span), 0, lastY); y <= Math.min(Math.ceil(y1 / span) - 1, lastY); y += 1) {
    for (let x = clamp(Math.floor(x0 / span), 0, lastX); x <= Math.min(Math.ceil(x1 / span) - 1, lastX); x += 1) {
      tiles.push({ x, y });
    }
  }
  const far = ({ x, y }) => Math.hypot((x + 0.5) * span - (x0 + x1) / 2, (y + 0.5) * span - (y0 + y1) / 2);
  return tiles.sort((a, b) => far(a) - far(b));
}

/**
 * Tiles by key, the least recently used given up first.
 * @param {function(object): Promise<ImageBitmap|null>} load takes `{picture, level, x, y}`
 * @param {function(): void} arrived called when there is something new to draw
 * @param {number} [room] bytes
 */
export function createTileCache(load, arrived, room = TILE_BYTES) {
  const kept = new Map(); // key -> ImageBitmap, oldest use first
  const underWay = new Set();
  const failed = new Set();
  let wanted = new Map();
  let bytes = 0;
  let generation = 0;

  const keyOf = ({ picture, token, level, x, y }) => `${picture}/${token}/${level}/${x}/${y}`;
  const sizeOf = (bitmap) => bitmap.width * bitmap.height * 4;

  const drop = (key) => {
    const bitmap = kept.get(key);
    kept.delete(key);
    bytes -= sizeOf(bitmap);
    bitmap.close?.();
  };

  const keep = (key, bitmap) => {
    if (kept.has(key)) drop(key);
    kept.set(key, bitmap);
    bytes += sizeOf(bitmap);
    // What was wanted for the last frame stays, however little room there is.
    for (const old of [...kept.keys()]) {
      if (bytes <= room) break;
      if (!wanted.has(old)) drop(old);
    }
  };

  const pump = () => {
    for (const [key, tile] of wanted) {
      if (underWay.size >= TILES_UNDER_WAY) return;
      if (kept.has(key) || underWay.has(key) || failed.has(key)) continue;
      fetchTile(key, tile);
    }
  };

  const fetchTile = async (key, tile) => {
    const own = generation;
    underWay.add(key);
    let bitmap = null;
    try {
      bitmap = await load(tile);
    } catch {
      bitmap = null; // the base picture stays on the screen; asked again when the link is back
    }
    if (own !== generation) {
      bitmap?.close?.();
      return;
    }
    underWay.delete(key);
    if (bitmap) {
      keep(key, bitmap);
      if (wanted.has(key)) arrived();
    } else failed.add(key);
    pump();
  };

  return {
    /** @returns {ImageBitmap|null} */
    get(tile) {
      const key = keyOf(tile);
      const bitmap = kept.get(key);
      if (!bitmap) return null;
      kept.delete(key);
      kept.set(key, bitmap);
      return bitmap;
    },
    /** Say what the last frame would have liked, most urgent first; the rest is forgotten. */
    want(tiles) {
      wanted = new Map(tiles.map((tile) => [keyOf(tile), tile]));
      pump();
    },
    /** What failed may be asked for again. */
    retry() {
      failed.clear();
      pump();
    },
    clear() {
      generation += 1;
      wanted = new Map();
      underWay.clear();
      failed.clear();
      for (const key of [...kept.keys()]) drop(key);
    },
    get bytes() {
      return bytes;
    },
  };
}
