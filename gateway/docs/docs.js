// The documentation's page: three documents, one of which is shown.
import { element } from "/docs/element.js";
import { code, inline, markdown, slug } from "/docs/markdown.js";
import { requestForm } from "/docs/request.js";
import { examples, listed, pretty, resolved, shape } from "/docs/schema.js";
import { socketForm } from "/docs/socket.js";

const content = document.getElementById("content");
const contents = document.getElementById("contents");
const search = document.getElementById("search");
const PAGES = { http: http, sockets: sockets, examples: examplesPage };
const METHODS = ["get", "post", "put", "patch", "delete"];
let page = null;

async function fetched(address, read) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  return response[read]();
}

const section = (id, title, ...children) => element("section", { id }, element("h2", {}, title), ...children);

/** Something that unfolds, with an address of its own. */
const folded = (id, heading, ...children) =>
  element("details", { id, class: "entry" }, element("summary", {}, ...heading), element("div", { class: "body" }, ...children));

const downloadLink = (name) => element("p", {}, element("a", { href: `/${name}`, download: name }, `Download ${name}`));

// --- OpenAPI

async function http() {
  const found = await fetched("/openapi.json", "json");
  const operations = Object.entries(found.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ path, item, method, operation: item[method] })));
  return [
    section("about", found.info.title, ...markdown(found.info.description), downloadLink("openapi.json"), security(found)),
    ...found.tags.map((tag) => section(slug(tag.name), tag.name, element("p", {}, ...inline(tag.description)),
      ...operations.filter((one) => one.operation.tags.includes(tag.name)).map((one) => operation(found, one)))),
    section("shapes", "Shapes", ...Object.entries(found.components.schemas).map(([name, node]) =>
      folded(`shape-${name}`, [element("strong", {}, name)], shape(found, node)))),
  ];
}

function security(found) {
  const schemes = Object.values(found.components.securitySchemes);
  return element("div", { class: "listed" }, element("h3", { class: "label" }, "Keys"), element("ul", { class: "fields" }, schemes.map((one) =>
    element("li", {}, element("code", { class: "name" }, one.name ?? "Authorization: Bearer"),
      element("span", { class: "where" }, one.in ?? "header"), element("span", { class: "said" }, ...inline(one.description))))));
}

function operation(found, { path, item, method, operation: one }) {
  const parameters = [...(item.parameters ?? []), ...(one.parameters ?? [])].map((node) => resolved(found, node))
    .map((node) => ({ name: node.name, where: node.in, required: node.required, node }));
  const heading = [element("span", { class: `method ${method}` }, method.toUpperCase()), element("code", { class: "path" }, path),
    element("span", { class: "summary" }, one.summary)];
  return folded(one.operationId, heading, ...markdown(one.description), requestForm({ path, method, parameters, operation: one }),
    listed(found, parameters, "Parameters"),
    one.requestBody ? element("div", {}, element("h3", { class: "label" }, "Body"), ...media(found, one.requestBody.content)) : null,
    element("h3", { class: "label" }, "Responses"),
    ...Object.entries(one.responses).map(([status, node]) => response(found, status, resolved(found, node))));
}

function response(found, status, node) {
  const headers = Object.entries(node.headers ?? {}).map(([name, one]) => ({ name, required: true, node: resolved(found, one) }));
  const [first] = node.description.split("\n");
  return element("details", { class: "response" },
    element("summary", {}, element("span", { class: `status s${status[0]}` }, status), element("span", {}, ...inline(first))),
    element("div", { class: "body" }, ...markdown(node.description.slice(first.length)), listed(found, headers, "Headers"),
      ...media(found, node.content ?? {})));
}

/** Each kind of content once; kinds that are alike together. */
function media(found, kinds) {
  const alike = new Map();
  for (const [kind, one] of Object.entries(kinds)) {
    const same = JSON.stringify(one);
    alike.set(same, { names: [...(alike.get(same)?.names ?? []), kind], one });
  }
  return [...alike.values()].map(({ names, one }) => element("div", { class: "media" },
    element("p", {}, names.map((name) => element("code", { class: "kind" }, name))), shape(found, one.schema), ...examples(one)));
}

// --- AsyncAPI

async function sockets() {
  const found = await fetched("/asyncapi.json", "json");
  return [
    section("about", found.info.title, ...markdown(found.info.description), downloadLink("asyncapi.json")),
    ...Object.entries(found.channels).map(([id, channel]) => section(id, channel.title, ...socket(found, id, channel))),
  ];
}

