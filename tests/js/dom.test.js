import { test } from "node:test";
import assert from "node:assert/strict";
import { holdShortcuts } from "../../vde_nb/viewer/static/dom.js";

class Element extends EventTarget {
  attributes = {};
  setAttribute(name, value) {
    this.attributes[name] = value;
  }
}

test("the notebook's shortcuts are quiet at the root and at what has the focus", () => {
  const [root, button] = [new Element(), new Element()];
  holdShortcuts(root);
  assert.deepEqual(root.attributes, { "data-lm-suppress-shortcuts": "true" });
  assert.deepEqual(button.attributes, {});
  const event = new Event("focusin");
  Object.defineProperty(event, "target", { value: button });
  root.dispatchEvent(event);
  assert.deepEqual(button.attributes, root.attributes);
});
