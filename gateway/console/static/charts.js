// The charts of the last hours.

import { chart } from "./chart.js";
import { accounts, classes, quantile, rates, slots } from "./history.js";
import { now } from "./times.js";
import { reason, w } from "./words.js";

const TONES_OF_FAILURES = [3, 4, 5, 6, 2];

/** Draw all of the history's last `span` minutes into `place`; tables that are open stay so. */
export function drawCharts(place, history, span) {
  const size = span > 60 ? 5 : 1;
  const bins = history.bins(span, size, now());
  const times = bins.map((bin) => bin.at);
  const open = [...place.querySelectorAll("details")].map((details) => details.open);
  const common = { times, size };
  const columnsOf = (rows, names, tones) => names.map((name, at) => ({ name, tone: tones[at], values: rows.map((row) => row[at]) }));
  const byName = (title, prefix, word = (name) => name) => {
    const { names, rows } = classes(bins, prefix, 4);
    return chart({ ...common, title, kind: "columns", whole: true, series: columnsOf(rows, names.map((name) => (name ? word(name) : w.other_)), TONES_OF_FAILURES) });
  };
  place.replaceChildren(
    chart({ ...common, title: w.cAnswers, kind: "columns", series: columnsOf(bins.map(rates), [w.sDone, w.sFailed, w.sStopped], [1, 3, 2]) }),
    chart({ ...common, title: w.cText, kind: "lines", series: [
      { name: w.sMedian, tone: 1, values: bins.map((bin) => quantile(bin.counts, 0.5, history.buckets)) },
      { name: w.sSlow, tone: 4, values: bins.map((bin) => quantile(bin.counts, 0.95, history.buckets)) },
    ] }),
    byName(w.cFailed, "failed:", reason),
    byName(w.cRefused, "refused:", reason),
    byName(w.cTokens, "tokens:model:"),
    chart({ ...common, title: w.cSlots, kind: "lines", whole: true, series: columnsOf(slots(bins), [w.sFree, w.sUsed], [1, 4]) }),
    chart({ ...common, title: w.cReady, kind: "lines", whole: true, series: columnsOf(bins.map(accounts), [w.sReady, w.sAll], [1, 2]) }),
  );
  [...place.querySelectorAll("details")].forEach((details, at) => { details.open = Boolean(open[at]); });
}
