// The accounts: which is alive, why not, and when it comes back.

import { badge } from "./badge.js";
import { el } from "./dom.js";
import { Table } from "./table.js";
import { clock, moment, now, relative } from "./times.js";
import { reason, w } from "./words.js";

const SHOWN = 3;
// Providers whose accounts have a key instead of cookies.
const SERVERS = ["openai", "anthropic"];

const shown = (account) => (account.paused ? "paused" : account.state);

/** When a cooling account returns, in words. */
function back(account) {
  if (account.state !== "cooling") return "";
  return account.until > now() ? w.back(clock(account.until), relative(account.until)) : w.trial;
}

function why(account) {
  const parts = [];
  if (account.paused && account.state !== "ready") parts.push(w[account.state]);
  if (account.reason && account.state !== "ready") parts.push(reason(account.reason));
  if (back(account)) parts.push(back(account));
  if (!account.known) parts.push(w.noWorker);
  return parts.join(" · ");
}

function state(account) {
  const pictures = account.pictures;
  const apart = pictures && (shown(pictures) !== shown(account) || why(pictures) !== why(account));
  return [shown(account), why(account), apart ? shown(pictures) : "", apart ? why(pictures) : ""];
}

function drawState([word, reasons, pictures, reasonsOfPictures]) {
  return [
    badge(word),
    reasons && el("span", { class: "why" }, reasons),
    pictures && el("div", { class: "pictures" }, w.pair(w.pictures, ""), badge(pictures), reasonsOfPictures && el("span", { class: "why" }, reasonsOfPictures)),
  ];
}

/** The first models, and how many more there are: all that are known by name are in its title. */
function drawModels([models, total]) {
  const first = models.slice(0, SHOWN);
  return [
    first.map((name) => el("div", { class: "sub" }, name)),
    total === 0 && w.none,
    total > first.length && el("div", { class: "sub", title: models.slice(SHOWN).join(", ") }, w.more(total - first.length)),
  ].flat();
}

const count = (n, most) => (most ? w.of(n, most) : String(n));

function counts(account, field, most) {
  const own = count(account[field], account[most]);
  return account.pictures ? [own, w.pair(w.pictures, count(account.pictures[field], account.pictures[most]))] : [own];
}

const drawCounts = ([own, pictures]) => [own, pictures && el("span", { class: "sub" }, pictures)];

function orders(account) {
  const both = [account, account.pictures].filter(Boolean);
  const away = both.some((one) => ["cooling", "quarantined", "dead"].includes(one.state));
  return [both.some((one) => one.paused) ? "resume" : "pause", away && "release", "reset", !SERVERS.includes(account.provider) && "cookies"].filter(Boolean);
}

/** The table; `act(order, name)` is called for a button. */
export function accountsTable(place, act) {
  const buttons = (found, account) => el("div", { class: "orders" }, found.map((order) => el("button", {
    type: "button", "data-order": order, onclick: () => act(order, account.name), "aria-label": w.pair(w[order], account.name),
  }, w[order])));
  return new Table(place, () => w.accounts, () => w.noAccounts, [
    { head: () => w.account, first: true, value: (one) => [one.name, one.provider], draw: ([name, provider]) => [el("span", { class: "name" }, name), provider && el("span", { class: "sub" }, provider)] },
    { head: () => w.models, kind: "models", value: (one) => [one.models, one.modelCount], draw: drawModels },
    { head: () => w.state, kind: "state", value: state, draw: drawState },
    { head: () => w.today, kind: "number", value: (one) => counts(one, "today", "daily"), draw: drawCounts },
    { head: () => w.flying, kind: "number", value: (one) => counts(one, "flying", "bound"), draw: drawCounts },
    { head: () => w.failures, kind: "number", value: (one) => one.failures },
    { head: () => w.expires, value: (one) => (one.expires ? [one.expires, relative(one.expires)] : []), draw: ([at, wait]) => (at ? el("time", { datetime: new Date(at).toISOString(), title: moment(at) }, wait) : w.unknown) },
    { head: () => w.weight, kind: "number", value: (one) => one.weight },
    { head: () => w.actions, value: orders, draw: buttons },
  ]);
}
