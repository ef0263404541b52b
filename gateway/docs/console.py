"""The endpoints of the operator's console. They need an admin's key, which has a security scheme of its own."""

import json
from typing import Any, get_args

from gateway.docs import headers
from gateway.docs.error_responses import references
from gateway.docs.json_schema import (
    ANSWER,
    BOOLEAN,
    COUNT,
    STRING,
    Node,
    array_of,
    const,
    described,
    enum,
    object_of,
    ref,
)
from gateway.docs.schemas import error, stream_event
from wire.ledger import AccountState, Order
from wire.reasons import Reason

SCHEME = "admin"
_OFF = "Without `ADMIN_KEYS_FILE` the console is off, and this a 404."
_ACCOUNT = headers.path_parameter("name", "The account's name.", "alice")
_ORDER = headers.path_parameter("order", "What to do with the account.", "pause") | {"schema": enum(*get_args(Order))}
_NAMED_ANSWER = headers.path_parameter("answer", "The answer, by its `id` in the console, or by its own id.", ANSWER)
_WHEN = {
    400: ("The body is not JSON, or the name or the export in it is invalid.", Reason.EXPORT_NAME),
    401: ("The admin key is missing or wrong.", Reason.REQUEST_UNAUTHORIZED),
    403: ("A browser asks for a page whose origin is not in CORS_ORIGINS.", Reason.REQUEST_ORIGIN),
    404: ("The console is off, or there is no such account or answer.", Reason.REQUEST_PATH),
    408: ("The body didn't arrive in time.", Reason.REQUEST_SLOW),
    413: ("The body is larger than 3 MiB.", Reason.REQUEST_TOO_LARGE),
    415: ("The body is compressed.", Reason.REQUEST_ENCODING),
    421: ("ALLOWED_HOSTS lacks the name in the address.", Reason.REQUEST_HOST),
    429: ("Too many wrong keys from this address, too many open consoles, or too many exports.", Reason.REQUEST_RATE),
}
_TIME = described(COUNT, "In Unix ms, by the clock of Redis; 0 for none.")
_SECONDS = described(COUNT, "In seconds.")
_QUEUE: dict[str, Any] = {"length": 0, "oldest": 0, "wait": 0, "clients": 0, "longest": "", "since": 0, "free": 8}
_STATE = {
    "now": 1704164645000,
    "state": {
        "accounts": [],
        "disputed": False,
        "workers": [],
        "gateways": [],
        "answers": [],
        "queue": _QUEUE,
        "store": {"percent": 12, "risks": []},
    },
}


def security_scheme() -> Node:
    """Return the scheme of admin keys."""
    return {
        "type": "http",
        "scheme": "bearer",
        "description": "For the console's endpoints: one of the keys that `ADMIN_KEYS_FILE` lists. An API key is none.",
    }


def paths() -> dict[str, Node]:
    """Return the paths with their operations."""
    common = headers.parameter_refs("X-Request-ID", "traceparent", "Accept-Language")
    return {
        "/console/live": {"parameters": common, "get": _live()},
        "/console/accounts": {"parameters": common, "post": _import_account()},
        "/console/accounts/{name}/{order}": {
            "parameters": [_ACCOUNT, _ORDER, *common],
            "post": _operation(
                "orderAccount",
                "Pause, resume, release or reset an account",
                "For chat and for pictures. `pause`: no new questions. `resume`: questions again. `release`: a cooling "
                "or quarantined account gets one question, and all others if that goes well. `reset`: ready, with all "
                "failures and counts forgotten.",
                _done(401, 403, 404, 421, 429),
            ),
        },
        "/console/answers/{answer}/stop": {
            "parameters": [_NAMED_ANSWER, *common],
            "post": _operation(
                "stopAnyAnswer",
                "Stop an answer of any client",
                "It ends with its text so far.",
                _done(401, 403, 404, 421, 429),
            ),
        },
    }


def _live() -> Node:
    stream = {
        "schema": ref("ConsoleStreamEvent"),
        "example": {"event": "state", "data": json.dumps(_STATE)},
    }
    responses = {
        "200": {
            "description": "Server-sent events, each with JSON: `hello` first, then `state`, `minutes` (counts), "
            "`events` (of the audit log), and `away` while Redis is.",
            "headers": headers.header_refs("X-Request-ID"),
            "content": {"text/event-stream": stream},
        }
    }
    described = "The stream ends when the gateway drains; connect again then."
    return _operation("watch", "Watch the system", described, responses | _refused(401, 403, 404, 421, 429))


def _import_account() -> Node:
    example = {"name": "alice", "export": '[{"name": "_U", "value": "…", "domain": ".bing.com"}]'}
    content = {"application/json": {"schema": ref("AccountExport"), "example": example}}
    return _operation(
        "importAccount",
        "Add an account, or replace its cookies",
        "A worker takes the export, and the result is an event of the audit log.",
        _done(400, 401, 403, 404, 408, 413, 415, 421, 429),
    ) | {"requestBody": {"required": True, "content": content}}


def _operation(operation: str, summary: str, description: str, responses: Node) -> Node:
    return {
        "operationId": operation,
        "tags": ["Console"],
        "summary": summary,
        "description": f"{description} {_OFF}",
        "security": [{SCHEME: []}],
        "responses": responses,
    }


def _done(*statuses: int) -> Node:
    success = {"schema": ref("Done"), "example": {"code": 200, "message": "success"}}
    done = {
        "description": "It is done.",
        "headers": headers.header_refs("X-Request-ID"),
        "content": {"application/json": success},
    }
    return {"200": done} | _refused(*statuses) | references(503)


def _refused(*statuses: int) -> Node:
    return {str(status): _refusal(status) for status in statuses}


