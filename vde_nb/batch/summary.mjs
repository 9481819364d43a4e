// The page about a run: sorts and filters its pairs. Every text goes into the page as text. The table
// holds a few hundred rows at a time: browsers lay a table out as a whole, and ten thousand rows take
// them seconds.

/**
 * @typedef {object} Row
 * @property {number} place Position in the worst-first order.
 * @property {number} number
 * @property {string} name
 * @property {string} reference
 * @property {string} current
 * @property {string} status "clean", "changed" or "error".
 * @property {string} verdict "pass", "fail" or "".
 * @property {number | null} anomalies
 * @property {number[]} grades Minor, moderate and major anomalies.
 * @property {[string, number][]} types
 * @property {number | null} change Per cent.
 * @property {number | null} ssim
 * @property {number | null} score
 * @property {number | null} largest Pixels.
 * @property {string} home Id of the pair whose folder its files are in.
 * @property {number} files Bits, one for each of the links.
 * @property {boolean} pictured
 * @property {string | null} error
 * @property {string[]} notes
 * @property {boolean} copied
 * @property {boolean} unlike The two do not look like the same scene.
 * @property {boolean} ways Whether paths are shown.
 * @property {[string, string][]} given Further columns of the table of pairs.
 * @property {string} [text] What is searched.
 */

/**
 * @typedef {object} Wanted
 * @property {string[]} words In lower case; all of them must be found.
 * @property {string} status
 * @property {string} verdict
 * @property {string} severity
 * @property {string} type
 */

const STATES = ["clean", "changed", "error"];
const VERDICTS = ["", "pass", "fail"];
const SEVERITIES = ["minor", "moderate", "major"];
const TYPES = 3;
const GIVEN = 6;
const OPENED = ["report.html", "annotated.png", "thumbnail.jpg"];
const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/**
 * A row as the page holds it, with its parts named; `Words.pack` in _page_rows.py makes them.
 *
 * @param {any[]} packed
 * @param {number} place
 * @param {string[]} words
 * @returns {Row}
 */
export function unpack(packed, place, words) {
  const [number, name, reference, current, status, verdict, anomalies, grades, types] = packed;
  const [change, ssim, score, largest, home, files, pictured, error, notes, copied, unlike, ways, given] = packed.slice(9);
  return {
    place, number, name, reference, current, anomalies, grades, change, ssim, score, largest, home, files,
    status: STATES[status],
    verdict: VERDICTS[verdict],
    types: types.map((/** @type {number[]} */ [at, count]) => [words[at], count]),
    pictured: pictured === 1,
    error: error === null ? null : words[error],
    notes: notes.map((/** @type {number} */ at) => words[at]),
    copied: copied === 1,
    unlike: unlike === 1,
    ways: ways === 1,
    given: given.map((/** @type {[number, string]} */ [at, value]) => [words[at], value]),
  };
}

/**
 * Value of a row to sort by: text, a number, or null, which comes last both ways.
 *
 * @param {Row} row
 * @param {string} key
 * @returns {string | number | null}
 */
export function sortValue(row, key) {
  if (key === "result") return STATES.indexOf(row.status) * 3 + VERDICTS.indexOf(row.verdict);
  if (key === "types") return row.types.length ? row.types[0][0] : null;
  if (key === "anomalies") {
    if (row.anomalies === null) return null;
    const [minor, moderate, major] = row.grades.map((count) => Math.min(count, 99999));
    return (major * 1e5 + moderate) * 1e5 + minor;
  }
  return /** @type {any} */ (row)[key];
}

/**
 * Rows in another order; equal ones stay worst first.
 *
 * @param {Row[]} rows
 * @param {string} key Empty: worst first.
 * @param {boolean} descending
 * @returns {Row[]}
 */
export function ordered(rows, key, descending) {
  const all = [...rows];
  if (!key) return all.sort((one, other) => one.place - other.place);
  const values = new Map(all.map((row) => [row, sortValue(row, key)]));
  const sign = descending ? -1 : 1;
  return all.sort((one, other) => {
    const a = values.get(one) ?? null;
    const b = values.get(other) ?? null;
    if (a === null || b === null) return Number(a === null) - Number(b === null) || one.place - other.place;
    const way = typeof a === "string" ? collator.compare(a, String(b)) : a - Number(b);
    return sign * way || one.place - other.place;
  });
}

/**
 * Whether a row is among those that are asked for.
 *
 * @param {Row} row
 * @param {Wanted} wanted
 * @returns {boolean}
 */
