import assert from "node:assert/strict";
import { test } from "node:test";
import { createPictures } from "../../vde_nb/viewer/static/pictures.js";
import { createTileCache, tileLevel, tilesIn } from "../../vde_nb/viewer/static/tilecache.js";

const turn = () => new Promise((done) => setTimeout(done));

function bitmap(width = 512, height = 512, rgb = [0, 0, 0]) {
  return { width, height, rgb, closed: false, close() { this.closed = true; } };
}

/** A canvas that knows which picture was drawn on it last. */
globalThis.OffscreenCanvas = class {
  constructor(width, height) {
    Object.assign(this, { width, height, rgb: [0, 0, 0] });
  }
  getContext() {
    return {
      canvas: this,
      clearRect() {},
      drawImage: (source, x, y) => { this.rgb = source.rgb.map((value, c) => value + [x, y, 0][c]); },
      getImageData: () => ({ data: Uint8Array.of(...this.rgb, 255) }),
    };
  }
};

function someStore(pair, requestTile = async () => null) {
  const state = { pair, reference: null, current: null, clean: null, heatmap: null, link: "live" };
  const heard = {};
  return {
    state,
    actions: { requestTile },
    on(key, fn) {
      heard[key] = fn;
      return () => delete heard[key];
    },
    say: (key) => heard[key]?.(),
    heard,
  };
}

const SMALL = { token: "p", width: 100, height: 80, base: { width: 100, height: 80, factor: 1 }, levels: [1], tile: 512, deep: false };
const DEEP = { token: "p", width: 4000, height: 3000, base: { width: 1600, height: 1200, factor: 2.5 }, levels: [1, 2], tile: 512, deep: true };

/** A canvas context that writes down which pictures are drawn on it. */
function paper() {
  const drawn = [];
  return { drawn, drawImage: (source) => drawn.push(source) };
}

test("a tile level has a pixel for each of the screen, and no finer than needed", () => {
  assert.equal(tileLevel([1, 2, 4], 0.25), 4);
  assert.equal(tileLevel([1, 2, 4], 0.3), 2);
  assert.equal(tileLevel([1, 2, 4], 0.5), 2);
  assert.equal(tileLevel([1, 2, 4], 1), 1);
  assert.equal(tileLevel([1, 2, 4], 16), 1);
});

test("tiles in sight are those the view touches, the middle first", () => {
  const tiles = tilesIn([500, 500, 1500, 600], 1, 512, { width: 4000, height: 3000 });
  assert.deepEqual(tiles[0], { x: 1, y: 1 });
  assert.equal(tiles.length, 6);
  assert.deepEqual(tilesIn([3990, 2990, 4000, 3000], 1, 512, DEEP), [{ x: 7, y: 5 }]);
});

test("no more than six tiles are asked for at once, and what scrolled away is never asked for", async () => {
  const asked = [];
  const open = [];
  const cache = createTileCache((tile) => new Promise((done) => {
    asked.push(tile.x);
    open.push(() => done(bitmap()));
  }), () => {});
  const row = (from) => Array.from({ length: 20 }, (_, i) => ({ picture: "current", token: "t", level: 1, x: from + i, y: 0 }));
  cache.want(row(0));
  assert.deepEqual(asked, [0, 1, 2, 3, 4, 5]);
  cache.want(row(100));
  for (const done of open.splice(0)) done();
  await turn();
  assert.deepEqual(asked.slice(6), [100, 101, 102, 103, 104, 105]);
});

test("tiles are given up when there is no room, the least recently used first", async () => {
  const made = [];
  const cache = createTileCache(async () => made[made.push(bitmap()) - 1], () => {}, 3 * 512 * 512 * 4);
  const tile = (x) => ({ picture: "current", token: "t", level: 1, x, y: 0 });
  for (let x = 0; x < 3; x += 1) {
    cache.want([tile(x)]);
    await turn();
  }
  cache.get(tile(0));
  cache.want([tile(3)]);
  await turn();
  assert.equal(cache.get(tile(1)), null);
  assert.ok(cache.get(tile(0)) && cache.get(tile(3)));
  assert.ok(made[1].closed);
  assert.ok(cache.bytes <= 3 * 512 * 512 * 4);
  cache.clear();
  assert.ok(made.every(({ closed }) => closed));
  assert.equal(cache.bytes, 0);
});

