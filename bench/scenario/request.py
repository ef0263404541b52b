"""One HTTP request on a connection of its own, by the standard library, which works under gevent as it is."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from urllib.parse import urlencode, urlsplit

from bench.scenario.ends import WrongEndError, check
from bench.scenario.mix import LIMIT_S

STREAM = "text/event-stream"


@contextmanager
def requested(
    host: str, path: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None, method: str = "GET"
) -> Iterator[HTTPResponse]:
    """The response of `host` (`http://name:port`); leaving closes the connection, whatever is still to come."""
    place = urlsplit(host)
    kind = HTTPSConnection if place.scheme == "https" else HTTPConnection
    connection = kind(place.netloc, timeout=LIMIT_S)
    try:
        connection.request(method, f"{path}?{urlencode(fields)}", headers=dict(headers or {}))
        yield connection.getresponse()
    finally:
        connection.close()


def data_of(response: HTTPResponse) -> object:
    """The data in a response that is no stream. RefusedError, WrongEndError."""
    try:
        found: object = json.loads(response.read())
    except ValueError:
        raise WrongEndError(f"{response.status} with a body that is no JSON") from None
    return check(found, dict(response.headers.items()))


def streams(response: HTTPResponse) -> bool:
    """Whether it is a stream; an error before the first byte is not."""
    return response.headers.get_content_type() == STREAM
