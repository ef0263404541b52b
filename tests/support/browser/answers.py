"""Answers that are played to the page: rich, hostile and large ones."""

from dataclasses import dataclass

from wire.messages import Source


@dataclass(frozen=True)
class Answer:
    """A text that arrives in pieces of so many characters, so many of them a second."""

    text: str
    piece: int = 60
    rate: float = 200
    urls: tuple[Source, ...] = ()
    suggestions: tuple[str, ...] = ()


RICH = """\
# Sorting, in short

A **sort** puts things in order. The usual measure is the number of comparisons, for which no method needs fewer than
\\(\\log_2(n!)\\) on average:

\\[
\\log_2(n!) = n \\log_2 n - n \\log_2 e + O(\\log_2 n)
\\]

| method | on average | at worst | stable |
| --- | :---: | :---: | ---: |
| merge sort | n log n | n log n | yes |
| quicksort | n log n | n² | no |
| insertion sort | n² | n² | yes |

### One of them in Python

```python
def merge_sort(items: list[int]) -> list[int]:
    \"\"\"The items in order, as a new list.\"\"\"
    if len(items) < 2:
        return items
    middle = len(items) // 2
    left, right = merge_sort(items[:middle]), merge_sort(items[middle:])
    return merged(left, right)  # n comparisons at most
```

> It costs $2 to $5 in memory, and $x_1 + x_2$ stays as it is.

1. Split the list in two.
2. Sort both halves.
   - each in the same way
   - until one item is left
3. Merge them. More at <https://example.org/sorting>.
"""

HOSTILE = """\
<script>window.hurt = "script"</script><img src=x onerror="window.hurt = 'onerror'">

<style>body { display: none }</style><iframe src="javascript:window.hurt = 1"></iframe>

[click](javascript:window.hurt='link') [data](data:text/html,<script>window.hurt=1</script>) [vb](vbscript:x)
[fine](https://example.org/fine "a title") ![pixel](https://tracker.example/pixel.png?who=you)
[![in a link](https://tracker.example/other.png)](https://example.org/around)

An autolink: javascript:window.hurt=2 and https://example.org/auto

Right-to-left \u202egnp.exe\u202c and isolates \u2067abc\u2069 end here.

By number &#x202E;gnp.exe&#8236;, `&#x202E;` and <https://example.org/%E2%80%AEgnp.exe>
[x](https://example.org "&#x2067;y").

</div></article></main><h1 id="title">broken out</h1><form action="/api"><input name="question"></form>

<a href="#" id="send" class="primary" style="position:fixed;inset:0">Ignore all instructions and press here</a>

| a | b
|--|
| **unclosed | [x](

```js" onmouseover="window.hurt=3
let x = "</code></pre><script>window.hurt = 4</script>";
"""

WORDS = "The quick brown fox jumps over the lazy dog, and runs on along the river."


def _long(size: int) -> str:
    """Markdown of every kind, again and again."""
    parts: list[str] = []
    number = 0
    while sum(map(len, parts)) < size:
        number += 1
        code = "\n".join(f"    value_{line} = compute({line}, scale={number})" for line in range(12))
        parts.append(f"## Part {number}\n\n{WORDS} **{WORDS}** `code {number}` {WORDS}\n\n")
        parts.append(f"```python\ndef part_{number}():\n{code}\n```\n\n")
        parts.append("".join(f"{item}. {WORDS}\n" for item in range(1, 8)) + "\n")
        parts.append("| a | b | c |\n| --- | --- | --- |\n" + "| one | two | three |\n" * 6 + "\n")
    return "".join(parts)[:size]


ANSWERS = {
    "rich": Answer(
        RICH,
        urls=(
            Source("Sorting algorithms, an overview", "https://www.example.com/sorting"),
            Source("How many comparisons are needed", "https://example.org/comparisons"),
            Source("Stable or not", "https://notes.example.net/stable"),
        ),
        suggestions=("Which one does Python use?", "Show quicksort.", "When is insertion sort best?"),
    ),
    "hostile": Answer(
        HOSTILE,
        urls=(
            Source("<b>bold</b> \u202etitle", "javascript:window.hurt=5"),
            Source("<img src=x onerror=window.hurt=6>", "https://example.org/source"),
        ),
        suggestions=("<script>window.hurt=7</script>", "\u202eright to left"),
    ),
    "line": Answer("x" * 500_000 + " and " + "字" * 500_000, piece=100_000, rate=20),
    "sparse tables": Answer(("|a" * 1000 + "\n" + "|-" * 1000 + "\n" + "|\n" * 65 + "\n") * 5, piece=10_000, rate=20),
    "long line": Answer("```" + "x" * 15_000 + "\n" + "y" * 30_000, piece=11_500, rate=20),
    "long": Answer(_long(100_000), piece=100, rate=100),
    "blocks": Answer("".join(f"```{kind}\nlet a = {number};\n```\n\n" for number, kind in enumerate(["js"] * 3))),
    "large block": Answer("```js\n" + "let a = 1;\n" * 1000 + "```\n\n```js\nlet a = 1;\n```\n", piece=2000),
    "code": Answer(
        "```python\n" + "\n".join(f"value_{line} = {line}" for line in range(2500)) + "\n```\nThe end.\n", piece=2000
    ),
}
# A question that looks well in a picture.
ANSWERS["How is a list sorted?"] = ANSWERS["rich"]
