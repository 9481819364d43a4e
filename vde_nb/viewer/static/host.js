/** How a widget in a notebook talks to Python. */

/**
 * @param {object} model of anywidget
 * @param {(function(): boolean)|null} isCut whether the link is cut now, where that can be seen
 * @returns {object} see Host in protocol.js
 */
export function modelHost(model, isCut = null) {
  return {
    static: false,
    send(content, buffers = []) {
      model.send(content, undefined, buffers);
    },
    onMessage(fn) {
      const own = (content, buffers) => fn(content, buffers ?? []);
      model.on("msg:custom", own);
      return () => model.off("msg:custom", own);
    },
    onLink(fn) {
      const gone = () => fn("gone");
      // The model tells that its link changed, not how; its views carry a class for that. They
      // hear of it in the same turn, perhaps later than this.
      const changed = () => setTimeout(() => fn(isCut() ? "gone" : "live"));
      if (isCut) model.on("comm_live_update", changed);
      model.on("comm:close", gone);
      model.on("destroy", gone);
      return () => {
        if (isCut) model.off("comm_live_update", changed);
        model.off("comm:close", gone);
        model.off("destroy", gone);
      };
    },
  };
}
