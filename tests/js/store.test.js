import assert from "node:assert/strict";
import { test } from "node:test";
import { createStore, defaultView, mergeView } from "../../vde_nb/viewer/static/store.js";

const host = () => ({ sent: [], static: false, send(content) { this.sent.push(content); } });

test("a listener of two keys that change together hears once, after both have", () => {
  const store = createStore(host());
  const heard = [];
  store.on(["selected", "hovered"], (state, changed) =>
    heard.push([state.selected, state.hovered, [...changed].sort()]),
  );
  store.set({ selected: 3, hovered: 4 });
  assert.deepEqual(heard, [[3, 4, ["hovered", "selected"]]]);
});

test("setting what is already so tells nobody", () => {
  const store = createStore(host());
  let calls = 0;
  store.on("selected", () => (calls += 1));
  store.set({ selected: 0 });
  assert.equal(calls, 0);
});

test("one listener that fails does not keep the others from hearing, and is said in words", () => {
  const store = createStore(host());
  let heard = false;
  store.on("selected", () => {
    throw new Error("broken part");
  });
  store.on("selected", () => (heard = true));
  store.set({ selected: 1 });
  assert.ok(heard);
  assert.equal(store.state.error.message, "broken part");
  assert.equal(store.host.sent[0].kind, "error");
});

test("the same function may listen twice; taking one back leaves the other", () => {
  const store = createStore(host());
  let calls = 0;
  const fn = () => (calls += 1);
  const off = store.on("selected", fn);
  store.on("selected", fn);
  off();
  store.set({ selected: 1 });
  assert.equal(calls, 1);
});

test("a destroyed store is silent and runs what was left to do at its end", () => {
  const store = createStore(host());
  let ended = 0;
  let heard = 0;
  store.onDestroy(() => (ended += 1));
  store.on("selected", () => (heard += 1));
  store.destroy();
  store.destroy();
  store.set({ selected: 1 });
  assert.deepEqual([ended, heard], [1, 0]);
});

test("a view edited by hand keeps what makes sense and loses what does not", () => {
  const view = mergeView(defaultView(), {
    mode: "x-ray",
    opacity: 7,
    scale: "large",
    wipe: NaN,
    hatch: true,
    layers: { mask: false, ghosts: true },
    colour_by: "taste",
  });
  assert.deepEqual(view, {
    ...defaultView(),
    opacity: 1,
    hatch: true,
    layers: { ...defaultView().layers, mask: false },
  });
});

test("a merged view shares nothing with the old one", () => {
  const old = defaultView();
  mergeView(old, { layers: { mask: false } });
  assert.equal(old.layers.mask, true);
});
