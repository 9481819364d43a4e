/** When a canvas must be made anew or drawn again though nothing it shows has changed. */

/**
 * @param {HTMLElement} element
 * @param {function({width: number, height: number, ratio: number}): void} sized CSS px and device
 *   px per CSS px; called at once and whenever one of them changes
 * @param {function(): void} seen called when the element comes back into sight
 * @returns {function(): void} ends it
 */
export function watchElement(element, sized, seen) {
  let density = null;
  const measure = () => {
    const ratio = window.devicePixelRatio || 1;
    sized({ width: element.clientWidth, height: element.clientHeight, ratio });
  };
  const onDensity = () => {
    watchDensity();
    measure();
  };
  const watchDensity = () => {
    density?.removeEventListener("change", onDensity);
    // True for this density only, so it changes when the window moves to another screen.
    density = matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
    density.addEventListener("change", onDensity);
  };
  const onPage = () => {
    if (!document.hidden) seen();
  };
  const size = new ResizeObserver(measure);
  // Notebooks take cells that are out of sight off the page; their canvases come back blank.
  const sight = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) seen();
  });
  size.observe(element);
  sight.observe(element);
  document.addEventListener("visibilitychange", onPage);
  watchDensity();
  measure();
  return () => {
    size.disconnect();
    sight.disconnect();
    document.removeEventListener("visibilitychange", onPage);
    density.removeEventListener("change", onDensity);
  };
}
