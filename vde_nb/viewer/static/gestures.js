/**
 * Pointer, wheel and keys on the stage, made into what they mean.
 *
 * @typedef {object} Stage what gestures need of the stage; see stage.js
 * @property {function(number, number, number=): object|null} locate client coordinates, and the
 *   pane to stay in, to `{pane, px, py, x, y, scale}`: the pane, the place in it in CSS px and in
 *   image px
 * @property {function(): {width: number, height: number}} pane size in CSS px
 * @property {function(object|null, number=, number=): void} hover place, region, slack in CSS px
 * @property {function(object|null, object=): void} rubber shows the box between two places
 * @property {function(string): void} hint says something for a moment
 * @property {function(): [number, number]} keyPlace what keys zoom about, in the pane
 * @property {function(): void} flip the other picture of a blink
 */
import { createCleanup } from "./dom.js";
import { areasWithout, promptsWithBox, promptsWithPoint } from "./editing.js";
import { boxFromCorners, clamp, panned, viewOfBox, zoomed } from "./geometry.js";
import { hitTest } from "./trace.js";

/** CSS px a pointer may move and still have clicked. */
const CLICK_SLACK = { mouse: 4, pen: 6, touch: 10 };
/** CSS px by which a region may be missed. */
const HIT_SLACK = { mouse: 4, pen: 6, touch: 14 };
const KEY_PAN = 60;

/** @param {WheelEvent} event @returns {number} factor of the zoom */
export function wheelFactor(event) {
  const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
  const delta = clamp(event.deltaY * unit, -240, 240);
  // A pinch on a track pad comes as a wheel with Ctrl and small steps.
  const pinch = event.ctrlKey && event.deltaMode === 0 && Math.abs(event.deltaY) < 40;
  return Math.exp(-delta * (pinch ? 0.01 : 0.0022));
}

/**
 * @param {HTMLElement} element the stage, focusable
 * @param {object} store @param {Stage} stage
 * @returns {{detach: function(): void, cursor: function(): void}}
 */
