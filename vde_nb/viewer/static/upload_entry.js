/** Where a notebook enters for a single upload button. */
import { mountUpload } from "./upload.js";

function uploadHost(model) {
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
      model.on("comm:close", gone);
      model.on("destroy", gone);
      return () => {
        model.off("comm:close", gone);
        model.off("destroy", gone);
      };
    },
  };
}

function renderUpload({ model, el }) {
  const options = { side: model.get("side"), label: model.get("label") };
  const part = mountUpload(el, uploadHost(model), options);
  const relabel = () => part.setLabel(model.get("label"));
  model.on("change:label", relabel);
  return () => {
    model.off("change:label", relabel);
    part.destroy();
  };
}

export default { render: renderUpload };
