import assert from "node:assert/strict";
import { test } from "node:test";
import { boxesHit, hitTest, traceLoops, withMasks } from "../../vde_nb/viewer/static/trace.js";

const mask = (...rows) => ({
  bits: Uint8Array.from(rows.join(""), (letter) => (letter === "#" ? 1 : 0)),
  width: rows[0].length,
  height: rows.length,
});

/** Fill loops by the even-odd rule, pixel by pixel. */
function filled(loops, width, height) {
  const bits = new Uint8Array(width * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      let crossings = 0;
      for (const loop of loops) {
        for (let i = 0; i < loop.length; i += 2) {
          const j = (i + 2) % loop.length;
          const [x0, y0, x1, y1] = [loop[i], loop[i + 1], loop[j], loop[j + 1]];
          if (x0 === x1 && x0 <= x && Math.min(y0, y1) <= y && y < Math.max(y0, y1)) crossings += 1;
        }
      }
      bits[y * width + x] = crossings % 2;
    }
  }
  return bits;
}

test("a rectangle has four corners", () => {
  const { bits, width, height } = mask("####", "####");
  assert.deepEqual(traceLoops(bits, width, height, 10, 20), [
    Int32Array.of(10, 20, 14, 20, 14, 22, 10, 22),
  ]);
});

test("a hole is a loop of its own, a speck in the hole another", () => {
  const { bits, width, height } = mask("#####", "#...#", "#.#.#", "#...#", "#####");
  const loops = traceLoops(bits, width, height);
  assert.equal(loops.length, 3);
  assert.deepEqual(filled(loops, width, height), bits);
});

test("pixels that touch at a corner share a loop", () => {
  const { bits, width, height } = mask("#.", ".#");
  const loops = traceLoops(bits, width, height);
  assert.equal(loops.length, 1);
  assert.deepEqual(filled(loops, width, height), bits);
});

test("an empty mask has no outline", () => {
  assert.deepEqual(traceLoops(new Uint8Array(12), 4, 3), []);
});

test("filling the outline of any mask gives the mask, and no corner is on a straight line", () => {
  let x = 13;
  for (let round = 0; round < 60; round += 1) {
    const [width, height] = [1 + (round % 17), 1 + ((round * 5) % 13)];
    const bits = Uint8Array.from({ length: width * height }, () => {
      x = (x * 48271) % 2147483647;
      return x % 10 < 2 + (round % 7) ? 1 : 0;
    });
    const loops = traceLoops(bits, width, height);
    assert.deepEqual(filled(loops, width, height), bits);
    for (const loop of loops) {
      const points = loop.length / 2;
      for (let i = 0; i < points; i += 1) {
        const at = (k) => [loop[2 * (k % points)], loop[2 * (k % points) + 1]];
        const [a, b, c] = [at(i), at(i + 1), at(i + 2)];
        assert.notEqual(a[0] === b[0], b[0] === c[0], "collinear");
      }
    }
  }
});

const REGIONS = [
  { number: 1, box: [0, 0, 10, 10], bits: new Uint8Array(100).fill(1) },
  { number: 2, box: [2, 2, 4, 4], bits: Uint8Array.of(1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1) },
  { number: 3, box: [50, 50, 1, 1], bits: Uint8Array.of(1) },
];

test("of several regions below the pointer the smallest is meant", () => {
  assert.equal(hitTest(REGIONS, 2.5, 2.5).number, 2);
  assert.deepEqual(boxesHit(REGIONS, 3, 3).map(({ number }) => number), [2, 1]);
});

test("the pointer in the hole of a region is on what lies behind", () => {
  assert.equal(hitTest(REGIONS, 3.5, 3.5).number, 1);
});

test("a region of one pixel can be hit from nearby, a large one cannot", () => {
  assert.equal(hitTest(REGIONS, 54, 50.5), null);
  assert.equal(hitTest(REGIONS, 54, 50.5, 4).number, 3);
  assert.equal(hitTest(REGIONS, 12, 5, 4), null);
  assert.equal(hitTest([], 1, 1, 5), null);
});

test("masks are cut from one stream, each from its own byte", () => {
  const found = withMasks(
    [{ number: 1, box: [5, 5, 3, 1] }, { number: 2, box: [0, 0, 2, 2] }],
    [0, 1],
    Uint8Array.of(0b101, 0b1111),
  );
  assert.deepEqual([...found[0].bits], [1, 0, 1]);
  assert.equal(found[0].loops.length, 2);
  assert.deepEqual([...found[1].loops[0]], [0, 0, 2, 0, 2, 2, 0, 2]);
});
