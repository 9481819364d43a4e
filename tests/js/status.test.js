import assert from "node:assert/strict";
import { test } from "node:test";
import { progressText, summaryText } from "../../vde_nb/viewer/static/status.js";
import { reviewsJson } from "../../vde_nb/viewer/static/out.js";
import { largest } from "../../vde_nb/viewer/static/readout.js";
import { percentText } from "../../vde_nb/viewer/static/toolbar.js";
import { stageHeight } from "../../vde_nb/viewer/static/app.js";

const summary = { changed: 0.8612, ssim: 0.99213, ms: 142.4 };

test("a result is told in one line", () => {
  const state = { result: { threshold: 50, anomalies: [1], summary }, threshold: 50, link: "live" };
  const line = summaryText(state);
  for (const part of ["1 region", "0.86 % changed", "SSIM 0.992", "142 ms"]) {
    assert.ok(line.includes(part), `${part} in ${line}`);
  }
});

test("a trace of change is not called none", () => {
  const result = { threshold: 50, anomalies: [], summary: { changed: 0.0004 } };
  assert.match(summaryText({ result, threshold: 50 }), /< 0\.01 % changed/);
});

test("a report whose threshold was moved says what its table still lists", () => {
  const result = { threshold: 50, anomalies: [1, 2], summary };
  const line = summaryText({ result, threshold: 80, link: "static" });
  assert.equal(line, "The table lists what was found at 50: 2 regions.");
});

test("progress names the stage, how far it is and how long it took", () => {
  const progress = { stage: "Aligning", done: 2, total: 5, started: 1000 };
  assert.equal(progressText(progress, 2540), "Aligning (2 of 5) · 1.5 s");
  assert.equal(progressText({ stage: "", done: 0, total: 0, started: 0 }, 0), "Working · 0.0 s");
  const encoding = { ...progress, stage: "SAM reads the picture", share: 0.456 };
  assert.equal(progressText(encoding, 2540), "SAM reads the picture 45 % · 1.5 s");
});

test("saved reviews hold what was decided and nothing else", () => {
  const found = { type: "spot", type_found: "spot", comment: "", verdict: null };
  const anomalies = [
    { ...found, box: [0, 0, 1, 1] },
    { ...found, box: [1, 0, 1, 1], verdict: "rejected", comment: "a <b>shadow</b>" },
    { ...found, box: [2, 0, 1, 1], type: "scratch" },
  ];
  assert.deepEqual(JSON.parse(reviewsJson({ anomalies })), [
    { box: [1, 0, 1, 1], verdict: "rejected", type: null, comment: "a <b>shadow</b>" },
    { box: [2, 0, 1, 1], verdict: null, type: "scratch", comment: "" },
  ]);
});

test("the difference of two colours is that of the channel that differs most", () => {
  assert.equal(largest([10, 20, 30], [12, 90, 30]), 70);
});

test("small zooms keep a digit", () => {
  assert.deepEqual([1, 0.371, 0.0512, 12].map(percentText), ["100 %", "37 %", "5.1 %", "1200 %"]);
});

test("the stage is as high as the pair needs, within what a screen can show", (context) => {
  globalThis.window = { innerHeight: 900 };
  context.after(() => delete globalThis.window);
  const pair = (width, height) => ({ pair: { width, height } });
  assert.equal(stageHeight(800, pair(800, 600)), 600);
  assert.equal(stageHeight(800, pair(4000, 400)), 320);
  assert.equal(stageHeight(800, pair(400, 4000)), 630);
  assert.equal(stageHeight(800, { pair: null }), 380);
});