export function attachGestures(element, store, stage) {
  const { state, actions } = store;
  const cleanup = createCleanup();
  const pointers = new Map(); // id -> last client place
  let drag = null; // {kind, id, start, from, moved, button, type}
  let spaceHeld = false;
  let spaceUsed = false;
  let pinch = null;

  const editable = () => !store.host.static;
  const setCamera = (camera) => actions.setView(camera);
  const isFull = () => Boolean(element.closest(".vde-full")) || document.fullscreenElement?.contains(element);
  const wheelZooms = () => element.closest("[data-wheel='zoom']") !== null || isFull();

  const cursor = () => {
    const busy = drag?.kind === "pan" && drag.moved;
    const draws = state.tool === "prompt" || state.tool === "ignore";
    const fitted = state.view.scale === null;
    element.style.cursor = busy
      ? "grabbing"
      : spaceHeld
        ? "grab"
        : state.hovered && state.tool === "pan"
          ? "pointer"
          : draws
            ? "crosshair"
            : fitted
              ? "default"
              : "grab";
    // A finger scrolls the page while there is nothing else it could mean.
    element.style.touchAction = fitted && !draws ? "pan-x pan-y" : "none";
  };

  const zoomAt = (factor, clientX, clientY) => {
    const at = stage.locate(clientX, clientY);
    if (!at) return;
    setCamera(zoomed(state.view, factor, state.pair, stage.pane(), at.px, at.py));
  };

  const hitAt = (at, type) => {
    if (!at || !state.result) return null;
    const slack = (HIT_SLACK[type] ?? 4) / at.scale;
    return hitTest(state.result.anomalies, at.x, at.y, slack);
  };

  const isInside = (at) =>
    at && at.x >= 0 && at.y >= 0 && at.x < state.pair.width && at.y < state.pair.height;

  // What a click and a finished box mean with each tool

  const addPoint = (at, label) => {
    if (!isInside(at)) return;
    const point = [Math.floor(at.x), Math.floor(at.y)];
    const next = promptsWithPoint(state.edits.prompts, state.active_prompt, ...point, label);
    if (!next) {
      stage.hint("First click something that belongs to the region.");
      return;
    }
    // The prompt becomes the active one first: the next click may come before Python's answer.
    store.set({ active_prompt: next.active });
    actions.setEdits({ prompts: next.prompts }, label ? "add point" : "exclude point");
  };

  const click = (at, event, button) => {
    if (!at) return;
    if (state.tool === "prompt" && editable()) {
      if (button === 0 || button === 2) addPoint(at, button === 2 || event.shiftKey ? 0 : 1);
    } else if (state.tool === "ignore" && editable() && event.altKey && button === 0) {
      const ignore = areasWithout(state.edits.ignore, at.x, at.y);
      if (ignore) actions.setEdits({ ignore }, "remove ignored area");
    } else if (button === 0 && state.tool !== "ignore") {
      actions.select(hitAt(at, event.pointerType)?.number ?? 0);
    }
  };

  const finishBox = (from, to) => {
    const box = boxFromCorners(from.x, from.y, to.x, to.y, state.pair);
    if (!box) return;
    if (state.tool === "prompt") {
      const next = promptsWithBox(state.edits.prompts, state.active_prompt, box);
      store.set({ active_prompt: next.active });
      actions.setEdits({ prompts: next.prompts }, "draw box");
    } else {
      actions.setEdits({ ignore: [...state.edits.ignore, box] }, "ignore area");
    }
  };

  // Pointers

  const abandon = () => {
    if (drag && element.hasPointerCapture?.(drag.id)) element.releasePointerCapture(drag.id);
    drag = null;
    stage.rubber(null);
    cursor();
  };

  const startPinch = () => {
    abandon();
    const [a, b] = [...pointers.values()];
    pinch = { distance: Math.hypot(a.x - b.x, a.y - b.y), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  };

  const movePinch = () => {
    const [a, b] = [...pointers.values()];
    const now = { distance: Math.hypot(a.x - b.x, a.y - b.y), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
    const shifted = panned(state.view, now.x - pinch.x, now.y - pinch.y, state.pair, stage.pane());
    const at = stage.locate(now.x, now.y);
    const factor = now.distance / Math.max(pinch.distance, 1);
    if (at) setCamera(zoomed(shifted, factor, state.pair, stage.pane(), at.px, at.py));
    pinch = now;
  };

  cleanup.listen(element, "pointerdown", (event) => {
    element.focus({ preventScroll: true });
    if (!state.pair) return;
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (pointers.size === 2) {
      startPinch();
      return;
    }
    if (drag || pinch || pointers.size > 2) return;
    const at = stage.locate(event.clientX, event.clientY);
    if (!at) return;
    const draws = editable() && (state.tool === "prompt" || state.tool === "ignore");
    const pans = event.button === 1 || spaceHeld || (event.button === 0 && !draws);
    const kind = pans ? "pan" : event.button === 0 && !event.altKey ? "box" : "click";
    if (event.button === 1) event.preventDefault(); // the browser's own scrolling
    drag = {
      kind,
      id: event.pointerId,
      start: at,
      last: { x: event.clientX, y: event.clientY },
      moved: false,
      button: event.button,
      type: event.pointerType,
      space: spaceHeld,
    };
    if (spaceHeld) spaceUsed = true;
    // A finger that may be about to scroll the page must be left to the browser.
    if (event.pointerType !== "touch" || element.style.touchAction === "none") {
      element.setPointerCapture(event.pointerId);
    }
    if (kind !== "click") stage.hover(null);
  });

  cleanup.listen(element, "pointermove", (event) => {
    if (!state.pair) return;
    if (pointers.has(event.pointerId)) {
      pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    }
    if (pinch && pointers.size === 2) {
      movePinch();
      return;
    }
    if (!drag) {
      if (event.target === element || element.contains(event.target)) {
        const at = event.target.closest?.(".vde-divider") ? null : stage.locate(event.clientX, event.clientY);
        stage.hover(at, hitAt(at, event.pointerType)?.number ?? 0, HIT_SLACK[event.pointerType] ?? 4);
        cursor();
      }
      return;
    }
    if (event.pointerId !== drag.id) return;
    // A button let go where it could not be heard.
    if (event.pointerType === "mouse" && event.buttons === 0) {
      abandon();
      return;
    }
    const dx = event.clientX - drag.last.x;
    const dy = event.clientY - drag.last.y;
    if (!drag.moved) {
      if (Math.hypot(dx, dy) < (CLICK_SLACK[drag.type] ?? 4)) return;
      drag.moved = true;
      cursor();
    }
    if (drag.kind === "pan") {
      drag.last = { x: event.clientX, y: event.clientY };
      if (state.view.scale !== null) {
        setCamera(panned(state.view, dx, dy, state.pair, stage.pane()));
      }
    } else if (drag.kind === "box") {
      stage.rubber(drag.start, stage.locate(event.clientX, event.clientY, drag.start.pane));
    }
  });

  cleanup.listen(element, "pointerup", (event) => {
    pointers.delete(event.pointerId);
    if (pinch) {
      if (pointers.size < 2) pinch = null;
      return;
    }
    if (!drag || event.pointerId !== drag.id) return;
    const done = drag;
    abandon();
    const at = stage.locate(event.clientX, event.clientY, done.start.pane);
    if (!done.moved) {
      if (!done.space && done.button !== 1) click(done.start, event, done.button);
    } else if (done.kind === "box" && at) {
      finishBox(done.start, at);
    }
  });

  for (const type of ["pointercancel", "lostpointercapture"]) {
    cleanup.listen(element, type, (event) => {
      pointers.delete(event.pointerId);
      if (pointers.size < 2) pinch = null;
      if (drag && event.pointerId === drag.id) abandon();
    });
  }

  cleanup.listen(element, "pointerleave", () => {
    if (!drag) stage.hover(null);
  });
  cleanup.listen(element, "contextmenu", (event) => {
    if (state.tool === "prompt" && editable()) event.preventDefault();
  });
  cleanup.listen(element, "dblclick", (event) => {
    if (!state.pair || state.tool === "prompt" || state.tool === "ignore") return;
    const at = stage.locate(event.clientX, event.clientY);
    if (!at) return;
    event.preventDefault();
    const pane = stage.pane();
    if (event.shiftKey) {
      zoomAt(0.5, event.clientX, event.clientY);
      return;
    }
    const hit = hitAt(at, "mouse");
    const close = hit && viewOfBox(hit.box, state.pair, pane);
    if (close && Math.abs((state.view.scale ?? 0) / close.scale - 1) > 0.02) setCamera(close);
    else if (state.view.scale === null) zoomAt(2, event.clientX, event.clientY);
    else setCamera({ scale: null, cx: 0, cy: 0 });
  });

  // Wheel

  let hints = 0;
  const onWheel = (event) => {
    if (!state.pair) return;
    const zooms = event.ctrlKey || event.metaKey || event.altKey || wheelZooms();
    if (!zooms) {
      if (hints < 2 && event.deltaY) {
        hints += 1;
        stage.hint(`${/Mac|iP/.test(navigator.platform) ? "⌘" : "Ctrl"} + wheel zooms`);
      }
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    if (event.deltaY) zoomAt(wheelFactor(event), event.clientX, event.clientY);
  };
  cleanup.listen(element, "wheel", onWheel, { passive: false });

  // Keys

  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  const onArrow = (event, [x, y]) => {
    if (state.tool === "nudge" && editable()) {
      const step = event.altKey ? 0.1 : event.shiftKey ? 10 : 1;
      actions.nudge(x * step, y * step);
      return true;
    }
    if (event.altKey || state.view.scale === null) return false;
    const step = event.shiftKey ? 4 * KEY_PAN : KEY_PAN;
    setCamera(panned(state.view, -x * step, -y * step, state.pair, stage.pane()));
    return true;
  };

  const onEscape = () => {
    if (drag || pinch) {
      pinch = null;
      abandon();
      return true;
    }
    if (state.tool !== "pan") {
      store.set({ active_prompt: -1 });
      actions.setTool("pan");
      return true;
    }
    if (!state.selected || state.error) return false;
    actions.select(0);
    return true;
  };

  const onKey = (event) => {
    if (!state.pair || event.target !== element) return false;
    const { key } = event;
    const command = event.ctrlKey || event.metaKey;
    if (command && key.toLowerCase() === "z" && editable()) {
      if (event.shiftKey) actions.redo();
      else actions.undo();
      return true;
    }
    if (command && key.toLowerCase() === "y" && editable()) {
      actions.redo();
      return true;
    }
    if (command) return false;
    if (arrows[key]) return onArrow(event, arrows[key]);
    if (event.altKey) return false;
    if (key === " ") {
      if (!event.repeat) spaceUsed = false;
      spaceHeld = true;
      cursor();
      return true;
    }
    const about = () => stage.keyPlace();
    if (key === "+" || key === "=") setCamera(zoomed(state.view, 1.5, state.pair, stage.pane(), ...about()));
    else if (key === "-" || key === "_") setCamera(zoomed(state.view, 1 / 1.5, state.pair, stage.pane(), ...about()));
    else if (key === "0") setCamera({ scale: null, cx: 0, cy: 0 });
    else if ((key === "b" || key === "B") && state.view.mode === "blink") stage.flip();
    else if (key === "Enter" && state.selected) {
      const box = state.result?.anomalies.find(({ number }) => number === state.selected)?.box;
      if (!box) return false;
      actions.zoomTo(box);
    } else if (key === "Escape") return onEscape();
    else return false;
    return true;
  };

  cleanup.listen(element, "keydown", (event) => {
    if (event.defaultPrevented || !onKey(event)) return;
    event.preventDefault();
    event.stopPropagation();
  });
  cleanup.listen(element, "keyup", (event) => {
    if (event.key !== " " || !spaceHeld) return;
    spaceHeld = false;
    if (!spaceUsed && state.view.mode === "blink") stage.flip();
    cursor();
    event.preventDefault();
    event.stopPropagation();
  });
  const release = () => {
    spaceHeld = false;
    pointers.clear();
    pinch = null;
    if (drag) abandon();
    cursor();
  };
  cleanup.listen(element, "blur", () => {
    spaceHeld = false;
    cursor();
  });
  cleanup.listen(window, "blur", release);

  cleanup.add(store.on(["tool", "view", "pair", "hovered"], cursor));
  cleanup.add(store.on("tool", () => abandon()));
  cursor();
  return { detach: cleanup.run, cursor, isDragging: () => Boolean(drag?.moved || pinch) };
}
