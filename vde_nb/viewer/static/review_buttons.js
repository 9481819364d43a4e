/** The buttons with which the selected region is reviewed. */
import { make } from "./dom.js";
import { partIcon } from "./part_icons.js";

/**
 * @param {{accept: function(): void, reject: function(): void, relabel: function(): void,
 *   refine: function(): void}} acts
 * @returns {{element: HTMLElement, show: function(object, boolean): void}} `show(region, works)`
 */
export function createReviewButtons(acts) {
  const button = (name, label, title) => {
    const element = make("button", {
      type: "button",
      class: "vde-button vde-icon-button",
      title,
      "aria-label": label,
      onclick: acts[name],
    });
    element.append(partIcon(name));
    return element;
  };
  const accept = button("accept", "Accept", "Accept (A)");
  const reject = button("reject", "Reject", "Reject (R)");
  const relabel = button("relabel", "Relabel or note", "Relabel or note (L)");
  const refine = button("refine", "Refine the outline", "Refine: send its box to the segmenter");
  const all = [accept, reject, relabel, refine];
  return {
    element: make("div", { class: "vde-review-buttons" }, ...all),
    show(region, works) {
      accept.setAttribute("aria-pressed", String(region.verdict === "accepted"));
      reject.setAttribute("aria-pressed", String(region.verdict === "rejected"));
      for (const one of all) one.disabled = !works;
    },
  };
}
