import { test } from "node:test";
import assert from "node:assert/strict";
import {
  activeAfterDeleting,
  boxText,
  fitText,
  historyKey,
  nudgeText,
  promptText,
  promptWords,
  withoutItem,
} from "../../vde_nb/viewer/static/edits.js";

test("a prompt is told by its box and its points", () => {
  const prompt = { box: [1, 2, 30, 40], points: [[1, 1, 1], [2, 2, 1], [3, 3, 0]] };
  assert.equal(promptText(prompt), "box, 2 on, 1 off");
  assert.equal(promptWords(prompt), "box 30 × 40 at 1, 2, 2 points on it, 1 point not on it");
  assert.equal(promptText({ box: null, points: [] }), "empty");
});

test("deleting leaves the others, and the list that was there", () => {
  const prompts = ["a", "b", "c"];
  assert.deepEqual(withoutItem(prompts, 1), ["a", "c"]);
  assert.deepEqual(withoutItem(prompts, 7), prompts);
  assert.equal(prompts.length, 3);
});

test("the active prompt stays the same prompt when another is deleted", () => {
  const prompts = ["a", "b", "c"];
  for (let active = 0; active < 3; active += 1) {
    for (let deleted = 0; deleted < 3; deleted += 1) {
      const after = activeAfterDeleting(active, deleted);
      const wanted = active === deleted ? undefined : prompts[active];
      assert.equal(withoutItem(prompts, deleted)[after], wanted);
    }
  }
  assert.equal(activeAfterDeleting(-1, 0), -1);
});

test("a nudge is told in directions", () => {
  assert.equal(nudgeText([2, -0.5]), "2 px right, 0.5 px up");
  assert.equal(nudgeText([-1, 0]), "1 px left");
  assert.equal(nudgeText([0, 0]), "not moved");
  assert.equal(nudgeText([0.1 + 0.2 - 0.3, -0]), "not moved"); // what floats leave over
});

test("how well the pictures fit is told before and after", () => {
  assert.equal(
    fitText({ before: 0.423, after: 0.08 }),
    "Structure that does not fit: 0.42 → 0.08",
  );
  assert.equal(fitText({ before: null, after: 0.5 }), "Structure that does not fit: 0.50");
  assert.equal(fitText({ before: 0.1, after: Number.NaN }), "");
  assert.equal(fitText(null), "");
});

test("boxes are told by size and place", () => {
  assert.equal(boxText([3, 4, 50, 60]), "50 × 60 at 3, 4");
});

const press = (key, more = {}) =>
  historyKey({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more });

test("Ctrl or Cmd with Z goes back, with Shift+Z or Y forward", () => {
  for (const held of [{ ctrlKey: true }, { metaKey: true }]) {
    assert.equal(press("z", held), "undo");
    assert.equal(press("Z", { ...held, shiftKey: true }), "redo");
    assert.equal(press("y", held), "redo");
  }
});

test("other keys mean nothing to the history", () => {
  assert.equal(press("z"), null);
  assert.equal(press("z", { ctrlKey: true, altKey: true }), null);
  assert.equal(press("s", { ctrlKey: true }), null);
});
