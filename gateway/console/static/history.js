// What was counted in the last hours, minute by minute, and what follows from it. Pure.

const RUNNING = 60_000;
const KEPT = 6 * 60 + 5;

const sum = (counts, names) => names.reduce((total, name) => total + (counts[name] ?? 0), 0);
const named = (counts, prefix) => Object.keys(counts).filter((name) => name.startsWith(prefix));

export class History {
  #minutes = new Map();
  /** The upper bounds of the buckets for the first text, in s. */
  buckets = [];

  /** Counts that are new or have grown, by minute (Unix time / 60). */
  add(minutes) {
    for (const [minute, counts] of Object.entries(minutes)) this.#minutes.set(Number(minute), counts);
    const oldest = Math.max(0, ...this.#minutes.keys()) - KEPT;
    for (const minute of this.#minutes.keys()) if (minute < oldest) this.#minutes.delete(minute);
  }

  clear() {
    this.#minutes.clear();
  }

  /** All counts of the last `span` minutes. */
  total(span, now) {
    return added(this.bins(span, 1, now).map((bin) => bin.counts));
  }

  /** The last `span` minutes up to `now` (ms) in bins of `size` minutes: { at, minutes, counts }. */
  bins(span, size, now) {
    const last = Math.floor(now / RUNNING / size);
    return Array.from({ length: span / size }, (_, back) => last - span / size + 1 + back).map((bin) => {
      const minutes = Array.from({ length: size }, (_, at) => this.#minutes.get(bin * size + at)).filter(Boolean);
      const passed = Math.min(size, Math.max(0.2, now / RUNNING - bin * size));
      return { at: bin * size * RUNNING, passed, minutes, counts: added(minutes) };
    });
  }
}

/** All counts of some minutes together. */
function added(minutes) {
  const total = {};
  for (const counts of minutes) for (const [name, amount] of Object.entries(counts)) total[name] = (total[name] ?? 0) + amount;
  return total;
}

export const failed = (counts) => sum(counts, named(counts, "failed:"));
/** Questions refused since their clients had their limits of questions or bytes. */
export const limited = (counts) => sum(counts, ["refused:client.limit", "refused:client.bytes"]);
export const ended = (counts) => sum(counts, ["done", "stopped"]) + failed(counts);

/** Answers a second: done, failed, stopped. */
export const rates = (bin) => [counts(bin, "done"), failed(bin.counts), counts(bin, "stopped")].map((n) => n / (bin.passed * 60));
const counts = (bin, name) => bin.counts[name] ?? 0;

/** Slots free and used in each bin, on average; null where no worker spoke, and in the last bin, until it is whole. */
export function slots(bins) {
  return bins.map(({ counts: { "slots:free": free, "slots:used": used }, passed }, at) => {
    const early = at === bins.length - 1 && at > 0 && bins[at - 1].counts["slots:free"] !== undefined;
    if (early || (free === undefined && used === undefined)) return [null, null];
    return [free ?? 0, used ?? 0].map((ms) => ms / (passed * RUNNING));
  });
}

/** Accounts ready and all, as they were last in the bin. */
export function accounts(bin) {
  const last = bin.minutes.at(-1);
  return last?.accounts === undefined ? [null, null] : [last.ready, last.accounts];
}

/** Below how many s the share `part` of the first texts came; null if none did. */
export function quantile(counts, part, buckets) {
  const found = buckets.map((_, at) => counts[`text:${at}`] ?? 0);
  const beyond = counts[`text:${buckets.length}`] ?? 0;
  const all = found.reduce((total, n) => total + n, beyond);
  if (!all) return null;
  let below = 0;
  for (let at = 0; at < found.length; at += 1) {
    if (found[at] && below + found[at] >= part * all) {
      const from = at ? buckets[at - 1] : 0;
      return from + ((buckets[at] - from) * (part * all - below)) / found[at];
    }
    below += found[at];
  }
  return buckets.at(-1);
}

/** The classes `prefix…` that weigh most in these bins, and each bin's counts of them; the rest is one, without a name. */
export function classes(bins, prefix, most) {
  const total = added(bins.map((bin) => bin.counts));
  const names = named(total, prefix).sort((a, b) => total[b] - total[a] || (a < b ? -1 : 1));
  const top = names.slice(0, most);
  const rest = names.slice(most);
  const rows = bins.map((bin) => [...top.map((name) => bin.counts[name] ?? 0), ...(rest.length ? [sum(bin.counts, rest)] : [])]);
  return { names: [...top.map((name) => name.slice(prefix.length)), ...(rest.length ? [""] : [])], rows };
}
