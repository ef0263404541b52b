/** Elements of the page. */

/** A new element. `properties` are the element's own; `data-…`, `aria-…` and `role` are attributes. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/^(data|aria)-|^role$/.test(name)) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** The element with this id, which the page has. */
export const $ = (id) => document.getElementById(id);
