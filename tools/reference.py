"""Write docs/reference from the code: `python -m tools.reference`, which `make reference` runs."""

import asyncio
import json
import re
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_type_hints

import httpx
import typer
import yaml
from prometheus_client import Metric
from pydantic_settings import BaseSettings
from starlette.applications import Starlette
from starlette.routing import Route

from bing_chat_gateway.command import app as installed_command
from emulator.settings import EmulatorSettings
from gateway.answering.drain import ActiveRequests
from gateway.app import create_app
from gateway.docs import asyncapi, openapi
from gateway.errors import ERRORS, problem_for
from gateway.ops.metrics import GatewayMetrics, first_text_histogram
from gateway.settings import GatewaySettings
from wire.answers import Answers
from wire.ledger import AccountAlert
from wire.reasons import Reason
from wire.redis.store import Store
from wire.settings import SharedSettings
from wire.store_memory import StoreMemory
from worker.accounts.alerts import EVENTS, Alert, build_alert
from worker.metrics import WorkerMetrics
from worker.service import open_worker
from worker.settings import WorkerSettings

_ROOT = Path(__file__).parent.parent
FOLDER = _ROOT / "docs" / "reference"
_RULES = _ROOT / "deploy" / "monitoring" / "alerts.yml"
# Only a gateway that has the site built serves it.
_SITE = ("`/docs/en/`, `/docs/zh/`", "The documentation in English and in Chinese, after `make docs`.")
_NOTICE = "This page is generated from the code by `make reference`."
_SETTINGS: dict[str, type[BaseSettings]] = {
    "Gateways and workers": SharedSettings,
    "Gateways": GatewaySettings,
    "Workers": WorkerSettings,
    "The emulator": EmulatorSettings,
}


def main() -> None:
    """Write all pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in render_pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


def render_pages() -> dict[str, str]:
    """Return the text of each page by its file's name."""
    return {
        "settings.md": render_settings(),
        "metrics.md": asyncio.run(render_metrics()),
        "endpoints.md": asyncio.run(render_endpoints()),
        "commands.md": render_commands(),
        "reasons.md": render_reasons(),
        "alerts.md": render_alerts(),
    }


def render_settings() -> str:
    """Return the page of settings."""
    introduction = (
        "Settings come from the environment.\n"
        "A wrong value ends the start with one sentence.\n"
        "Times are in seconds, sizes in bytes."
    )
    sections = [_settings_section(title, kind) for title, kind in _SETTINGS.items()]
    return _page("Settings", introduction, *sections)


def _settings_section(title: str, kind: type[BaseSettings]) -> str:
    """Return a section with the settings of a class, except those that it shares with other processes."""
    prefix = kind.model_config.get("env_prefix", "")
    shared = SharedSettings.model_fields if kind is not SharedSettings else {}
    rows = [
        (f"`{prefix}{name}`".upper(), _default(field.default), field.description or "")
        for name, field in kind.model_fields.items()
        if name not in shared
    ]
    return _section(title, _table(("setting", "default", "meaning"), rows))


