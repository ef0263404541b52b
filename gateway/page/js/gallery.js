/** The pictures of an answer. */

import { make } from "./element.js";
import { say } from "./language.js";
import { outward } from "./markdown.js";

const PICTURE = /^(?:https?:\/\/|\/pictures\/|data:image\/(?:png|jpeg|webp|gif|svg\+xml)[;,])/i;

/** A grid of pictures that lead to their full size; null without any. */
export function gallery(keyword, addresses) {
  const shown = addresses.map(local).filter((address) => PICTURE.test(address));
  if (!shown.length) return null;
  const items = shown.map((address, at) => make("li", {}, framed(keyword, address, at + 1)));
  return make("ul", { className: "gallery", "aria-label": say("picturesOf", keyword) }, ...items);
}

/** The path of a picture that this server keeps: behind a proxy, its address may have another scheme than the page. */
function local(address) {
  const kept = `//${location.host}/pictures/`;
  const at = address.indexOf(kept);
  return /^https?:$/.test(address.slice(0, Math.max(at, 0))) ? address.slice(at + kept.length - "/pictures/".length) : address;
}

function framed(keyword, address, number) {
  const alt = say("pictureNumber", keyword, number);
  const image = make("img", { alt, loading: "lazy", decoding: "async", referrerPolicy: "no-referrer", src: address });
  if (address.startsWith("data:")) return image;
  const link = make("a", { href: address }, image);
  outward(link);
  return link;
}
