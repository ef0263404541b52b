"""Opening a conversation."""

from aiohttp import web

from emulator import http_faults
from emulator.accounts import EmulatorAccount
from emulator.bing import outcomes
from emulator.bing.conversations import ChatHubConversation, ChatHubConversations
from emulator.bing.cookie_account import account_name
from emulator.directives import Directives
from emulator.json_text import Json, dump
from emulator.ledger import CreateEntry, finish
from emulator.state import EmulatorState

LOOP = "loop"  # marks the address of a redirect to itself, so that the loop outlives its script

REFUSALS = {
    "unauthorized-login": ("UnauthorizedRequest", "Sorry, you need to login first to access this service."),
    "not-allowed": ("UnauthorizedRequest", "Sorry, you are not allowed to access this service."),
    "forbidden": ("Forbidden", "Sorry, you are not allowed to access this service."),
    "internal": ("InternalServerError", "Error processing request."),
    "try-later": ("TryLater", "Please try again later."),
    "no-ids": ("Success", None),
}
NAMES = outcomes.names("create")


class ConversationCreate:
    """The endpoint that opens a conversation."""

    def __init__(self, state: EmulatorState, conversations: ChatHubConversations) -> None:
        self._state = state
        self._conversations = conversations

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a request for a conversation, as scripted."""
        account = self._state.accounts.get(account_name(request))
        entry = CreateEntry(started=self._state.clock.now(), account=account.name)
        self._state.ledger.creates.append(entry)
        script = self._state.take_script(account.name, "create", NAMES) or Directives()
        name = "redirect-loop" if LOOP in request.query else script.outcome or "success"
        try:
            response = await http_faults.apply_script(request, script) or self._answer(request, account, entry, name)
            finish(entry, name, self._state.clock.now())
            return response
        finally:
            finish(entry, "client gone", self._state.clock.now())

    def _answer(self, request: web.Request, account: EmulatorAccount, entry: CreateEntry, name: str) -> web.Response:
        if name in REFUSALS:
            value, message = REFUSALS[name]
            return json_response({"result": {"value": value, "message": message}})
        if name == "html":
            return http_faults.page("Bing")
        if name == "empty":
            return web.Response()
        if name == "bad-json":
            return web.Response(text='{"conversationId": ', content_type="application/json")
        if name == "redirect-loop":
            return web.Response(status=302, headers={"Location": f"{request.path}?{LOOP}=1"})
        conversation = self._conversations.create(account, self._state.clock.now(), name == "header-only")
        entry.conversation = conversation.id
        return success(conversation)


def json_response(body: Json) -> web.Response:
    """Return a response in JSON."""
    return web.Response(text=dump(body), content_type="application/json", charset="utf-8")


def success(conversation: ChatHubConversation) -> web.Response:
    """Return the conversation's ids; its signature is in the headers and, unless these alone carry it, in the body."""
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
