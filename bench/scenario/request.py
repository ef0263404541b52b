"""One HTTP request on a connection of its own, by the standard library, which works under gevent as it is."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from urllib.parse import urlencode, urlsplit

from bench.scenario.errors import WrongEndError, check
from bench.scenario.mix import LIMIT_S

STREAM = "text/event-stream"


@contextmanager
def request(
    host: str, path: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None, method: str = "GET"
) -> Iterator[HTTPResponse]:
    """Send a request to `host` (`http://name:port`); leaving the block closes the connection, whatever still comes."""
    address = urlsplit(host)
    kind = HTTPSConnection if address.scheme == "https" else HTTPConnection
    connection = kind(address.netloc, timeout=LIMIT_S)
    try:
        connection.request(method, f"{path}?{urlencode(fields)}", headers=dict(headers or {}))
        yield connection.getresponse()
    finally:
        connection.close()


def read_data(response: HTTPResponse) -> object:
    """Return the data in a response that is no stream. RefusedError, WrongEndError."""
    try:
        body: object = json.loads(response.read())
    except ValueError:
        raise WrongEndError(f"{response.status} with a body that is no JSON") from None
    return check(body, dict(response.headers.items()))


def is_stream(response: HTTPResponse) -> bool:
    """Return whether it is a stream; an error before the first byte is not."""
    return response.headers.get_content_type() == STREAM