def _refusal(status: int) -> Node:
    description, reason = _WHEN[status]
    return {
        "description": description,
        "headers": headers.header_refs("X-Request-ID", *(["Retry-After"] if status == 429 else [])),
        "content": {"application/json": {"schema": ref("ConsoleError"), "example": error(reason)}},
    }


def schemas() -> dict[str, Node]:
    """Return the schemas by name."""
    events = ("ConsoleHello", "ConsoleState", "ConsoleMinutes", "ConsoleEvents", "ConsoleAway")
    codes = enum(*sorted(_WHEN))
    return {
        "ConsoleError": object_of({"code": codes, "message": STRING}, description="A refusal."),
        "Done": object_of({"code": const(200), "message": const("success")}, description="A success without data."),
        "AccountExport": object_of(
            {
                "name": {"type": "string", "minLength": 1, "maxLength": 64},
                "export": described(
                    {"type": "string", "minLength": 1},
                    "Cookies in any usual form: JSON of an extension, cookies.txt, a Cookie header, a curl command. "
                    "1 MiB at most.",
                ),
            }
        )
        | {"additionalProperties": True},
        "ConsoleStreamEvent": stream_event(
            {"anyOf": [ref(name) for name in events]}, "One server-sent event.", named=True
        ),
        "ConsoleHello": object_of(
            {
                "admin": described(STRING, "The name of the key's owner."),
                "version": described(STRING, "The gateway's version."),
                "buckets": described(array_of({"type": "number"}), "Bounds of the times to first text, in seconds."),
            }
        ),
        "ConsoleState": object_of({"now": _TIME, "state": _state()}),
        "ConsoleMinutes": {
            "type": "object",
            "description": "Counts by name, by the minute (Unix time in minutes); a repeated minute replaces itself.",
            "additionalProperties": {"type": "object", "additionalProperties": COUNT},
        },
        "ConsoleEvents": array_of(
            {
                "type": "object",
                "description": "An event of the audit log; its fields depend on its kind.",
                "properties": {"id": STRING, "kind": STRING},
                "required": ["id", "kind"],
                "additionalProperties": STRING,
            }
        ),
        "ConsoleAway": object_of(
            {
                "reasons": described(
                    array_of(STRING), "Why it can't be used, a sentence each; empty if that isn't known."
                )
            },
            description="Redis doesn't answer, or can't be used.",
        ),
        "ConsoleAccount": _account(pictures=True),
        "ConsolePictures": _account(pictures=False),
    }


def _state() -> Node:
    process = {
        "name": STRING,
        "state": enum("up", "draining", "dead"),
        "version": STRING,
        "silent": described(COUNT, "Seconds without a heartbeat, from 5 on; else 0."),
    }
    return object_of(
        {
            "accounts": array_of(ref("ConsoleAccount")),
            "disputed": described(BOOLEAN, "Whether workers have different accounts files; the newest one counts."),
            "workers": array_of(object_of(process | {"slots": COUNT, "used": COUNT})),
            "gateways": array_of(object_of(process | {"turns": COUNT, "sockets": COUNT})),
            "queue": object_of(
                {
                    "length": COUNT,
                    "oldest": _TIME,
                    "wait": _SECONDS,
                    "clients": described(COUNT, "How many clients wait for a turn."),
                    "longest": described(
                        STRING,
                        "Who has waited longest of the 100 clients with the next turns: the name of its API key, or "
                        "`#` and a digest of its address, which is another one at each gateway; empty for none.",
                    ),
                    "since": _TIME,
                    "free": described(COUNT, "How many questions workers could take at once."),
                }
            ),
            "store": object_of(
                {
                    "percent": described(
                        COUNT, "How full Redis is: from 85 on questions are refused, or soon will be."
                    ),
                    "risks": described(
                        array_of(STRING), "What Redis's servers lack for a safe fail-over, a sentence for each."
                    ),
                }
            ),
            "answers": array_of(
                object_of(
                    {
                        "id": described(STRING, "The digest of the answer's id, as in logs."),
                        "state": STRING,
                        "accepted": _TIME,
                        "worker": described(STRING, "The worker that holds it; empty for none."),
                        "kind": enum("", "chat", "image", "call"),
                        "seq": COUNT,
                    }
                )
            ),
        }
    )


def _account(*, pictures: bool) -> Node:
    fields: dict[str, Node] = {
        "name": STRING,
        "provider": STRING,
        "state": enum(*get_args(AccountState)),
        "paused": BOOLEAN,
        "reason": described(STRING, "Why it is not ready; empty if it is."),
        "until": described(COUNT, "When a cooling account returns, in Unix ms; else 0."),
        "since": _TIME,
        "today": described(COUNT, "Questions in the last 24 hours."),
        "daily": described(COUNT, "Questions that it may be asked in 24 hours; 0 for unknown."),
        "flying": described(COUNT, "Questions in flight."),
        "bound": described(COUNT, "Questions in flight at most; 0 for no bound."),
        "failures": described(COUNT, "Failures in a row."),
        "expires": described(COUNT, "When its cookie expires, in Unix ms; 0 for unknown."),
        "weight": {"type": "number"},
        "known": described(BOOLEAN, "Whether a worker has reported it within a minute."),
    }
    if pictures:
        state = {"anyOf": [ref("ConsolePictures"), {"type": "null"}]}
        fields |= {
            "pictures": described(state, "The state for pictures, where that is apart."),
            "models": described(array_of(STRING), "The first hundred of its models."),
            "modelCount": described(COUNT, "How many models it has."),
            "disputed": described(BOOLEAN, "Whether workers have it with different models or abilities."),
        }
    return object_of(fields)
