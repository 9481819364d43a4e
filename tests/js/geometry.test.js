import assert from "node:assert/strict";
import { test } from "node:test";
import {
  boxFromCorners,
  clipBox,
  fitScale,
  MOST_SCALE,
  paneLayout,
  panned,
  scaleBar,
  scaleLimits,
  toImage,
  toPane,
  transformOf,
  viewOfBox,
  zoomed,
} from "../../vde_nb/viewer/static/geometry.js";

const IMAGE = { width: 800, height: 600 };
const PANE = { width: 640, height: 420 };
const FIT = { scale: null, cx: 0, cy: 0 };

const near = (a, b, slack = 1e-9) => assert.ok(Math.abs(a - b) <= slack, `${a} is not ${b}`);

/** Numbers that look random and are the same in each run. */
function* numbers(seed = 7) {
  for (let x = seed; ; ) {
    x = (x * 48271) % 2147483647;
    yield x / 2147483647;
  }
}

/** The part of the image that is seen: x0, y0, x1, y1. */
function visibleEdges(t, image, pane) {
  const within = (value, most) => Math.min(Math.max(value, 0), most);
  const corners = [toImage(t, 0, 0), toImage(t, pane.width, pane.height)];
  return corners.flatMap(([x, y]) => [within(x, image.width), within(y, image.height)]);
}

test("a fitted picture is seen whole and in the middle", () => {
  const t = transformOf(FIT, IMAGE, PANE);
  assert.ok(t.fitted);
  assert.deepEqual(visibleEdges(t, IMAGE, PANE), [0, 0, 800, 600]);
  near(toPane(t, 400, 300)[0], 320);
  near(toPane(t, 400, 300)[1], 210);
});

test("there and back gives the same place at any zoom", () => {
  const random = numbers();
  for (let i = 0; i < 200; i += 1) {
    const camera = { scale: 0.2 + 60 * random.next().value, cx: 800 * random.next().value, cy: 99 };
    const t = transformOf(camera, IMAGE, PANE);
    const [x, y] = [800 * random.next().value, 600 * random.next().value];
    const back = toImage(t, ...toPane(t, x, y));
    near(back[0], x, 1e-6);
    near(back[1], y, 1e-6);
  }
});

test("zooming keeps what is under the pointer under the pointer", () => {
  const start = { scale: 3, cx: 400, cy: 300 };
  const before = toImage(transformOf(start, IMAGE, PANE), 200, 100);
  const next = zoomed(start, 2, IMAGE, PANE, 200, 100);
  const after = toImage(transformOf(next, IMAGE, PANE), 200, 100);
  assert.equal(next.scale, 6);
  near(after[0], before[0], 1e-6);
  near(after[1], before[1], 1e-6);
});

test("zoom ends at 64 CSS px a pixel and, outwards, at fit", () => {
  let camera = { scale: 3, cx: 400, cy: 300 };
  for (let i = 0; i < 30; i += 1) camera = zoomed(camera, 2, IMAGE, PANE);
  assert.equal(camera.scale, MOST_SCALE);
  for (let i = 0; i < 30; i += 1) camera = zoomed(camera, 0.5, IMAGE, PANE);
  assert.equal(camera.scale, null);
});

test("a picture smaller than its pane can be shown at 1:1", () => {
  const small = { width: 40, height: 30 };
  assert.ok(fitScale(small, PANE) > 5);
  assert.equal(scaleLimits(small, PANE)[0], 1);
  assert.equal(zoomed(FIT, 0.001, small, PANE).scale, 1);
});

test("a picture of one pixel can be looked at", () => {
  assert.equal(fitScale({ width: 1, height: 1 }, PANE), MOST_SCALE);
});

test("the picture cannot be lost, however far it is dragged", () => {
  const random = numbers(3);
  for (let i = 0; i < 200; i += 1) {
    const scale = 0.6 + 40 * random.next().value;
    const far = 1e5 * (random.next().value - 0.5);
    const camera = panned({ scale, cx: 400, cy: 300 }, far, -far, IMAGE, PANE);
    const [x0, y0, x1, y1] = visibleEdges(transformOf(camera, IMAGE, PANE), IMAGE, PANE);
    assert.ok(x1 > x0 && y1 > y0, `${scale} ${far}`);
  }
});

test("a view with nonsense in it shows the picture all the same", () => {
  for (const camera of [
    { scale: Number.NaN, cx: 0, cy: 0 },
    { scale: -2, cx: 0, cy: 0 },
    { scale: 4, cx: Number.NaN, cy: Infinity },
  ]) {
    const [x0, , x1] = visibleEdges(transformOf(camera, IMAGE, PANE), IMAGE, PANE);
    assert.ok(x1 > x0);
  }
});

test("dragging by some CSS pixels moves the picture by as many", () => {
  const camera = panned({ scale: 4, cx: 400, cy: 300 }, 40, -20, IMAGE, PANE);
  assert.deepEqual([camera.cx, camera.cy], [390, 305]);
});

test("a drag gives the same box from any corner, clipped to the picture", () => {
  const wanted = [10, 20, 31, 41];
  assert.deepEqual(boxFromCorners(10.4, 20.2, 40.6, 60.9, IMAGE), wanted);
  assert.deepEqual(boxFromCorners(40.6, 60.9, 10.4, 20.2, IMAGE), wanted);
  assert.deepEqual(boxFromCorners(10.4, 60.9, 40.6, 20.2, IMAGE), wanted);
  assert.deepEqual(boxFromCorners(750, 560, 900, 700, IMAGE), [750, 560, 50, 40]);
  assert.equal(boxFromCorners(-50, -50, -10, -10, IMAGE), null);
  assert.equal(boxFromCorners(Number.NaN, 0, 5, 5, IMAGE), null);
  assert.equal(clipBox([800, 0, 5, 5], IMAGE), null);
});

test("a region that is zoomed to is seen whole", () => {
  for (const box of [[700, 500, 100, 100], [0, 0, 3, 3], [0, 0, 800, 600], [10, 10, 790, 4]]) {
    const t = transformOf(viewOfBox(box, IMAGE, PANE), IMAGE, PANE);
    const [x0, y0] = toPane(t, box[0], box[1]);
    const [x1, y1] = toPane(t, box[0] + box[2], box[1] + box[3]);
    assert.ok(x0 >= 0 && y0 >= 0 && x1 <= PANE.width && y1 <= PANE.height, String(box));
  }
});

test("a scale bar has a round length of at least a pixel", () => {
  for (const scale of [0.01, 0.13, 0.9, 1, 3.7, 64]) {
    const { length, css } = scaleBar(scale, 120);
    assert.match(String(length), /^[125]0*$/);
    assert.ok(css <= 120 && css > 24, `${scale}: ${length} px are ${css} CSS px`);
  }
});

test("two panes share the area so that pictures are larger", () => {
  const wide = paneLayout({ width: 1000, height: 400 }, IMAGE, true);
  assert.ok(wide[1].x > 0 && wide[1].y === 0);
  const high = paneLayout({ width: 400, height: 1000 }, IMAGE, true);
  assert.ok(high[1].x === 0 && high[1].y > 0);
  assert.equal(paneLayout({ width: 400, height: 1000 }, IMAGE, false).length, 1);
});