def _default(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{value}`".lower()
    whole = isinstance(value, float) and value.is_integer()
    return f"`{int(value) if whole else value}`"


async def render_metrics() -> str:
    """Return the page of metrics."""
    store, active_requests, first_text = Store("memory://"), ActiveRequests(), first_text_histogram()
    gateway = GatewayMetrics(active_requests, Answers(store), first_text, store, StoreMemory(store))
    async with open_worker(WorkerSettings.model_construct(), store, []) as worker:
        sections = [
            _metrics_section("Gateways", [*gateway.collect(), *first_text.collect()]),
            _metrics_section("Workers", WorkerMetrics(worker).collect()),
        ]
    await store.close()
    introduction = (
        "A gateway serves `/metrics` for Prometheus on its own port, a worker on `METRICS_PORT`.\n"
        "Both also have the `process_*` metrics of Prometheus's Python client, such as `process_open_fds`, "
        "`process_resident_memory_bytes` and `process_cpu_seconds_total`."
    )
    return _page("Metrics", introduction, *sections)


def _metrics_section(title: str, families: Iterable[Metric]) -> str:
    rows = [
        (
            f"`{family.name}_total`" if family.type == "counter" else f"`{family.name}`",
            family.type,
            # Only its samples have them in public, and here are no samples.
            _names(getattr(family, "_labelnames", ())),
            family.documentation,
        )
        for family in families
    ]
    return _section(title, _table(("metric", "kind", "labels", "meaning"), rows))


async def render_endpoints() -> str:
    """Return the page of endpoints, sockets and pages."""
    document = openapi.document()
    with tempfile.TemporaryDirectory() as folder:
        # Without such a file there is no console.
        (keys := Path(folder) / "admins").write_text(f"olivia {'0' * 64}\n")
        settings = GatewaySettings.model_construct(admin_keys_file=keys)
        app = create_app(settings, Store("memory://"), ActiveRequests())
    introduction = (
        "Parameters, headers, errors and shapes are in the documents at `/openapi.json` and `/asyncapi.json`, "
        "which `/docs` shows.\n"
        "A name with `?` may be left out; a name with a capital letter is a shape of `/openapi.json`."
    )
    tags = [_section(tag["name"], _tag(document, tag)) for tag in document["tags"]]
    pages = _table(("path", "meaning"), [*[row async for row in _html_pages(app, document["paths"])], _SITE])
    return _page("Endpoints", introduction, *tags, _section("Sockets", _sockets()), _section("Pages", pages))


def _tag(document: dict[str, Any], tag: dict[str, str]) -> str:
    """Return the description of a tag, one sentence a line, and the table of its operations."""
    return tag["description"].replace(". ", ".\n") + "\n\n" + _operations(document, tag["name"])


def _operations(document: dict[str, Any], tag: str) -> str:
    """Return the table of a tag's operations; methods of one path that do the same share a row."""
    rows: dict[tuple[str, str], list[str]] = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method == "parameters" or tag not in operation["tags"]:
                continue
            types = " or ".join(f"`{kind}`" for kind in operation["responses"]["200"]["content"])
            row = rows.setdefault((path, operation["summary"]), ["", _request(operation), types])
            row[0] += f", {method.upper()}" if row[0] else method.upper()
    cells = [(f"`{path}`", *row, summary) for (path, summary), row in rows.items()]
    return _table(("path", "methods", "request", "response", "meaning"), cells)


def _request(operation: dict[str, Any]) -> str:
    """Return the parameters of an operation's own, or the shape of its body."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if "$ref" in body:
        return f"`{body['$ref'].rpartition('/')[2]}`"
    parameters = [parameter for parameter in operation.get("parameters", ()) if parameter.get("in") == "query"]
    return _names(parameter["name"] + "?" * (not parameter["required"]) for parameter in parameters)


def _sockets() -> str:
    channels = asyncapi.document()["channels"].values()
    rows = [(f"`{channel['address']}`", channel["title"], channel["description"]) for channel in channels]
    return _table(("path", "frames", "meaning"), rows)


async def _html_pages(app: Starlette, documented: Iterable[str]) -> AsyncIterator[tuple[str, str]]:
    """Yield the path of each HTML page, with what the page says of itself."""
    paths = [route.path for route in app.routes if isinstance(route, Route) and "GET" in (route.methods or ())]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        for path in paths:
            if path not in documented and "{" not in path and not path.startswith("/console/"):
                response = await client.get(path)
                if response.headers["content-type"].startswith("text/html"):
                    yield f"`{path}`", _description(response.text)


def _description(html: str) -> str:
    match = re.search(r'<meta name="description" content="([^"]+)">', html)
    return match[1] if match else ""


def render_commands() -> str:
    """Return the page of commands."""
    introduction = (
        "From a checkout `.venv/bin/python -m bing_chat_gateway` instead of `bing-chat-gateway`.\n"
        "`python -m gateway`, `python -m worker`, which has `check`, `forget` and `accounts` too, and "
        "`python -m emulator` work there as well.\n"
        "`check`, `forget` and `accounts` work from wherever Redis is reached, with the settings of a worker.\n"
        "All end with 0, with 1 and a sentence when they failed, or with 2 when they were called in a wrong way.\n"
        "`--help` behind any of them shows the same."
    )
    rows = list(_commands("bing-chat-gateway", typer.main.get_command(installed_command)))
    return _page("Commands", introduction, _table(("command", "meaning"), rows))


def _commands(path: str, group: Any) -> Iterator[tuple[str, str]]:
    """Yield each command of a group and of the groups in it, as it is typed, and what it does."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(f"{path} {name}", command)
            continue
        arguments = [(parameter, _argument(parameter)) for parameter in command.params]
        usage = " ".join([path, name, *(shown for _, shown in arguments)])
        helps = [f"`{shown.strip('[]')}`: {parameter.help}." for parameter, shown in arguments]
        yield f"`{usage}`", " ".join([*command.help.split("\n\n"), *helps])


def _argument(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    if parameter.param_type_name == "argument":
        return str(name)
    return f"[{parameter.opts[0]}]" if parameter.is_flag else f"[{parameter.opts[0]} {name}]"


def render_reasons() -> str:
    """Return the page of reasons."""
    introduction = (
        "Why a request was refused, or an answer failed.\n"
        "The code is in the body; it is the HTTP status too, but for 110 and 120, which come with a 200.\n"
        "A failed answer that says when to come back cost nothing; its code is 503 where the table has 500.\n"
        "`account.throttled` is 120 only with such a time, else 500.\n"
        "Under `/v1` errors have a status, a type and a code of the OpenAI API; "
        "those of `/v1/messages` are in [the Anthropic API](../api/anthropic.md#errors)."
    )
    rows = [_reason(reason) for reason in Reason]
    return _page("Reasons", introduction, _table(("reason", "code", "Chinese", "English", "under /v1"), rows))


def _reason(reason: Reason) -> tuple[str, ...]:
    spec = ERRORS[reason]
    status, code = spec.openai.status or spec.status, spec.openai.code or reason
    openai = f"{status} `{spec.openai.type}` `{code}`"
    return f"`{reason}`", str(problem_for(reason).code), f"`{spec.zh}`", f"`{spec.en}`", openai


def render_alerts() -> str:
    """Return the page of alerts."""
    introduction = (
        "Prometheus fires alerts of its own rules, and workers send alerts about accounts to a webhook.\n"
        "`critical` means that clients get no answers, `warning` that they soon may not."
    )
    rules = (
        "The rules are in `deploy/monitoring/alerts.yml`.\n"
        "Each alert has three annotations: `summary` describes what is seen now, `condition` when it fires, "
        "`action` what to do.\n\n"
        + _table(("alert", "severity", "fires when", "what to do"), [_rule(rule) for rule in _rules()])
    )
    events = (
        "With `ALERT_WEBHOOK` one of the workers sends a POST request there for each event.\n"
        "A response other than 2xx, or none within 5 s, means that it is sent again, three times in all; "
        "then the worker's log has `could not send an alert`.\n"
        "For `ready`, `accounts` and `accounts.few` an account's pictures don't count.\n\n"
        + _table(("event", "when"), [(f"`{event}`", meaning) for event, meaning in EVENTS.items()])
        + "\n\nThe body is a JSON object, with all fields whatever the event; times are in UTC, by ISO 8601:\n\n"
        + _table(("field", "meaning"), _alert_fields())
        + f"\n\n```json\n{_sample_alert()}\n```"
    )
    return _page("Alerts", introduction, _section("Alerts of Prometheus", rules), _section("Events of workers", events))


def _rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(_RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _rule(rule: dict[str, Any]) -> tuple[str, ...]:
    annotations = rule["annotations"]
    duration = re.sub(r"(?<=\d)(?=[a-z])", " ", rule.get("for", "")).replace(" m", " min")
    lasting = f", and this lasts {duration}" if duration else ""
    return (
        f"`{rule['alert']}`",
        f"`{rule['labels']['severity']}`",
        annotations["condition"] + lasting,
        annotations["action"],
    )


def _alert_fields() -> Iterator[tuple[str, str]]:
    for name, hint in get_type_hints(Alert, include_extras=True).items():
        yield f"`{name}`", hint.__metadata__[0]


def _sample_alert() -> str:
    news = AccountAlert(3, 4, 0, "alice", "quarantined", Reason.ACCOUNT_CAPTCHA)
    return json.dumps(asdict(build_alert(news, 1704164645)), indent=2)


def _page(title: str, introduction: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", _NOTICE, introduction, *parts]) + "\n"


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "–"


if __name__ == "__main__":
    main()
