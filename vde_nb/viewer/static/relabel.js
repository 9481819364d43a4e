/** Giving a region another type, and a note: fields over the row it belongs to. */
import { make, setHidden } from "./dom.js";

const OTHER = "\u0000other";

/**
 * @param {object} store
 * @param {object} region
 * @param {function(): void} closed after saving or leaving
 * @returns {{element: HTMLElement, focus: function(string=): void, number: number}} `focus("note")`
 *   begins with the note
 */
export function createRelabel(store, region, closed) {
  const { state, actions } = store;
  const known = [...new Set([...state.types, region.type_found ?? region.type])].filter(Boolean);
  const select = make("select", { class: "vde-relabel-type", "aria-label": "Type" });
  for (const name of known) {
    const found = name === region.type_found && name !== region.type ? " (found)" : "";
    select.append(make("option", { value: name, text: name + found }));
  }
  select.append(make("option", { value: OTHER, text: "Other…" }));
  const other = make("input", {
    type: "text",
    class: "vde-relabel-other",
    maxlength: "80",
    placeholder: "Name of the type",
    "aria-label": "Other type",
  });
  const comment = make("input", {
    type: "text",
    class: "vde-relabel-note",
    maxlength: "300",
    placeholder: "Note",
    "aria-label": "Note",
  });
  const isKnown = known.includes(region.type);
  select.value = isKnown ? region.type : OTHER;
  other.value = isKnown ? "" : region.type;
  comment.value = region.comment ?? "";
  const showOther = () => {
    setHidden(other, select.value !== OTHER);
    if (select.value === OTHER && !other.value) other.focus();
  };
  select.addEventListener("change", showOther);

  const save = () => {
    const type = (select.value === OTHER ? other.value : select.value).trim();
    if (!type) {
      other.focus();
      return;
    }
    const change = {};
    if (type !== region.type) change.type = type;
    if (comment.value.trim() !== (region.comment ?? "")) change.comment = comment.value.trim();
    if (Object.keys(change).length) {
      actions.review(region.number, change);
      store.set({ announce: `Region ${region.number}: ${type}.` });
    }
    closed();
  };
  const button = (text, onclick, more = "") =>
    make("button", { type: "button", class: `vde-button vde-small${more}`, text, onclick });
  const element = make(
    "div",
    { class: "vde-relabel", role: "group", "aria-label": `Relabel region ${region.number}` },
    select,
    other,
    comment,
    button("Save", save, " vde-main"),
    button("Cancel", closed),
  );
  element.addEventListener("keydown", (event) => {
    const inField = event.target !== select && event.target.localName === "input";
    if (event.key === "Escape") closed();
    else if (event.key === "Enter" && (inField || event.target === select)) save();
    else return;
    event.preventDefault();
  });
  showOther();
  const focus = (field = "") => (field === "note" ? comment : select).focus({ preventScroll: true });
  return { element, focus, number: region.number };
}
