"""Turns that run to a proper end, as steps. Each takes the turn and yields what the service would do."""

import re
from collections.abc import Iterator

from emulator import answers, frames
from emulator.answers import Answer, Source
from emulator.frames import HOLE, Json
from emulator.pace import Pause
from emulator.turn import Delta, Final, Send, Step, Turn, Writer, written

MARK = re.compile(r"(\[\^)(\d+)(\^\])")
APOLOGY = "My mistake, I can’t give a response to that right now. Let’s try a different topic."
LIMIT_REACHED = "Thanks for this conversation! I've reached my limit, will you hit “New topic,” please?"
LEARNING = "I’m still learning, so I would rather not go on with this. Thank you for your patience."
LEARNING_CHINESE = "我还在学习，所以不想继续这个话题。感谢您的耐心。"


def attributions(sources: tuple[Source, ...], query: str) -> list[Json]:
    return [{"providerDisplayName": one.title, "seeMoreUrl": one.url, "searchQuery": query} for one in sources]


def answer_message(turn: Turn, answer: Answer, text: str, **more: object) -> Json:
    """The message with the answer's text; the card repeats the text with the sources around it."""
    body = [frames.text_block(answers.references(answer.sources) + text)]
    if answer.sources:
        body.append(frames.small_block(answers.learn_more(answer.sources)))
    return frames.bot_message(text, turn.message_id, turn.clock.now(), **more) | {
        "adaptiveCards": frames.card(*body),
        "sourceAttributions": attributions(answer.sources, turn.words.topic),
        **more,
    }


def suggested(turn: Turn, answer: Answer) -> Json:
    chips = [
        frames.suggestion(text, f"{turn.message_id[:-1]}{n}", turn.clock.now())
        for n, text in enumerate(answer.suggestions)
    ]
    return {"suggestedResponses": chips}


def opening(turn: Turn) -> Iterator[Step]:
    """The update with only the turn counters."""
    if "stamp" not in turn.option:
        yield Pause(0.09)
    yield turn.update(throttling=frames.throttling(turn.conversation.limit, turn.number))


def start_of_text(turn: Turn, pause: float) -> Iterator[Step]:
    """The wait for the first text, and the update that begins an empty message."""
    if "first" in turn.option:
        yield Pause(turn.option["first"], exact=True)
    elif "stamp" not in turn.option:
        yield Pause(pause)
    empty = frames.bot_message("", turn.message_id, turn.clock.now())
    yield turn.update(cursor=frames.cursor(turn.message_id), messages=[empty])


def writer_for(turn: Turn, answer: Answer) -> Writer:
    return Writer(turn, answer_message(turn, answer, HOLE), "stamp" in turn.option)


def ending(turn: Turn, answer: Answer, text: str, before: list[Json], after: list[Json]) -> Iterator[Step]:
    """Suggestions and the final item, in which other messages may stand before and after the answer."""
    message = answer_message(turn, answer, text, **suggested(turn, answer))
    yield Pause(0.4)
    yield turn.update(messages=[message])
    yield turn.final(turn.item([*before, message, *after]))


def plain(turn: Turn) -> Iterator[Step]:
    yield from told(turn, turn.compose())


def told(turn: Turn, answer: Answer, pieces: list[str] | None = None) -> Iterator[Step]:
    """An ordinary turn with this answer, in these pieces."""
    writer = writer_for(turn, answer)
    yield from opening(turn)
    yield from start_of_text(turn, 2.7)
    yield from written(turn, writer, turn.pieces(answer) if pieces is None else pieces)
    yield from ending(turn, answer, writer.text, [], [])


def search_messages(turn: Turn, answer: Answer) -> list[Json]:
    """The query, the results and the progress note that come before the answer of a search turn."""
    query = turn.words.topic or turn.question
    shown = f"Searching the web for: `{query}`"
    found = frames.dump(
        {
            "web_search_results": [
                {"title": one.title, "snippets": [f"A made-up snippet from {one.host}."], "url": one.url}
                for one in answer.sources
            ]
        }
    )
    return [
        turn.message(
            shown,
            messageType="InternalSearchQuery",
            hiddenText=query,
            adaptiveCards=frames.card(frames.rich_block(shown)),
            invocation=f"search_web(query={frames.dump(query)})",
        ),
        turn.message(
            found,
            messageType="InternalSearchResult",
            hiddenText=f"search_web('{query}') was invoked and returned:\n```json\n{found}\n```",
            adaptiveCards=frames.card(frames.rich_block(found)),
            groundingInfo={"web_search_results": []},
        ),
        turn.message(
            "Generating answers for you…",
            messageType="InternalLoaderMessage",
            hiddenText="Generating answers for you…",
            adaptiveCards=frames.card(frames.rich_block("Generating answers for you…")),
        ),
    ]


