import assert from "node:assert/strict";
import test from "node:test";

import { matches, ordered, sortValue, unpack } from "../../vde_nb/batch/summary.mjs";

const WORDS = ["crack", "it is damaged", "a note", "serial"];
const PACKED = [
  [1, "b10", "r", "c", 1, 1, 3, [2, 1, 0], [[0, 3]], 2.5, 0.9, 1.5, 40, "ab", 3, 1, null, [2], 0, 0, 1, [[3, "Lot 7"]]],
  [2, "b9", "", "", 2, 2, null, [0, 0, 0], [], null, null, null, null, "", 0, 0, 1, [], 0, 0, 0, []],
  [3, "B1", "r", "c", 1, 2, 1, [0, 0, 1], [[0, 1]], 0.5, 0.99, null, 9, "cd", 1, 0, null, [], 1, 1, 0, []],
];
const rows = PACKED.map((one, place) => unpack(one, place, WORDS));
const ANY = { words: [], status: "", verdict: "", severity: "", type: "" };
const numbers = (/** @type {any[]} */ list) => list.map((row) => row.number);

test("a packed row has its parts by name", () => {
  const [first, second, third] = rows;
  assert.deepEqual(
    [first.status, first.verdict, first.types, first.notes, first.pictured, first.copied],
    ["changed", "pass", [["crack", 3]], ["a note"], true, false],
  );
  assert.deepEqual([second.status, second.error, second.change], ["error", "it is damaged", null]);
  assert.deepEqual([third.copied, third.unlike, third.ways], [true, true, false]);
  assert.deepEqual([first.unlike, first.ways, first.given], [false, true, [["serial", "Lot 7"]]]);
});

test("names are sorted as people do", () => {
  assert.deepEqual(numbers(ordered(rows, "name", false)), [3, 2, 1]);
  assert.deepEqual(numbers(ordered(rows, "name", true)), [1, 2, 3]);
});

test("what is not known comes last both ways", () => {
  assert.deepEqual(numbers(ordered(rows, "change", false)), [3, 1, 2]);
  assert.deepEqual(numbers(ordered(rows, "change", true)), [1, 3, 2]);
  assert.deepEqual(numbers(ordered(rows, "score", true)), [1, 2, 3]);
});

test("one major anomaly is more than many smaller ones", () => {
  assert.deepEqual(numbers(ordered(rows, "anomalies", true)), [3, 1, 2]);
  assert.equal(sortValue(rows[1], "anomalies"), null);
});

test("without a key the worst come first, and the list that was given stays", () => {
  const given = [rows[2], rows[0], rows[1]];
  assert.deepEqual(numbers(ordered(given, "", false)), [1, 2, 3]);
  assert.deepEqual(numbers(given), [3, 1, 2]);
});

test("every filter narrows, and all of them must agree", () => {
  const shown = (/** @type {object} */ wanted) => numbers(rows.filter((row) => matches(row, { ...ANY, ...wanted })));
  assert.deepEqual(shown({}), [1, 2, 3]);
  assert.deepEqual(shown({ status: "error" }), [2]);
  assert.deepEqual(shown({ status: "unlike" }), [3]);
  assert.deepEqual(shown({ words: ["serial", "lot"] }), [1]);
  assert.deepEqual(shown({ verdict: "fail" }), [2, 3]);
  assert.deepEqual(shown({ severity: "major" }), [3]);
  assert.deepEqual(shown({ type: "crack", verdict: "pass" }), [1]);
  assert.deepEqual(shown({ words: ["damaged"] }), [2]);
  assert.deepEqual(shown({ words: ["b1", "crack"] }), [1, 3]);
  assert.deepEqual(shown({ words: ["b1", "note"] }), [1]);
});
