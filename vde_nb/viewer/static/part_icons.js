/** Icons of the table, the filmstrip and the tools; drawn as those in icons.js are. */
import { makeSvg } from "./icons.js";

const PART_PATHS = {
  accept: ["M3 8.6 6.4 12 13 4.6"],
  reject: ["M4 4l8 8M12 4l-8 8"],
  clear: ["M8 2.5a5.5 5.500 0 1 1-5.200 3.700", "M2.500 2.500v3.700h3.700"],
  relabel: ["M3 13l.7-2.900 7.400-7.400 2.200 2.200-7.400 7.400z", "M9.700 4.100l2.200 2.200"],
  refine: ["M2.500 5V2.500H5M11 2.500h2.500V5M13.500 11v2.500H11M5 13.500H2.500V11", "!M8 5.800a2.200 2.200 0 1 1 0 4.400 2.200 2.200 0 0 1 0-4.400z"],
  undo: ["M5.500 3 2.500 6l3 3", "M2.500 6h6.500a4.200 4.200 0 0 1 0 8.400H6"],
  redo: ["M10.500 3l3 3-3 3", "M13.500 6H7a4.200 4.200 0 0 0 0 8.400h3"],
  left: ["M10 3 5 8l5 5"],
  right: ["M6 3l5 5-5 5"],
  up: ["M3 10l5-5 5 5"],
  down: ["M3 6l5 5 5-5"],
  remove: ["M4.500 4.500l7 7M11.500 4.500l-7 7"],
  add: ["M3.500 8h9", "M8 3.500v9"],
  upload: ["M8 10.500v-8", "M4.800 5.500 8 2.300l3.200 3.200", "M2.500 10v3.500h11V10"],
  minor: ["M8 3.500a4.500 4.500 0 1 1 0 9 4.500 4.500 0 0 1 0-9z"],
  moderate: ["!M8 2.500 14 13H2z"],
  major: ["!M8 1.500 14.500 8 8 14.500 1.500 8z"],
  todo: ["M8 3a5 5 0 1 1 0 10A5 5 0 0 1 8 3z"],
  running: ["M8 3a5 5 0 0 1 5 5"],
  clean: ["M8 2.500a5.500 5.500 0 1 1 0 11 5.500 5.500 0 0 1 0-11z", "M5.500 8.200 7.300 10l3.200-3.800"],
  changed: ["!M8 1.500 14.500 8 8 14.500 1.500 8z"],
  error: ["M8 2.200 14.300 13.300H1.700z", "M8 6.500v3.300", "!M8 10.900a.7.700 0 1 1 0 1.400.7.700 0 0 1 0-1.400z"],
  reviewed: ["M1.500 8.600 4.600 11.700 10 5.500", "M8 11l.8.7 5.700-6.200"],
};

/**
 * @param {keyof PART_PATHS} name
 * @returns {SVGSVGElement} hidden from screen readers: what stands beside it has the name
 */
export function partIcon(name) {
  const paths = (Object.hasOwn(PART_PATHS, name) ? PART_PATHS[name] : []).map((text) =>
    text.startsWith("!")
      ? makeSvg("path", { d: text.slice(1), class: "vde-icon-fill" })
      : makeSvg("path", { d: text }),
  );
  const look = { viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false" };
  return makeSvg("svg", { ...look, class: `vde-icon vde-icon-${String(name).replace(/\W/g, "-")}` }, ...paths);
}
