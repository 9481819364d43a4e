import { test } from "node:test";
import assert from "node:assert/strict";
import { filmKeyTarget, scrollToItem } from "../../vde_nb/viewer/static/filmstrip.js";
import { filmStatusText, frameLines } from "../../vde_nb/viewer/static/frame_words.js";
import { plainName, shortName } from "../../vde_nb/viewer/static/names.js";
import { fittedSize } from "../../vde_nb/viewer/static/explain.js";

test("each state of a pair has words of its own", () => {
  const items = ["todo", "running", "clean", "error", "reviewed"].map((status) => ({ status, count: 0 }));
  const words = items.map(filmStatusText);
  assert.equal(new Set(words).size, items.length);
  assert.equal(filmStatusText({ status: "changed", count: 1 }), "1 region");
  assert.equal(filmStatusText({ status: "changed", count: 3 }), "3 regions");
  assert.equal(filmStatusText({ status: "changed", count: null }), "changed");
  assert.equal(filmStatusText({ status: "constructor", count: 0 }), "not compared");
});

test("arrows walk through the strip and stop at its ends", () => {
  assert.equal(filmKeyTarget("ArrowRight", 0, 3), 1);
  assert.equal(filmKeyTarget("ArrowRight", 2, 3), 2);
  assert.equal(filmKeyTarget("ArrowLeft", 0, 3), 0);
  assert.equal(filmKeyTarget("Home", 2, 3), 0);
  assert.equal(filmKeyTarget("End", 0, 3), 2);
});

test("Tab and letters are none of the strip's business", () => {
  for (const key of ["Tab", "a", "Escape"]) assert.equal(filmKeyTarget(key, 0, 3), -1);
  assert.equal(filmKeyTarget("End", 0, 0), -1);
});

test("the strip scrolls as little as it can", () => {
  assert.equal(scrollToItem(100, 50, 80, 300, 8), 80);
  assert.equal(scrollToItem(20, 50, 80, 300, 8), 12);
  assert.equal(scrollToItem(400, 50, 80, 300, 8), 158);
  assert.equal(scrollToItem(0, 50, 80, 300, 8), 0);
});

test("a long name loses its middle and keeps its end", () => {
  const name = `${"a".repeat(60)}_0042.png`;
  const short = shortName(name, 20);
  assert.equal(Array.from(short).length, 20);
  assert.ok(short.startsWith("aaaa") && short.endsWith("0042.png") && short.includes("…"));
  assert.equal(shortName("short.png", 20), "short.png");
});

test("an emoji of several code points is cut out whole or not at all", () => {
  const scientist = "👩‍🔬";
  const short = shortName(scientist.repeat(30), 11);
  assert.equal(short, `${scientist.repeat(5)}…${scientist.repeat(5)}`);
});

test("markup and quotes stay the text they are", () => {
  const name = `<script>alert("x")</script>.png`;
  assert.equal(plainName(name), name);
});

test("what breaks or turns a line is spelt out", () => {
  assert.equal(plainName("a\nb\tc\r.png"), "a\\nb\\tc\\r.png");
  assert.equal(plainName("photo\u202egnp.exe"), "photo\\u202egnp.exe");
  assert.equal(plainName("\u0007"), "\\u0007");
});

test("a picture of a stage fits its room without being distorted", () => {
  assert.deepEqual(fittedSize(800, 600, 400, 400), [400, 300]);
  assert.deepEqual(fittedSize(10, 1000, 100, 100), [1, 100]);
});
