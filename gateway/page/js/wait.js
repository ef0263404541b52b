/** Pauses between tries. */

const LONGEST = 8_000;

/** How long to wait before try number `tries`, in milliseconds; not all at once after a gateway's death. */
export function pause(tries, chance = Math.random()) {
  return Math.min(LONGEST, 300 * 2 ** tries) * (0.5 + chance / 2);
}

/** Wait, but no longer than until the network is back. Rejects when `signal` aborts. */
export function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      globalThis.removeEventListener?.("online", wake);
      signal?.removeEventListener("abort", abort);
    };
    const wake = () => (end(), resolve());
    const abort = () => (end(), reject(signal.reason));
    const timer = setTimeout(wake, milliseconds);
    if (signal?.aborted) return abort();
    globalThis.addEventListener?.("online", wake);
    signal?.addEventListener("abort", abort);
  });
}