def card_request(turn: Turn) -> Json:
    query = turn.words.topic or turn.question
    return turn.message(
        query,
        messageType="RenderCardRequest",
        hiddenText=f"```json\n{frames.dump({'query': query})}\n```",
        adaptiveCards=frames.card(frames.rich_block(query)),
    )


def search(turn: Turn) -> Iterator[Step]:
    """Neither the second nor the last message of the final item is the answer."""
    answer = turn.compose()
    yield from searched(turn, answer, search_messages(turn, answer))


def search_no_cards(turn: Turn) -> Iterator[Step]:
    answer = turn.compose()
    yield from searched(turn, answer, [frames.without(m, "adaptiveCards") for m in search_messages(turn, answer)])


def searched(turn: Turn, answer: Answer, notes: list[Json]) -> Iterator[Step]:
    writer = writer_for(turn, answer)
    request = card_request(turn)
    yield from opening(turn)
    for pause, note in zip((1.2, 1.6, 1.3), notes, strict=True):
        yield Pause(pause)
        yield turn.update(messages=[note])
    yield from start_of_text(turn, 0.6)
    yield from written(turn, writer, turn.pieces(answer))
    yield turn.update(messages=[request])
    yield from ending(turn, answer, writer.text, notes, [request])


def image(turn: Turn) -> Iterator[Step]:
    """A wish for pictures comes before the text, and is the second message of the final item."""
    answer = turn.compose()
    prompt = turn.words.topic or turn.question
    wish = frames.without(
        turn.message(
            prompt,
            messageType="GenerateContentQuery",
            contentType="IMAGE",
            invocation=f"graphic_art(prompt={frames.dump(prompt)})",
        ),
        "adaptiveCards",
    )
    writer = writer_for(turn, answer)
    yield from opening(turn)
    yield Pause(1.5)
    yield turn.update(messages=[wish])
    yield from start_of_text(turn, 1.0)
    yield from written(turn, writer, turn.pieces(answer))
    yield from ending(turn, answer, writer.text, [wish], [])


def learning(turn: Turn) -> Iterator[Step]:
    answer = turn.compose()
    text = LEARNING_CHINESE if answers.is_chinese(answer.text) else LEARNING
    yield from told(turn, Answer(text, (), answer.suggestions))


def surrogate(turn: Turn) -> Iterator[Step]:
    """An emoji of two surrogates whose halves come in two updates."""
    answer = turn.compose()
    pieces = [*turn.pieces(answer), " \ud83d", "\ude00 ", "done."]
    yield from opening(turn)
    yield from start_of_text(turn, 2.7)
    writer = writer_for(turn, answer)
    yield from written(turn, writer, pieces)
    text = writer.text.encode("utf-16", "surrogatepass").decode("utf-16")
    yield from ending(turn, answer, text, [], [])


def surrogate_end(turn: Turn) -> Iterator[Step]:
    """The answer ends with half a pair, in the final item too."""
    answer = turn.compose()
    yield from told(turn, answer, [*turn.pieces(answer), " \ud83d"])


def cite_cut(turn: Turn) -> Iterator[Step]:
    """Each citation mark arrives in three updates."""
    answer = turn.compose()
    pieces = [piece for piece in MARK.split(answer.text) if piece]
    yield from told(turn, answer, pieces)


def open_mark(turn: Turn) -> Iterator[Step]:
    """The text ends with what could have become a citation mark."""
    answer = turn.compose()
    yield from told(turn, answer, [*turn.pieces(answer), " The text ends ", "[^1"])


