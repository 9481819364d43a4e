/**
 * What stands on the stage besides the pictures: divider, names, cross-hair, scale bar, legend,
 * hints. Looks are set here, element by element, so that nothing reaches the page around.
 */
import { createCleanup, make, setHidden, setText } from "./dom.js";
import { heatColour } from "./colour.js";
import { clamp, scaleBar } from "./geometry.js";

const GLASS = {
  background: "rgba(20,22,26,0.72)",
  color: "#fff",
  font: "500 11px/1.5 var(--vde-font, system-ui, sans-serif)",
  borderRadius: "5px",
  pointerEvents: "none",
};
const GLASS_TEXT = { overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" };

/** @param {HTMLElement} element @param {Partial<CSSStyleDeclaration>} styles */
export function styled(element, styles) {
  Object.assign(element.style, styles);
  return element;
}

/** A name in the corner of a pane. */
export function createTag(parent) {
  const role = make("span");
  const name = styled(make("span"), { opacity: "0.72", fontWeight: "400" });
  const tag = styled(make("div", { class: "vde-tag", "aria-hidden": "true" }, role, name), {
    ...GLASS,
    ...GLASS_TEXT,
    position: "absolute",
    padding: "2px 8px",
    zIndex: "3",
  });
  parent.append(tag);
  return {
    hide: () => setHidden(tag, true),
    /** @param {string} what @param {string} called @param {object} place CSS position */
    show(what, called, place) {
      setHidden(tag, false);
      setText(role, what);
      setText(name, called && called.toLowerCase() !== what.toLowerCase() ? `  ${called}` : "");
      styled(tag, { left: "", right: "", top: "", bottom: "", maxWidth: "45%", ...place });
    },
  };
}

/** Scale bar: a round number of picture pixels. */
export function createScaleBar(parent) {
  const text = make("span");
  const line = styled(make("div"), {
    height: "5px",
    border: "1.5px solid #fff",
    borderTop: "0",
    boxSizing: "border-box",
  });
  const bar = styled(make("div", { class: "vde-scale-bar", "aria-hidden": "true" }, text, line), {
    ...GLASS,
    position: "absolute",
    left: "8px",
    bottom: "8px",
    padding: "1px 7px 5px",
    textAlign: "center",
    zIndex: "3",
    minWidth: "34px",
    boxSizing: "content-box",
  });
  parent.append(bar);
  return (scale) => {
    setHidden(bar, !scale);
    if (!scale) return;
    const { length, css } = scaleBar(scale, 110);
    setText(text, `${length.toLocaleString("en")} px`);
    styled(line, { width: `${css}px`, margin: "0 auto" });
  };
}

/** What the colours of the heatmap mean, with the threshold on it. */
export function createLegend(parent) {
  const stops = Array.from({ length: 16 }, (_, i) => `rgb(${heatColour(i * 17).join(",")})`);
  const tick = styled(make("div"), {
    position: "absolute",
    top: "-3px",
    bottom: "-3px",
    width: "2px",
    marginLeft: "-1px",
    background: "#fff",
    boxShadow: "0 0 0 1px rgba(0,0,0,0.7)",
  });
  const ramp = styled(make("div", {}, tick), {
    position: "relative",
    width: "140px",
    height: "8px",
    margin: "3px 0 1px",
    borderRadius: "2px",
    boxShadow: "0 0 0 1px rgba(255,255,255,0.35)",
    background: `linear-gradient(90deg, ${stops.join(",")})`,
  });
  const ends = styled(
    make("div", {}, make("span", { text: "same" }), make("span", { text: "different" })),
    { display: "flex", justifyContent: "space-between" },
  );
  const legend = styled(make("div", { class: "vde-heat-legend", "aria-hidden": "true" }, ramp, ends), {
    ...GLASS,
    position: "absolute",
    right: "8px",
    bottom: "8px",
    padding: "4px 8px 2px",
    zIndex: "3",
  });
  parent.append(legend);
  return (shown, threshold) => {
    setHidden(legend, !shown);
    if (shown) tick.style.left = `${((threshold + 0.5) / 256) * 100}%`;
  };
}

/** A cross at the place that the pointer has on the other picture. */
export function createCross(parent) {
  const line = { position: "absolute", background: "#fff", boxShadow: "0 0 0 1px rgba(12,14,18,0.75)" };
  const arms = [
    { left: "-12px", top: "-0.5px", width: "8px", height: "1px" },
    { left: "4px", top: "-0.5px", width: "8px", height: "1px" },
    { left: "-0.5px", top: "-12px", width: "1px", height: "8px" },
    { left: "-0.5px", top: "4px", width: "1px", height: "8px" },
  ].map((place) => styled(make("div"), { ...line, ...place }));
  const cross = styled(make("div", { class: "vde-cross", "aria-hidden": "true" }, ...arms), {
    position: "absolute",
    left: "0",
    top: "0",
    width: "0",
    height: "0",
    zIndex: "3",
    pointerEvents: "none",
  });
  parent.append(cross);
  return (at) => {
    setHidden(cross, !at);
    if (at) cross.style.transform = `translate(${at[0]}px,${at[1]}px)`;
  };
}

/** The box that is being drawn. */
export function createRubber(parent) {
  const rubber = styled(make("div", { class: "vde-rubber", "aria-hidden": "true", hidden: true }), {
    position: "absolute",
    border: "1.5px dashed #fff",
    background: "rgba(255,255,255,0.12)",
    boxShadow: "0 0 0 1px rgba(12,14,18,0.8), inset 0 0 0 1px rgba(12,14,18,0.35)",
    boxSizing: "border-box",
    zIndex: "3",
    pointerEvents: "none",
  });
  parent.append(rubber);
  return (box) => {
    setHidden(rubber, !box);
    if (!box) return;
    const [left, top, width, height] = box.map((value) => `${value}px`);
    styled(rubber, { left, top, width, height });
  };
}

/** A sentence at the foot of the stage, for a while or as long as it is true. */
export function createHint(parent) {
  const hint = styled(make("div", { class: "vde-stage-hint", role: "note", hidden: true }), {
    ...GLASS,
    ...GLASS_TEXT,
    position: "absolute",
    left: "50%",
    bottom: "10px",
    transform: "translateX(-50%)",
    maxWidth: "calc(100% - 24px)",
    padding: "3px 12px",
    zIndex: "4",
  });
  parent.append(hint);
  let timer = 0;
  let standing = "";
  const show = (text) => {
    setHidden(hint, !text);
    setText(hint, text);
  };
  return {
    /** @param {string} text "" = none */
    stand(text) {
      standing = text;
      if (!timer) show(text);
    },
    flash(text, ms = 1400) {
      clearTimeout(timer);
      show(text);
      timer = setTimeout(() => {
        timer = 0;
        show(standing);
      }, ms);
    },
    destroy: () => clearTimeout(timer),
  };
}

/** The divider of the wipe: dragged, or moved with the arrow keys. */
export function createDivider(parent, store) {
  const cleanup = createCleanup();
  const { state, actions } = store;
  const line = styled(make("div"), {
    position: "absolute",
    background: "#fff",
    boxShadow: "0 0 0 1px rgba(12,14,18,0.55), 0 0 6px rgba(0,0,0,0.35)",
  });
  const knob = styled(make("div"), {
    position: "absolute",
    left: "50%",
    top: "50%",
    width: "28px",
    height: "28px",
    margin: "-14px 0 0 -14px",
    borderRadius: "50%",
    background: "#fff",
    color: "#22262c",
    boxShadow: "0 0 0 1px rgba(12,14,18,0.5), 0 1px 5px rgba(0,0,0,0.4)",
    display: "flex",
    alignItems: "center",
    justifyContent: "center",
    font: "600 13px/1 var(--vde-font, system-ui, sans-serif)",
    letterSpacing: "1px",
  });
  knob.textContent = "‹›";
  const handle = styled(
    make(
      "div",
      {
        class: "vde-divider",
        role: "slider",
        tabindex: "0",
        hidden: true,
        "aria-label": "Divider between reference and current",
        "aria-valuemin": "0",
        "aria-valuemax": "100",
      },
      line,
      knob,
    ),
    { position: "absolute", zIndex: "4", touchAction: "none", outlineOffset: "-4px", borderRadius: "8px" },
  );
  parent.append(handle);
  let grip = null; // pointer id and where the line was taken hold of

  const length = () => (state.view.wipe_across ? parent.clientWidth : parent.clientHeight);
  const along = (event) => {
    const box = parent.getBoundingClientRect();
    return state.view.wipe_across ? event.clientX - box.left : event.clientY - box.top;
  };
  const move = (wipe) => actions.setView({ wipe: clamp(wipe, 0, 1) });

  cleanup.listen(handle, "pointerdown", (event) => {
    if (event.button !== 0 || grip) return;
    event.preventDefault();
    event.stopPropagation();
    handle.focus({ preventScroll: true });
    handle.setPointerCapture(event.pointerId);
    grip = { id: event.pointerId, offset: along(event) - state.view.wipe * length() };
  });
  cleanup.listen(handle, "pointermove", (event) => {
    if (event.pointerId === grip?.id) move((along(event) - grip.offset) / Math.max(length(), 1));
  });
  for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) {
    cleanup.listen(handle, type, (event) => {
      if (event.pointerId !== grip?.id) return;
      grip = null;
      event.stopPropagation();
    });
  }
  cleanup.listen(handle, "dblclick", (event) => {
    event.stopPropagation();
    move(0.5);
  });
  cleanup.listen(handle, "keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey ? 0.1 : 0.02;
    const { wipe } = state.view;
    const to = {
      ArrowLeft: wipe - step,
      ArrowUp: wipe - step,
      ArrowRight: wipe + step,
      ArrowDown: wipe + step,
      PageUp: wipe - 0.1,
      PageDown: wipe + 0.1,
      Home: 0,
      End: 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    move(to);
  });

  return {
    show(shown) {
      setHidden(handle, !shown);
      if (!shown) return;
      const { wipe, wipe_across: across } = state.view;
      const at = `${wipe * length()}px`;
      handle.setAttribute("aria-orientation", across ? "horizontal" : "vertical");
      handle.setAttribute("aria-valuenow", String(Math.round(wipe * 100)));
      handle.setAttribute("aria-valuetext", `${Math.round(wipe * 100)} % reference`);
      const [along_, cross] = across ? ["left", "top"] : ["top", "left"];
      styled(handle, {
        [along_]: at,
        [cross]: "0",
        width: across ? "28px" : "100%",
        height: across ? "100%" : "28px",
        transform: across ? "translateX(-14px)" : "translateY(-14px)",
        cursor: across ? "ew-resize" : "ns-resize",
      });
      styled(line, {
        left: across ? "13px" : "0",
        top: across ? "0" : "13px",
        width: across ? "2px" : "100%",
        height: across ? "100%" : "2px",
      });
      knob.style.transform = across ? "" : "rotate(90deg)";
    },
    destroy: cleanup.run,
  };
}
