import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import { mock, test } from "node:test";
import { createStore } from "../../vde_nb/viewer/static/store.js";
import { connect } from "../../vde_nb/viewer/static/protocol.js";

const PAIR = {
  token: "p1",
  width: 4,
  height: 2,
  reference_name: "a",
  current_name: "b",
  base: { width: 4, height: 2, factor: 1 },
  levels: [1],
  tile: 512,
  deep: false,
};

/** A store whose Python is this test; pictures are decoded when the test says so. */
function session({ answer = () => {} } = {}) {
  let listener;
  let linkListener;
  const sent = [];
  const host = {
    static: false,
    send(content, buffers) {
      sent.push({ ...content, buffers });
      answer(content);
    },
    onMessage(fn) {
      listener = fn;
      return () => (listener = null);
    },
    onLink(fn) {
      linkListener = fn;
      return () => {};
    },
  };
  const store = createStore(host);
  const decoding = [];
  const picture = (bytes) =>
    new Promise((resolve, reject) => {
      const bitmap = { name: String.fromCharCode(...bytes), closed: false };
      bitmap.close = () => (bitmap.closed = true);
      decoding.push({ bitmap, done: () => resolve(bitmap), fail: reject });
    });
  const stop = connect(store, { picture });
  const emit = (content, ...buffers) =>
    listener?.(content, buffers.map((bytes) => new DataView(Uint8Array.from(bytes).buffer)));
  return { store, state: store.state, sent, emit, decoding, stop, link: (to) => linkListener(to) };
}

const text = (word) => [...word].map((letter) => letter.charCodeAt(0));
const settle = () => new Promise((resolve) => setTimeout(resolve, 20));
/** Unpacking is done by threads of Node, which a busy machine keeps waiting. */
const until = async (is) => {
  for (let tries = 0; tries < 250 && !is(); tries++) await settle();
};
const blob = (key, token, extra = {}) => ({
  kind: "blob",
  key,
  token,
  part: 0,
  parts: 1,
  meta: {},
  ...extra,
});
const CLEAN = { width: 4, height: 2, factor: 1 };
const result = (seq, extra = {}) => ({
  kind: "result",
  result: { token: "p1", seq, threshold: 50, anomalies: [], summary: {}, ...extra },
  masks: [],
});

test("a picture in three parts is put together in order, whichever came first", async () => {
  const { emit, state, decoding } = session();
  emit({ kind: "pair", pair: PAIR });
  emit(blob("current", "c1", { part: 2, parts: 3 }), text("ere"));
  emit(blob("current", "c1", { part: 0, parts: 3 }), text("pic"));
  assert.equal(decoding.length, 0);
  emit(blob("current", "c1", { part: 1, parts: 3 }), text("tur"));
  decoding[0].done();
  await settle();
  assert.equal(state.current.bitmap.name, "picturere");
  assert.equal(state.current.token, "c1");
});

test("an older picture that is decoded later does not replace the newer one", async () => {
  const { emit, state, decoding } = session();
  emit({ kind: "pair", pair: PAIR });
  emit(blob("current", "c1"), text("old"));
  emit(blob("current", "c2"), text("new"));
  decoding[1].done();
  decoding[0].done();
  await settle();
  assert.equal(state.current.bitmap.name, "new");
  assert.ok(decoding[0].bitmap.closed);
});

test("what was decoding when another pair came is thrown away and freed", async () => {
  const { emit, state, decoding } = session();
  emit({ kind: "pair", pair: PAIR });
  emit(blob("reference", "r1"), text("old"));
  emit({ kind: "pair", pair: { ...PAIR, token: "p2" } });
  decoding[0].done();
  await settle();
  assert.equal(state.reference, null);
  assert.ok(decoding[0].bitmap.closed);
});

test("half a picture of the old pair is not completed by the new one", () => {
  const { emit, decoding } = session();
  emit({ kind: "pair", pair: PAIR });
  emit(blob("current", "c1", { part: 0, parts: 2 }), text("a"));
  emit({ kind: "pair", pair: { ...PAIR, token: "p2" } });
  emit(blob("current", "c1", { part: 1, parts: 2 }), text("b"));
  assert.equal(decoding.length, 0);
});

test("the heatmap arrives packed and brings its histogram", async () => {
  const { emit, state } = session();
  emit({ kind: "pair", pair: PAIR });
  emit(blob("clean", "h1", { meta: CLEAN }), deflateSync(Uint8Array.of(0, 0, 9, 9, 9, 255, 0, 1)));
  await until(() => state.clean);
  assert.deepEqual([...state.clean.values], [0, 0, 9, 9, 9, 255, 0, 1]);
  assert.equal(state.histogram[9], 3);
  assert.equal(state.histogram[255], 1);
});

