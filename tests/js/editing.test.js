import assert from "node:assert/strict";
import { test } from "node:test";
import { areasWithout, promptsWithBox, promptsWithPoint } from "../../vde_nb/viewer/static/editing.js";

test("ten quick clicks are ten points of one prompt", () => {
  let state = { prompts: [], active: -1 };
  for (let i = 0; i < 10; i += 1) state = promptsWithPoint(state.prompts, state.active, i, 5, 1);
  assert.equal(state.prompts.length, 1);
  assert.equal(state.prompts[0].points.length, 10);
});

test("a point that excludes needs something to exclude from", () => {
  assert.equal(promptsWithPoint([], -1, 5, 5, 0), null);
  const next = promptsWithPoint([{ box: [0, 0, 9, 9], points: [] }], 0, 5, 5, 0);
  assert.deepEqual(next.prompts[0].points, [[5, 5, 0]]);
});

test("a box joins points that have none, and otherwise starts anew", () => {
  const points = [{ box: null, points: [[1, 1, 1]] }];
  assert.deepEqual(promptsWithBox(points, 0, [0, 0, 4, 4]), {
    prompts: [{ box: [0, 0, 4, 4], points: [[1, 1, 1]] }],
    active: 0,
  });
  assert.equal(promptsWithBox(points, -1, [0, 0, 4, 4]).active, 1);
  assert.equal(promptsWithBox([{ box: [1, 1, 2, 2], points: [] }], 0, [0, 0, 4, 4]).prompts.length, 2);
});

test("an active prompt that was undone is not written to", () => {
  assert.equal(promptsWithPoint([], 3, 5, 5, 1).active, 0);
});

test("nothing given is changed", () => {
  const prompts = Object.freeze([Object.freeze({ box: null, points: Object.freeze([[1, 1, 1]]) })]);
  promptsWithPoint(prompts, 0, 2, 2, 1);
  promptsWithBox(prompts, 0, [0, 0, 2, 2]);
  assert.equal(prompts[0].points.length, 1);
});

test("of areas over each other the smallest is taken away", () => {
  const areas = [[0, 0, 100, 100], [10, 10, 5, 5]];
  assert.deepEqual(areasWithout(areas, 12, 12), [areas[0]]);
  assert.deepEqual(areasWithout(areas, 50, 50), [areas[1]]);
  assert.equal(areasWithout(areas, 200, 50), null);
});
