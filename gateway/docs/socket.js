// "Try it" for a socket: connects, sends messages, and shows the frames.
import { element } from "/docs/element.js";
import { button, field, folded } from "/docs/field.js";
import { keyField, valueOf } from "/docs/keys.js";
import { CUT, Output } from "/docs/output.js";
import { pretty } from "/docs/schema.js";

/** The form for a socket at `path`, folded up; `messages` are {name, payload}, `subprotocol` may be null. */
export function socketForm(socket) {
  return folded(() => new SocketForm(socket).node);
}

class SocketForm {
  #path;
  #subprotocol;
  #socket = null;
  #message;
  #status = element("p", { class: "result", role: "status" }, "Not connected.");
  #output = new Output("Frames");
  #disconnect = button("Disconnect", () => this.#socket?.close(1000), { hidden: "" });

  constructor({ path, subprotocol, messages }) {
    this.#path = path;
    this.#subprotocol = subprotocol;
    const example = field("Example", { options: messages.map((one) => one.name), value: messages[0].name });
    const text = pretty(messages[0].payload);
    this.#message = field("Message", { rows: "7", value: text });
    example.input.addEventListener("input", () => {
      this.#message.input.value = pretty(messages.find((one) => one.name === example.input.value).payload);
    });
    this.node = element("form", { class: "request" }, keyField("api").node, messages.length > 1 ? example.node : null,
      this.#message.node,
      element("div", { class: "buttons" }, element("button", { type: "submit", class: "main" }, "Send"), this.#disconnect),
      this.#status, this.#output.node);
    this.node.addEventListener("submit", (event) => (event.preventDefault(), this.#send()));
  }

  /** Send the message, over a new connection if there is none. */
  #send() {
    const text = this.#message.input.value;
    if (this.#socket?.readyState === WebSocket.OPEN) this.#say(text);
    else if (!this.#socket) this.#connect(text);
  }

  #say(text) {
    this.#socket.send(text);
    this.#show("you send", text);
  }

  #connect(text) {
    const address = new URL(this.#path, location.href.replace(/^http/, "ws"));
    // A subprotocol would do too, but for keys with characters that a subprotocol can't have.
    if (valueOf("api")) address.searchParams.set("api_key", valueOf("api"));
    this.#status.textContent = "Connecting …";
    this.#output.clear();
    const socket = this.#socket = new WebSocket(address, this.#subprotocol ? [this.#subprotocol] : []);
    socket.addEventListener("open", () => {
      this.#status.textContent = "Connected.";
      this.#disconnect.hidden = false;
      this.#say(text);
    });
    socket.addEventListener("message", ({ data }) => this.#show("you get", data));
    socket.addEventListener("close", ({ code, reason }) => this.#closed(code, reason));
  }

  #show(direction, text) {
    if (this.#output.append(`${direction}: ${text}\n`)) return;
    this.#socket.close(1000);
    this.#status.textContent = CUT;
  }

  #closed(code, reason) {
    const opened = !this.#disconnect.hidden;
    if (this.#disconnect === document.activeElement) this.#message.input.focus();
    this.#disconnect.hidden = true;
    this.#socket = null;
    const why = opened ? `Closed: ${code} ${reason}`.trim() : "The server refused the connection: is the API key right?";
    if (this.#status.textContent !== CUT) this.#status.textContent = why;
  }
}
