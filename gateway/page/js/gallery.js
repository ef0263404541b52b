/** The pictures of an answer. */

import { make } from "./element.js";
import { say } from "./language.js";
import { outward } from "./markdown.js";
import { pictureSources } from "./pictures.js";

/** A grid of pictures that lead to their full size; null without any. */
export function gallery(keyword, addresses) {
  const shown = pictureSources(addresses, location.host);
  if (!shown.length) return null;
  const items = shown.map((address, at) => make("li", {}, framed(keyword, address, at + 1)));
  return make("ul", { className: "gallery", "aria-label": say("picturesOf", keyword) }, ...items);
}

function framed(keyword, address, number) {
  const alt = say("pictureNumber", keyword, number);
  const image = make("img", { alt, loading: "lazy", decoding: "async", referrerPolicy: "no-referrer", src: address });
  if (address.startsWith("data:")) return image;
  const link = make("a", { href: address }, image);
  outward(link);
  return link;
}
