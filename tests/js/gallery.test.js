import { test } from "node:test";
import assert from "node:assert/strict";
import {
  GALLERY_FILTERS,
  galleryCounts,
  galleryPlaces,
  galleryStep,
  galleryText,
} from "../../vde_nb/viewer/static/gallery_words.js";
import { frameLines } from "../../vde_nb/viewer/static/frame_words.js";

const ITEMS = [
  { name: "a", status: "error", found: "error", verdict: "fail" },
  { name: "b", status: "changed", found: "changed", verdict: "fail", reviewed: true },
  { name: "c", status: "changed", found: "changed", verdict: "pass" },
  { name: "d", status: "clean", found: "clean", verdict: "pass", reviewed: true },
  { name: "e", status: "error", found: "clean", verdict: "pass" },
];

test("each filter shows what its name says", () => {
  assert.deepEqual(galleryCounts(ITEMS), { all: 5, changed: 2, failing: 2, errors: 2, unreviewed: 3 });
  assert.deepEqual(galleryPlaces(ITEMS, "changed", 1), [1, 2]);
  assert.deepEqual(galleryPlaces(ITEMS, "errors", 0), [0, 4]);
  assert.deepEqual(galleryPlaces(ITEMS, "constructor", 0), [0, 1, 2, 3, 4]);
  assert.equal(new Set(GALLERY_FILTERS.map(({ name }) => name)).size, GALLERY_FILTERS.length);
});

test("the pair on the stage is not lost when the filter no longer means it", () => {
  assert.deepEqual(galleryPlaces(ITEMS, "unreviewed", 1), [0, 1, 2, 4]);
  assert.deepEqual(galleryPlaces(ITEMS, "unreviewed", 2), [0, 2, 4]);
});

test("steps lead from pair to pair that is shown, and stop at the ends", () => {
  const places = [0, 2, 4];
  assert.equal(galleryStep(places, 0, 1), 2);
  assert.equal(galleryStep(places, 2, -1), 0);
  assert.equal(galleryStep(places, 4, 1), -1);
  assert.equal(galleryStep(places, 0, -1), -1);
  assert.equal(galleryStep([], 0, 1), -1);
});

test("what is left is said in words", () => {
  assert.equal(galleryText(ITEMS), "2 of 5 reviewed");
  assert.equal(galleryText(ITEMS.map((one) => ({ ...one, reviewed: true }))), "All 5 reviewed");
  assert.equal(galleryText([]), "0 of 0 reviewed");
});

test("a frame of a run tells whether it passes and whether it was reviewed", () => {
  assert.deepEqual(frameLines({ ...ITEMS[1], count: 2 }), ["b", "2 regions", "fails the rule of the run", "reviewed"]);
  assert.deepEqual(frameLines({ name: "x", status: "clean", count: 0 }), ["x", "no change"]);
});
