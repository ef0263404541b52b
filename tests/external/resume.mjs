// Listens with npm's eventsource to one stream that several gateways can serve: node resume.mjs PATH GATEWAY...
// Each connection goes to the next gateway, and when there is none left, to the last. Tells one JSON object a line:
// {"opened": gateway}, {"id", "frame"}, {"error": HTTP status or null}, and {"closed": true} once the client has given
// up by itself, which ends the script.
import { EventSource } from "eventsource";

const [path, ...gateways] = process.argv.slice(2);
const tell = (what) => console.log(JSON.stringify(what));
let connection = -1;
const gateway = () => gateways[Math.min(connection, gateways.length - 1)];

const stream = new EventSource(gateways[0] + path, {
  fetch: (_, init) => {
    connection += 1;
    return fetch(gateway() + path, init);
  },
});
stream.onopen = () => tell({ opened: gateway() });
stream.onmessage = (event) => tell({ id: event.lastEventId, frame: JSON.parse(event.data) });
stream.onerror = (event) => {
  tell({ error: event.code ?? null });
  if (stream.readyState === EventSource.CLOSED) tell({ closed: true });
};
