/** What stands above the region table: words to look for, severities, verdicts. */
import { createCleanup, make, setText } from "./dom.js";
import { partIcon } from "./part_icons.js";
import { SEVERITY_NAMES, regionTally } from "./regions.js";

const VERDICT_CHOICES = [
  { key: "all", name: "All" },
  { key: "unreviewed", name: "Open", label: "Not reviewed" },
  { key: "accepted", name: "", label: "Accepted", mark: "accept" },
  { key: "rejected", name: "", label: "Rejected", mark: "reject" },
];

/** @returns {RegionFilter} one that lets everything pass */
export function openFilter() {
  return { text: "", severities: [], verdict: "all" };
}

/**
 * @param {object} store
 * @param {function(RegionFilter): void} changed
 * @returns {{element: HTMLElement, show: function(): void, clear: function(): void,
 *   destroy: function(): void}}
 */
export function createTableFilter(store, changed) {
  const cleanup = createCleanup();
  let filter = openFilter();
  const apply = (patch) => {
    filter = { ...filter, ...patch };
    show();
    changed(filter);
  };

  const search = make("input", {
    type: "search",
    class: "vde-table-search",
    placeholder: "Find type or number",
    "aria-label": "Find regions by type or number",
    autocomplete: "off",
    spellcheck: "false",
    oninput: () => apply({ text: search.value }),
  });
  cleanup.listen(search, "keydown", (event) => {
    if (event.key !== "Escape" || !search.value) return;
    event.preventDefault();
    search.value = "";
    apply({ text: "" });
  });

  const severities = SEVERITY_NAMES.map((name) => {
    const count = make("span", { class: "vde-chip-count" });
    const mark = make("span", { class: "vde-region-mark" }, partIcon(name));
    const button = make("button", { type: "button", class: "vde-chip" }, mark);
    button.append(make("span", { text: name }), count);
    button.addEventListener("click", () => {
      const { severities: chosen } = filter;
      const without = chosen.filter((one) => one !== name);
      apply({ severities: without.length < chosen.length ? without : [...chosen, name] });
    });
    return { name, button, count, mark };
  });
  const verdicts = VERDICT_CHOICES.map(({ key, name, label, mark }) => {
    const count = make("span", { class: "vde-chip-count" });
    const button = make("button", {
      type: "button",
      class: "vde-chip",
      title: label ?? null,
      onclick: () => apply({ verdict: key }),
    });
    if (mark) button.append(partIcon(mark));
    if (name) button.append(make("span", { text: name }));
    if (key !== "all") button.append(count);
    return { key, label: label ?? name, button, count };
  });
  const group = (label, items) => {
    const buttons = items.map(({ button }) => button);
    return make("div", { class: "vde-chips", role: "group", "aria-label": label }, ...buttons);
  };
  const chips = make(
    "div",
    { class: "vde-table-chips" },
    group("Severity", severities),
    group("Review", verdicts),
  );
  const element = make("div", { class: "vde-table-head" }, search, chips);

  function show() {
    const tally = regionTally(store.state.result?.anomalies ?? []);
    for (const { name, button, count, mark } of severities) {
      setText(count, String(tally[name]));
      mark.style.color = store.state.colours.severity?.[name] ?? "";
      button.setAttribute("aria-pressed", String(filter.severities.includes(name)));
      button.setAttribute("aria-label", `${name}, ${tally[name]}`);
    }
    for (const { key, label, button, count } of verdicts) {
      setText(count, String(tally[key]));
      button.setAttribute("aria-pressed", String(filter.verdict === key));
      button.setAttribute("aria-label", key === "all" ? label : `${label}, ${tally[key]}`);
    }
  }
  show();
  return {
    element,
    show,
    clear() {
      search.value = "";
      apply(openFilter());
    },
    destroy: cleanup.run,
  };
}
