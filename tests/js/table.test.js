import { test } from "node:test";
import assert from "node:assert/strict";
import {
  emptyTableWords,
  filterRegions,
  nextSorting,
  regionTally,
  reviewProgress,
  rowWindow,
  scrollToRow,
  sortRegions,
  stepRegion,
  thumbnailRects,
} from "../../vde_nb/viewer/static/regions.js";
import { areaText, placeText, regionColour } from "../../vde_nb/viewer/static/table_row.js";

const region = (number, more = {}) => ({
  number,
  box: [10 * number, 100 - number, 20, 10],
  type: "shape",
  severity: "minor",
  score: number / 100,
  area: 1000 - number,
  verdict: null,
  comment: "",
  origin: "detected",
  type_found: "shape",
  severity_score: 0.1,
  ...more,
});
const numbers = (list) => list.map((one) => one.number);
const all = { text: "", severities: [], verdict: "all" };

test("severity sorts by grade, not by the alphabet, and by its number within a grade", () => {
  const list = [
    region(1, { severity: "moderate", severity_score: 0.5 }),
    region(2, { severity: "major", severity_score: 0.7 }),
    region(3, { severity: "minor" }),
    region(4, { severity: "major", severity_score: 0.9 }),
  ];
  assert.deepEqual(numbers(sortRegions(list, { key: "severity", descending: true })), [4, 2, 1, 3]);
  assert.deepEqual(numbers(sortRegions(list, { key: "severity", descending: false })), [3, 1, 2, 4]);
});

test("what is equal keeps the order of its numbers, whichever way the column is sorted", () => {
  const list = [region(2), region(1), region(3)];
  for (const descending of [false, true]) {
    assert.deepEqual(numbers(sortRegions(list, { key: "type", descending })), [1, 2, 3]);
  }
});

test("sorting leaves the list it was given alone", () => {
  const list = [region(2), region(1)];
  sortRegions(list, { key: "number", descending: false });
  assert.deepEqual(numbers(list), [2, 1]);
});

test("positions sort as one reads: from top to bottom, then from left to right", () => {
  const list = [region(1, { box: [50, 9, 1, 1] }), region(2, { box: [5, 9, 1, 1] }), region(3, { box: [99, 0, 1, 1] })];
  assert.deepEqual(numbers(sortRegions(list, { key: "position", descending: false })), [3, 2, 1]);
});

test("a measure shows its largest first; a third click goes back to the numbers", () => {
  let sorting = { key: "number", descending: false };
  sorting = nextSorting(sorting, "area");
  assert.deepEqual(sorting, { key: "area", descending: true });
  sorting = nextSorting(sorting, "area");
  assert.deepEqual(sorting, { key: "area", descending: false });
  sorting = nextSorting(sorting, "area");
  assert.deepEqual(sorting, { key: "number", descending: false });
  assert.deepEqual(nextSorting(sorting, "number"), { key: "number", descending: true });
});

test("digits find the start of a number, #3 exactly number 3, words a type or a note", () => {
  const list = [1, 3, 13, 31].map((number) => region(number));
  list[1].type = "Missing element";
  list[2].comment = "look at the Bolt";
  list[3].type_found = "colour";
  const find = (text) => numbers(filterRegions(list, { ...all, text }));
  assert.deepEqual(find("3"), [3, 31]);
  assert.deepEqual(find("#3"), [3]);
  assert.deepEqual(find("missing"), [3]);
  assert.deepEqual(find("bolt 13"), [13]);
  assert.deepEqual(find("COLOUR"), [31]);
  assert.deepEqual(find("  "), [1, 3, 13, 31]);
  assert.deepEqual(find("[("), []);
});

test("severities and verdicts narrow the list together", () => {
  const list = [
    region(1, { severity: "major", verdict: "accepted" }),
    region(2, { severity: "major" }),
    region(3, { severity: "minor", verdict: undefined }),
  ];
  const pick = (patch) => numbers(filterRegions(list, { ...all, ...patch }));
  assert.deepEqual(pick({ severities: ["major"] }), [1, 2]);
  assert.deepEqual(pick({ verdict: "unreviewed" }), [2, 3]);
  assert.deepEqual(pick({ severities: ["major"], verdict: "unreviewed" }), [2]);
  assert.deepEqual(pick({ severities: ["minor", "major"], verdict: "rejected" }), []);
});

test("walking through the list stops at its ends", () => {
  const list = [region(5), region(2), region(9)];
  assert.equal(stepRegion(list, 5, 1), 2);
  assert.equal(stepRegion(list, 9, 1), 9);
  assert.equal(stepRegion(list, 5, -1), 5);
  assert.equal(stepRegion([], 5, 1), 0);
});

