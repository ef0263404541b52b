/** Server-sent events, from text in any pieces. */

/**
 * The events of a stream of text: `{id, data}` each. An event without data has its id alone; comments are skipped.
 * What is cut off within an event is no event.
 */
export async function* events(pieces) {
  let rest = "";
  for await (const piece of pieces) {
    const parts = (rest + piece).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const event = parsed(part);
      if (event.id !== null || event.data !== null) yield event;
    }
  }
}

function parsed(part) {
  const event = { id: null, data: null };
  for (const line of part.split("\n")) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1).replace(/^ /, "");
    if (name === "id") event.id = value;
    if (name === "data") event.data = event.data === null ? value : `${event.data}\n${value}`;
  }
  return event;
}

/** The answer and the number in an event's id; null if it is none of the gateway's. */
export function place(id) {
  const found = /^(s\d{1,4}-[0-9a-f]{32})\.(\d{1,9})$/.exec(id);
  return found && { answer: found[1], seq: Number(found[2]) };
}
