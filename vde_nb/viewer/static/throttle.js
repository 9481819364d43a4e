/** Calls in good time. */

/**
 * Calls at once, then at most every `every` ms; the last call of a burst is never lost.
 *
 * @param {function(): void} fn @param {number} every ms
 * @returns {{call: function(): void, cancel: function(): void}}
 */
export function createThrottle(fn, every) {
  let timer = 0;
  let again = false;
  const run = () => {
    fn();
    timer = setTimeout(() => {
      timer = 0;
      if (!again) return;
      again = false;
      run();
    }, every);
  };
  return {
    call() {
      if (timer) again = true;
      else run();
    },
    cancel() {
      clearTimeout(timer);
      timer = 0;
      again = false;
    },
  };
}
