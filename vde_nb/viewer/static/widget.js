/** Where a notebook enters: one store per model, shared by all its views. */
import { modelHost } from "./host.js";
import { createStore } from "./store.js";
import { connect } from "./protocol.js";
import { mountApp } from "./app.js";

const DISCONNECTED = ".jupyter-widgets-disconnected";

/** Sessions by what is the same for all proxies that anywidget hands out for one model. */
const sessions = new WeakMap();

function modelKey(model) {
  try {
    const layout = model.get("layout");
    if (layout && typeof layout === "object") return layout;
  } catch {
    // Not every notebook has layouts.
  }
  return model;
}

function createSession(model) {
  const views = new Set();
  const isCut = () => [...views].some((view) => view.root.closest(DISCONNECTED));
  const store = createStore(modelHost(model, isCut));
  connect(store);
  let greeted = false;
  let ended = false;
  let wasGone = false;
  store.on("link", ({ link }) => {
    // What was said while the link was cut has been missed.
    if (wasGone && link === "live") store.actions.hello();
    wasGone = link === "gone";
  });
  return {
    store,
    addView(el) {
      const view = mountApp(el, store);
      views.add(view);
      if (!greeted) store.actions.hello();
      greeted = true;
      if (isCut()) store.set({ link: "gone" });
      return () => {
        if (views.delete(view)) view.destroy();
        return views.size;
      };
    },
    end() {
      if (ended) return;
      ended = true;
      for (const view of views) view.destroy();
      views.clear();
      store.destroy();
    },
  };
}

/** A failure that leaves nothing to show is said where the viewer would have been. */
function showFailure(model, el, error) {
  const message = error instanceof Error ? error.message : String(error);
  const details = error instanceof Error ? (error.stack ?? message) : message;
  const root = document.createElement("div");
  root.className = "vde-viewer vde-failed";
  root.setAttribute("role", "alert");
  const title = document.createElement("strong");
  title.textContent = "The viewer could not start.";
  const text = document.createElement("p");
  text.textContent = message;
  const pre = document.createElement("pre");
  pre.textContent = details;
  root.append(title, text, pre);
  el.replaceChildren(root);
  try {
    model.send({ kind: "error", message, details });
  } catch {
    // It is on the screen.
  }
}

function initialize({ model }) {
  let session = null;
  try {
    session = createSession(model);
    sessions.set(modelKey(model), session);
  } catch (error) {
    // render() tries again and says what is wrong.
    console.error(error);
  }
  return () => {
    // A module outlives its widgets, and so would what its table holds.
    sessions.delete(modelKey(model));
    session?.end();
  };
}

function render({ model, el }) {
  try {
    const shared = sessions.get(modelKey(model));
    const session = shared ?? createSession(model);
    const removeView = session.addView(el);
    return () => {
      if (removeView() === 0 && !shared) session.end();
    };
  } catch (error) {
    showFailure(model, el, error);
    return undefined;
  }
}

export default { initialize, render };
