"""The text of an ordinary answer: readable, honest about being a stand-in, the same for the same question."""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

CHINESE = re.compile("[\u3400-\u9fff]")
SPOKEN = re.compile("[\u3400-\u9fff]{1,2}[，。、：；！？“”]?|[^\\s\u3400-\u9fff]+\\s*|\\s+")
TOPIC = 80
MOST_PIECES = 400


@dataclass(frozen=True)
class WebSource:
    """A web page that an answer cites."""

    title: str
    url: str

    @property
    def host(self) -> str:
        """The host in the page's address."""
        return urlsplit(self.url).netloc


@dataclass(frozen=True)
class SampleAnswer:
    """An answer with Bing's citation marks, the pages that they cite, and suggestions for the next question."""

    text: str
    sources: tuple[WebSource, ...]
    suggestions: tuple[str, ...]


def is_chinese(text: str) -> bool:
    """Return whether a text holds Chinese characters."""
    return CHINESE.search(text) is not None


def compose(topic: str, turn: int, previous: str | None, tone: str | None) -> SampleAnswer:
    """Return an answer in the question's language.

    topic: the question without its directives. turn: its number in the conversation, from 1. previous: the question
    before it. tone: the style asked for, as the client named it.
    """
    short = topic if len(topic) <= TOPIC else topic[:TOPIC] + "…"
    return (_chinese if is_chinese(topic) else _english)(short, turn, previous, tone)


def _english(topic: str, turn: int, previous: str | None, tone: str | None) -> SampleAnswer:
    openings = ("Let me take that step by step.", "Here is a short answer.", "Good, let us look at it together.")
    styles = {"Creative": "freely and with some colour", "Precise": "briefly and to the point"}
    style = styles.get(tone or "", "in a balanced way")
    memory = (
        f"This is question {turn} of our conversation; before it you asked “{previous}”."
        if previous
        else f"This is question {turn} of our conversation."
    )
    text = (
        f"{_pick(openings, topic)} You asked: **{topic}**\n\n"
        f"I am only a stand-in for Bing, so I know no facts about it. I was asked to write {style}, and this is how "
        "an answer would be put together:\n\n"
        "1. **The question** is read and, where needed, searched for[^1^].\n"
        "2. **The sources** are compared and the useful parts are kept[^2^].\n"
        "3. **The answer** is written piece by piece, which is why it arrives as a stream[^3^].\n\n"
        f"{memory}"
    )
    titles = ("An overview of the topic", "Questions and answers", "Notes for further reading")
    suggestions = ("Tell me more about it.", "Can you give an example?", "What should I ask next?")
    return SampleAnswer(text, _sources(topic, titles), suggestions)


def _chinese(topic: str, turn: int, previous: str | None, tone: str | None) -> SampleAnswer:
    openings = ("我们一步一步来看。", "下面是一个简短的回答。", "好的，一起来看看。")
    styles = {"Creative": "自由、有想象力", "Precise": "简洁、准确"}
    style = styles.get(tone or "", "平衡")
    memory = (
        f"这是我们对话中的第 {turn} 个问题；在它之前您问的是“{previous}”。"
        if previous
        else f"这是我们对话中的第 {turn} 个问题。"
    )
    text = (
        f"{_pick(openings, topic)}您的问题是：**{topic}**\n\n"
        f"我只是必应的替身，并不了解有关的事实。您要求的风格是{style}，一个回答大致是这样写成的：\n\n"
        "1. **问题**：先读懂问题，需要时进行搜索[^1^]。\n"
        "2. **来源**：比较各个来源，留下有用的部分[^2^]。\n"
        "3. **回答**：一小段一小段地写出来，所以您看到的是逐步出现的文字[^3^]。\n\n"
        f"{memory}"
    )
    titles = ("主题概览", "常见问答", "延伸阅读")
    suggestions = ("请再详细说说。", "能举一个例子吗？", "接下来我该问什么？")
    return SampleAnswer(text, _sources(topic, titles), suggestions)


def _pick(choices: tuple[str, ...], topic: str) -> str:
    return choices[zlib.crc32(topic.encode("utf-8", "replace")) % len(choices)]


def _sources(topic: str, titles: tuple[str, ...]) -> tuple[WebSource, ...]:
    query = quote(topic, errors="replace")
    hosts = ("www.example.com", "www.example.org", "www.example.net")
    return tuple(WebSource(title, f"https://{host}/?q={query}") for title, host in zip(titles, hosts, strict=True))


def lengthen(text: str, length: int) -> str:
    """Return numbered repetitions of a text until it has at least this many characters, cut there."""
    parts, total, number = [text], len(text), 1
    while total < length:
        number += 1
        parts.append(f"\n\n({number}) {text}")
        total += len(parts[-1])
    return "".join(parts)[:length]


def split(text: str) -> Iterator[str]:
    """Yield a text in the portions in which it is written: a word or two, never more than MOST_PIECES of them."""
    words = SPOKEN.findall(text)
    portion = max(1, -(-len(words) // MOST_PIECES))
    for start in range(0, len(words), portion):
        yield "".join(words[start : start + portion])


def references(sources: tuple[WebSource, ...]) -> str:
    """Return the list of sources at the head of an answer's card."""
    lines = [f'[{number}]: {source.url} "{source.title}"' for number, source in enumerate(sources, 1)]
    return "\n".join(lines) + "\n\n" if lines else ""


def learn_more(sources: tuple[WebSource, ...]) -> str:
    """Return the line of links below an answer."""
    links = [f"[{number}. {source.host}]({source.url})" for number, source in enumerate(sources, 1)]
    return "Learn more: " + " ".join(links)
