/**
 * The picture area: four canvases one above the other (pictures; tint or masks; lines; what is
 * chosen and numbers), drawn together once per frame and only as far as something changed. A moved
 * threshold touches the second alone, a moved pointer the last.
 */
import { createBlink } from "./blink.js";
import { createCleanup, make } from "./dom.js";
import { drawTheBase, labelOf, tagsOf } from "./ground.js";
import { rgbOf, thresholdTable, veilTable } from "./colour.js";
import {
  createCross,
  createDivider,
  createHint,
  createLegend,
  createRubber,
  createScaleBar,
  createTag,
  styled,
} from "./furniture.js";
import { boxFromCorners, paneLayout, toImage, toPane, transformOf } from "./geometry.js";
import { attachGestures } from "./gestures.js";
import {
  createPaths,
  drawAccents,
  drawIgnored,
  drawLabels,
  drawMasks,
  drawOutlines,
  drawPrompts,
} from "./marks.js";
import { createPictures } from "./pictures.js";
import { createTint } from "./tint.js";
import { watchElement } from "./watch.js";

const BASE = 1;
const TINT = 2; // colours of the tint or masks
const POOL = 4; // the map behind the tint
const MARKS = 8;
const ACCENT = 16; // what is hovered or selected
const PLACE = 32; // what stands around
const ALL = BASE | TINT | POOL | MARKS | ACCENT | PLACE;

/** Where the picture now differs by more than the threshold: a colour no severity has. */
const LIVE = [255, 45, 135];
const VEIL = [10, 12, 16];
const MODES_WITH_MASKS = new Set(["overlay", "side", "wipe"]);
/** Measures are kept by the browser until they are cleared. */
const MOST_MEASURES = 5000;

/**
 * @param {HTMLElement} parent @param {object} store
 * @returns {{destroy: function(): void, redraw: function(): void}}
 */
