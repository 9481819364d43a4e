/** The ways of looking at two pictures, in the order of their keys. */

export const MODES = [
  { key: "overlay", name: "Overlay", hint: "Current picture with what changed marked" },
  { key: "wipe", name: "Wipe", hint: "Drag a divider between the two pictures" },
  { key: "blink", name: "Blink", hint: "The two pictures take turns" },
  { key: "side", name: "Side", hint: "Both pictures, zoomed and moved together" },
  { key: "heatmap", name: "Heatmap", hint: "How much each pixel differs" },
  { key: "reference", name: "Reference", hint: "The first picture alone" },
  { key: "current", name: "Current", hint: "The second picture alone" },
];

export const TOOLS = [
  { key: "pan", name: "Look around", shortcut: "V", hint: "Drag moves the picture" },
  {
    key: "prompt",
    name: "Mark a region",
    shortcut: "P",
    hint: "Click what belongs to it, Shift-click what does not, drag a box",
  },
  { key: "ignore", name: "Ignore an area", shortcut: "I", hint: "Drag a box that is left out" },
  { key: "nudge", name: "Nudge", shortcut: "N", hint: "Arrow keys move the current picture" },
];
