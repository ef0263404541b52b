// A table that is brought up to date cell by cell, so that focus, selection and a reader's place stay where they are. Its
// roles are spelt out because a phone shows rows as cards, and what isn't laid out as a table is none to some readers.

import { el } from "./dom.js";

/**
 * A table in `place`. A column has `head` (text, called for the language), `value(row)` (what the cell depends on), and
 * `draw(value, row)` (its content; the value itself if left out); `kind` is its class; `first` makes it the row's header.
 */
export class Table {
  #place;
  #caption;
  #empty;
  #columns;
  #body = el("tbody");
  #rows = new Map();

  constructor(place, caption, empty, columns) {
    this.#place = place;
    this.#caption = caption;
    this.#empty = empty;
    this.#columns = columns;
    this.relabel();
  }

  /** Draw everything anew, in the language that is chosen. */
  relabel() {
    this.#rows.clear();
    this.#body = el("tbody", { role: "rowgroup" });
    const heads = this.#columns.map((column) => el("th", { scope: "col", role: "columnheader", class: column.kind }, column.head()));
    const head = el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, heads));
    const table = el("table", { role: "table" }, el("caption", { class: "unseen" }, this.#caption()), head, this.#body);
    const scroller = el("div", { class: "scroll rows", role: "group", tabindex: "0", "aria-label": this.#caption() }, table);
    this.#place.replaceChildren(scroller, el("p", { class: "empty" }, this.#empty()));
  }

  /** Show these rows, each known by its key. */
  update(rows, key) {
    const [scroller, empty] = this.#place.children;
    scroller.hidden = rows.length === 0;
    empty.hidden = rows.length > 0;
    const kept = new Set(rows.map(key));
    for (const [name, { line }] of this.#rows) {
      if (!kept.has(name)) {
        line.remove();
        this.#rows.delete(name);
      }
    }
    let place = this.#body.firstChild;
    for (const row of rows) {
      const { line } = this.#fill(key(row), row);
      if (line === place) place = place.nextSibling;
      else this.#body.insertBefore(line, place);
    }
  }

  #fill(name, row) {
    let entry = this.#rows.get(name);
    if (!entry) {
      const cells = this.#columns.map((column) => (column.first
        ? el("th", { scope: "row", role: "rowheader", class: column.kind })
        : el("td", { role: "cell", class: column.kind, "data-head": column.head() })));
      entry = { line: el("tr", { role: "row" }, cells), cells, shown: [] };
      this.#rows.set(name, entry);
    }
    this.#columns.forEach((column, at) => {
      const value = column.value(row);
      const sign = JSON.stringify(value);
      if (entry.shown[at] === sign) return;
      entry.shown[at] = sign;
      entry.cells[at].replaceChildren(...[column.draw ? column.draw(value, row) : String(value)].flat().filter(Boolean));
    });
    return entry;
  }
}