test("a tile that failed is not asked for again until the kernel is back", async () => {
  let asked = 0;
  const cache = createTileCache(async () => { asked += 1; return null; }, () => {});
  const tile = { picture: "current", token: "t", level: 1, x: 0, y: 0 };
  for (let i = 0; i < 4; i += 1) {
    cache.want([tile]);
    await turn();
  }
  assert.equal(asked, 1);
  cache.retry();
  await turn();
  assert.equal(asked, 2);
});

test("a tile that arrives after everything was dropped is freed", async () => {
  const late = bitmap();
  let arrived = 0;
  const cache = createTileCache(async () => late, () => { arrived += 1; });
  cache.want([{ picture: "current", token: "t", level: 1, x: 0, y: 0 }]);
  cache.clear();
  await turn();
  assert.ok(late.closed);
  assert.equal(arrived, 0);
});

test("pixels of a base that is the picture itself are exact", () => {
  const store = someStore(SMALL);
  const pictures = createPictures(store);
  assert.equal(pictures.pixelAt(3, 4), null);
  store.state.reference = { token: "r", bitmap: bitmap(100, 80, [10, 20, 30]) };
  store.state.current = { token: "c", bitmap: bitmap(100, 80, [50, 60, 70]) };
  store.state.clean = { width: 100, height: 80, factor: 1, values: new Uint8Array(8000).fill(9) };
  assert.deepEqual(pictures.pixelAt(3, 4), {
    reference: [13, 24, 30], current: [53, 64, 70], clean: 9, heat: null, exact: true,
  });
  assert.equal(pictures.pixelAt(100, 4), null);
  assert.equal(pictures.pixelAt(-1, 4), null);
});

test("pixels of a large picture are exact once their tiles are here, and said to be rough before", async () => {
  const store = someStore(DEEP, async ({ picture }) => bitmap(512, 512, picture === "current" ? [7, 7, 7] : [1, 1, 1]));
  const pictures = createPictures(store);
  store.state.reference = { token: "r", bitmap: bitmap(1600, 1200) };
  store.state.current = { token: "c", bitmap: bitmap(1600, 1200) };
  assert.equal(pictures.pixelAt(2000, 1500).exact, false);
  const frame = { s: 2, ox: -3800, oy: -2800, x: 0, y: 0, width: 400, height: 300 };
  pictures.draw(paper(), "reference", frame);
  pictures.draw(paper(), "current", frame);
  pictures.settle();
  for (let i = 0; i < 8; i += 1) await turn();
  const pixel = pictures.pixelAt(2000, 1500);
  assert.ok(pixel.exact);
  assert.deepEqual(pixel.current, [(7 + (2000 % 512)) % 256, (7 + (1500 % 512)) % 256, 7]);
});

test("tiles are asked for when zoomed in, drawn when they come, and never without a kernel", async () => {
  for (const [link, s, wanted] of [["live", 2, true], ["live", 0.3, false], ["gone", 2, false], ["static", 2, false]]) {
    let asked = 0;
    const tile = bitmap();
    const store = someStore(DEEP, async () => { asked += 1; return tile; });
    store.state.link = link;
    store.state.current = { token: "c", bitmap: bitmap(1600, 1200) };
    const pictures = createPictures(store);
    let arrivals = 0;
    pictures.onArrival(() => { arrivals += 1; });
    const frame = { s, ox: -1000, oy: -700, x: 0, y: 0, width: 400, height: 300 };
    pictures.draw(paper(), "current", frame);
    pictures.settle();
    for (let i = 0; i < 8; i += 1) await turn();
    assert.equal(asked > 0, wanted, `${link} at ${s}`);
    assert.equal(arrivals > 0, wanted);
    const again = paper();
    pictures.draw(again, "current", frame);
    assert.equal(again.drawn.includes(tile), wanted);
  }
});

test("what was taken is given back at the end", async () => {
  const tile = bitmap();
  const store = someStore(DEEP, async () => tile);
  store.state.current = { token: "c", bitmap: bitmap(1600, 1200) };
  const pictures = createPictures(store);
  pictures.draw(paper(), "current", { s: 2, ox: 0, oy: 0, x: 0, y: 0, width: 40, height: 30 });
  pictures.settle();
  await turn();
  pictures.destroy();
  assert.ok(tile.closed);
  assert.deepEqual(Object.keys(store.heard), []);
});
