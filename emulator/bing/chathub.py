"""The chat socket: handshake, one question, its answer, and the wait for the client to leave."""

import asyncio
import uuid
from collections.abc import Iterator

from aiohttp import WSMsgType, web

from emulator import http_faults
from emulator.accounts import EmulatorAccount
from emulator.bing import frames, outcomes
from emulator.bing.conversations import ChatHubConversation, ChatHubConversations, find_refusal
from emulator.bing.cookie_account import account_name
from emulator.bing.question import ChatQuestion, is_stop, read_question, read_records
from emulator.bing.turn import BingTurn, SendBinary, SendDelta, SendFinal, SendText
from emulator.clock import EmulatorClock
from emulator.directives import Directives
from emulator.http_faults import HOLD_LIMIT
from emulator.ledger import TurnEntry, finish
from emulator.pacing import Pacer
from emulator.state import EmulatorState
from emulator.steps import Close, Pause, Reset, Step, Tick

PING = '{"type":6}\x1e'
HANDSHAKE_LIMIT = 30.0
QUESTION_LIMIT = 60.0
LEAVE_LIMIT = 30.0  # seconds a client may stay after its final record
CHAT_NAMES, UPGRADE_NAMES = outcomes.names("chat"), outcomes.names("upgrade")
LEFT = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)


class ClientLeftError(Exception):
    """The client left, or sent what no client sends, before it had asked."""