function socket(found, id, channel) {
  const operations = Object.values(found.operations).filter((one) => one.channel.$ref === `#/channels/${id}`);
  const [offered] = channel.bindings.ws.headers.properties["Sec-WebSocket-Protocol"].examples;
  const required = channel.bindings.ws.headers.required;
  const messages = (refs, direction) => refs.map((node) => message(found, id, resolved(found, node), direction));
  return [
    element("p", {}, element("span", { class: "method ws" }, "WS"), element("code", { class: "path" }, channel.address),
      required ? element("code", { class: "kind" }, `subprotocol ${offered}`) : null),
    ...markdown(channel.description),
    socketForm({ path: channel.address, subprotocol: required ? offered : null,
      messages: operations.flatMap((one) => one.messages).map((node) => resolved(found, node))
        .map((one) => ({ name: one.name, payload: one.examples[0].payload })) }),
    ...operations.flatMap((one) => [...messages(one.messages, "sent"), ...messages(one.reply.messages, "got")]),
    element("h3", { class: "label" }, "Close codes"),
    element("ul", { class: "fields" }, Object.entries(channel["x-close-codes"]).map(([number, said]) =>
      element("li", {}, element("code", { class: "name" }, number), element("span", { class: "said" }, ...inline(said))))),
  ];
}

function message(found, id, node, direction) {
  const heading = [element("span", { class: `method ${direction}` }, direction === "sent" ? "you send" : "you get"),
    element("code", { class: "path" }, node.name), element("span", { class: "summary" }, ...inline(node.summary))];
  return folded(`${id}-${node.name}`, heading, shape(found, resolved(found, node.payload)),
    ...node.examples.map((one) => element("figure", {}, element("figcaption", {}, one.name), code(pretty(one.payload), "json"))));
}

// --- the examples

async function examplesPage() {
  const made = [];
  for (const block of markdown(await fetched("/docs/examples.md", "text"))) {
    if (/^H[23]$/.test(block.tagName)) made.push(section(block.id, block.textContent));
    else (made.at(-1) ?? content).append(block);
  }
  return made;
}

// --- the page itself

/** The contents: each section, and what unfolds in it. */
function list(sections) {
  contents.replaceChildren(...sections.map((one) => element("div", { class: "group", "data-for": one.id },
    element("a", { href: `#${page}/${one.id}`, class: "top" }, one.querySelector("h2").textContent),
    ...[...one.querySelectorAll(":scope > .entry")].map((entry) => element("a", { href: `#${page}/${entry.id}` },
      ...[...entry.querySelector("summary").children].slice(0, 2).map((part) => part.cloneNode(true)))))));
}

/** Only what holds all words of the search. */
function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const holds = (node) => words.every((word) => node.textContent.toLowerCase().includes(word));
  for (const one of content.querySelectorAll(":scope > section")) {
    const entries = [...one.querySelectorAll(":scope > .entry")];
    for (const entry of entries) entry.hidden = !holds(entry);
    one.hidden = entries.length ? entries.every((entry) => entry.hidden) && words.length > 0 : !holds(one);
  }
  for (const link of contents.querySelectorAll("a")) {
    link.hidden = document.getElementById(link.hash.split("/")[1])?.closest("[hidden]") !== null;
  }
}

/** Show what the address names: #page, or #page/place. */
async function go() {
  const [wanted, place] = location.hash.slice(1).split("/");
  const next = Object.hasOwn(PAGES, wanted) ? wanted : "http";
  if (next !== page) {
    page = next;
    for (const link of document.querySelectorAll(".pages a")) {
      if (link.hash === `#${page}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    const sections = await PAGES[page]();
    if (page !== next) return;
    content.replaceChildren(...sections);
    list(sections);
    filter();
  }
  const target = place ? document.getElementById(place) : null;
  if (target?.tagName === "DETAILS") target.open = true;
  if (target) target.scrollIntoView();
  else scrollTo(0, 0);
}

function failed(error) {
  page = null;
  content.replaceChildren(element("p", { class: "note", role: "alert" }, `This could not be loaded: ${error.message}`));
}

const shownAgain = () => go().catch(failed);
addEventListener("hashchange", shownAgain);
search.addEventListener("input", filter);
shownAgain();