test("a damaged heatmap is said in words, and what follows still arrives", async () => {
  const { emit, state } = session();
  emit({ kind: "pair", pair: PAIR });
  emit(blob("clean", "h1", { meta: CLEAN }), [1, 2, 3]);
  emit(result(0));
  await until(() => state.error && state.result);
  assert.match(state.error.message, /damaged/);
  assert.equal(state.clean, null);
  assert.ok(state.result);
});

test("a region gets its mask and its outline", async () => {
  const { emit, state } = session();
  emit({ kind: "pair", pair: PAIR });
  const box = [1, 0, 2, 2];
  emit(
    { ...result(0, { anomalies: [{ number: 1, box }] }), masks: [0] },
    deflateSync(Uint8Array.of(0b0111)),
  );
  await until(() => state.result);
  const [one] = state.result.anomalies;
  assert.deepEqual([...one.bits], [1, 1, 1, 0]);
  assert.deepEqual([...one.loops[0]], [1, 0, 3, 0, 3, 1, 2, 1, 2, 2, 1, 2]);
});

test("an answer to an earlier threshold never overwrites a later one", async () => {
  const { emit, state, store } = session();
  emit({ kind: "pair", pair: PAIR });
  store.actions.setThreshold(70, true);
  store.actions.setThreshold(90, true);
  emit(result(1, { threshold: 70 }));
  await settle();
  assert.equal(state.result, null);
  emit(result(2, { threshold: 90 }));
  await settle();
  assert.equal(state.result.threshold, 90);
});

test("a result that was decoding when the threshold moved on is dropped", async () => {
  const { emit, state, store } = session();
  emit({ kind: "pair", pair: PAIR });
  store.actions.setThreshold(70, true);
  emit(result(1, { threshold: 70 }));
  store.actions.setThreshold(90, true);
  await settle();
  assert.equal(state.result, null);
  assert.equal(state.threshold, 90);
});

test("a result of another pair is dropped", async () => {
  const { emit, state } = session();
  emit({ kind: "pair", pair: PAIR });
  emit(result(0, { token: "p0" }));
  await settle();
  assert.equal(state.result, null);
});

test("a threshold from Python waits for the hand that drags", () => {
  const { emit, state, store } = session();
  emit({ kind: "pair", pair: PAIR });
  store.actions.setThreshold(70, false);
  emit({ kind: "state", seq: 9, patch: { threshold: 20 } });
  assert.equal(state.threshold, 70);
  store.actions.setThreshold(71, true);
  emit({ kind: "state", seq: 1, patch: { threshold: 20 } });
  assert.equal(state.threshold, 71);
  emit({ kind: "state", seq: 99, patch: { threshold: 20 } });
  assert.equal(state.threshold, 20);
});

test("after the page was loaded again, numbers go on where Python is", () => {
  const { emit, store, sent } = session();
  emit({ kind: "pair", pair: PAIR });
  emit({ kind: "state", seq: 41, patch: { threshold: 33 } });
  assert.equal(store.state.threshold, 33);
  store.actions.setThreshold(34, true);
  assert.equal(sent.at(-1).seq, 42);
});

test("a fast drag asks the kernel at most ten times a second, and once at the end", (context) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  context.after(() => mock.timers.reset());
  const { store, sent } = session();
  for (let i = 0; i < 60; i += 1) {
    store.actions.setThreshold(i, false);
    assert.equal(store.state.threshold, i);
    mock.timers.tick(16);
  }
  store.actions.setThreshold(60, true);
  mock.timers.tick(500);
  const asked = sent.filter((content) => content.kind === "threshold");
  assert.ok(asked.length <= 12, `${asked.length} messages`);
  assert.ok(asked.length >= 8);
  assert.deepEqual(asked.map((one) => one.final).filter(Boolean), [true]);
  assert.deepEqual([asked.at(-1).value, asked.at(-1).final], [60, true]);
  assert.ok(asked.every((one, i) => one.seq === i + 1));
});

test("a view is told when it has settled, and an echo on its way does not move it back", (context) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  context.after(() => mock.timers.reset());
  const { store, sent, emit, state } = session();
  for (let i = 0; i < 20; i += 1) {
    store.actions.setView({ opacity: i / 20 });
    mock.timers.tick(20);
  }
  emit({ kind: "state", patch: { view: { opacity: 0.1 } } });
  assert.equal(state.view.opacity, 0.95);
  assert.equal(sent.filter((content) => content.kind === "view").length, 0);
  mock.timers.tick(300);
  const [view] = sent.filter((content) => content.kind === "view");
  assert.equal(view.view.opacity, 0.95);
  emit({ kind: "state", patch: { view: { opacity: 0.2 } } });
  assert.equal(state.view.opacity, 0.2);
});

