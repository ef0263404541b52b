"""Turns over the chat socket that run to a proper end, as steps."""

from collections.abc import Callable, Iterable, Iterator

from emulator.bing import frames
from emulator.bing.frames import HOLE
from emulator.bing.turn import FIRST_TEXT, BingTurn, GrowingText, SendDelta, SendFinal, SendText
from emulator.json_text import Json, dump, load
from emulator.scenarios import Scenario, give, plain, split_at_marks
from emulator.steps import Pause, Step

APOLOGY = "My mistake, I can’t give a response to that right now. Let’s try a different topic."
LIMIT_REACHED = "Thanks for this conversation! I've reached my limit, will you hit “New topic,” please?"


def give_among(
    turn: BingTurn, notes: list[tuple[float, Json]], pause: float = FIRST_TEXT, after: Iterable[Json] = ()
) -> Iterator[Step]:
    """Give an ordinary answer among other messages.

    notes: messages before the answer, each with the pause before it. pause: seconds between them and the first text.
    after: messages behind the answer.
    """
    answer, after = turn.compose(), list(after)
    yield from turn.begin(answer, (step for seconds, note in notes for step in _show(turn, seconds, note)), pause)
    yield from turn.write(turn.pieces(answer))
    for note in after:
        yield turn.update(messages=[note])
    yield from turn.end(answer, [note for _, note in notes], after)


def _show(turn: BingTurn, seconds: float, note: Json) -> Iterator[Step]:
    if seconds:
        yield Pause(seconds)
    yield turn.update(messages=[note])


def search_notes(turn: BingTurn) -> list[tuple[float, Json]]:
    """Return the query, the results and the progress note that come before the answer of a search turn."""
    query = turn.directives.topic or turn.question
    shown = f"Searching the web for: `{query}`"
    hits = [
        {"title": page.title, "snippets": [f"A made-up snippet from {page.host}."], "url": page.url}
        for page in turn.compose().sources
    ]
    results = dump({"web_search_results": hits})
    progress_text = "Generating answers for you…"
    query_note = turn.message(
        shown,
        messageType="InternalSearchQuery",
        hiddenText=query,
        adaptiveCards=frames.card(frames.rich_block(shown)),
        invocation=f"search_web(query={dump(query)})",
    )
    result_note = turn.message(
        results,
        messageType="InternalSearchResult",
        hiddenText=f"search_web('{query}') was invoked and returned:\n```json\n{results}\n```",
        adaptiveCards=frames.card(frames.rich_block(results)),
        groundingInfo={"web_search_results": []},
    )
    progress_note = turn.message(
        progress_text,
        messageType="InternalLoaderMessage",
        hiddenText=progress_text,
        adaptiveCards=frames.card(frames.rich_block(progress_text)),
    )
    return [(1.2, query_note), (1.6, result_note), (1.3, progress_note)]


def card_request(turn: BingTurn) -> Json:
    """Return the message that comes behind the answer of a search turn."""
    query = turn.directives.topic or turn.question
    return turn.message(
        query,
        messageType="RenderCardRequest",
        hiddenText=f"```json\n{dump({'query': query})}\n```",
        adaptiveCards=frames.card(frames.rich_block(query)),
    )


def search(turn: BingTurn) -> Iterator[Step]:
    """Search: neither the second nor the last message of the final item is the answer."""
    yield from give_among(turn, search_notes(turn), 0.6, [card_request(turn)])


def search_no_cards(turn: BingTurn) -> Iterator[Step]:
    """Search, with notes that have no cards."""
    notes = [(seconds, frames.without(note, "adaptiveCards")) for seconds, note in search_notes(turn)]
    yield from give_among(turn, notes, 0.6, [card_request(turn)])


