// The console: signs in, listens, and puts everything in its place.

import { accountsTable } from "./accounts.js";
import { drawCharts } from "./charts.js";
import { Connection, order } from "./connection.js";
import { askForExport, confirm, relabelDialogs } from "./dialogs.js";
import { byId, el } from "./dom.js";
import { Events } from "./events.js";
import { History, ended, failed, limited, quantile } from "./history.js";
import { answersTable, gatewaysTable, short, workersTable } from "./processes.js";
import { now, setClock, span } from "./times.js";
import { onLanguage, speak, switchLanguage, w } from "./words.js";

const KEPT = "console-key";
const REDRAW = 5000;
const REDRAW_CHARTS = 10_000;
const NOTICE = 6000;

const history = new History();
const events = new Events(byId("events"));
const tables = {
  accounts: accountsTable(byId("accounts"), act),
  workers: workersTable(byId("workers")),
  gateways: gatewaysTable(byId("gateways")),
  answers: answersTable(byId("answers"), stop),
};
let key = "";
let connection = null;
let state = null;
let line = { kind: "", text: () => "" };
let problem = () => "";
let admin = "";
let drawnAt = 0;

// The line

const listener = {
  trying: () => say("wait", () => w.connecting),
  lost: (pause) => say("bad", () => w.lost(Math.ceil(pause / 1000))),
  refused: signOut,
  event(name, data) {
    if (name === "hello") {
      byId("enter").hidden = true;
      byId("console").hidden = byId("leave").hidden = false;
      sessionStorage.setItem(KEPT, key);
      history.buckets = data.buckets;
      admin = data.admin;
      say("good", () => w.live(admin));
    } else if (name === "away") {
      say("bad", () => [w.away, ...data.reasons].join(": "));
    } else if (name === "state") {
      say("good", () => w.live(admin));
      setClock(data.now);
      state = data.state;
      drawState();
    } else if (name === "minutes") {
      history.add(data);
      historyChanged();
    } else if (name === "events") {
      events.add(data);
    }
  },
};

/** Show the state of the connection when it changes. */
function say(kind, text) {
  line = { kind, text };
  byId("connection").dataset.kind = kind;
  put(byId("connection"), text());
}

/** Show why nobody is signed in. */
function showProblem(text) {
  problem = text;
  put(byId("key-problem"), text());
}

function signIn(sent) {
  key = sent;
  connection?.close();
  connection = new Connection(key, listener);
}

function signOut(refusal) {
  connection?.close();
  connection = null;
  key = "";
  sessionStorage.removeItem(KEPT);
  state = null;
  events.clear();
  history.clear();
  drawnAt = 0;
  byId("enter").hidden = false;
  byId("console").hidden = byId("leave").hidden = true;
  say("", () => "");
  const problems = { 401: () => w.wrongKey, 404: () => w.off, 429: () => w.tooMany(refusal.wait) };
  showProblem(refusal ? problems[refusal.status] : () => "");
  byId("key").value = "";
  byId("key").focus();
}

// What is shown

function drawState() {
  if (!state) return;
  tables.accounts.update(state.accounts, (one) => one.name);
  const disputed = state.accounts.filter((one) => one.disputed).map((one) => one.name);
  byId("risks").hidden = !state.store.risks.length;
  put(byId("risks"), state.store.risks.length ? w.risks(state.store.risks) : "");
  byId("disputed").hidden = !state.disputed;
  put(byId("disputed"), state.disputed ? w.disputed(disputed) : "");
  tables.workers.update(state.workers, (one) => one.name);
  tables.gateways.update(state.gateways, (one) => one.name);
  tables.answers.update(state.answers, (one) => one.id);
  const { length, oldest, wait, clients, longest, since } = state.queue;
  const longestLine = clients > 1 && since ? w.longestLine(clients, longest, span(Math.max(0, now() - since))) : "";
  put(byId("queue"), w.queueLine(length, span(now() - oldest), span(wait * 1000)) + longestLine);
  drawFigures();
}