export function mountStage(parent, store) {
  const { state, actions } = store;
  const cleanup = createCleanup();
  const element = styled(
    make("div", {
      class: "vde-stage",
      tabindex: "0",
      role: "application",
      "aria-roledescription": "picture viewer",
      "aria-label": "Pictures",
    }),
    {
      position: "absolute",
      inset: "0",
      overflow: "hidden",
      outlineOffset: "-2px",
      userSelect: "none",
      webkitUserSelect: "none",
    },
  );
  const canvases = ["base", "tint", "marks", "accent"].map((name) =>
    styled(make("canvas", { class: `vde-${name}-canvas`, "aria-hidden": "true" }), {
      position: "absolute",
      left: "0",
      top: "0",
      width: "100%",
      height: "100%",
      pointerEvents: "none",
    }),
  );
  element.append(...canvases);
  parent.append(element);
  const [base, tint, marks, accent] = canvases.map((canvas) => canvas.getContext("2d"));

  const ownPictures = !store.pictures;
  const pictures = store.pictures ?? createPictures(store);
  const live = createTint();
  const heat = createTint(true);
  const paths = createPaths();
  const tags = [createTag(element), createTag(element)];
  const showScaleBar = createScaleBar(element);
  const showLegend = createLegend(element);
  const showCross = createCross(element);
  const showRubber = createRubber(element);
  const hint = createHint(element);
  const divider = createDivider(element, store);

  let area = { width: 0, height: 0 };
  let ratio = window.devicePixelRatio || 1;
  let panes = [];
  let transform = null;
  let dirty = ALL;
  let frame = 0;
  let measures = 0;
  let wasLive = null;
  let timed = false; // the next repaint is one of a moved threshold
  let destroyed = false;

  // What is where

  const single = () => panes.length < 2;
  const layOut = () => {
    panes = paneLayout(area, state.pair, state.view.mode === "side");
    const { width, height } = panes[0];
    transform = state.pair ? transformOf(state.view, state.pair, { width, height }) : null;
  };

  /** The frame of a pane, in whole device pixels so that pixels of the pictures stay sharp. */
  const frameOf = (pane) => {
    const x = Math.round(pane.x * ratio);
    const y = Math.round(pane.y * ratio);
    const right = Math.round((pane.x + pane.width) * ratio);
    const bottom = Math.round((pane.y + pane.height) * ratio);
    return {
      s: transform.scale * ratio,
      ox: x + Math.round(transform.ox * ratio),
      oy: y + Math.round(transform.oy * ratio),
      x,
      y,
      width: right - x,
      height: bottom - y,
    };
  };

  /** The pane on which regions are shown. */
  const mainFrame = () => frameOf(panes[panes.length - 1]);

  const isLive = () => {
    const { clean, result, threshold, dragging, pair } = state;
    if (!clean || !pair) return false;
    return dragging || !result || result.threshold !== threshold;
  };

  // Drawing

  const clear = (ctx) => {
    ctx.setTransform(1, 0, 0, 1, 0, 0);
    ctx.clearRect(0, 0, ctx.canvas.width, ctx.canvas.height);
  };

  const paintBase = () => {
    clear(base);
    drawTheBase(base, { state, pictures, heat, ratio, frames: panes.map(frameOf), shown: blink.shown() });
    pictures.settle();
  };

  const tintTable = () => {
    const { mode, opacity } = state.view;
    if (mode === "heatmap") return veilTable(state.threshold, VEIL, 0.72);
    const colour = rgbOf(getComputedStyle(element).getPropertyValue("--vde-live"), LIVE);
    return thresholdTable(state.threshold, colour, Math.max(opacity, 0.55));
  };

  const paintTint = () => {
    const { view, pair, clean } = state;
    const area_ = mainFrame();
    const wantsLive =
      isLive() && view.layers.mask && (state.dragging || MODES_WITH_MASKS.has(view.mode));
    if (wantsLive) {
      if (dirty & POOL || !live.recolour(tint, tintTable())) {
        clear(tint);
        live.show(tint, clean, pair, area_, tintTable());
      }
    } else {
      clear(tint);
      live.forget();
      const { result } = state;
      if (result && view.layers.mask && MODES_WITH_MASKS.has(view.mode)) {
        drawMasks(tint, state, area_, ratio, paths);
      }
    }
    if (view.mode === "wipe") {
      const { x, y, width, height } = area_;
      const w = view.wipe_across ? Math.round(width * view.wipe) : width;
      const h = view.wipe_across ? height : Math.round(height * view.wipe);
      tint.clearRect(x, y, w, h);
    }
  };

  /** What the threshold has left behind is faint until the kernel answers. */
  const strengthOfMarks = () => (state.result && isLive() ? 0.4 : 1);

  const paintMarks = () => {
    clear(marks);
    const { view, result, edits } = state;
    const { layers } = view;
    const strength = strengthOfMarks();
    for (const at of panes.map(frameOf)) {
      if (layers.ignore && edits.ignore.length) drawIgnored(marks, edits.ignore, at, ratio);
      if (result && layers.outline) drawOutlines(marks, state, at, ratio, paths, strength);
      if (layers.prompts) drawPrompts(marks, edits.prompts, state.active_prompt, at, ratio);
    }
  };

  const paintAccent = () => {
    clear(accent);
    const { view, result } = state;
    if (!result) return;
    const font = getComputedStyle(element).fontFamily || "system-ui, sans-serif";
    const strength = strengthOfMarks();
    for (const at of panes.map(frameOf)) {
      drawAccents(accent, state, at, ratio, paths, strength);
      if (view.layers.label) drawLabels(accent, state, at, ratio, font, strength);
    }
  };

  const place = () => {
    const { mode } = state.view;
    const names = tagsOf(state, panes, blink.shown());
    tags.forEach((tag, i) => (names[i] ? tag.show(...names[i]) : tag.hide()));
    showScaleBar(transform?.scale ?? 0);
    showLegend(Boolean(mode === "heatmap" && state.heatmap), state.threshold);
    divider.show(Boolean(mode === "wipe" && state.pair));
    if (single()) showCross(null);
    element.setAttribute("aria-label", labelOf(state));
    const { width, height } = panes[0];
    const { viewport } = state;
    if (area.width && (viewport?.width !== width || viewport?.height !== height)) {
      store.set({ viewport: { width, height } });
    }
  };

  const paint = () => {
    frame = 0;
    if (destroyed || !area.width || !area.height) return;
    const start = performance.now();
    try {
      layOut();
      if (!state.pair) {
        for (const ctx of [base, tint, marks, accent]) clear(ctx);
        live.forget();
        place();
      } else {
        if (dirty & BASE) paintBase();
        if (dirty & (TINT | POOL)) paintTint();
        if (dirty & MARKS) paintMarks();
        if (dirty & (MARKS | ACCENT)) paintAccent();
        if (dirty & PLACE) place();
        else if (state.view.mode === "heatmap") showLegend(Boolean(state.heatmap), state.threshold);
      }
      dirty = 0;
    } catch (error) {
      dirty = 0;
      store.fail(error);
    }
    if (timed) {
      timed = false;
      if ((measures += 1) % MOST_MEASURES === 0) performance.clearMeasures("vde-repaint");
      performance.measure("vde-repaint", { start, end: performance.now() });
    }
  };

  const need = (what) => {
    dirty |= what;
    if (!frame && !destroyed) frame = requestAnimationFrame(paint);
  };

  /** Reduce a new map before the threshold is first moved, once pictures are on the screen. */
  let preparing = 0;
  const prepareLater = () => {
    clearTimeout(preparing);
    preparing = setTimeout(() => state.clean && live.prepare(state.clean), 120);
  };
  cleanup.add(() => clearTimeout(preparing));

  const blink = createBlink(store, () => need(BASE | PLACE), hint.stand);

  // What changes what

  let view = state.view;
  cleanup.add(
    store.on("view", () => {
      const before = view;
      view = state.view;
      const differs = (key) => before[key] !== view[key];
      const moved = ["mode", "scale", "cx", "cy", "wipe", "wipe_across"].some(differs);
      const marked =
        ["colour_by", "hatch"].some(differs) ||
        Object.keys(view.layers).some((key) => before.layers[key] !== view.layers[key]);
      need(moved ? ALL : marked ? TINT | MARKS : TINT);
    }),
    store.on(["pair", "reference", "current"], () => need(ALL)),
    store.on("clean", () => {
      need(TINT | POOL);
      prepareLater();
    }),
    store.on("heatmap", () => need(BASE | PLACE)),
    store.on(["threshold", "dragging"], (_, changed) => {
      if (changed.has("threshold")) timed = true;
      const now = isLive();
      need(now === wasLive ? TINT : TINT | MARKS);
      wasLive = now;
    }),
    store.on("result", () => {
      wasLive = isLive();
      need(TINT | MARKS);
    }),
    store.on(["colours"], () => need(TINT | MARKS)),
    store.on(["selected", "hovered"], () => need(ACCENT)),
    store.on(["edits", "active_prompt"], () => need(MARKS)),
    pictures.onArrival(() => need(BASE)),
  );

  // Hovering

  const showHover = (at, number = 0, slack = 4) => {
    const inside = at && at.x >= 0 && at.y >= 0 && at.x < state.pair.width && at.y < state.pair.height;
    const pointer = inside ? { x: at.x, y: at.y, slack: slack / at.scale } : null;
    if (pointer || state.pointer) store.set({ pointer });
    if (state.hovered !== number) actions.hover(number);
    if (!inside || single()) showCross(null);
    else {
      const other = panes[at.pane === 0 ? 1 : 0];
      showCross([other.x + at.px, other.y + at.py]);
    }
    lastPlace = at ? [at.px, at.py] : null;
  };
  let lastPlace = null;
  showCross(null);

  /** @param {number} [only] the pane to be in, for drags that leave it */
  const locate = (clientX, clientY, only) => {
    if (!transform || !panes.length) return null;
    const rect = element.getBoundingClientRect();
    const x = clientX - rect.left - element.clientLeft;
    const y = clientY - rect.top - element.clientTop;
    const index =
      only ?? panes.findIndex((p) => x >= p.x && y >= p.y && x <= p.x + p.width && y <= p.y + p.height);
    if (index < 0 || !panes[index]) return null;
    const px = x - panes[index].x;
    const py = y - panes[index].y;
    // Events may come before the frame that draws the newest view.
    const now = transformOf(state.view, state.pair, panes[index]);
    const [ix, iy] = toImage(now, px, py);
    return { pane: index, px, py, x: ix, y: iy, scale: now.scale };
  };

  const gestures = attachGestures(element, store, {
    locate,
    pane: () => ({ width: panes[0]?.width ?? 1, height: panes[0]?.height ?? 1 }),
    hover: showHover,
    hint: (text) => hint.flash(text),
    keyPlace: () => lastPlace ?? [panes[0].width / 2, panes[0].height / 2],
    flip: () => blink.flip(),
    rubber(from, to) {
      if (!from || !to) {
        showRubber(null);
        return;
      }
      const pane = panes[from.pane];
      const now = transformOf(state.view, state.pair, pane);
      const box = boxFromCorners(from.x, from.y, to.x, to.y, state.pair);
      if (!box) {
        showRubber(null);
        return;
      }
      const [left, top] = toPane(now, box[0], box[1]);
      showRubber([pane.x + left, pane.y + top, box[2] * now.scale, box[3] * now.scale]);
    },
  });

  const stopWatching = watchElement(
    element,
    ({ width, height, ratio: dense }) => {
      ratio = dense;
      area = { width, height };
      for (const canvas of canvases) {
        const [wide, high] = [Math.round(width * dense), Math.round(height * dense)];
        if (canvas.width !== wide) canvas.width = wide;
        if (canvas.height !== high) canvas.height = high;
      }
      dirty = ALL;
      // In this very frame: a canvas that was resized is blank until it is drawn.
      cancelAnimationFrame(frame);
      paint();
    },
    () => need(ALL),
  );
  for (const canvas of canvases) cleanup.listen(canvas, "contextrestored", () => need(ALL));

  return {
    redraw: () => need(ALL),
    destroy() {
      if (destroyed) return;
      destroyed = true;
      cancelAnimationFrame(frame);
      stopWatching();
      blink.stop();
      gestures.detach();
      divider.destroy();
      hint.destroy();
      cleanup.run();
      if (ownPictures) pictures.destroy();
      // Given back at once, not when the collector comes by.
      for (const canvas of canvases) canvas.width = canvas.height = 0;
      element.remove();
    },
  };
}