test("a kernel silent for three seconds is busy, and live again at its next word", (context) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  context.after(() => mock.timers.reset());
  const { store, sent, emit, state } = session();
  store.actions.select(2);
  mock.timers.tick(1100);
  assert.equal(sent.at(-1).kind, "ping");
  assert.equal(state.link, "live");
  mock.timers.tick(2000);
  assert.equal(state.link, "busy");
  emit({ kind: "pong", id: sent.at(-1).id });
  assert.equal(state.link, "live");
});

test("a kernel that answers is never called busy", (context) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  context.after(() => mock.timers.reset());
  const { store, emit, state } = session();
  for (let i = 1; i < 6; i += 1) {
    store.actions.select(i);
    mock.timers.tick(900);
    emit({ kind: "announce", text: "here" });
    mock.timers.tick(5000);
    assert.equal(state.link, "live");
  }
});

test("when the kernel is gone nobody waits for it, and nothing throws", async () => {
  const { store, link, state } = session();
  store.set({ progress: { stage: "Aligning", done: 0, total: 1, started: 0 } });
  const pixel = store.actions.requestPixel(1, 1);
  link("gone");
  assert.equal(await pixel, null);
  assert.equal(state.link, "gone");
  assert.equal(state.progress, null);
});

test("sending over a dead link is a state, not an error", async () => {
  const { store, state } = session({
    answer() {
      throw new Error("Kernel is dead");
    },
  });
  store.actions.select(1);
  assert.equal(state.link, "gone");
  assert.equal(state.error, null);
  assert.equal(await store.actions.requestPixel(0, 0), null);
});

test("an answer goes to the question it belongs to", async () => {
  const { store, emit, sent } = session();
  const first = store.actions.requestPixel(1, 0);
  const second = store.actions.requestPixel(2, 0);
  const [a, b] = sent.filter((content) => content.kind === "pixel");
  emit({ kind: "pixel", id: b.id, reference: [2, 2, 2], current: [0, 0, 0] });
  emit({ kind: "pixel", id: a.id, reference: [1, 1, 1], current: [0, 0, 0] });
  assert.deepEqual((await first).reference, [1, 1, 1]);
  assert.deepEqual((await second).reference, [2, 2, 2]);
});

test("edits show at once, and an echo of earlier edits does not undo them", () => {
  const { store, emit, state } = session();
  const box = [0, 0, 2, 2];
  store.actions.setEdits({ ignore: [box] }, "ignore");
  store.actions.setEdits({ ignore: [box, box] }, "ignore");
  emit({ kind: "state", patch: { edits: { ignore: [box], prompts: [], seq: 1 } } });
  assert.equal(state.edits.ignore.length, 2);
  emit({ kind: "state", patch: { edits: { ignore: [], prompts: [], can_undo: false, seq: 2 } } });
  assert.equal(state.edits.ignore.length, 0);
});

test("thumbs stay when the filmstrip is told again, and are freed when their pair goes", () => {
  const { emit, state } = session();
  const items = [
    { name: "a", status: "todo", count: null },
    { name: "b", status: "todo", count: null },
  ];
  emit({ kind: "state", patch: { filmstrip: { items, index: 0 } } });
  emit(blob("thumb", "t", { meta: { index: 1 } }), text("png"));
  const { thumb } = state.filmstrip.items[1];
  assert.match(thumb, /^blob:/);
  emit({ kind: "state", patch: { filmstrip: { items, index: 1 } } });
  assert.equal(state.filmstrip.items[1].thumb, thumb);
  emit({ kind: "state", patch: { filmstrip: { items: [items[0]], index: 0 } } });
  assert.equal(state.filmstrip.items.length, 1);
});

test("stages replace each other one by one and are freed when explaining ends", async () => {
  const { store, emit, state, decoding } = session();
  store.actions.explain(true);
  const stage = (index, title) =>
    emit(blob("stage", "s", { meta: { index, total: 2, key: title, title, sentence: "" } }), text("x"));
  stage(0, "Aligned");
  stage(1, "Mask");
  stage(1, "Mask again");
  for (const { done } of decoding) done();
  await settle();
  assert.deepEqual(state.explain.stages.map((one) => one.title), ["Aligned", "Mask again"]);
  assert.deepEqual(decoding.map((one) => one.bitmap.closed), [false, true, false]);
  store.actions.explain(false);
  assert.equal(state.explain, null);
  assert.ok(decoding.every((one) => one.bitmap.closed));
});

