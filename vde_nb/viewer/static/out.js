/** Files and text that leave the viewer. */

/** Let the browser save bytes as a file. */
export function saveFile(bytes, name, mime = "application/octet-stream") {
  const url = URL.createObjectURL(new Blob([bytes], { type: mime }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.rel = "noopener";
  anchor.click();
  // The browser reads the address some time after the click.
  setTimeout(() => URL.revokeObjectURL(url), 30000);
}

/**
 * What a person decided, as `vde.Review` takes it.
 *
 * @param {object} result
 * @returns {string} JSON: a list of `{box, verdict, type, comment}`; type null = as found
 */
export function reviewsJson({ anomalies }) {
  const reviews = anomalies
    .map(({ box, verdict, type, type_found, comment }) => ({
      box,
      verdict: verdict ?? null,
      type: type_found && type !== type_found ? type : null,
      comment: comment ?? "",
    }))
    .filter(({ verdict, type, comment }) => verdict || type || comment);
  return `${JSON.stringify(reviews, null, 2)}\n`;
}

/** Put text on the clipboard; where that is forbidden, show it to be copied by hand. */
export async function copyText(store, text) {
  try {
    await navigator.clipboard.writeText(text);
    store.set({ announce: "Copied to the clipboard." });
  } catch {
    store.set({ clipboard: { text } });
  }
}
