import assert from "node:assert/strict";
import { test } from "node:test";
import { maths } from "../../../gateway/page/js/maths.js";
import MarkdownIt from "../../../gateway/page/vendor/markdown-it.mjs";

const md = new MarkdownIt().use(maths);

test("formulas stay as they were written", () => {
  assert.equal(
    md.render("so \\(a_1 * b_1\\) and $x_1 + x_2$."),
    '<p>so <span class="maths">a_1 * b_1</span> and <span class="maths">x_1 + x_2</span>.</p>\n',
  );
  assert.equal(
    md.render("text\n\\[\na _b_\n\n- c < d\n\\]\nafter"),
    '<p>text</p>\n<p class="maths">a _b_\n\n- c &lt; d</p>\n<p>after</p>\n',
  );
  assert.equal(md.render("$$ x^2 $$"), '<p class="maths">x^2</p>\n');
});

test("prices and lone marks are no formulas", () => {
  for (const text of ["it costs $5 or $6", "a $ b $ c", "half $x", "$$ open"])
    assert.ok(!md.render(text).includes("maths"), text);
  assert.equal(md.render("\\[ never closed"), "<p>[ never closed</p>\n");
});

test("a line of dollars takes no time", () => {
  md.render("$a".repeat(50_000));
  md.render("\\(".repeat(3_000));
});

/** How often `method` of texts is called for one of `marks` while `text` is rendered. */
function searches(method, marks, text) {
  const original = String.prototype[method];
  let count = 0;
  String.prototype[method] = function (...args) {
    count += marks.includes(args[0]);
    return original.apply(this, args);
  };
  try {
    md.render(text);
  } finally {
    String.prototype[method] = original;
  }
  return count;
}

test("what encloses nothing is looked for once", () => {
  for (const [open, close] of [["\\(", "\\)"], ["\\[", "\\]"]])
    assert.ok(searches("indexOf", [close], `a ${open.repeat(1000)}`) <= 2, open);
  assert.ok(searches("endsWith", ["\\]"], "\\[\na\n".repeat(1000)) <= 4000);
});

test("a formula that ends is one, also behind one that doesn't", () => {
  assert.equal(
    md.render("\\[ a \\(b\\) \\(c"),
    '<p>[ a <span class="maths">b</span> (c</p>\n',
  );
  assert.equal(
    md.render("> \\[\n> a\n\n\\[\nb\n\\]"),
    '<blockquote>\n<p>[<br>\na</p>\n</blockquote>\n<p class="maths">b</p>\n'.replace("<br>", ""),
  );
});
