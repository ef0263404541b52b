/** Markdown as a fragment of the page that can harm nothing: markdown-it without HTML, then DOMPurify. */

import MarkdownIt from "../vendor/markdown-it.mjs";
import DOMPurify from "../vendor/purify.mjs";
import { visible } from "./bidi.js";
import { bounds } from "./bounds.js";
import { maths } from "./maths.js";

const WEB = /^https?:\/\//i;
const TAGS = [
  ..."a p br hr em strong s del code pre ul ol li blockquote table thead tbody tr th td span".split(" "),
  ..."h1 h2 h3 h4 h5 h6".split(" "),
];
const CLEAN = {
  ALLOWED_TAGS: TAGS,
  ALLOWED_ATTR: ["href", "title", "start", "class"],
  ALLOWED_URI_REGEXP: WEB,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

const md = new MarkdownIt({ html: false, linkify: true, breaks: false, maxNesting: 40 });
md.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
md.validateLink = (url) => WEB.test(url.trim());
md.use(maths);
md.use(bounds);
md.renderer.rules.image = picture;
for (const cell of ["th_open", "td_open"]) md.renderer.rules[cell] = aligned;

/** A picture is a link: an answer can't make the page load anything. Within a link it is its text. */
function picture(tokens, at, options, env, renderer) {
  const token = tokens[at];
  const text = md.utils.escapeHtml(
    renderer.renderInlineAsText(token.children ?? [], options, env) || token.attrGet("src"),
  );
  const open = tokens
    .slice(0, at)
    .reduce((depth, { type }) => depth + (type === "link_open") - (type === "link_close"), 0);
  if (open) return `<span class="picture">${text}</span>`;
  return `<a class="picture" href="${md.utils.escapeHtml(token.attrGet("src"))}">${text}</a>`;
}

/** Alignment as a class: the page's policy knows no style in an attribute. */
function aligned(tokens, at, options, env, renderer) {
  const style = tokens[at].attrGet("style");
  if (style) tokens[at].attrs = [["class", style.replace("text-align:", "to-")]];
  return renderer.renderToken(tokens, at, options);
}

/** What an answer's parts share: the links that are defined anywhere in it. */
export function newContext() {
  return {};
}

/** `{type, line}` of each top-level block of `text`. */
export function blocks(text, context) {
  const tokens = [];
  md.block.parse(text, md, context, tokens);
  return tokens
    .filter(({ level, nesting }) => level === 0 && nesting >= 0)
    .map(({ type, map }) => ({ type, line: map[0] }));
}

/** `text` as a fragment. */
export function rendered(text, context) {
  const fragment = DOMPurify.sanitize(md.render(text, context), CLEAN);
  for (const link of fragment.querySelectorAll("a")) outward(link);
  for (const titled of fragment.querySelectorAll("[title]")) titled.title = visible(titled.title);
  const texts = document.createTreeWalker(fragment, NodeFilter.SHOW_TEXT);
  // Only now: in the answer itself, characters may be written by number, or as a part of an address.
  while (texts.nextNode()) texts.currentNode.data = visible(texts.currentNode.data);
  return fragment;
}

/** Make a link send no referrer. */
export function outward(link) {
  link.rel = "noopener noreferrer nofollow";
  link.target = "_blank";
}

/** HTML of ours, such as a highlighter makes, as a fragment: nothing but spans. */
export function spans(html) {
  return DOMPurify.sanitize(html, { ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"], RETURN_DOM_FRAGMENT: true });
}

/** `url` if it leads to the web, else null. */
export function webAddress(url) {
  return WEB.test(url) ? url : null;
}
