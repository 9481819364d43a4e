import assert from "node:assert/strict";
import { test } from "node:test";
import {
  contrast,
  heatColour,
  heatTable,
  inkOn,
  lineColour,
  luminance,
  rgbaWord,
  rgbOf,
  thresholdTable,
  veilTable,
} from "../../vde_nb/viewer/static/colour.js";

const alphaOf = (word) => word >>> 24;

test("exactly the values above the threshold are tinted", () => {
  for (const threshold of [0, 1, 50, 254, 255]) {
    const table = thresholdTable(threshold, [255, 45, 135], 0.5);
    for (let value = 0; value < 256; value += 1) {
      assert.equal(alphaOf(table[value]) > 0, value > threshold, `${value} at ${threshold}`);
    }
  }
});

test("the veil lies where the tint does not", () => {
  const [tint, veil] = [thresholdTable(50, [1, 2, 3], 1), veilTable(50, [1, 2, 3], 1)];
  for (let value = 0; value < 256; value += 1) {
    assert.notEqual(alphaOf(tint[value]) > 0, alphaOf(veil[value]) > 0);
  }
});

test("a word is four bytes in the order of a canvas", () => {
  const words = Uint32Array.of(rgbaWord(1, 2, 3, 255));
  assert.deepEqual([...new Uint8Array(words.buffer)], [1, 2, 3, 255]);
});

test("the heat scale grows lighter all the way", () => {
  for (let value = 1; value < 256; value += 1) {
    assert.ok(luminance(heatColour(value)) >= luminance(heatColour(value - 1)) - 2e-3, `${value}`);
  }
  assert.ok(luminance(heatColour(0)) < 0.01);
  assert.ok(luminance(heatColour(255)) > 0.9);
});

test("the heat table hides nothing that differs, and all that is the same", () => {
  const table = heatTable(48);
  assert.equal(alphaOf(table[0]), 0);
  assert.ok(alphaOf(table[1]) > 0);
  assert.equal(alphaOf(table[48]), 255);
  assert.equal(alphaOf(heatTable()[0]), 255);
});

test("ink is legible on every ground", () => {
  for (let i = 0; i < 216; i += 1) {
    const ground = [i % 6, Math.floor(i / 6) % 6, Math.floor(i / 36)].map((v) => v * 51);
    assert.ok(contrast(ground, inkOn(ground)) >= 4, String(ground));
  }
});

test("a dark colour is made light enough for a line", () => {
  for (const colour of ["#000000", "#00007f", "#5b0000", "#d55e00", "#0072b2"]) {
    assert.ok(luminance(lineColour(rgbOf(colour))) >= 0.25, colour);
  }
  assert.deepEqual(lineColour([255, 255, 255]), [255, 255, 255]);
});

test("what is no colour becomes grey, not markup", () => {
  assert.deepEqual(rgbOf("#e69f00"), [230, 159, 0]);
  assert.deepEqual(rgbOf("#fa0"), [255, 170, 0]);
  for (const wrong of ["red", "#12", "url(x)", "", null, undefined, 7]) {
    assert.deepEqual(rgbOf(wrong), [128, 128, 128]);
  }
});