export function matches(row, wanted) {
  if (wanted.status && (wanted.status === "unlike" ? !row.unlike : row.status !== wanted.status)) return false;
  if (wanted.verdict && row.verdict !== wanted.verdict) return false;
  if (wanted.severity && !row.grades[SEVERITIES.indexOf(wanted.severity)]) return false;
  if (wanted.type && !row.types.some(([name]) => name === wanted.type)) return false;
  if (!wanted.words.length) return true;
  row.text ??= [
    row.number, row.name, row.reference, row.current, row.error ?? "",
    ...row.types.map(([name]) => name), ...row.notes, ...row.given.map(([name, value]) => `${name} ${value}`),
  ].join("\n").toLowerCase();
  const text = row.text;
  return wanted.words.every((word) => text.includes(word));
}

/**
 * @param {number} value
 * @returns {string} With commas between thousands.
 */
function grouped(value) {
  return value.toLocaleString("en-US");
}

/**
 * An element with attributes and contents; text stays text.
 *
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {...(Node | string)} contents
 * @returns {HTMLElement}
 */
function make(tag, attributes = {}, ...contents) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...contents);
  return made;
}

/**
 * One row of the table; `static_row` in _page_rows.py makes the same.
 *
 * @param {Row} row
 * @param {string | null} prefix Stands before "pairs/…" in addresses.
 * @param {string[][]} known Files that may be linked to, and what the links say.
 * @returns {HTMLElement}
 */
function makeRow(row, prefix, known) {
  const folder = row.home && prefix !== null ? `${prefix}pairs/${row.home.slice(0, 2)}/${row.home}/` : "";
  const links = folder ? known.filter((_, bit) => (row.files >> bit) & 1).map(([file, text]) => [folder + file, text]) : [];
  const there = [...known.filter((_, bit) => (row.files >> bit) & 1).map(([file]) => file), row.pictured ? "thumbnail.jpg" : ""];
  const best = OPENED.find((name) => there.includes(name));
  const opened = folder && best ? folder + best : "";
  const thumb = make("td", { class: "thumb" });
  if (folder && row.pictured) {
    const picture = make("img", {
      src: `${folder}thumbnail.jpg`, width: 184, height: 69, loading: "lazy", decoding: "async",
      alt: "Reference and annotated current picture",
    });
    thumb.append(make("a", { href: opened, tabindex: -1 }, picture));
  }
  const title = make("bdi", {}, row.name);
  const who = make("td", { class: "who" }, make("p", { class: "name" }, opened ? make("a", { href: opened }, title) : title));
  if (row.ways) {
    const texts = [row.reference, row.current].filter(Boolean);
    who.append(make("p", { class: "soft" }, ...texts.flatMap((text, at) => [...(at ? [" \u2192 "] : []), make("bdi", {}, text)])));
  }
  if (row.given.length) {
    const further = make("p", { class: "soft given" });
    for (const [name, value] of row.given.slice(0, GIVEN)) {
      further.append(make("span", {}, make("bdi", {}, name), " ", make("b", {}, make("bdi", {}, value))));
    }
    if (row.given.length > GIVEN) further.append(make("span", {}, `and ${row.given.length - GIVEN} more`));
    who.append(further);
  }
  if (row.notes.length) {
    const count = `${row.notes.length} ${row.notes.length === 1 ? "note" : "notes"}`;
    const listed = make("ul", {}, ...row.notes.map((note) => make("li", {}, note)));
    who.append(make("details", {}, make("summary", {}, count), listed));
  }
  const result = make("td", { class: "result", "data-label": "Result" }, make("span", { class: `state ${row.status}` }, row.status));
  if (row.verdict && row.status !== "error") result.append(make("span", { class: `verdict ${row.verdict}` }, row.verdict));
  if (row.unlike) result.append(make("span", { class: "state unlike" }, "other scene?"));
  if (row.copied) result.append(make("span", { class: "soft" }, "same pictures as another pair"));
  const chips = make("td", { class: "chips", "data-label": "Anomalies" });
  for (const [at, name] of [...SEVERITIES.entries()].reverse()) {
    const count = row.grades[at];
    if (row.anomalies !== null && count) chips.append(make("span", { class: `chip ${name}` }, `${grouped(count)} ${name}`));
  }
  if (row.anomalies !== null && !chips.hasChildNodes()) chips.append("0");
  const types = make("td", { class: "types", "data-label": "Types" });
  for (const [name, count] of row.types.slice(0, TYPES)) {
    types.append(make("span", {}, make("bdi", {}, name), ...(count > 1 ? [` \u00d7${grouped(count)}`] : [])));
  }
  if (row.types.length > TYPES) types.append(make("span", { class: "soft" }, `and ${row.types.length - TYPES} more`));
  const number = (/** @type {string} */ label, /** @type {string} */ text, kind = "") =>
    make("td", { class: `number${kind}`, "data-label": label }, text);
  const { change, ssim, score, largest } = row;
  const small = change !== null && change > 0 && change < 0.005;
  const found = row.error !== null // over the columns of what was not found
    ? [make("td", { class: "why", colspan: 3 }, make("p", {}, row.error))]
    : [chips, types, number("Changed", change === null ? "" : small ? "<0.01 %" : `${change.toFixed(2)} %`)];
  return make(
    "tr", {}, make("th", { scope: "row", class: "number" }, grouped(row.number)), thumb, who, result, ...found,
    number("SSIM", ssim === null ? "" : ssim.toFixed(4), " ssim"),
    number("Score", score === null ? "" : score.toFixed(2), " score"),
    number("Largest", largest === null ? "" : `${grouped(largest)} px\u00b2`, " largest"),
    make("td", { class: "links", "data-label": "Files" }, ...links.map(([address, text]) => make("a", { href: address }, text))),
  );
}

