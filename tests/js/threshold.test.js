import assert from "node:assert/strict";
import { test } from "node:test";
import {
  barsPath,
  regionCount,
  regionsText,
  stepsPath,
} from "../../vde_nb/viewer/static/curves.js";
import { keyed } from "../../vde_nb/viewer/static/threshold.js";

const flat = (value) => new Array(256).fill(value);

test("nothing is drawn where nothing is known", () => {
  assert.equal(barsPath(null), "");
  assert.equal(stepsPath(null), "");
});

test("a million zeros do not press the other bars flat", () => {
  const histogram = new Uint32Array(256);
  histogram[0] = 12_000_000;
  histogram[80] = 40;
  const heights = [...barsPath(histogram).matchAll(/V([\d.]+)H(\d+)/g)];
  assert.equal(heights.length, 256);
  assert.equal(Number(heights[0][1]), 0);
  assert.equal(Number(heights[80][1]), 6);
  assert.equal(Number(heights[81][1]), 100);
});

test("an all-equal pair still has a histogram that fits its box", () => {
  const histogram = new Uint32Array(256);
  histogram[0] = 100;
  assert.ok(barsPath(histogram).startsWith("M0 100V0H1V100H2"));
});

test("the count of regions is a line with a step where it changes", () => {
  const counts = flat(0);
  counts.fill(3, 0, 100);
  assert.equal((stepsPath(counts).match(/V/g) ?? []).length, 1);
  assert.match(stepsPath(counts), /^M0 6H100V98H256$/);
});

test("what the kernel reported goes before what it counted ahead", () => {
  const counts = { values: flat(9) };
  const result = { threshold: 50, anomalies: [1, 2] };
  assert.equal(regionCount({ result, counts, threshold: 50 }), 2);
  assert.equal(regionCount({ result, counts, threshold: 51 }), 9);
  assert.equal(regionCount({ result, counts: null, threshold: 51 }), null);
});

test("one region is not called regions", () => {
  assert.deepEqual([0, 1, 7].map(regionsText), ["no regions", "1 region", "7 regions"]);
});

test("keys move by one or ten and stop at the ends", () => {
  const press = (key, value, shiftKey = false) => keyed({ key, shiftKey }, value);
  assert.equal(press("ArrowRight", 50), 51);
  assert.equal(press("ArrowDown", 50), 49);
  assert.equal(press("ArrowUp", 50, true), 60);
  assert.equal(press("PageDown", 5), 0);
  assert.equal(press("End", 5), 255);
  assert.equal(press("Tab", 5), null);
});
