/** Making elements; whatever is shown is text, never markup. */

/**
 * @param {string} tag
 * @param {object} [props] attributes; `text` is its text, `class` its classes; a function is a
 *   listener (`onclick`); true, false and null set or leave out an attribute
 * @param {...(Node|string|null)} children
 * @returns {HTMLElement}
 */
export function make(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === false || value === undefined) continue;
    if (key === "text") element.textContent = value;
    else if (typeof value === "function") element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Set text only when it differs: a text node that stays keeps selection and saves layout. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {HTMLElement} element @param {boolean} hidden */
export function setHidden(element, hidden) {
  if (element.hidden !== hidden) element.hidden = hidden;
}

/**
 * Keep the notebook's shortcuts quiet while an element, or one inside it, has the keyboard.
 *
 * Lab looks for shortcuts from the element with the focus upwards, and stops where it meets the
 * attribute. Notebook 7 has shortcuts that fit whatever has the focus, so that must carry it, too.
 *
 * @param {HTMLElement} root
 */
export function holdShortcuts(root) {
  const hold = (element) => element.setAttribute("data-lm-suppress-shortcuts", "true");
  hold(root);
  root.addEventListener("focusin", (event) => hold(event.target));
}

/** Collects what must be undone. @returns {{add: function(function()): void, run: function()}} */
export function createCleanup() {
  const jobs = [];
  return {
    add(...fns) {
      jobs.push(...fns.filter(Boolean));
    },
    /** Listen until the end. */
    listen(target, type, fn, options) {
      target.addEventListener(type, fn, options);
      jobs.push(() => target.removeEventListener(type, fn, options));
    },
    run() {
      for (const job of jobs.splice(0).reverse()) job();
    },
  };
}
