import { test } from "node:test";
import assert from "node:assert/strict";
import {
  curveArea,
  curveDots,
  curveHeight,
  curveLine,
  curveMarks,
  curveNearest,
  curvePlaces,
  curveRuns,
  curveScore,
  curveTop,
  scoreText,
} from "../../vde_nb/viewer/static/score_curve.js";
import { seenFrames } from "../../vde_nb/viewer/static/curve.js";
import { frameLines } from "../../vde_nb/viewer/static/frame_words.js";
import {
  timeLabels,
  timeStyle,
  timeText,
  timeWhole,
} from "../../vde_nb/viewer/static/frame_times.js";

const scored = (...scores) => scores.map((score) => ({ score }));

test("what is no number is no score, and none is below zero", () => {
  const scores = [null, undefined, "3", Number.NaN, Infinity].map((score) => curveScore({ score }));
  assert.deepEqual(scores, [null, null, null, null, null]);
  assert.equal(curveScore(undefined), null);
  assert.equal(curveScore({ score: -0.2 }), 0);
  assert.equal(curveScore({ score: 3 }), 3);
});

test("the level lies well inside even where every frame is quiet", () => {
  const top = curveTop(scored(0.1, 0.3, null), 1);
  assert.equal(top, 2);
  const height = curveHeight(1, top);
  assert.ok(height > 0.3 && height < 0.8);
});

test("the highest score has room above it, and heights rise with scores", () => {
  const top = curveTop(scored(0.5, 40), 1);
  assert.ok(top > 40 && curveHeight(40, top) < 1);
  let last = -1;
  for (const score of [0, 0.2, 1, 2, 10, 40]) {
    assert.ok(curveHeight(score, top) > last);
    last = curveHeight(score, top);
  }
  assert.equal(curveHeight(0, top), 0);
  assert.equal(curveHeight(1e9, top), 1);
});

test("a level of zero before any score is known draws at the bottom and not at no number", () => {
  const top = curveTop(scored(null, undefined), 0);
  assert.equal(curveHeight(0, top), 0);
  assert.deepEqual(curveMarks(0, top, 60), [0]);
  assert.equal(curveHeight(0, curveTop(scored(0, 0), 0)), 0);
  assert.ok(curveHeight(3, curveTop(scored(0, 3), 0)) > 0.8);
});

test("marks on the axis never touch, and the level is always among them", () => {
  for (const top of [2, 3, 8, 19, 80, 900, 5000]) {
    for (const level of [1, 0.7, 2.3]) {
      const marks = curveMarks(level, Math.max(top, 2 * level), 60);
      assert.ok(marks.includes(level));
      const ys = marks.map((mark) => curveHeight(mark, Math.max(top, 2 * level)) * 60);
      ys.slice(1).forEach((y, at) => assert.ok(y - ys[at] >= 13));
    }
  }
});

test("frames are spread evenly from edge to edge, a lone one in the middle", () => {
  assert.deepEqual(curvePlaces(3, 220, 10), [10, 110, 210]);
  assert.deepEqual(curvePlaces(1, 220), [110]);
  assert.deepEqual(curvePlaces(2, 5, 10), [10, 10]);
});

test("a frame that was not compared is a gap, and one between two gaps is a dot", () => {
  const items = scored(1, 2, null, 3, null, 4, 5);
  const xs = items.map((_, at) => at * 10);
  const runs = curveRuns(items, xs, (score) => 100 - score);
  assert.deepEqual(runs.map((run) => run.length), [2, 1, 2]);
  assert.equal(curveLine(runs), "M0 99L10 98M50 96L60 95");
  assert.equal(curveArea(runs, 100), "M0 100L0 99L10 98L10 100ZM50 100L50 96L60 95L60 100Z");
  assert.ok(curveDots(runs[1], 2).startsWith("M28 97a2 2"));
  assert.deepEqual(curveRuns(scored(null, null), [0, 1], () => 0), []);
  assert.equal(curveLine([]), "");
});

