"""The chat socket: handshake, one question, its answer, and the wait for the client to leave."""

import asyncio
import uuid
from collections.abc import Iterator

from aiohttp import WSMsgType, web

from emulator import frames, outcomes, peer
from emulator.accounts import Account
from emulator.bing import Bing
from emulator.conversations import Conversation, refusal
from emulator.ledger import TurnEntry, finish
from emulator.pace import Pace, Pause, Tick
from emulator.question import Question, is_stop, question_in, records
from emulator.turn import Binary, Close, Delta, Final, Reset, Send, Silence, Step, Turn
from emulator.words import Words

PING = '{"type":6}\x1e'
HANDSHAKE_LIMIT = 30.0
QUESTION_LIMIT = 60.0
LEAVE_LIMIT = 30.0  # seconds a client may stay after its final record
HOLD_LIMIT = 3600.0  # seconds a scripted silence lasts at most
LEFT = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)


class GoneError(Exception):
    """The client left, or sent what no client sends, before it had asked."""


class ChatHub:
    """Serves the socket. One question a socket: later ones on the same socket are ignored."""

    def __init__(self, bing: Bing) -> None:
        self._bing = bing

    async def handle(self, request: web.Request) -> web.StreamResponse:
        account = self._bing.accounts.get(peer.account_of(request))
        script = outcomes.scripted(self._bing.accounts.take(account.name, "upgrade") or "success", "upgrade")
        refused = await peer.refused(request, script)
        if refused is not None:
            return refused
        # A short limit for the closing handshake: a client that is gone must not hold the handler.
        socket = web.WebSocketResponse(compress=False, timeout=1.0)
        await socket.prepare(request)
        try:
            async with asyncio.timeout(HOLD_LIMIT if script.outcome == "silent-handshake" else HANDSHAKE_LIMIT):
                await shake(socket, script.outcome)
            async with asyncio.timeout(QUESTION_LIMIT):
                question = await asked(socket)
        except (GoneError, TimeoutError):
            await socket.close()
            return socket
        await self._answer(request, socket, account, question)
        return socket

    async def _answer(
        self, request: web.Request, socket: web.WebSocketResponse, account: Account, question: Question
    ) -> None:
        entry = TurnEntry(
            started=self._bing.clock.now(),
            account=account.name,
            conversation=question.conversation,
            invocation=question.invocation,
            question=question.text,
            start_of_session=bool(question.argument.get("isStartOfSession")),
            tone=question.tone,
            context=question.context,
        )
        self._bing.ledger.turns.append(entry)
        turn, steps = self._begin(entry, account, question, request.query.get("sec_access_token"))
        try:
            async with asyncio.TaskGroup() as group:
                player = group.create_task(self._play(request, socket, entry, steps))
                if await stopped(socket):
                    player.cancel()
                    finish(entry, "stopped", self._bing.clock.now())
                    await leave(socket, frames.record(frames.completion(turn.invocation)))
                player.cancel()
        finally:
            finish(entry, "client gone", self._bing.clock.now())
        await socket.close()

    def _begin(
        self, entry: TurnEntry, account: Account, question: Question, token: str | None
    ) -> tuple[Turn, Iterator[Step]]:
        """Check and judge a question, count it, and start its outcome."""
        now = self._bing.clock.now()
        asked_for = self._bing.read(question.text, outcomes.names("chat"))
        conversation = self._bing.conversations.get(question.conversation)
        name = refusal(conversation, question.argument, question.invocation, account.name, token, now)
        if conversation is None:
            conversation = unknown(question.conversation)
        if name is None:
            conversation.last_invocation = int(question.invocation)
            name, asked_for = self._bing.judge(account, conversation, asked_for)
            if name == "invalid-session":
                self._bing.conversations.drop(conversation.id)
        outcome = outcomes.CHAT[name]
        previous = conversation.previous
        if outcome.spends:
            conversation.remember(asked_for.topic[:200])
            account.spend(now)
        entry.scripted = name
        turn = begun(question, conversation, asked_for, previous, self._bing, now)
        return turn, outcome.play(turn)

    async def _play(
        self, request: web.Request, socket: web.WebSocketResponse, entry: TurnEntry, steps: Iterator[Step]
    ) -> None:
        """Carry out the steps until one ends the answer or the client has left."""
        pace = Pace(self._bing.settings.pace)
        try:
            for step in steps:
                if isinstance(step, Delta):
                    entry.deltas += 1
                    entry.length = step.length
                    await socket.send_str(step.data)
                elif isinstance(step, Send):
                    await socket.send_str(step.data)
                elif isinstance(step, Pause | Tick):
                    await pace.wait(step)
                elif isinstance(step, Binary):
                    await socket.send_bytes(step.data)
                else:
                    await self._end(request, socket, entry, step)
                    return
        except ConnectionError:
            return  # the reader sees the client leave, too, and closes the entry

    async def _end(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        entry: TurnEntry,
        step: Final | Close | Reset | Silence,
    ) -> None:
        now = self._bing.clock.now()
        if isinstance(step, Final):
            finish(entry, step.outcome, now)
            await socket.send_str(step.data)
            await asyncio.sleep(LEAVE_LIMIT)
            await socket.close()
        elif isinstance(step, Close):
            finish(entry, "closed", now)
            await socket.close(code=step.code)
        elif isinstance(step, Reset):
            finish(entry, "reset", now)
            peer.reset(request)
        else:
            await asyncio.sleep(HOLD_LIMIT)
            await socket.close()