def image(turn: BingTurn) -> Iterator[Step]:
    """Send a request for pictures before the text; it is the second message of the final item."""
    prompt = turn.directives.topic or turn.question
    request = turn.message(
        prompt,
        messageType="GenerateContentQuery",
        contentType="IMAGE",
        invocation=f"graphic_art(prompt={dump(prompt)})",
    )
    yield from give_among(turn, [(1.5, frames.without(request, "adaptiveCards"))], 1.0)


def cite_cut(turn: BingTurn) -> Iterator[Step]:
    """Send each citation mark in three updates."""
    answer = turn.compose()
    yield from give(turn, answer, split_at_marks(answer.text))


def rewrite(change: Callable[[str], str], continue_with: Callable[[list[str]], list[str]]) -> Scenario[BingTurn]:
    """Return a scenario whose text is changed in the middle.

    change: from the text so far to the one in its place. continue_with: from the answer's pieces to those that follow.
    """

    def play(turn: BingTurn) -> Iterator[Step]:
        answer, first, second = turn.halves()
        yield from turn.begin(answer)
        yield from turn.write(first)
        yield turn.tick
        yield turn.text.replace(change(turn.text.value))
        yield from turn.write(continue_with(first + second))
        yield from turn.end(answer)

    return play


shrink = rewrite(
    lambda text: text[: len(text) // 2],
    lambda _pieces: ["… ", "to say it ", "in other words: ", "I am ", "a stand-in."],
)
replace = rewrite(lambda _text: "Once more from the start. ", lambda pieces: pieces)


def final_only(turn: BingTurn) -> Iterator[Step]:
    """Send no text before the final item."""
    answer = turn.compose()
    yield from turn.announce()
    yield Pause(FIRST_TEXT)
    yield turn.final(turn.item([turn.suggesting_message(answer, answer.text)]))


def final_longer(turn: BingTurn) -> Iterator[Step]:
    """Send more text in the final item than in the updates."""
    answer = turn.compose()
    yield from turn.begin(answer)
    yield from turn.write(turn.pieces(answer))
    yield turn.final(turn.item([turn.answer_message(answer, f"{turn.text.value} And one more sentence.")]))


def two_answers(turn: BingTurn) -> Iterator[Step]:
    """Send two messages of the bot without a type; the last one is the answer."""
    yield from give_among(turn, [(0.0, turn.message("One moment please."))])


def batch(turn: BingTurn) -> Iterator[Step]:
    """Send four records in each message."""
    waiting: list[str] = []
    length = 0
    for step in plain(turn):
        if not isinstance(step, SendText | SendDelta):
            if waiting and isinstance(step, SendFinal):
                yield SendDelta("".join(waiting), length)
            yield step
            continue
        waiting.append(step.data)
        length = step.length if isinstance(step, SendDelta) else length
        if len(waiting) == 4:
            yield SendDelta("".join(waiting), length)
            waiting = []


def pings(turn: BingTurn) -> Iterator[Step]:
    """Send a ping before each text update."""
    for step in plain(turn):
        if isinstance(step, SendDelta):
            yield SendText(frames.record({"type": 6}))
        yield step


def progress(turn: BingTurn) -> Iterator[Step]:
    """Send a progress note with an ordinary card before the answer."""
    note = turn.message("Analyzing the question", messageType="Progress", contentOrigin="CodeInterpreter")
    yield from give_among(turn, [(0.0, note)], 1.5)


def internal_suggestions(turn: BingTurn) -> Iterator[Step]:
    """Send the suggestions as a last message of their own, with only hidden text."""
    answer = turn.compose()
    hidden = f"```json\n{dump({'suggestedUserResponses': list(answer.suggestions)})}\n```"
    note = frames.without(turn.message("", messageType="InternalSuggestions", hiddenText=hidden), "text")
    yield from turn.begin(answer)
    yield from turn.write(turn.pieces(answer))
    yield turn.update(messages=[note])
    yield turn.final(turn.item([turn.answer_message(answer, turn.text.value), note]))


def reshape(change: Callable[[Json], Json]) -> Scenario[BingTurn]:
    """Return a scenario of an ordinary answer whose messages, in the updates and the final item, are changed."""

    def play(turn: BingTurn) -> Iterator[Step]:
        answer = turn.compose()
        turn.text = GrowingText(turn.request_id, change(turn.answer_message(answer, HOLE)))
        yield from turn.announce()
        yield Pause(FIRST_TEXT)
        yield from turn.write(turn.pieces(answer))
        finished = dump(change(turn.answer_message(answer, HOLE))).replace(HOLE, frames.escape(turn.text.value))
        yield turn.final(turn.item([load(finished)]))

    return play


PICTURE_BLOCK = {"type": "Image", "url": "https://www.example.com/picture.jpg", "id": "entity-image-top"}

no_cards = reshape(lambda message: frames.without(message, "adaptiveCards"))
empty_cards = reshape(lambda message: message | {"adaptiveCards": []})
card_only = reshape(lambda message: frames.without(message, "text") | {"adaptiveCards": frames.text_card(HOLE)})
image_block = reshape(lambda message: message | {"adaptiveCards": frames.card(PICTURE_BLOCK, frames.text_block(HOLE))})


def stop_with(turn: BingTurn, note: Json, pause: float = 0.0) -> Iterator[Step]:
    """Give no answer, but end with this message."""
    yield from turn.announce()
    yield from _show(turn, pause, note)
    yield turn.final(turn.item([note]))


def withdraw(turn: BingTurn, apology_note: Json) -> Iterator[Step]:
    """Replace the answer in the middle by an apology under the same id."""
    answer, first, _ = turn.halves()
    yield from turn.begin(answer)
    yield from turn.write(first)
    note = apology_note | {"messageId": turn.message_id}
    yield turn.update(messages=[note])
    yield turn.final(turn.item([note]))


def apology(turn: BingTurn) -> Iterator[Step]:
    """Replace the answer in the middle by an apology."""
    yield from withdraw(turn, turn.message(APOLOGY, contentOrigin="Apology"))


def apology_no_text(turn: BingTurn) -> Iterator[Step]:
    """Replace the answer in the middle by an apology with only hidden and spoken text."""
    note = turn.message("", contentOrigin="Apology", hiddenText=APOLOGY, spokenText=APOLOGY)
    yield from withdraw(turn, frames.without(note, "text"))


def apology_first(turn: BingTurn) -> Iterator[Step]:
    """Apologize before any text."""
    yield from stop_with(turn, turn.message(APOLOGY, contentOrigin="Apology"))


def disengage(turn: BingTurn) -> Json:
    """End the conversation, so that later questions in it get no answer, and return the message that reports it."""
    turn.conversation.disengaged = True
    note = turn.message("", messageType="Disengaged", hiddenText="> Conversation disengaged", offense="None")
    return frames.without(note, "text", "adaptiveCards")


def disengaged(turn: BingTurn) -> Iterator[Step]:
    """End the conversation before any text."""
    yield from stop_with(turn, disengage(turn), 1.0)


def disengaged_mid(turn: BingTurn) -> Iterator[Step]:
    """End the conversation in the middle of the text."""
    note = disengage(turn)
    answer, first, _ = turn.halves()
    yield from turn.begin(answer)
    yield from turn.write(first)
    yield turn.update(messages=[note])
    yield turn.final(turn.item([turn.answer_message(answer, turn.text.value), note]))


def turn_limit(turn: BingTurn) -> Iterator[Step]:
    """Refuse a question beyond the conversation's limit; the counters show one more than the limit."""
    turn.number = turn.conversation.limit + 1
    yield from stop_with(turn, turn.message(LIMIT_REACHED, contentOrigin="TurnLimiter"))


def empty(turn: BingTurn) -> Iterator[Step]:
    """Succeed with a final item that holds only the user's own message."""
    yield from turn.announce()
    yield Pause(FIRST_TEXT)
    yield turn.final(turn.item([]))
