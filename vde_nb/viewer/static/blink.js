/** Two pictures taking turns: by a timer, or by hand where motion is unwanted. */

/**
 * @param {object} store
 * @param {function(): void} changed the other picture is shown now
 * @param {function(string): void} say a sentence that stands below the picture, or ""
 * @returns {{shown: function(): string, flip: function(): void, stop: function(): void}}
 */
export function createBlink(store, changed, say) {
  const { state } = store;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let shown = "current";
  let held = false; // flipped by hand: from then on only by hand
  let timer = 0;
  let last = { mode: "", blink_ms: 0 };

  const turn = () => {
    shown = shown === "current" ? "reference" : "current";
    changed();
  };
  const start = () => {
    clearInterval(timer);
    const { mode, blink_ms: every } = state.view;
    const stands = still.matches || held;
    say(mode === "blink" && stands ? "Press B or Space to flip" : "");
    if (mode === "blink" && !stands) timer = setInterval(() => document.hidden || turn(), every);
  };
  const update = () => {
    const { mode, blink_ms } = state.view;
    if (mode === last.mode && blink_ms === last.blink_ms) return;
    if (mode !== last.mode) {
      held = false;
      shown = "current";
    }
    last = { mode, blink_ms };
    start();
  };
  const off = store.on("view", update);
  still.addEventListener("change", start);
  update();

  return {
    shown: () => shown,
    flip() {
      held = true;
      turn();
      start();
    },
    stop() {
      off();
      clearInterval(timer);
      still.removeEventListener("change", start);
    },
  };
}
