/** Line icons on a 16 px grid. */

const SVG_NAMESPACE = "http://www.w3.org/2000/svg";

/** Paths by name; a stroke of 1.4 px in the colour of the text. "!" marks one that is filled. */
const ICON_PATHS = {
  overlay: ["M2.5 5.5h8v8h-8z", "M5.5 5.5v-3h8v8h-3"],
  wipe: ["M2.5 3h11v10h-11z", "M8 1v14", "!M8 3h5.5v10H8z"],
  blink: ["M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8z", "!M8 6.2a1.8 1.8 0 1 1 0 3.6 1.8 1.8 0 0 1 0-3.6z"],
  side: ["M1.5 3.5h5.7v9H1.5z", "M8.8 3.5h5.7v9H8.8z"],
  heatmap: ["M8 1.8c.6 2.6 3.9 4 3.9 7.6A3.9 3.9 0 0 1 8 13.8a3.9 3.9 0 0 1-3.9-4.4c0-1.6.9-2.5 1.5-3.6.6 1 .9 1.3 1.6 1.6C7 5.400 7.300 3.500 8 1.800z"],
  reference: ["M2.5 3h11v10h-11z", "M6.2 10.800V5.200h2.200a1.600 1.600 0 0 1 0 3.200H6.200m2 0 1.800 2.400"],
  current: ["M2.5 3h11v10h-11z", "M10 6.300A2.500 2.500 0 1 0 10 9.700"],
  minus: ["M3.5 8h9"],
  plus: ["M3.5 8h9", "M8 3.500v9"],
  layers: ["M8 2 14 5.300 8 8.600 2 5.300z", "M2.600 8 8 11l5.400-3", "M2.600 10.700 8 13.700l5.400-3"],
  pan: ["M8 1.700v12.600M1.700 8h12.600", "M6.300 3.400 8 1.700l1.700 1.700M6.300 12.600 8 14.300l1.700-1.700M3.400 6.300 1.700 8l1.700 1.700M12.600 6.300 14.300 8l-1.700 1.700"],
  prompt: ["M8 1.800v3M8 11.200v3M1.800 8h3M11.200 8h3", "!M8 6.500a1.500 1.500 0 1 1 0 3 1.500 1.500 0 0 1 0-3z"],
  ignore: ["M2.500 4.500v-2h2M11.500 2.500h2v2M13.500 11.500v2h-2M4.500 13.500h-2v-2M7 2.500h2M7 13.500h2M2.500 7v2M13.500 7v2", "M5.500 10.500l5-5"],
  nudge: ["M2.500 2.500h7v7h-7z", "M6.500 11.500v2h7v-7h-2"],
  across: ["M2.500 3h11v10h-11z", "M8 3v10"],
  down: ["M2.500 3h11v10h-11z", "M2.500 8h11"],
  full: ["M2.500 6V2.500H6M10 2.500h3.500V6M13.500 10v3.500H10M6 13.500H2.500V10"],
  unfull: ["M6 2.500V6H2.500M13.500 6H10V2.500M10 13.500V10h3.500M2.500 10H6v3.500"],
  help: ["M5.900 6.100a2.100 2.100 0 1 1 3.200 1.800c-.7.45-1.100.9-1.100 1.700", "!M8 11.300a.8.8 0 1 1 0 1.600.8.8 0 0 1 0-1.600z"],
  close: ["M4 4l8 8M12 4l-8 8"],
  warning: ["M8 2.200 14.300 13.300H1.700z", "M8 6.500v3.300", "!M8 10.900a.7.7 0 1 1 0 1.400.7.7 0 0 1 0-1.400z"],
  explain: ["M1.800 4h3.400v3.400H1.800zM6.300 8.600h3.400V12H6.300zM10.800 4h3.400v3.400h-3.400z", "M5.200 5.700h5.600M8 5.700v2.900"],
};

/**
 * @param {keyof ICON_PATHS} name
 * @returns {SVGSVGElement} hidden from screen readers: the button has the name
 */
export function icon(name) {
  const svg = document.createElementNS(SVG_NAMESPACE, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  svg.classList.add("vde-icon");
  for (const text of ICON_PATHS[name] ?? []) {
    const path = document.createElementNS(SVG_NAMESPACE, "path");
    const filled = text.startsWith("!");
    path.setAttribute("d", filled ? text.slice(1) : text);
    if (filled) path.classList.add("vde-icon-fill");
    svg.append(path);
  }
  return svg;
}

/** An SVG element. @param {string} tag @param {object} attributes @param {...Node} children */
export function makeSvg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG_NAMESPACE, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}
