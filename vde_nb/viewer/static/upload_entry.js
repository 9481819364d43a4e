/** Where a notebook enters for a single upload button. */
import { modelHost } from "./host.js";
import { mountUpload } from "./upload.js";

function renderUpload({ model, el }) {
  const options = { side: model.get("side"), label: model.get("label") };
  const part = mountUpload(el, modelHost(model), options);
  const relabel = () => part.setLabel(model.get("label"));
  model.on("change:label", relabel);
  return () => {
    model.off("change:label", relabel);
    part.destroy();
  };
}

export default { render: renderUpload };