class ChatHub:
    """The chat socket. One question a socket: later ones on the same socket are ignored."""

    def __init__(self, state: EmulatorState, conversations: ChatHubConversations) -> None:
        self._state = state
        self._conversations = conversations

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one socket, as scripted."""
        account = self._state.accounts.get(account_name(request))
        script = self._state.take_script(account.name, "upgrade", UPGRADE_NAMES) or Directives()
        refusal = await http_faults.apply_script(request, script)
        if refusal is not None:
            return refusal
        # A short limit for the closing handshake: a client that is gone must not hold the handler.
        socket = web.WebSocketResponse(compress=False, timeout=1.0)
        await socket.prepare(request)
        try:
            async with asyncio.timeout(HOLD_LIMIT if script.outcome == "silent-handshake" else HANDSHAKE_LIMIT):
                await shake_hands(socket, script.outcome)
            async with asyncio.timeout(QUESTION_LIMIT):
                question = await receive_question(socket)
        except (ClientLeftError, TimeoutError):
            await socket.close()
            return socket
        await self._answer(request, socket, account, question)
        return socket

    async def _answer(
        self, request: web.Request, socket: web.WebSocketResponse, account: EmulatorAccount, question: ChatQuestion
    ) -> None:
        entry = TurnEntry(
            started=self._state.clock.now(),
            account=account.name,
            conversation=question.conversation,
            invocation=question.invocation,
            question=question.text,
            start_of_session=bool(question.argument.get("isStartOfSession")),
            tone=question.tone,
            context=question.context,
        )
        self._state.ledger.turns.append(entry)
        turn, steps = self._begin(entry, account, question, request.query.get("sec_access_token"))
        try:
            async with asyncio.TaskGroup() as group:
                player = group.create_task(self._play(request, socket, entry, steps))
                if await wait_for_stop(socket):
                    player.cancel()
                    finish(entry, "stopped", self._state.clock.now())
                    await send_last(socket, frames.record(frames.completion(turn.invocation)))
                player.cancel()
        finally:
            finish(entry, "client gone", self._state.clock.now())
        await socket.close()

    def _begin(
        self, entry: TurnEntry, account: EmulatorAccount, question: ChatQuestion, token: str | None
    ) -> tuple[BingTurn, Iterator[Step]]:
        """Check and judge a question, count it, and start its outcome."""
        now = self._state.clock.now()
        directives = self._state.read_directives(question.text, CHAT_NAMES)
        conversation = self._conversations.get(question.conversation)
        name = find_refusal(conversation, question.argument, question.invocation, account.name, token, now)
        if conversation is None:
            conversation = unknown_conversation(question.conversation)
        if name is None:
            conversation.last_invocation = int(question.invocation)
            name, directives = self._judge(account, conversation, directives)
            if name == "invalid-session":
                self._conversations.drop(conversation.id)
        outcome = outcomes.CHAT[name]
        previous = conversation.previous
        if outcome.spends:
            conversation.remember(directives.topic[:200])
            account.count_question(now)
        entry.scripted = name
        turn = create_turn(question, conversation, directives, previous, self._state.clock, now)
        return turn, outcome.scenario(turn)

    def _judge(
        self, account: EmulatorAccount, conversation: ChatHubConversation, directives: Directives
    ) -> tuple[str, Directives]:
        """Return the outcome of a question that fits its conversation, with the directives that shape it.

        Captcha and quota come first, then what is scripted for the account, the conversation's own limits, and last
        the directives of the question.
        """
        if account.captcha:
            return "captcha", directives
        if account.is_over_quota(self._state.settings.daily_quota, self._state.clock.now()):
            return "throttled", directives
        script = self._state.take_script(account.name, "chat", CHAT_NAMES)
        if script is not None:
            directives = directives.override(script)
        elif conversation.turns >= conversation.limit:
            return "turn-limit", directives
        elif conversation.disengaged:
            return "empty", directives
        return directives.outcome or outcomes.default(directives), directives

    async def _play(
        self, request: web.Request, socket: web.WebSocketResponse, entry: TurnEntry, steps: Iterator[Step]
    ) -> None:
        """Carry out the steps until one ends the answer or the client has left."""
        pacer = Pacer(self._state.settings.pace)
        try:
            for step in steps:
                if isinstance(step, SendDelta):
                    entry.deltas += 1
                    entry.length = step.length
                    await socket.send_str(step.data)
                elif isinstance(step, SendText):
                    await socket.send_str(step.data)
                elif isinstance(step, Pause | Tick):
                    await pacer.wait(step)
                elif isinstance(step, SendBinary):
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
        step: Step,
    ) -> None:
        """Carry out the step that ends an answer."""
        now = self._state.clock.now()
        if isinstance(step, SendFinal):
            finish(entry, step.outcome, now)
            await socket.send_str(step.data)
            await asyncio.sleep(LEAVE_LIMIT)
            await socket.close()
        elif isinstance(step, Close):
            finish(entry, "closed", now)
            await socket.close()
        elif isinstance(step, Reset):
            finish(entry, "reset", now)
            http_faults.reset(request)
        else:
            await asyncio.sleep(HOLD_LIMIT)
            await socket.close()


def unknown_conversation(conversation_id: str) -> ChatHubConversation:
    """Return what takes the place of a conversation that does not exist while its question is refused."""
    return ChatHubConversation(
        conversation_id, client="", signature="", access_token="", account="", limit=0, expires=0.0
    )


def create_turn(
    question: ChatQuestion,
    conversation: ChatHubConversation,
    directives: Directives,
    previous: str | None,
    clock: EmulatorClock,
    now: float,
) -> BingTurn:
    """Return the turn of a question. previous: the question before it in its conversation."""
    return BingTurn(
        directives=directives,
        question=question.text,
        tone=question.tone,
        locale=question.locale,
        invocation=question.invocation,
        request_id=question.request_id or str(uuid.uuid4()),
        conversation=conversation,
        previous=previous,
        clock=clock,
        started=now,
        number=conversation.turns,
    )


async def read(socket: web.WebSocketResponse) -> str:
    """Return the next text message. Raises ClientLeftError when the client leaves."""
    while True:
        message = await socket.receive()
        if message.type in LEFT:
            raise ClientLeftError
        if message.type is WSMsgType.TEXT:
            return str(message.data)


async def shake_hands(socket: web.WebSocketResponse, script: str | None) -> None:
    """Carry out the protocol's handshake, well or as scripted. Raises ClientLeftError when it fails."""
    first = await read(socket)
    if script == "silent-handshake":
        await asyncio.sleep(HOLD_LIMIT)
    if script == "handshake-close":
        raise ClientLeftError
    try:
        good = read_records(first)[0].get("protocol") == "json"
    except (ValueError, IndexError):
        good = False
    if script == "handshake-error" or not good:
        await socket.send_str(frames.record({"error": "Handshake was canceled."}))
        raise ClientLeftError
    await socket.send_str("{}" + frames.SEPARATOR)


async def receive_question(socket: web.WebSocketResponse) -> ChatQuestion:
    """Return the first question on the socket; pings and other records before it are passed over.

    Raises ClientLeftError when the client leaves or sends what is no record.
    """
    while True:
        try:
            for record in read_records(await read(socket)):
                question = read_question(record)
                if question is not None:
                    return question
        except ValueError as error:
            await socket.send_str(frames.record(frames.close(allow_reconnect=False)))
            raise ClientLeftError from error


async def wait_for_stop(socket: web.WebSocketResponse) -> bool:
    """Listen while the answer goes out, and return True at a stop record, False when the client has left."""
    while True:
        try:
            data = await read(socket)
        except ClientLeftError:
            return False
        if data == PING:
            continue
        try:
            if any(is_stop(record) for record in read_records(data)):
                return True
        except ValueError:
            continue  # the real service is not known to mind; the answer continues


async def send_last(socket: web.WebSocketResponse, last: str) -> None:
    """Send a last record, then wait for the client to leave."""
    try:
        async with asyncio.timeout(LEAVE_LIMIT):
            await socket.send_str(last)
            while True:
                await read(socket)
    except (ClientLeftError, TimeoutError, ConnectionError):
        return
