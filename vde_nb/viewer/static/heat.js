/**
 * Maps of uint8 (0 = same) at the size of the screen, quickly and without losing a pixel.
 *
 * A map is reduced by MAXIMUM, not by average: a single hot pixel of a 12 MP map is still seen
 * when the whole map is shown on 1 MP, and "above the threshold somewhere in here" is exact for
 * every threshold at once. So a moved threshold needs no new reduction, only a table look-up.
 *
 * @typedef {{width: number, height: number, values: Uint8Array}} HeatLevel
 * @typedef {{levels: HeatLevel[]}} Pyramid level k is reduced by 2 ** k
 */

/** A level smaller than this saves no time worth having. */
const SMALLEST_LEVEL = 256;

/**
 * Halve a map, keeping the largest of each two by two values.
 * @param {HeatLevel} level @returns {HeatLevel}
 */
export function halvedByMax({ width, height, values }) {
  const w = (width + 1) >> 1;
  const h = (height + 1) >> 1;
  const out = new Uint8Array(w * h);
  const whole = width >> 1;
  for (let y = 0; y < h; y += 1) {
    let a = 2 * y * width;
    let b = 2 * y + 1 < height ? a + width : a;
    let o = y * w;
    for (let x = 0; x < whole; x += 1, a += 2, b += 2) {
      const p = values[a] > values[a + 1] ? values[a] : values[a + 1];
      const q = values[b] > values[b + 1] ? values[b] : values[b + 1];
      out[o++] = p > q ? p : q;
    }
    if (whole < w) out[o] = values[a] > values[b] ? values[a] : values[b];
  }
  return { width: w, height: h, values: out };
}

/**
 * @param {Uint8Array} values `width * height` @param {number} width @param {number} height
 * @returns {Pyramid}
 */
export function buildPyramid(values, width, height) {
  if (values.length !== width * height) {
    throw new Error(`A map of ${width} x ${height} has ${values.length} values.`);
  }
  const levels = [{ width, height, values }];
  let last = levels[0];
  while (Math.min(last.width, last.height) > SMALLEST_LEVEL) {
    last = halvedByMax(last);
    levels.push(last);
  }
  return { levels };
}

/**
 * A part of the map at the size it is shown at.
 *
 * Where the output is smaller, each value is the maximum of all map pixels it touches (exact or,
 * at its edge, up to half an output pixel generous, never less). Where it is larger, each value
 * is that of the map pixel under its centre.
 * @param {Pyramid} pyramid
 * @param {[number, number, number, number]} edges x0, y0, x1, y1 in map px, inside the map
 * @param {number} outWidth @param {number} outHeight
 * @param {Uint8Array} [out] to write into, at least outWidth * outHeight long
 * @returns {Uint8Array} outWidth * outHeight values
 */
export function pooledView(pyramid, [x0, y0, x1, y1], outWidth, outHeight, out) {
  const result = out && out.length >= outWidth * outHeight ? out : new Uint8Array(outWidth * outHeight);
  const stepX = (x1 - x0) / outWidth;
  const stepY = (y1 - y0) / outHeight;
  const reduction = Math.floor(Math.log2(Math.max(Math.min(stepX, stepY) * 1.001, 1)));
  const index = Math.min(reduction, pyramid.levels.length - 1);
  const level = pyramid.levels[index];
  const unit = 2 ** index;
  const columns = cellRanges(x0 / unit, stepX / unit, outWidth, level.width);
  const rows = cellRanges(y0 / unit, stepY / unit, outHeight, level.height);
  if (columns.single && rows.single) nearest(level, columns, rows, outWidth, outHeight, result);
  else pooled(level, columns, rows, outWidth, outHeight, result);
  return result;
}

/**
 * Which cells each output pixel takes: [from, to) pairs. Rounding errors of a view that lies on
 * cell borders must not pull in a neighbour, hence the small tolerance.
 */
function cellRanges(start, step, count, length) {
  const from = new Int32Array(count);
  const to = new Int32Array(count);
  const magnified = step < 1 - 1e-6;
  let single = true;
  for (let i = 0; i < count; i += 1) {
    const a = start + i * step;
    const low = magnified ? Math.floor(a + step / 2) : Math.floor(a + 1e-6);
    const high = magnified ? low + 1 : Math.ceil(a + step - 1e-6);
    from[i] = Math.min(Math.max(low, 0), length - 1);
    to[i] = Math.min(Math.max(high, from[i] + 1), length);
    if (to[i] - from[i] > 1) single = false;
  }
  return { from, to, single };
}

function nearest(level, columns, rows, outWidth, outHeight, result) {
  const { width, values } = level;
  const from = columns.from;
  for (let y = 0, o = 0; y < outHeight; y += 1) {
    const line = rows.from[y] * width;
    for (let x = 0; x < outWidth; x += 1) result[o++] = values[line + from[x]];
  }
}

function pooled(level, columns, rows, outWidth, outHeight, result) {
  const { width, values } = level;
  const { from, to } = columns;
  const first = from[0];
  const last = to[outWidth - 1];
  const line = new Uint8Array(width + 1);
  let widest = 1;
  for (let x = 0; x < outWidth; x += 1) widest = Math.max(widest, to[x] - from[x]);
  for (let y = 0, o = 0; y < outHeight; y += 1, o += outWidth) {
    // First down each column of cells into one line, then along the line: separable, so the cost
    // is the sum of both spans, not their product.
    const bottom = rows.to[y];
    let row = rows.from[y];
    if (bottom - row === 1) {
      line.set(values.subarray(row * width + first, row * width + last), first);
    } else {
      let a = row * width + first;
      let b = a + width;
      for (let x = first; x < last; x += 1, a += 1, b += 1) {
        line[x] = values[a] > values[b] ? values[a] : values[b];
      }
    }
    for (row += 2; row < bottom; row += 1) {
      let a = row * width + first;
      for (let x = first; x < last; x += 1, a += 1) if (values[a] > line[x]) line[x] = values[a];
    }
    if (widest <= 3) alongThree(line, from, to, outWidth, result, o);
    else alongMany(line, from, to, outWidth, result, o);
  }
}

/** The usual case without an inner loop: first, next and last of up to three cells. */
function alongThree(line, from, to, outWidth, result, o) {
  for (let x = 0; x < outWidth; x += 1) {
    const start = from[x];
    const end = to[x] - 1;
    const a = line[start];
    const b = start < end ? line[start + 1] : a;
    const c = line[end];
    const most = a > b ? a : b;
    result[o + x] = most > c ? most : c;
  }
}

function alongMany(line, from, to, outWidth, result, o) {
  for (let x = 0; x < outWidth; x += 1) {
    let best = line[from[x]];
    for (let k = from[x] + 1; k < to[x]; k += 1) if (line[k] > best) best = line[k];
    result[o + x] = best;
  }
}

/**
 * How often each value occurs.
 * @param {Uint8Array} values @returns {Uint32Array} 256 counts
 */
export function histogramOf(values) {
  const counts = new Uint32Array(256);
  for (let i = 0; i < values.length; i += 1) counts[values[i]] += 1;
  return counts;
}

/**
 * Colour values through a table.
 * @param {Uint8Array} values @param {Uint32Array} table 256 words @param {Uint32Array} words
 *   `ImageData.data` seen as words @param {number} [count] how many of the values
 */
export function recolour(values, table, words, count = Math.min(values.length, words.length)) {
  for (let i = 0; i < count; i += 1) words[i] = table[values[i]];
}
