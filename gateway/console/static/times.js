// Times for people. The clock is Redis's: the browser's own may be wrong.

import { locale, w } from "./words.js";

let ahead = 0;

/** Note what time it is there (Unix ms). */
export const setClock = (now) => { ahead = now - Date.now(); };

export const now = () => Date.now() + ahead;

/** Local time of day, with the day when it isn't today. */
export function clock(at) {
  const today = new Date(now()).toDateString() === new Date(at).toDateString();
  const day = today ? {} : { day: "numeric", month: "short" };
  return new Intl.DateTimeFormat(locale(), { hour: "2-digit", minute: "2-digit", ...day }).format(at);
}

/** The time of day to the second. */
export const moment = (at) => new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "medium" }).format(at);

function parts(ms) {
  const seconds = Math.abs(ms) / 1000;
  if (seconds < 60) return [Math.round(seconds), "second"];
  if (seconds < 3600) return [Math.round(seconds / 60), "minute"];
  if (seconds < 48 * 3600) return [Math.round(seconds / 3600), "hour"];
  return [Math.round(seconds / 86400), "day"];
}

/** A duration: "12 min"; with `fine` in parts of a second. */
export function span(ms, fine = false) {
  const [amount, unit] = fine && ms < 10_000 ? [ms / 1000, "second"] : parts(ms);
  const unitDisplay = unit === "second" ? "narrow" : "short";
  return new Intl.NumberFormat(locale(), { style: "unit", unit, unitDisplay, maximumSignificantDigits: 3 }).format(amount);
}

/** From now: "in 12 min", "3 h ago". */
export function relative(at) {
  const ms = at - now();
  const [amount, unit] = parts(ms);
  if (unit === "second" && amount === 0) return w.now;
  return new Intl.RelativeTimeFormat(locale(), { style: "short" }).format(ms < 0 ? -amount : amount, unit);
}