test("walking starts at the first going down and at the last going up", () => {
  const list = [region(5), region(2), region(9)];
  assert.equal(stepRegion(list, 0, 1), 5);
  assert.equal(stepRegion(list, 0, -1), 9);
});

test("after a region left the list, the one in its place is next", () => {
  const list = [region(1), region(3), region(4)]; // 2 was at index 1
  assert.equal(stepRegion(list, 2, 1, 1), 3);
  assert.equal(stepRegion(list, 2, -1, 1), 1);
  assert.equal(stepRegion(list, 9, 1, 3), 4); // it was the last one
});

test("the tally counts each grade and each verdict, unknown grades only among all", () => {
  const list = [region(1, { verdict: "accepted" }), region(2, { severity: "major" }), region(3, { severity: "odd" })];
  assert.deepEqual(regionTally(list), {
    all: 3, unreviewed: 2, accepted: 1, rejected: 0, minor: 1, moderate: 0, major: 1,
  });
  assert.deepEqual(reviewProgress(list), { reviewed: 1, total: 3 });
});

test("of two thousand rows only those in sight exist", () => {
  const { first, last } = rowWindow(2000, 50, 50_000, 400);
  assert.ok(first <= 1000 && last >= 1008);
  assert.ok(last - first < 20);
  assert.deepEqual(rowWindow(3, 50, 0, 400), { first: 0, last: 3 });
  assert.deepEqual(rowWindow(0, 50, 0, 400), { first: 0, last: 0 });
  const beyond = rowWindow(5, 50, 9000, 400); // the list became shorter while scrolled down
  assert.ok(beyond.first <= beyond.last && beyond.last === 5);
});

test("a row in sight scrolls nothing; others scroll as little as they can", () => {
  assert.equal(scrollToRow(3, 50, 100, 200), 100);
  assert.equal(scrollToRow(1, 50, 100, 200), 50);
  assert.equal(scrollToRow(6, 50, 100, 200), 150);
  assert.equal(scrollToRow(4, 50, 0, 20), 200); // a room lower than a row: its top is shown
});

test("a thumbnail is a square around the region with something of what is around it", () => {
  const { from, to } = thumbnailRects([100, 100, 40, 20], { width: 800, height: 600 }, 44);
  assert.deepEqual(from, [90, 80, 60, 60]);
  assert.deepEqual(to, [0, 0, 44, 44]);
});

test("a thumbnail at the edge moves into the picture instead of showing nothing", () => {
  const image = { width: 800, height: 600 };
  for (const box of [[0, 0, 3, 3], [797, 597, 3, 3], [0, 300, 2, 200], [0, 0, 800, 600]]) {
    const { from, to } = thumbnailRects(box, image, 44);
    assert.ok(from[0] >= 0 && from[1] >= 0, String(from));
    assert.ok(from[0] + from[2] <= 800 + 1e-9 && from[1] + from[3] <= 600 + 1e-9, String(from));
    assert.ok(Math.abs(to[2] / from[2] - to[3] / from[3]) < 1e-9, "not distorted");
    assert.ok(to[0] >= 0 && to[1] >= 0 && to[0] + to[2] <= 44 + 1e-9 && to[1] + to[3] <= 44 + 1e-9);
  }
});

test("a tiny picture is shown whole, between bars", () => {
  const { from, to } = thumbnailRects([2, 1, 3, 2], { width: 40, height: 10 }, 40);
  assert.deepEqual(from, [0, 0, 24, 10]);
  assert.equal(to[2] / from[2], to[3] / from[3]);
});

test("an empty table says why it is empty", () => {
  assert.match(emptyTableWords({ pair: null, result: null }), /Nothing compared/);
  assert.match(emptyTableWords({ pair: {}, result: null }), /when the comparison is done/);
  const result = { threshold: 50, anomalies: [] };
  assert.equal(emptyTableWords({ pair: {}, result }), "No differences found at threshold 50.");
  assert.equal(emptyTableWords({ pair: {}, result: { ...result, anomalies: [region(1)] } }), "");
});

test("numbers are written to be read", () => {
  assert.equal(areaText(1234567), "1,234,567 px");
  assert.equal(placeText([812, 344, 24, 31]), "812, 344 · 24 × 31");
});

test("a row has the colour its region has on the picture; an unknown type is grey", () => {
  const state = {
    view: { colour_by: "type" },
    colours: { type: { shape: "#123456" }, severity: { minor: "#56b4e9" } },
  };
  assert.equal(regionColour(region(1), state), "#123456");
  assert.equal(regionColour(region(1, { type: "new" }), state), "#808080");
  assert.equal(regionColour(region(1), { ...state, view: { colour_by: "severity" } }), "#56b4e9");
});