/** Put the controls to work. */
function start() {
  const get = (/** @type {string} */ id) => /** @type {any} */ (document.getElementById(id));
  const table = /** @type {HTMLTableElement | null} */ (document.querySelector("table.pairs"));
  if (!table) return;
  const data = JSON.parse(get("run-data").textContent);
  const rows = data.rows.map((/** @type {any[]} */ one, /** @type {number} */ place) => unpack(one, place, data.words));
  const body = table.tBodies[0];
  const pager = get("pager");
  const [before, place, after] = pager.children;
  const most = data.static; // rows at a time: as many as the page was made with
  const selects = ["status", "verdict", "severity", "type"].map(get).filter(Boolean);
  const heads = /** @type {HTMLElement[]} */ ([...table.querySelectorAll("th[data-sort]")]);
  let shown = rows;
  let first = 0;
  let key = "";
  let descending = false;
  // a page that is come back to has what was chosen, and the rows of when it was made
  const wanted = () => ({
    words: get("search").value.toLowerCase().split(/\s+/).filter(Boolean),
    ...Object.fromEntries(["status", "verdict", "severity", "type"].map((name) => [name, get(name)?.value ?? ""])),
  });

  function tell() {
    const all = grouped(rows.length);
    get("shown").textContent = shown.length === rows.length ? `${all} pairs` : `${grouped(shown.length)} of ${all} pairs`;
    pager.hidden = shown.length > 0 && shown.length <= most;
    before.disabled = first === 0;
    after.disabled = first + most >= shown.length;
    place.textContent = shown.length
      ? `${grouped(first + 1)} to ${grouped(Math.min(first + most, shown.length))} of ${grouped(shown.length)}`
      : "No pair is like this.";
    get("worst").setAttribute("aria-pressed", String(!key));
    get("reset").disabled = !get("search").value && selects.every((one) => !one.value);
    for (const head of heads) {
      if (head.dataset.sort === key) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  }

  /** @param {number} from Show rows from here on. */
  function turn(from) {
    first = from;
    const next = shown.slice(first, first + most);
    body.replaceChildren(...next.map((/** @type {Row} */ row) => makeRow(row, data.prefix, data.links)));
    tell();
  }

  function show() {
    const asked = /** @type {Wanted} */ (wanted());
    shown = ordered(rows.filter((/** @type {Row} */ row) => matches(row, asked)), key, descending);
    turn(0);
  }

  /** @param {string} wish */
  function sortBy(wish) {
    const numbers = !["name", "types", "number", "ssim"].includes(wish); // large is what one looks for
    descending = key === wish ? !descending : numbers;
    key = wish;
    show();
  }

  for (const head of heads) {
    const button = make("button", { type: "button" }, ...head.childNodes);
    button.addEventListener("click", () => sortBy(head.dataset.sort ?? ""));
    head.append(button);
  }
  for (const line of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".chart tr[data-filter]"))) {
    const select = get(line.dataset.filter ?? "");
    const head = line.querySelector("th");
    if (!select || !head) continue;
    const button = make("button", { type: "button", title: "Show these pairs" }, ...head.childNodes);
    button.addEventListener("click", () => {
      select.value = line.dataset.value;
      show();
      get("pairs").scrollIntoView({ block: "start" });
    });
    head.append(button);
  }
  let waiting = 0;
  get("search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = window.setTimeout(show, 120);
  });
  for (const select of selects) select.addEventListener("change", show);
  get("worst").addEventListener("click", () => {
    key = "";
    show();
  });
  get("reset").addEventListener("click", () => {
    for (const control of [get("search"), ...selects]) control.value = "";
    show();
    get("search").focus();
  });
  for (const [button, way] of [[before, -most], [after, most]]) {
    button.addEventListener("click", () => {
      turn(first + way);
      get("pairs").scrollIntoView({ block: "start" });
    });
  }
  get("unscripted")?.remove();
  document.querySelector(".filters")?.removeAttribute("hidden");
  if (get("search").value || selects.some((one) => one.value)) show();
  tell();
}

if (typeof document !== "undefined") start();
