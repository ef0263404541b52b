"""The drop-in endpoints over HTTP: /api, /api_stream and /image."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway import envelope, params, relay, responses, sse
from gateway.relay import Relay
from gateway.turns import background
from wire.answers import Entry
from wire.errors import AnswerGoneError, StoreUnavailableError
from wire.jobs import new_answer_id, new_token
from wire.messages import TERMINAL, Chat, Failed, Final, Image, Work

METHODS = ["GET", "HEAD", "POST", "OPTIONS"]
# How long a client may take to send its body, in seconds.
_BODY_TIMEOUT = 30.0


@dataclass(frozen=True)
class Api:
    """The endpoints. `max_body` is in bytes."""

    relay: Relay
    max_body: int

    async def api(self, request: Request) -> Response:
        """A question, answered as one JSON document."""
        if request.method in ("HEAD", "OPTIONS"):
            return _nothing(request, "application/json")
        ask = params.ask(await self._fields(request))
        token = ask.token or new_token()
        event = await self._whole(request, _chat(request, ask), token, create=ask.token is None)
        if isinstance(event, Failed):
            return responses.refusal(relay.problem(event))
        return responses.ok(relay.final(event, token, streaming=False))

    async def image(self, request: Request) -> Response:
        """Pictures for a keyword."""
        if request.method in ("HEAD", "OPTIONS"):
            return _nothing(request, "application/json")
        work = Image(params.keyword(await self._fields(request)), request=request.state.request_id)
        event = await self._whole(request, work, new_token(), create=True)
        if isinstance(event, Failed):
            return responses.refusal(relay.problem(event))
        return responses.ok(envelope.images(event.images))

    async def api_stream(self, request: Request) -> Response | sse.AnswerStream:
        """A question, answered as server-sent events."""
        if request.method in ("HEAD", "OPTIONS"):
            return _nothing(request, "text/event-stream")
        events = "text/event-stream" in request.headers.get("accept", "")
        position = sse.position(request.headers.get("last-event-id", ""))
        if events and position is not None:
            return await self._resume(request, position)
        ask = params.ask(await self._fields(request))
        token, answer = ask.token or new_token(), new_answer_id()
        work = _chat(request, ask)

        def follow() -> AbstractAsyncContextManager[AsyncGenerator[Entry, None]]:
            return self._asked(request, answer, work, token, create=ask.token is None)

        return sse.AnswerStream(self.relay.turns, self.relay.limit, follow, answer, token, events)

    async def _resume(self, request: Request, position: sse.Position) -> Response | sse.AnswerStream:
        """Go on after `position`; 204, which an EventSource takes as the end, when there is nothing to go on with."""
        answer, seq = position.answer, position.seq
        try:
            token = await self.relay.answers.token(answer)
            reached = await self.relay.answers.read(answer, seq - 1) if seq else []
        except AnswerGoneError:
            return Response(status_code=204)
        except StoreUnavailableError:
            return _come_back(position)
        if seq and (not reached or isinstance(reached[0].event, TERMINAL)):
            return Response(status_code=204)
        if self.relay.turns.draining:
            return _come_back(position)
        request.state.answer = answer
        return sse.AnswerStream(
            self.relay.turns, self.relay.limit, lambda: self.relay.resume(answer), answer, token, events=True, after=seq
        )

    async def _whole(self, request: Request, work: Work, token: str, *, create: bool) -> Final | Failed:
        answer = new_answer_id()
        async with (
            self.relay.turns.turn(self.relay.limit) as turn,
            background(sse.watch(request.receive, turn)),
            self._asked(request, answer, work, token, create=create) as entries,
        ):
            return await self.relay.whole(entries)

    @asynccontextmanager
    async def _asked(
        self, request: Request, answer: str, work: Work, token: str, *, create: bool
    ) -> AsyncIterator[AsyncGenerator[Entry, None]]:
        async with self.relay.ask(answer, work, token, create=create) as entries:
            request.state.answer = answer
            yield entries

    async def _fields(self, request: Request) -> params.Fields:
        """The request's parameters: those of a POST's body win over those of the query."""
        fields = params.query(request.scope["query_string"])
        if request.method != "POST":
            return fields
        body = params.body(await self._body(request), request.headers.get("content-type", ""))
        return fields | {name: value for name, value in body.items() if value}

    async def _body(self, request: Request) -> bytes:
        """The body, whether or not its length was announced. HTTPException 413, 408."""
        announced = request.headers.get("content-length", "0")
        if announced.isdecimal() and int(announced) > self.max_body:
            raise HTTPException(413)
        body = bytearray()
        try:
            async with asyncio.timeout(_BODY_TIMEOUT):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > self.max_body:
                        raise HTTPException(413)
        except TimeoutError:
            raise HTTPException(408, headers={"connection": "close"}) from None
        return bytes(body)


def _chat(request: Request, ask: params.Ask) -> Chat:
    return Chat(ask.style, ask.question, request=request.state.request_id)


def _come_back(position: sse.Position) -> Response:
    """An EventSource comes back after the end of a stream, but gives up for good after an error."""
    return Response(sse.opening(position), headers=sse.HEADERS)


def _nothing(request: Request, media_type: str) -> Response:
    """The answer to a method that must ask nothing."""
    if request.method == "HEAD":
        return Response(media_type=media_type)
    return Response(status_code=204, headers={"allow": ", ".join(METHODS)})
