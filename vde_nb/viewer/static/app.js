/** The whole viewer: lays the parts out, gives the stage its height, takes keys and full screen. */
import { createCleanup, holdShortcuts, make, setHidden } from "./dom.js";
import { MODES, TOOLS } from "./modes.js";
import { createPictures } from "./pictures.js";
import { mountStage } from "./stage.js";
import { mountTable } from "./table.js";
import { mountFilmstrip } from "./filmstrip.js";
import { mountGallery } from "./gallery.js";
import { mountExplain } from "./explain.js";
import { mountPrompts } from "./prompts.js";
import { mountToolbar } from "./toolbar.js";
import { mountThreshold } from "./threshold.js";
import { mountReadout } from "./readout.js";
import { mountCards, mountStatus } from "./status.js";
import { mountDrop } from "./drop.js";
import { mountHelp } from "./help.js";
import { zoomBy, zoomFit } from "./zoom.js";

/** From this width, in CSS pixels, the table stands beside the stage. */
const WIDE = 1000;

/**
 * @param {HTMLElement} el
 * @param {object} store connected
 * @returns {{destroy: function(): void, root: HTMLElement}}
 */
export function mountApp(el, store) {
  const { state } = store;
  const cleanup = createCleanup();
  const root = make("div", {
    class: "vde-viewer",
    role: "region",
    "aria-label": "Image comparison",
    // A click anywhere gives it the keyboard; Tab goes to what is inside.
    tabindex: "-1",
  });
  holdShortcuts(root);
  if (store.host.static) root.classList.add("vde-static-host");
  const run = make("div", { class: "vde-run" });
  const top = make("div", { class: "vde-top" });
  const stage = make("div", { class: "vde-stage-box" });
  const tools = make("div", { class: "vde-tools-box" });
  const below = make("div", { class: "vde-below" });
  // The row of a tool takes its room from the stage, so that nothing below moves.
  const work = make("div", { class: "vde-work" }, tools, stage);
  const column = make("div", { class: "vde-column" }, work, below);
  const table = make("div", { class: "vde-table-box" });
  const aside = make("div", { class: "vde-aside" }, table);
  const body = make("div", { class: "vde-body" }, column, aside);
  const strips = make("div", { class: "vde-strips" });
  root.append(run, top, body, strips);
  el.append(root);
  // Undone last: parts take back what they added before.
  cleanup.add(() => root.remove());

  // Shared by all views of the store, and freed with it.
  store.pictures ??= createPictures(store);

  const full = fullScreen(root, store, cleanup, (on) => toolbar?.showFull(on));
  // A part that fails is said; the others work on.
  const mounted = (mount, parent, ...more) => {
    try {
      const part = mount(parent, store, ...more);
      cleanup.add(() => part.destroy());
      return part;
    } catch (error) {
      store.fail(error);
      return null;
    }
  };
  const toolbar = mounted(mountToolbar, top, { fullScreen: full.toggle });
  mounted(mountCards, stage);
  mounted(mountStage, stage);
  mounted(mountReadout, below);
  mounted(mountThreshold, below);
  mounted(mountStatus, below);
  mounted(mountTable, table);
  mounted(mountFilmstrip, strips);
  mounted(mountExplain, strips);
  mounted(mountHelp, root);
  if (!store.host.static) mounted(mountDrop, root);
  if (!store.host.static) mounted(mountGallery, run, { stage: () => stage.querySelector(".vde-stage") });
  if (!store.host.static) mounted(mountPrompts, tools);
  cleanup.add(emptyStage(stage, store));

  const showTools = () => setHidden(tools, store.host.static);
  cleanup.add(store.on("tool", showTools));
  showTools();

  // The controls around belong to the panel, too: Lab's shortcuts must not fire from them.
  const keep = (event) => {
    if (event.key !== "Tab" && !event.ctrlKey && !event.metaKey) event.stopPropagation();
  };
  // Sliders of the notebook's own have no name for those who cannot see the label above them.
  const nameSlider = ({ target }) => {
    if (target.getAttribute?.("role") !== "slider" || target.hasAttribute("aria-label")) return;
    const label = target.closest(".vde-pair, .vde-entry")?.querySelector(".widget-label");
    if (label?.textContent) target.setAttribute("aria-label", label.textContent);
  };
  let guarded = null;
  const release = () => {
    guarded?.removeEventListener("keydown", keep);
    guarded?.removeEventListener("focusin", nameSlider);
    guarded = null;
  };
  const guardControls = () => {
    const around = root.closest(".vde-panel");
    if (around === guarded) return;
    release();
    around?.addEventListener("keydown", keep);
    around?.addEventListener("focusin", nameSlider);
    guarded = around;
  };
  cleanup.add(release);

  const measure = () => {
    const width = root.clientWidth;
    if (!width) return; // not on the page now: an output that is folded, or virtualised
    guardControls();
    root.classList.toggle("vde-wide", width >= WIDE);
    if (full.isOn()) root.style.removeProperty("--vde-stage-height");
    else root.style.setProperty("--vde-stage-height", `${stageHeight(stage.clientWidth, state)}px`);
  };
  const observer = new ResizeObserver(measure);
  observer.observe(root);
  cleanup.add(() => observer.disconnect(), store.on("pair", measure));
  full.onChange(measure);
  measure();

  cleanup.add(hideStatic(root, store));
  cleanup.listen(root, "keydown", (event) => {
    shortcut(event, store, { full, root });
    // Keys used here mean nothing to the notebook around it; Tab goes on as always.
    if (event.key !== "Tab") event.stopPropagation();
  });
  return { destroy: cleanup.run, root };
}

