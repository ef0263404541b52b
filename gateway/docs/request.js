// "Try it": a form that sends an operation's request, and shows what comes back.
import { curl } from "/docs/curl.js";
import { element } from "/docs/element.js";
import { button, field, folded } from "/docs/field.js";
import { keyField, keyOf, valueOf, variableOf } from "/docs/keys.js";
import { code } from "/docs/markdown.js";
import { CUT, Output } from "/docs/output.js";
import { pretty } from "/docs/schema.js";

// The parts of paths that name an answer, and what is in front of its id there: the last answer is filled in.
const ANSWERS = { answer: "", response: "resp_" };
let lastAnswer = "";

/** The form for an operation, folded up; `parameters` are {name, where, required, node}. */
export function requestForm(operation) {
  return folded(() => new RequestForm(operation).node);
}

class RequestForm {
  #operation;
  #fields;
  #bodies;
  #kind = null;
  #body = null;
  #key;
  #command = element("div", { class: "command" }, code("", "sh"));
  #status = element("p", { class: "result", role: "status" });
  #headers = element("details", { class: "headers", hidden: "" });
  #output = new Output("Body of the response");
  #send = element("button", { type: "submit", class: "main" }, "Send");
  #stop = button("Stop", () => this.#abort?.abort(), { hidden: "" });
  #abort = null;

