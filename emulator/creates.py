"""Opening a conversation."""

from aiohttp import web

from emulator import frames, outcomes, peer
from emulator.accounts import Account
from emulator.bing import Bing
from emulator.conversations import Conversation
from emulator.ledger import CreateEntry, finish

LOOP = "loop"  # marks the address of a redirect to itself, so that the loop outlives its script

REFUSALS = {
    "unauthorized-login": ("UnauthorizedRequest", "Sorry, you need to login first to access this service."),
    "not-allowed": ("UnauthorizedRequest", "Sorry, you are not allowed to access this service."),
    "forbidden": ("Forbidden", "Sorry, you are not allowed to access this service."),
    "internal": ("InternalServerError", "Error processing request."),
    "try-later": ("TryLater", "Please try again later."),
    "no-ids": ("Success", None),
}


class Creates:
    def __init__(self, bing: Bing) -> None:
        self._bing = bing

    async def handle(self, request: web.Request) -> web.Response:
        account = self._bing.accounts.get(peer.account_of(request))
        entry = CreateEntry(started=self._bing.clock.now(), account=account.name)
        self._bing.ledger.creates.append(entry)
        script = outcomes.scripted(self._bing.accounts.take(account.name, "create") or "success", "create")
        name = "redirect-loop" if LOOP in request.query else script.outcome or "success"
        try:
            answer = await peer.refused(request, script) or self._answer(request, account, entry, name)
            finish(entry, name, self._bing.clock.now())
            return answer
        finally:
            finish(entry, "client gone", self._bing.clock.now())

    def _answer(self, request: web.Request, account: Account, entry: CreateEntry, name: str) -> web.Response:
        if name in REFUSALS:
            value, message = REFUSALS[name]
            return json_response({"result": {"value": value, "message": message}})
        if name == "html":
            return peer.page("Bing")
        if name == "empty":
            return web.Response()
        if name == "bad-json":
            return web.Response(text='{"conversationId": ', content_type="application/json")
        if name == "redirect-loop":
            return web.Response(status=302, headers={"Location": f"{request.path}?{LOOP}=1"})
        header_only = name == "header-only"
        conversation = self._bing.conversations.create(account, self._bing.clock.now(), header_only)
        entry.conversation = conversation.id
        return success(conversation)


def json_response(body: frames.Json) -> web.Response:
    return web.Response(text=frames.dump(body), content_type="application/json", charset="utf-8")


def success(conversation: Conversation) -> web.Response:
    """The conversation's ids; its signature is in the headers and, unless these alone carry it, in the body."""
    signature = {} if conversation.header_only else {"conversationSignature": conversation.signature}
    response = json_response(
        {
            "conversationId": conversation.id,
            "clientId": conversation.client,
            **signature,
            "result": {"value": "Success", "message": None},
        }
    )
    response.headers["X-Sydney-ConversationSignature"] = conversation.signature
    response.headers["X-Sydney-EncryptedConversationSignature"] = conversation.access_token
    return response
