/**
 * Times of frames as text. They are shown as the camera's clock had them: nothing is converted
 * between time zones, so no Date is made of them.
 */

const TIME_PATTERN = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d))?/;
const TIME_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/**
 * @param {string|null|undefined} text such as "2026-11-23T14:30:00"
 * @returns {{year: string, date: string, clock: string, seconds: string}|null}
 */
export function timeParts(text) {
  const match = TIME_PATTERN.exec(text ?? "");
  const month = match && TIME_MONTHS[Number(match[2]) - 1];
  if (!month) return null;
  const [, year, , day, hour, minute, seconds = "00"] = match;
  return { year, date: `${Number(day)} ${month}`, clock: `${hour}:${minute}`, seconds };
}

/**
 * How much of the times must be said so that frames can be told apart.
 *
 * @param {{time?: string}[]} items
 * @returns {{date: boolean, seconds: boolean}}
 */
export function timeStyle(items) {
  const days = new Set();
  const minutes = new Set();
  let seconds = false;
  for (const item of items) {
    const parts = timeParts(item.time);
    if (!parts) continue;
    const day = `${parts.year} ${parts.date}`;
    const minute = `${day} ${parts.clock}`;
    seconds ||= minutes.has(minute);
    days.add(day);
    minutes.add(minute);
  }
  return { date: days.size > 1, seconds };
}

/** @returns {string} "14:30", "23 Nov 14:30", "14:30:05"; "" without a time */
export function timeText(text, { date = true, seconds = false } = {}) {
  const parts = timeParts(text);
  if (!parts) return "";
  const clock = seconds ? `${parts.clock}:${parts.seconds}` : parts.clock;
  return date ? `${parts.date} ${clock}` : clock;
}

/** Everything that is known of a time. */
export function timeWhole(text) {
  const parts = timeParts(text);
  if (!parts) return "";
  const clock = parts.seconds === "00" ? parts.clock : `${parts.clock}:${parts.seconds}`;
  return `${parts.date} ${parts.year}, ${clock}`;
}

/**
 * Labels below the curve: times, with the date where the day changes; numbers without times.
 *
 * @param {{time?: string}[]} items
 * @param {number[]} xs one per item
 * @param {number} [gap] px between two labels at least
 * @returns {{x: number, index: number, text: string, day: boolean}[]}
 */
export function timeLabels(items, xs, gap = 60) {
  const style = timeStyle(items);
  const labels = [];
  let last = -Infinity;
  let shown = "";
  items.forEach((item, index) => {
    const parts = timeParts(item.time);
    const day = parts ? `${parts.year} ${parts.date}` : "";
    if (xs[index] - last < gap) return;
    last = xs[index];
    const turns = style.date && day !== shown;
    let text = String(index + 1);
    if (parts) text = turns ? parts.date : timeText(item.time, { ...style, date: false });
    labels.push({ x: xs[index], index, text, day: Boolean(parts && turns) });
    shown = day;
  });
  return labels;
}
