/** The line under a question: the progress of its answer, or why there is none. */

/** `[picture, word, ...parts]` for say(); null when there is nothing to show. `live` is the state that a run reports. */
export function status(exchange, live = null) {
  if (exchange.state === "running") return going(exchange, live ?? { phase: "asking" });
  if (exchange.state === "stopped") return ["stop", "stopped"];
  return exchange.state === "failed" ? broken(exchange) : null;
}

function going(exchange, { phase, position, wait, seconds }) {
  if (phase === "lost") return ["warning", "lost"];
  if (phase === "busy") return ["clock", "busy", seconds];
  if (phase === "key") return ["warning", "needKey"];
  if (exchange.text || exchange.reasoning) return null;
  if (phase === "noWorker") return ["warning", "noWorker"];
  if (phase === "queued")
    return position > 0 ? ["clock", "queued", position, Math.round(wait ?? 0)] : ["clock", "forAccount"];
  if (exchange.kind === "image") return [null, "drawing"];
  return [null, phase === "asking" ? "asking" : "thinking"];
}

function broken({ error, text }) {
  const { code, message, reason, until } = error;
  if (reason === "worker.none") return ["warning", "noWorker"];
  if (reason === "account.none") return ["warning", ...(until ? ["noAccount", until] : ["noAccountSoon"])];
  if (reason.startsWith("model.")) return ["warning", "failed", code, { reason, message }];
  if (code === 120) return ["clock", ...(until ? ["cooling", until] : ["coolingSoon"])];
  if (code === 429 || code === 503) return ["clock", ...(until ? ["full", until] : ["fullSoon"])];
  if (code === 404) return ["warning", "gone"];
  if (code === 413 || code === 414) return ["warning", "tooLarge"];
  if (code === 401) return ["warning", "needKey"];
  if (reason.startsWith("timeout.") && !text) return ["warning", "late"];
  if (reason === "interrupted" || text) return ["warning", "interrupted"];
  return ["warning", "failed", code, reason ? { reason, message } : message];
}
