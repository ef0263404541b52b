// A request as a command line.

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** The command; `fields` are those of a form, else `body` is the text that is sent; `variable` holds the key. */
export function curl({ method, address, headers, body, fields, kind, variable }) {
  const parts = ["curl -sSN", method === "GET" ? "" : `-X ${method}`, quoted(address)];
  // In double quotes, so that the shell fills it in.
  if (variable) parts.push(`-H "Authorization: Bearer ${variable}"`);
  // curl names the type of forms by itself.
  for (const [name, value] of Object.entries(headers)) if (!fields || name !== "Content-Type") parts.push(`-H ${quoted(`${name}: ${value}`)}`);
  const option = kind === "multipart/form-data" ? "--form-string" : "--data-urlencode";
  if (fields) parts.push(...Object.entries(fields).map(([name, value]) => `${option} ${quoted(`${name}=${value}`)}`));
  else if (body) parts.push(`--data-raw ${quoted(body)}`);
  return parts.filter(Boolean).join(" \\\n  ");
}
