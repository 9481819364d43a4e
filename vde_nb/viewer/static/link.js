/** Whether the kernel still answers, and who waits for which answer. */

/** A kernel that is silent for this long, in ms, is called busy. */
export const BUSY_AFTER = 3000;
const PING_AFTER = 1000;
/** What only a kernel that is free sends. */
const FROM_MAIN = new Set(["pong", "state", "pair", "uploaded", "announce", "clipboard"]);

/**
 * Sends messages, hands answers to those who asked, and keeps `store.state.link` true.
 *
 * After each message the kernel is expected to say something; when it does not within a second it
 * is asked by a `ping`, and when that is not answered either it is busy, until its next message.
 *
 * @param {object} store
 * @returns {{send: function(object, ArrayBuffer[]=): boolean,
 *   ask: function(object, number=, ArrayBuffer[]=): Promise<object|null>,
 *   heard: function(object, DataView[]): void, destroy: function(): void}} `ask` resolves to
 *   `{content, buffers}`, or to null when there was no answer in time
 */
export function createLink(store) {
  const { host } = store;
  const waiting = new Map();
  let lastId = 0;
  let pingTimer = 0;
  let busyTimer = 0;

  const quiet = () => {
    clearTimeout(pingTimer);
    clearTimeout(busyTimer);
    pingTimer = busyTimer = 0;
  };

  const setLink = (link) => {
    if (host.static) return;
    store.set({ link });
    if (link !== "gone") return;
    quiet();
    for (const answer of [...waiting.values()]) answer(null);
    // Nothing is under way in a kernel that is gone.
    store.set({ progress: null });
  };

  const post = (content, buffers) => {
    try {
      host.send(content, buffers);
      return true;
    } catch {
      setLink("gone");
      return false;
    }
  };

  const expect = () => {
    if (busyTimer || store.state.link === "gone") return;
    pingTimer = setTimeout(() => post({ kind: "ping", id: nextId() }), PING_AFTER);
    busyTimer = setTimeout(() => setLink("busy"), BUSY_AFTER);
  };

  const nextId = () => `q${(lastId += 1)}`;

  const send = (content, buffers) => {
    if (host.static) return false;
    const sent = post(content, buffers);
    if (sent) expect();
    return sent;
  };

  const offLink = host.onLink?.(setLink);

  return {
    send,
    ask(content, timeout = 10000, buffers = undefined) {
      return new Promise((resolve) => {
        const id = content.id ?? nextId();
        const timer = setTimeout(() => finish(null), timeout);
        const finish = (answer) => {
          clearTimeout(timer);
          waiting.delete(id);
          resolve(answer);
        };
        waiting.set(id, finish);
        if (!send({ ...content, id }, buffers)) finish(null);
      });
    },
    heard(content, buffers) {
      // Pictures, tiles and counts come from other threads of the kernel: they say nothing of
      // whether it is free to follow.
      if (FROM_MAIN.has(content.kind) || store.state.link === "gone") {
        quiet();
        if (store.state.link !== "live") setLink("live");
      }
      if (content.id !== undefined) waiting.get(content.id)?.({ content, buffers });
    },
    destroy() {
      quiet();
      offLink?.();
      for (const answer of [...waiting.values()]) answer(null);
    },
  };
}