function put(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

function drawFigures() {
  const accounts = state.accounts.filter((one) => one.known);
  const alive = state.workers.filter((one) => one.state === "up");
  const total = (field) => alive.reduce((sum, one) => sum + one[field], 0);
  const quarter = history.total(15, now());
  const last = history.bins(2, 1, now())[0];
  const median = quantile(quarter, 0.5, history.buckets);
  const figures = [
    [w.fReady, w.of(accounts.filter((one) => one.state === "ready" && !one.paused).length, accounts.length)],
    [w.fSlots, w.of(Math.max(0, total("slots") - total("used")), total("slots"))],
    [w.fFree, String(state.queue.free)],
    [w.fQueue, String(state.queue.length)],
    [w.fClients, String(state.queue.clients)],
    [w.fRunning, String(total("used"))],
    [w.fStore, w.percent(state.store.percent)],
    [w.fRate, String(ended(last.counts))],
    [w.fText, median === null ? w.none : span(median * 1000, true)],
    [w.fFailed, String(failed(quarter))],
    [w.fLimited, String(limited(quarter))],
  ];
  const place = byId("figures");
  if (place.children.length !== figures.length) place.replaceChildren(...figures.map(() => el("div", {}, el("dt"), el("dd"))));
  figures.forEach(([name, value], at) => {
    put(place.children[at].children[0], name);
    put(place.children[at].children[1], value);
  });
}

/** Now and then, and not under somebody's hand. */
function historyChanged() {
  const place = byId("charts");
  const used = place.matches(":hover") || place.contains(document.activeElement);
  if (drawnAt && (used || Date.now() - drawnAt < REDRAW_CHARTS)) return;
  drawnAt = Date.now();
  drawHistory();
}

function drawHistory() {
  const chosen = document.querySelector("input[name=range]:checked");
  drawCharts(byId("charts"), history, Number(chosen.value));
  if (state) drawFigures();
}

function drawAll() {
  speak();
  byId("language").textContent = w.other;
  byId("language").lang = w.other === "中文" ? "zh-CN" : "en";
  for (const table of Object.values(tables)) table.relabel();
  say(line.kind, line.text);
  showProblem(problem);
  drawState();
  drawHistory();
  events.relabel();
  relabelDialogs();
}

// What is done

function notice(text) {
  const place = byId("notice");
  place.textContent = text;
  place.hidden = false;
  clearTimeout(notice.timer);
  notice.timer = setTimeout(() => { place.hidden = true; }, NOTICE);
}

async function act(what, name) {
  if (what === "cookies") return add(name);
  const done = await confirm(() => w[`${what}Ask`](name), () => order(key, `/console/accounts/${encodeURIComponent(name)}/${what}`));
  if (done) notice(w.done(`${w[what]} ${name}`));
}

async function stop(id) {
  const done = await confirm(() => w.stopAsk(short(id)), () => order(key, `/console/answers/${encodeURIComponent(id)}/stop`));
  if (done) notice(w.done(`${w.stop} ${short(id)}`));
}

async function add(name) {
  const found = await askForExport(name);
  if (found && await confirm(() => w.addAsk(found.name), () => order(key, "/console/accounts", found))) notice(w.addDone(found.name));
}

byId("add").addEventListener("click", () => add(""));
byId("leave").addEventListener("click", () => signOut(null));
byId("language").addEventListener("click", () => { switchLanguage(); drawAll(); });
onLanguage(drawAll);
byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  showProblem(() => "");
  signIn(byId("key").value.trim());
});
for (const choice of document.querySelectorAll("input[name=range]")) choice.addEventListener("change", drawHistory);

drawAll();
setInterval(() => { drawState(); events.draw(); }, REDRAW);
const kept = sessionStorage.getItem(KEPT);
if (kept) signIn(kept);
else signOut(null);