def unknown(conversation_id: str) -> Conversation:
    """What stands in for a conversation that does not exist while its question is refused."""
    return Conversation(conversation_id, client="", signature="", access_token="", account="", limit=0, expires=0.0)


def begun(
    question: Question, conversation: Conversation, words: Words, previous: str | None, bing: Bing, now: float
) -> Turn:
    return Turn(
        words=words,
        question=question.text,
        tone=question.tone,
        locale=question.locale,
        invocation=question.invocation,
        request_id=question.request_id or str(uuid.uuid4()),
        conversation=conversation,
        previous=previous,
        clock=bing.clock,
        started=now,
        number=conversation.turns,
    )


async def read(socket: web.WebSocketResponse) -> str:
    """The next text message. Raises GoneError when the client leaves."""
    while True:
        message = await socket.receive()
        if message.type in LEFT:
            raise GoneError
        if message.type is WSMsgType.TEXT:
            return str(message.data)


async def shake(socket: web.WebSocketResponse, script: str | None) -> None:
    """The protocol's handshake, well or as scripted. Raises GoneError when it fails."""
    first = await read(socket)
    if script == "silent-handshake":
        await asyncio.sleep(HOLD_LIMIT)
    if script == "handshake-close":
        raise GoneError
    try:
        good = records(first)[0].get("protocol") == "json"
    except (ValueError, IndexError):
        good = False
    if script == "handshake-error" or not good:
        await socket.send_str(frames.record({"error": "Handshake was canceled."}))
        raise GoneError
    await socket.send_str("{}" + frames.SEPARATOR)


async def asked(socket: web.WebSocketResponse) -> Question:
    """The first question on the socket; pings and other records before it are passed over.

    Raises GoneError when the client leaves or sends what is no record.
    """
    while True:
        try:
            for record in records(await read(socket)):
                question = question_in(record)
                if question is not None:
                    return question
        except ValueError as error:
            await socket.send_str(frames.record(frames.close(allow_reconnect=False)))
            raise GoneError from error


async def stopped(socket: web.WebSocketResponse) -> bool:
    """Listen while the answer goes out: True at a stop record, False when the client has left."""
    while True:
        try:
            data = await read(socket)
        except GoneError:
            return False
        if data == PING:
            continue
        try:
            if any(is_stop(record) for record in records(data)):
                return True
        except ValueError:
            continue  # the real service is not known to mind; the answer goes on


async def leave(socket: web.WebSocketResponse, last: str) -> None:
    """Send a last record, then wait for the client to leave."""
    try:
        async with asyncio.timeout(LEAVE_LIMIT):
            await socket.send_str(last)
            while True:
                await read(socket)
    except (GoneError, TimeoutError, ConnectionError):
        return