test("a file goes up in parts of half a mebibyte and the answer comes back", async () => {
  const { store, sent, emit } = session({
    answer(content) {
      if (content.kind !== "upload" || content.index !== 2) return;
      queueMicrotask(() => emit({ kind: "uploaded", id: content.id, ok: true, message: "" }));
    },
  });
  const file = new File([new Uint8Array(2.5 * 2 ** 19)], "<b>.png");
  const answer = await store.actions.upload("current", file);
  const parts = sent.filter((content) => content.kind === "upload");
  assert.deepEqual(answer, { ok: true, message: "" });
  assert.deepEqual(parts.map((one) => one.buffers[0].byteLength), [2 ** 19, 2 ** 19, 2 ** 18]);
  assert.deepEqual(parts.map((one) => [one.index, one.parts, one.name])[0], [0, 3, "<b>.png"]);
});

test("a message that nobody knows, or that makes no sense, breaks nothing", async () => {
  const { emit, state } = session();
  emit({ kind: "fashion" });
  emit({});
  emit({ kind: "counts", token: "zz", values: [1] });
  emit(blob("clean", "h"), []);
  await settle();
  assert.equal(state.counts, null);
  assert.equal(state.pair, null);
});

test("the counts of another heatmap are not shown over this one", async () => {
  const { emit, state } = session();
  emit({ kind: "pair", pair: PAIR });
  emit(blob("clean", "h2", { meta: CLEAN }), deflateSync(new Uint8Array(8)));
  await until(() => state.clean);
  emit({ kind: "counts", token: "h1", values: [1] });
  await settle();
  assert.equal(state.counts, null);
  emit({ kind: "counts", token: "h2", values: [2] });
  await settle();
  assert.deepEqual(state.counts.values, [2]);
});

test("stopping frees the pictures", async () => {
  const { emit, decoding, store } = session();
  emit({ kind: "pair", pair: PAIR });
  emit(blob("current", "c1"), text("x"));
  decoding[0].done();
  await settle();
  store.destroy();
  assert.ok(decoding[0].bitmap.closed);
});

test("a release where the last movement was is answered by the answer to that", async () => {
  const { emit, state, store } = session();
  emit({ kind: "pair", pair: PAIR });
  store.actions.setThreshold(70, false);
  store.actions.setThreshold(70, true);
  emit(result(1, { threshold: 70 }));
  await settle();
  assert.equal(state.result.threshold, 70);
});

test("the same pair told again keeps what is on the screen", async () => {
  const { emit, state, decoding } = session();
  emit({ kind: "pair", pair: PAIR });
  emit(blob("current", "c1"), text("x"));
  decoding[0].done();
  await settle();
  emit({ kind: "pair", pair: { ...PAIR } });
  emit(blob("current", "c1"), text("x"));
  assert.ok(state.current);
  assert.equal(decoding.length, 1);
});

test("a frame that changed alone leaves the others the objects they are", () => {
  const { emit, state } = session();
  const items = ["a", "b"].map((name) => ({ name, status: "todo", count: null }));
  const curve = { level: 1 };
  emit({ kind: "state", patch: { filmstrip: { items, index: 0, curve, sweep: null, missing: 2 } } });
  const first = state.filmstrip.items[0];
  const item = { name: "b", status: "changed", count: 3, score: 2.5 };
  emit({ kind: "frame", index: 1, item, sweep: { done: 1, total: 2 }, missing: 1 });
  assert.equal(state.filmstrip.items[0], first);
  assert.equal(state.filmstrip.items[1].score, 2.5);
  assert.deepEqual(state.filmstrip.sweep, { done: 1, total: 2 });
  assert.equal(state.filmstrip.missing, 1);
  assert.deepEqual(state.filmstrip.curve, { level: 1 });
});

test("news of a frame of an earlier strip is dropped", () => {
  const { emit, state } = session();
  const items = [{ name: "a", status: "todo", count: null }];
  emit({ kind: "state", patch: { filmstrip: { items, index: 0 } } });
  const before = state.filmstrip;
  emit({ kind: "frame", index: 3, item: { name: "z", status: "clean", count: 0 } });
  emit({ kind: "frame", index: 0, item: { name: "z", status: "clean", count: 0 } });
  assert.equal(state.filmstrip, before);
});