/**
 * A height that shows the pair without bars left and right, if there is room.
 *
 * @param {number} width of the stage in CSS px
 * @param {{pair: {width: number, height: number}|null}} state
 */
export function stageHeight(width, { pair }) {
  // An output in a frame may be hardly higher than its content as yet.
  const screen = Math.max(window.innerHeight, 600);
  const most = Math.max(320, Math.min(0.7 * screen, 720));
  const wanted = pair ? (width * pair.height) / pair.width : 380;
  return Math.round(Math.min(most, Math.max(320, wanted)));
}

/** Words on the stage while it has nothing to show. */
function emptyStage(stage, store) {
  const { state } = store;
  const title = make("strong");
  const text = make("span");
  const note = make("div", { class: "vde-empty" }, title, text);
  stage.append(note);
  const show = () => {
    const { pair, current, reference, progress, error } = state;
    setHidden(note, Boolean((pair && (current || reference)) || error));
    title.textContent = pair || progress ? "Getting the pictures ready…" : "Nothing to compare yet";
    text.textContent = pair || progress ? "" : "Choose a reference and a current picture.";
  };
  const off = store.on(["pair", "current", "reference", "progress", "error"], show);
  show();
  return () => {
    off();
    note.remove();
  };
}

/** While this panel lives, the static picture that stands in for it is hidden. */
function hideStatic(root, store) {
  const style = make("style");
  root.append(style);
  const show = () => {
    const id = store.state.panel_id;
    const known = /^[\w-]+$/.test(id);
    style.textContent = known ? `.vde-static-${id}{display:none!important}` : "";
  };
  const off = store.on("panel_id", show);
  show();
  return () => {
    off();
    style.remove();
  };
}

/** Keys that work anywhere in the viewer, unless something inside used them or takes text. */
function shortcut(event, store, { full, root }) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const { state, actions } = store;
  const takesText = event.target.closest?.("input:not([type=range]):not([type=checkbox]), textarea, select");
  if (takesText) return;
  const { key } = event;
  const done = () => event.preventDefault();
  if (key === "?") {
    store.set({ help: !state.help });
    done();
  } else if (key === "f" || key === "F") {
    full.toggle();
    done();
  } else if (key === "l" || key === "L") {
    root.querySelector("[data-vde-layers]")?.click();
    done();
  } else if (key === "Escape") {
    if (escape(store, full)) done();
  } else if (!state.pair) {
    return;
  } else if (/^[1-7]$/.test(key)) {
    actions.setView({ mode: MODES[Number(key) - 1].key });
    done();
  } else if (key === "+" || key === "=") {
    zoomBy(store, 1.5);
    done();
  } else if (key === "-") {
    zoomBy(store, 1 / 1.5);
    done();
  } else if (key === "0") {
    zoomFit(store);
    done();
  } else if (!store.host.static) {
    const tool = TOOLS.find((one) => one.shortcut.toLowerCase() === key.toLowerCase());
    if (!tool) return;
    actions.setTool(tool.key);
    done();
  }
}

/** Escape leaves one thing at a time. @returns {boolean} whether there was anything to leave */
function escape(store, full) {
  const { state, actions } = store;
  if (state.error) actions.dismissError();
  else if (state.tool !== "pan") actions.setTool("pan");
  else if (full.isFixed()) full.toggle();
  else return false;
  return true;
}

/** Full screen by the browser; where that is forbidden, over the whole page. */
function fullScreen(root, store, cleanup, changed) {
  let fixed = false;
  const watchers = [changed];
  const isOn = () => fixed || document.fullscreenElement === root;
  const update = () => {
    root.classList.toggle("vde-full", isOn());
    root.classList.toggle("vde-full-fixed", fixed);
    for (const watcher of watchers) watcher(isOn());
  };
  cleanup.listen(document, "fullscreenchange", update);
  cleanup.add(() => {
    if (document.fullscreenElement === root) document.exitFullscreen().catch(() => {});
  });
  return {
    isOn,
    isFixed: () => fixed,
    onChange: (fn) => watchers.push(fn),
    async toggle() {
      if (document.fullscreenElement === root) {
        await document.exitFullscreen().catch(() => {});
      } else if (fixed) {
        fixed = false;
        update();
      } else {
        try {
          await root.requestFullscreen();
        } catch {
          fixed = true;
          update();
        }
      }
    },
  };
}