  constructor({ path, method, parameters, operation }) {
    this.#operation = { path, method: method.toUpperCase() };
    this.#key = keyOf(operation);
    this.#fields = parameters.map((parameter) => ({ parameter, ...parameterField(parameter) }));
    this.#bodies = Object.entries(operation.requestBody?.content ?? {});
    const required = this.#fields.filter((one) => one.parameter.required).map((one) => one.node);
    const optional = this.#fields.filter((one) => !one.parameter.required).map((one) => one.node);
    this.node = element("form", { class: "request" },
      this.#key ? keyField(this.#key).node : null, ...required,
      optional.length ? element("details", {}, element("summary", {}, "Optional parameters"), ...optional) : null,
      ...this.#bodyFields(), element("div", { class: "buttons" }, this.#send, this.#stop),
      element("h3", { class: "label" }, "As a command"), this.#command, this.#status, this.#headers, this.#output.node);
    this.node.addEventListener("input", () => this.#showCommand());
    this.node.addEventListener("submit", (event) => (event.preventDefault(), this.#run()));
    this.node.addEventListener("answer", () => this.#showCommand());
    this.#showCommand();
  }

  #bodyFields() {
    if (!this.#bodies.length) return [];
    const [[first, content]] = this.#bodies;
    const kinds = this.#bodies.map(([kind]) => kind);
    const example = content.example ?? Object.values(content.examples ?? {})[0]?.value ?? {};
    this.#kind = field("Type of the body", { options: kinds, value: first });
    const text = pretty(example);
    this.#body = field("Body", { rows: String(Math.min(16, text.split("\n").length + 1)), value: text });
    return [kinds.length > 1 ? this.#kind.node : null, this.#body.node];
  }

  /** What is sent. Throws an Error with a sentence. */
  #request() {
    let path = this.#operation.path;
    const query = new URLSearchParams();
    const headers = {};
    for (const { parameter: { name, where }, input } of this.#fields) {
      const value = input.value.trim();
      if (where === "path") path = path.replace(`{${name}}`, encodeURIComponent(value));
      else if (value && where === "query") query.set(name, input.value);
      else if (value) headers[name] = value;
    }
    const address = `${location.origin}${path}${query.size ? `?${query}` : ""}`;
    const request = { method: this.#operation.method, address, headers };
    return this.#body ? { ...request, ...this.#withBody(headers) } : request;
  }

  #withBody(headers) {
    const kind = this.#kind.input.value;
    const text = this.#body.input.value;
    if (kind === "application/json") return { kind, headers: { ...headers, "Content-Type": kind }, body: text };
    return { kind, fields: formFields(text) };
  }

  #showCommand() {
    const place = this.#command.querySelector("code");
    try {
      place.textContent = curl({ ...this.#request(), variable: this.#key && valueOf(this.#key) ? variableOf(this.#key) : "" });
    } catch (error) {
      place.textContent = `# ${error.message}`;
    }
  }

  async #run() {
    if (this.#abort) return;
    this.#abort = new AbortController();
    this.#stop.hidden = false;
    this.#headers.hidden = true;
    this.#headers.replaceChildren();
    this.#output.clear();
    this.#status.textContent = "Sending …";
    const began = performance.now();
    try {
      const response = await this.#fetch();
      this.#showHead(response);
      const end = await this.#read(response);
      this.#status.textContent = `${statusLine(response)} in ${Math.round(performance.now() - began)} ms. ${end}`;
    } catch (error) {
      this.#status.textContent = error.name === "AbortError" ? this.#stopped() : `${this.#broken()}: ${error.message}`;
    } finally {
      if (this.#stop === document.activeElement) this.#send.focus();
      this.#abort = null;
      this.#stop.hidden = true;
    }
  }

  #fetch() {
    const { method, address, headers, body, fields, kind } = this.#request();
    const sent = { ...headers };
    const key = this.#key ? valueOf(this.#key) : "";
    if (key) sent.Authorization = `Bearer ${key}`;
    const options = { method, headers: sent, body: fields ? encoded(fields, kind) : body, signal: this.#abort.signal };
    return fetch(address, { ...options, cache: "no-store" });
  }

  #showHead(response) {
    this.#status.textContent = statusLine(response);
    this.#headers.hidden = false;
    this.#headers.replaceChildren(element("summary", {}, "Headers of the response"),
      code([...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n"), "text"));
    const answer = response.headers.get("x-answer-id");
    if (answer) fillIn(answer);
  }

  /** Show the body as it comes. How it ended, in a sentence. */
  async #read(response) {
    const kind = response.headers.get("content-type") ?? "";
    if (kind.startsWith("image/")) return `${kind}, ${(await response.blob()).size} bytes, which are not shown.`;
    const decoder = new TextDecoder();
    const reader = response.body?.getReader();
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true };
      if (done) break;
      if (this.#output.append(decoder.decode(value, { stream: true }))) continue;
      await reader.cancel();
      return CUT;
    }
    const whole = !kind.startsWith("application/json") || this.#output.replace(indented(this.#output.text));
    return whole ? "" : CUT;
  }

  #broken() {
    return this.#headers.hidden ? "It could not be sent" : "The response broke off";
  }

  #stopped() {
    const asked = this.#headers.textContent.includes("x-answer-id");
    return asked ? "You stopped reading. The answer continues at the gateway: DELETE /answers/{answer} ends it." : "You stopped reading.";
  }
}

const statusLine = ({ status, statusText }) => `${status} ${statusText}`.trim();

/** A field for a parameter, filled with its example where it is needed. */
function parameterField({ name, where, required, node }) {
  const { enum: options, default: usual } = node.schema ?? {};
  const example = String(node.example ?? usual ?? options?.[0] ?? "");
  const label = `${name} (${where}${required ? "" : ", optional"})`;
  if (options) return field(label, { options: required ? options : ["", ...options], value: required ? example : "" });
  const prefix = where === "path" ? ANSWERS[name] : undefined;
  const filled = prefix !== undefined && lastAnswer ? prefix + lastAnswer : example;
  return field(label, { value: required ? filled : "", placeholder: required ? null : example, required: required ? "" : null,
    "data-answer": prefix ?? null });
}

/** Put the id of the last answer into the fields for one that nobody has changed. */
function fillIn(answer) {
  lastAnswer = answer;
  for (const input of document.querySelectorAll("input[data-answer]")) {
    if (input.value !== input.defaultValue) continue;
    input.value = input.defaultValue = input.dataset.answer + answer;
    input.dispatchEvent(new Event("answer", { bubbles: true }));
  }
}

/** The fields of a form from the text of a JSON object. */
function formFields(text) {
  try {
    const value = JSON.parse(text);
    if (value !== null && typeof value === "object" && !Array.isArray(value)) return value;
  } catch {
    // The same sentence as for other values.
  }
  throw new Error("The body must be a JSON object; its fields are sent as a form.");
}

function encoded(fields, kind) {
  const form = kind === "multipart/form-data" ? new FormData() : new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) form.append(name, String(value));
  return form;
}

function indented(text) {
  try {
    return pretty(JSON.parse(text));
  } catch {
    return text;
  }
}
