/** A conversation as a file. */

import { make } from "./element.js";

/** The conversation in Markdown; `sentence(error)` is the sentence of a failure. */
export function asMarkdown(conversation, exchanges, sentence) {
  const parts = [`# ${oneLine(conversation.title)}`];
  for (const { question, text, urls, images, error } of exchanges) {
    parts.push(`## ${oneLine(question)}`);
    if (question.includes("\n")) parts.push(quoted(question));
    if (text) parts.push(text.trim());
    if (images.length) parts.push(images.map((address) => `![](${address})`).join("\n"));
    if (urls.length)
      parts.push(urls.map(({ title, url }, at) => `${at + 1}. [${oneLine(title || url)}](${url})`).join("\n"));
    if (error) parts.push(`*${error.code} ${oneLine(sentence(error))}*`);
  }
  return `${parts.join("\n\n")}\n`;
}

/** The same as JSON: what was asked and answered, but nothing that would let others continue it. */
export function asJson({ title, created }, exchanges, sentence) {
  const said = exchanges.map(
    ({ kind, style, by = null, question, created: asked, state, text, urls, images, suggestions, error }) => ({
      kind,
      asked: new Date(asked).toISOString(),
      style,
      ...(by && { model: by }),
      question,
      state,
      answer: text,
      urls,
      images,
      suggestions,
      error: error && { code: error.code, message: sentence(error) },
    }),
  );
  return `${JSON.stringify({ title, created: new Date(created).toISOString(), exchanges: said }, null, 2)}\n`;
}

function oneLine(text) {
  return text.replace(/\s+/g, " ").trim();
}

function quoted(text) {
  return text.replace(/^/gm, "> ");
}

/** Let the browser save `text` under a name made of `title`. */
export function download(title, ending, type, text) {
  const name =
    oneLine(title)
      .replace(/[^\p{L}\p{N} _-]+/gu, "")
      .trim()
      .slice(0, 60) || "conversation";
  const address = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: address, download: `${name}.${ending}` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