test("comparing all is asked for and called off", () => {
  const { store, sent } = session();
  store.actions.compareAll(true);
  store.actions.compareAll(false);
  const asked = sent.filter((one) => one.kind === "compare_all").map((one) => one.on);
  assert.deepEqual(asked, [true, false]);
});

test("of a long strip only the frames that changed are told; pictures and the others stay", () => {
  const { state, emit } = session();
  const items = ["a", "b", "c"].map((name) => ({ name, status: "todo" }));
  emit({ kind: "state", patch: { filmstrip: { items, index: 0, curve: null } } });
  emit({ kind: "blob", key: "thumb", token: "t", part: 0, parts: 1, meta: { index: 1 } }, [1]);
  const [first, second] = state.filmstrip.items;
  const changed = [[1, { name: "b", status: "clean", reviewed: true }]];
  emit({ kind: "state", patch: { filmstrip: { changed, index: 2, curve: null } } });
  assert.equal(state.filmstrip.index, 2);
  assert.equal(state.filmstrip.items[0], first);
  assert.deepEqual(state.filmstrip.items[1], { ...changed[0][1], thumb: second.thumb });
});

test("a run opens with the pairs Python says, and then shows those the person chose", () => {
  const { store, state, emit } = session();
  emit({ kind: "state", patch: { gallery: { run: "r1", filter: "changed", pair: {} } } });
  assert.equal(state.film_filter, "changed");
  store.set({ film_filter: "unreviewed" });
  emit({ kind: "state", patch: { gallery: { run: "r1", filter: "changed", pair: {} } } });
  assert.equal(state.film_filter, "unreviewed");
  emit({ kind: "state", patch: { gallery: { run: "r2", filter: "all", pair: {} } } });
  assert.equal(state.film_filter, "all");
  emit({ kind: "state", patch: { gallery: null } });
  assert.equal(state.gallery, null);
});

test("what is said about a pair names the run it was said of", () => {
  const { store, sent, emit } = session();
  emit({ kind: "state", patch: { gallery: { run: "r1", filter: "all", pair: {} } } });
  store.actions.reviewPair(2, { marked: true });
  assert.deepEqual([sent.at(-1).run, sent.at(-1).index, sent.at(-1).marked], ["r1", 2, true]);
  emit({ kind: "state", patch: { gallery: { run: "r2", filter: "all", pair: {} } } });
  store.actions.reviewPair(2, { comment: "typed before" }, "r1");
  assert.equal(sent.at(-1).run, "r1");
  emit({ kind: "state", patch: { gallery: null } });
  store.actions.reviewPair(2, { marked: true });
  assert.equal(sent.at(-1).run, null);
});

test("between two pairs nothing is reviewed: what is seen is not what Python means by then", async () => {
  const { store, state, emit, sent } = session();
  const items = ["a", "b"].map((name) => ({ name, status: "changed" }));
  emit({ kind: "pair", pair: PAIR });
  emit({ kind: "state", patch: { filmstrip: { items, index: 0 } } });
  const anomaly = { number: 1, verdict: null };
  store.set({ result: { anomalies: [anomaly] } });
  store.actions.review(1, { verdict: "accepted" });
  assert.deepEqual(sent.at(-1), { kind: "review", number: 1, token: "p1", verdict: "accepted", buffers: undefined });
  const before = sent.length;
  store.actions.goto(1);
  store.actions.review(1, { verdict: "rejected" });
  store.actions.select(1);
  assert.deepEqual(sent.slice(before).map(({ kind }) => kind), ["goto"]);
  assert.equal(state.result.anomalies[0].verdict, "accepted");
  emit({ kind: "state", patch: { filmstrip: { items, index: 0 } } });
  assert.equal(state.leaving, 0, "news of the strip is no news of the pair");
  emit({ kind: "state", patch: { filmstrip: { items, index: 1 } } });
  store.actions.review(1, { verdict: "rejected" });
  assert.equal(sent.at(-1).kind, "review");
});

test("who walks quickly through the regions is not set back to one chosen before", () => {
  const { store, state, emit, sent } = session();
  store.actions.select(1);
  store.actions.select(2);
  assert.deepEqual(sent.map(({ number, seq }) => [number, seq]), [[1, 1], [2, 2]]);
  emit({ kind: "state", patch: { selected: 1, selected_seq: 1 } });
  assert.equal(state.selected, 2);
  emit({ kind: "state", patch: { selected: 3, selected_seq: 2 } });
  assert.equal(state.selected, 3);
  emit({ kind: "state", patch: { selected: 4, selected_seq: 9 } });
  store.actions.select(5);
  assert.equal(sent.at(-1).seq, 10, "Python may have counted further before the page was loaded again");
});
