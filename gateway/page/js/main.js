/** Puts the page together. */

import { visible } from "./bidi.js";
import { Chat } from "./chat.js";
import { choice, onChoice } from "./choices.js";
import { Composer } from "./composer.js";
import { copy } from "./copy.js";
import { askFormat, askRemoval, askTitle, help, preferences } from "./dialogs.js";
import { $ } from "./element.js";
import { say, sentence, write } from "./language.js";
import { Log } from "./log.js";
import { Models } from "./models.js";
import { asJson, asMarkdown, download } from "./save.js";
import { Scroll } from "./scroll.js";
import { shortcuts } from "./shortcuts.js";
import { Side } from "./side.js";
import { Store } from "./store.js";

write(document);
const store = await Store.open();
const chat = new Chat(store, show, () => models.load());
const scroll = new Scroll($("scroll"), $("log"), $("latest"));
const models = new Models(() => composer.choices());
const composer = new Composer({ models, submit: (asked) => ask(asked), stop: () => chat.stop() });
const log = new Log({
  ask: (question) => ask({ kind: "chat", question }),
  again: (exchange) => chat.again(exchange),
  live: (id) => chat.live(id),
});
const side = new Side({
  open: (id) => open(id),
  rename: async (conversation) => {
    const title = await askTitle(conversation.title);
    if (title) chat.rename(conversation, title);
  },
  remove: async (conversation) => {
    if (await askRemoval(conversation.title)) await chat.remove(conversation);
    composer.focus();
  },
});
chat.log = log;

/** Show whatever isn't an exchange. */
function show() {
  const title = visible(chat.current?.title ?? "");
  document.title = title ? `${title} · ${say("name")}` : say("name");
  $("title").textContent = title || say("name");
  $("export").disabled = !chat.exchanges.length;
  const turns = chat.exchanges.findLast((exchange) => exchange.turns)?.turns;
  $("turns").hidden = !turns;
  if (turns) $("turns").firstElementChild.textContent = say("turns", turns.used, turns.limit);
  if (turns) $("turns").lastElementChild.textContent = `${turns.used} / ${turns.limit}`;
  side.show(chat.conversations, chat.current?.id, chat.running);
  composer.busy(Boolean(chat.underWay));
  history.replaceState(null, "", chat.current ? `#${chat.current.id}` : location.pathname);
}

function ask({ kind, question }) {
  chat.ask({ kind, question, style: composer.style, model: composer.model });
  scroll.latest();
}

async function open(id) {
  await chat.open(id);
  scroll.latest();
  composer.note(store.lasting ? "" : say("noStore"));
  composer.focus();
}

/** Open the conversation above (-1) or below (1) this one. */
function step(by) {
  const at = chat.conversations.indexOf(chat.current) + by;
  if (chat.conversations[at]) open(chat.conversations[at].id);
}

/** Apply a choice of language or appearance. */
function chosen() {
  const theme = choice("theme");
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  write(document);
  composer.rewrite();
  log.rewrite();
  show();
}

async function save() {
  const format = await askFormat();
  const { current, exchanges } = chat;
  if (format === "md") download(current.title, "md", "text/markdown", asMarkdown(current, exchanges, sentence));
  if (format === "json") download(current.title, "json", "application/json", asJson(current, exchanges, sentence));
}

$("fresh").addEventListener("click", () => (side.close(), open(null)));
$("export").addEventListener("click", save);
$("preferences").addEventListener("click", () => preferences(chosen));
$("help").addEventListener("click", help);
onChoice(chosen);
shortcuts({
  Escape: () => chat.stop(),
  "/": () => composer.focus(),
  "?": help,
  "Alt+N": () => open(null),
  "Alt+C": () => chat.exchanges.length && copy(chat.exchanges.at(-1).text),
  "Alt+R": () => chat.exchanges.length && chat.again(chat.exchanges.at(-1)),
  "Alt+L": () => scroll.latest(),
  "Alt+ArrowUp": () => step(-1),
  "Alt+ArrowDown": () => step(1),
});
composer.rewrite();
models.load();
await chat.start(location.hash.slice(1));
scroll.latest();
document.documentElement.dataset.ready = "";
performance.mark("usable");