test("a click finds the nearest frame, also beyond the ends", () => {
  const xs = [10, 20, 40];
  assert.deepEqual([-5, 14, 16, 29, 31, 400].map((x) => curveNearest(xs, x)), [0, 0, 1, 1, 2, 2]);
  assert.equal(curveNearest([], 3), -1);
  assert.equal(curveNearest([7], 300), 0);
});

test("every frame is found at its own place, however many there are", () => {
  const xs = curvePlaces(1000, 800);
  xs.forEach((x, at) => assert.equal(curveNearest(xs, x), at));
});

test("the frames that are seen in the strip are those with their middles in it", () => {
  const middles = [50, 150, 250, 350];
  assert.deepEqual(seenFrames(middles, 0, 200), [0, 1]);
  assert.deepEqual(seenFrames(middles, 140, 120), [1, 2]);
  assert.deepEqual(seenFrames(middles, 300, 1000), [3, 3]);
  assert.deepEqual(seenFrames(middles, 60, 20), []);
});

test("scores are told as precisely as they matter", () => {
  assert.deepEqual([0, 0.423, 0.999, 3.14, 24.4, 1e7].map(scoreText), ["0.00", "0.42", "1.0", "3.1", "24", "≥ 1000"]);
});

const at = (...times) => times.map((time) => ({ time }));

test("frames of one day are told apart by the clock, of several by the date, too", () => {
  const day = at("2026-11-23T14:30:00", "2026-11-23T15:00:00");
  assert.deepEqual(timeStyle(day), { date: false, seconds: false });
  assert.equal(timeText(day[0].time, timeStyle(day)), "14:30");
  const days = [...day, ...at("2026-11-24T08:05:00")];
  assert.equal(timeText(days[2].time, timeStyle(days)), "24 Nov 08:05");
  const quick = at("2026-11-23T14:30:00", "2026-11-23T14:30:05");
  assert.equal(timeText(quick[1].time, timeStyle(quick)), "14:30:05");
});

test("what is no time is no label, and no time zone is applied", () => {
  for (const time of [null, undefined, "", "yesterday", "2026-13-01T00:00:00"]) {
    assert.equal(timeText(time), "");
    assert.equal(timeWhole(time), "");
  }
  assert.equal(timeWhole("2026-03-29T02:30:00"), "29 Mar 2026, 02:30");
});

test("labels below the curve keep their distance and name the day where it turns", () => {
  const times = Array.from({ length: 12 }, (_, i) => `2026-11-2${3 + Math.floor(i / 6)}T${String(8 + (i % 6)).padStart(2, "0")}:00:00`);
  const labels = timeLabels(at(...times), times.map((_, i) => i * 40), 60);
  assert.deepEqual(labels.map((one) => one.index), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(labels.map((one) => one.text), ["23 Nov", "10:00", "12:00", "24 Nov", "10:00", "12:00"]);
  assert.deepEqual(labels.filter((one) => one.day).map((one) => one.index), [0, 6]);
});

test("frames without times are numbered", () => {
  const labels = timeLabels([{}, {}, {}], [0, 100, 200], 60);
  assert.deepEqual(labels.map((one) => one.text), ["1", "2", "3"]);
});

test("a frame is told with name, time, score and what was found, as far as that is known", () => {
  const item = { name: "a\nb.png", status: "changed", count: 2, score: 3.14, time: "2026-11-23T14:30:00" };
  assert.deepEqual(frameLines(item, 1), [
    "a\\nb.png",
    "23 Nov 2026, 14:30",
    "Score 3.1, above the level",
    "2 regions",
  ]);
  assert.deepEqual(frameLines({ name: "b", status: "todo", count: null }), ["b", "not compared"]);
  const old = { name: "c", status: "clean", count: 0, outdated: true, note: "1 pixel\nhigh" };
  assert.deepEqual(frameLines(old), ["c", "no change (with other settings)", "1 pixel\\nhigh"]);
});