def shrink(turn: Turn) -> Iterator[Step]:
    """In the middle the text loses its second half, then goes on differently."""
    answer = turn.compose()
    pieces = turn.pieces(answer)
    writer = writer_for(turn, answer)
    yield from opening(turn)
    yield from start_of_text(turn, 2.7)
    yield from written(turn, writer, pieces[: turn.cut(len(pieces))])
    yield turn.tick
    yield writer.replace(writer.text[: len(writer.text) // 2])
    yield from written(turn, writer, ["… ", "to say it ", "in other words: ", "I am ", "a stand-in."])
    yield from ending(turn, answer, writer.text, [], [])


def replace(turn: Turn) -> Iterator[Step]:
    """In the middle the text is replaced by one that begins differently."""
    answer = turn.compose()
    pieces = turn.pieces(answer)
    writer = writer_for(turn, answer)
    yield from opening(turn)
    yield from start_of_text(turn, 2.7)
    yield from written(turn, writer, pieces[: turn.cut(len(pieces))])
    yield turn.tick
    yield writer.replace("Once more from the start. ")
    yield from written(turn, writer, pieces)
    yield from ending(turn, answer, writer.text, [], [])


def final_only(turn: Turn) -> Iterator[Step]:
    """No text before the final item."""
    answer = turn.compose()
    yield from opening(turn)
    yield Pause(2.7)
    yield turn.final(turn.item([answer_message(turn, answer, answer.text, **suggested(turn, answer))]))


def final_longer(turn: Turn) -> Iterator[Step]:
    """The final item holds more text than the updates brought."""
    answer = turn.compose()
    writer = writer_for(turn, answer)
    yield from opening(turn)
    yield from start_of_text(turn, 2.7)
    yield from written(turn, writer, turn.pieces(answer))
    yield turn.final(turn.item([answer_message(turn, answer, f"{writer.text} And one more sentence.")]))


def two_answers(turn: Turn) -> Iterator[Step]:
    """Two messages of the bot without a type; the last one is the answer."""
    answer = turn.compose()
    writer = writer_for(turn, answer)
    first = turn.message("One moment please.")
    yield from opening(turn)
    yield turn.update(messages=[first])
    yield from start_of_text(turn, 2.7)
    yield from written(turn, writer, turn.pieces(answer))
    yield from ending(turn, answer, writer.text, [first], [])


def batch(turn: Turn) -> Iterator[Step]:
    """Four records in each message."""
    waiting: list[str] = []
    length = 0
    for step in plain(turn):
        if not isinstance(step, Send | Delta):
            if waiting and isinstance(step, Final):
                yield Delta("".join(waiting), length)
            yield step
            continue
        waiting.append(step.data)
        length = step.length if isinstance(step, Delta) else length
        if len(waiting) == 4:
            yield Delta("".join(waiting), length)
            waiting = []


def pings(turn: Turn) -> Iterator[Step]:
    """A ping before each update."""
    for step in plain(turn):
        if isinstance(step, Delta):
            yield Send(frames.record({"type": 6}))
        yield step


def progress(turn: Turn) -> Iterator[Step]:
    """Progress notes with an ordinary card before the answer."""
    answer = turn.compose()
    note = turn.message("Analyzing the question", messageType="Progress", contentOrigin="CodeInterpreter")
    writer = writer_for(turn, answer)
    yield from opening(turn)
    yield turn.update(messages=[note])
    yield from start_of_text(turn, 1.5)
    yield from written(turn, writer, turn.pieces(answer))
    yield from ending(turn, answer, writer.text, [note], [])


def internal_suggestions(turn: Turn) -> Iterator[Step]:
    """Suggestions as a message of their own with only hidden text, which comes last."""
    answer = turn.compose()
    hidden = f"```json\n{frames.dump({'suggestedUserResponses': list(answer.suggestions)})}\n```"
    note = frames.without(turn.message("", messageType="InternalSuggestions", hiddenText=hidden), "text")
    writer = writer_for(turn, answer)
    yield from opening(turn)
    yield from start_of_text(turn, 2.7)
    yield from written(turn, writer, turn.pieces(answer))
    yield turn.update(messages=[note])
    yield turn.final(turn.item([answer_message(turn, answer, writer.text), note]))


def altered(turn: Turn, *, cards: list[Json] | None, text: bool = True) -> Iterator[Step]:
    """An ordinary turn whose messages have other cards (None: no such field), or no text of their own."""
    answer = turn.compose()

    def change(message: Json) -> Json:
        kept = frames.without(message, *(() if text else ("text",)), *(("adaptiveCards",) if cards is None else ()))
        return kept if cards is None else kept | {"adaptiveCards": cards}

    writer = Writer(turn, change(answer_message(turn, answer, HOLE)))
    yield from opening(turn)
    yield Pause(2.7)
    yield from written(turn, writer, turn.pieces(answer))
    finished = frames.dump(change(answer_message(turn, answer, HOLE))).replace(HOLE, frames.escape(writer.text))
    yield turn.final(turn.item([frames.load(finished)]))


def no_cards(turn: Turn) -> Iterator[Step]:
    yield from altered(turn, cards=None)


def empty_cards(turn: Turn) -> Iterator[Step]:
    yield from altered(turn, cards=[])


def card_only(turn: Turn) -> Iterator[Step]:
    yield from altered(turn, cards=frames.card(frames.text_block(HOLE)), text=False)


def image_block(turn: Turn) -> Iterator[Step]:
    """The card begins with a picture, which has no text."""
    picture = {"type": "Image", "url": "https://www.example.com/picture.jpg", "id": "entity-image-top"}
    yield from altered(turn, cards=frames.card(picture, frames.text_block(HOLE)))


def apology(turn: Turn) -> Iterator[Step]:
    yield from taken_back(turn, turn.message(APOLOGY, contentOrigin="Apology"))


def apology_no_text(turn: Turn) -> Iterator[Step]:
    sorry = turn.message("", contentOrigin="Apology", hiddenText=APOLOGY, spokenText=APOLOGY)
    yield from taken_back(turn, frames.without(sorry, "text"))


def apology_first(turn: Turn) -> Iterator[Step]:
    """An apology before any text."""
    sorry = turn.message(APOLOGY, contentOrigin="Apology")
    yield from opening(turn)
    yield turn.update(messages=[sorry])
    yield turn.final(turn.item([sorry]))


def taken_back(turn: Turn, sorry: Json) -> Iterator[Step]:
    """In the middle the streamed answer is replaced by an apology under the same id."""
    answer = turn.compose()
    pieces = turn.pieces(answer)
    sorry = sorry | {"messageId": turn.message_id}
    yield from opening(turn)
    yield from start_of_text(turn, 2.7)
    yield from written(turn, writer_for(turn, answer), pieces[: turn.cut(len(pieces))])
    yield turn.update(messages=[sorry])
    yield turn.final(turn.item([sorry]))


def disengaged_message(turn: Turn) -> Json:
    note = turn.message("", messageType="Disengaged", hiddenText="> Conversation disengaged", offense="None")
    return frames.without(note, "text", "adaptiveCards")


def disengaged(turn: Turn) -> Iterator[Step]:
    """The conversation is over: later questions in it get no answer."""
    turn.conversation.disengaged = True
    note = disengaged_message(turn)
    yield from opening(turn)
    yield Pause(1.0)
    yield turn.update(messages=[note])
    yield turn.final(turn.item([note]))


def disengaged_mid(turn: Turn) -> Iterator[Step]:
    turn.conversation.disengaged = True
    answer = turn.compose()
    pieces = turn.pieces(answer)
    writer = writer_for(turn, answer)
    note = disengaged_message(turn)
    yield from opening(turn)
    yield from start_of_text(turn, 2.7)
    yield from written(turn, writer, pieces[: turn.cut(len(pieces))])
    yield turn.update(messages=[note])
    yield turn.final(turn.item([answer_message(turn, answer, writer.text), note]))


def turn_limit(turn: Turn) -> Iterator[Step]:
    """The conversation has had all its questions; the counters say one more than the limit."""
    turn.number = turn.conversation.limit + 1
    note = turn.message(LIMIT_REACHED, contentOrigin="TurnLimiter")
    yield from opening(turn)
    yield turn.update(messages=[note])
    yield turn.final(turn.item([note]))


def empty(turn: Turn) -> Iterator[Step]:
    """Success, but the final item holds only the user's own message."""
    yield from opening(turn)
    yield Pause(2.7)
    yield turn.final(turn.item([]))
