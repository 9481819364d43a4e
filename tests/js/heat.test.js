import assert from "node:assert/strict";
import { test } from "node:test";
import {
  buildPyramid,
  halvedByMax,
  histogramOf,
  pooledView,
  recolour,
} from "../../vde_nb/viewer/static/heat.js";

function noise(width, height, seed = 11) {
  let x = seed;
  return Uint8Array.from({ length: width * height }, () => {
    x = (x * 48271) % 2147483647;
    return x % 97;
  });
}

/** The largest value of the map pixels that [x0, x1) x [y0, y1) touches. */
function largestIn(values, width, height, x0, y0, x1, y1) {
  let best = 0;
  for (let y = Math.max(Math.floor(y0), 0); y < Math.min(Math.ceil(y1), height); y += 1) {
    for (let x = Math.max(Math.floor(x0), 0); x < Math.min(Math.ceil(x1), width); x += 1) {
      best = Math.max(best, values[y * width + x]);
    }
  }
  return best;
}

test("halving keeps the largest of each four, also at odd edges", () => {
  const half = halvedByMax({ width: 3, height: 3, values: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9) });
  assert.deepEqual([half.width, half.height, ...half.values], [2, 2, 5, 6, 8, 9]);
});

test("one hot pixel anywhere in 12 megapixels is seen on 300 by 200", () => {
  const [width, height] = [4000, 3000];
  const values = new Uint8Array(width * height);
  for (const [x, y] of [[0, 0], [3999, 2999], [1777, 1234], [2048, 2047], [3999, 0], [13, 2999]]) {
    values[y * width + x] = 200;
    const view = pooledView(buildPyramid(values, width, height), [0, 0, width, height], 300, 200);
    const seen = view.reduce((count, value) => count + (value === 200), 0);
    assert.ok(seen >= 1 && seen <= 4, `${x}, ${y}: ${seen}`);
    values[y * width + x] = 0;
  }
});

test("zoomed out nothing is lost, and little comes from outside an output pixel", () => {
  const [width, height] = [1301, 997];
  const values = noise(width, height);
  const pyramid = buildPyramid(values, width, height);
  for (const [edges, w, h] of [
    [[0, 0, width, height], 130, 99],
    [[0, 0, width, height], 1000, 760],
    [[100.3, 50.7, 1200.9, 900.2], 217, 171],
  ]) {
    const view = pooledView(pyramid, edges, w, h);
    const [sx, sy] = [(edges[2] - edges[0]) / w, (edges[3] - edges[1]) / h];
    for (let i = 0; i < w * h; i += 37) {
      const x = edges[0] + (i % w) * sx;
      const y = edges[1] + Math.floor(i / w) * sy;
      const inside = largestIn(values, width, height, x + 1e-5, y + 1e-5, x + sx - 1e-5, y + sy - 1e-5);
      const around = largestIn(values, width, height, x - sx, y - sy, x + 2 * sx, y + 2 * sy);
      assert.ok(view[i] >= inside && view[i] <= around, `${i}: ${inside} <= ${view[i]} <= ${around}`);
    }
  }
});

test("at whole reductions the maximum is exact", () => {
  const [width, height] = [1200, 900];
  const values = noise(width, height, 5);
  const view = pooledView(buildPyramid(values, width, height), [0, 0, width, height], 300, 225);
  for (let i = 0; i < view.length; i += 1) {
    const [x, y] = [(i % 300) * 4, Math.floor(i / 300) * 4];
    assert.equal(view[i], largestIn(values, width, height, x, y, x + 4, y + 4));
  }
});

test("zoomed in each value is that of the pixel below it", () => {
  const values = noise(40, 30);
  const view = pooledView(buildPyramid(values, 40, 30), [5, 7, 15, 12], 100, 50);
  for (let y = 0; y < 50; y += 1) {
    for (let x = 0; x < 100; x += 1) {
      assert.equal(view[y * 100 + x], values[(7 + Math.floor(y / 10)) * 40 + 5 + Math.floor(x / 10)]);
    }
  }
});

test("a view of the whole map at its own size is the map", () => {
  const values = noise(64, 48);
  assert.deepEqual(pooledView(buildPyramid(values, 64, 48), [0, 0, 64, 48], 64, 48), values);
});

test("very thin and very small maps work", () => {
  for (const [w, h] of [[1, 1], [1, 700], [5000, 1]]) {
    const values = noise(w, h, 9);
    const view = pooledView(buildPyramid(values, w, h), [0, 0, w, h], 10, 10);
    assert.equal(Math.max(...view), Math.max(...values));
  }
});

test("a map of the wrong length is refused in words", () => {
  assert.throws(() => buildPyramid(new Uint8Array(5), 2, 2), /2 x 2 has 5 values/);
});

test("a histogram counts every pixel once", () => {
  const values = noise(50, 50);
  const counts = histogramOf(values);
  assert.equal(counts.reduce((sum, one) => sum + one), 2500);
  assert.equal(counts[42], values.filter((value) => value === 42).length);
});

test("colouring goes through the table and no further than asked", () => {
  const words = new Uint32Array(4);
  recolour(Uint8Array.of(0, 1, 2, 3), Uint32Array.of(10, 11, 12, 13), words, 3);
  assert.deepEqual([...words], [10, 11, 12, 0]);
});
