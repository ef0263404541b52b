"""A file of keys that counts as it is now: keys may be added and removed while gateways run."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import structlog

from gateway.auth.api_keys import ApiKey, load_keys, read_keys

_LOG = structlog.get_logger()
# Shows that a file has changed, without reading it.
_Signature = tuple[int | str, ...]


class KeyFile:
    """The keys of the file that `setting` names; iterating yields those that count now.

    Raises ValueError as `load_keys` does.
    """

    def __init__(self, path: Path, setting: str) -> None:
        self._path = path
        self._setting = setting
        # From before: what is written meanwhile has another one.
        self._read_at = self._seen = _signature(path)
        self._keys = load_keys(path, setting)
        self._fault = ""

    def __iter__(self) -> Iterator[ApiKey]:
        """Iterate over the keys."""
        return iter(self._keys)

    async def refresh(self) -> None:
        """Read the file if it has changed, but not before two calls see the same: it may be in the middle of a write.

        A file that can't be understood is logged once, and the keys that were read last continue to count.
        """
        signature = await asyncio.to_thread(_signature, self._path)
        settled, self._seen = signature == self._seen, signature
        if not settled or signature == self._read_at:
            return
        try:
            keys = await asyncio.to_thread(read_keys, self._path, self._setting)
        except ValueError as error:
            # It is read again each time: what is wrong may be no matter of the file, as with too many open ones.
            self._log_fault(str(error))
            return
        self._read_at, self._keys, self._fault = signature, keys, ""
        if keys:
            _LOG.info("the file of keys was read again", setting=self._setting, keys=len(keys))
        else:
            _LOG.warning("the file of keys lists none: every key is refused", setting=self._setting)

    def _log_fault(self, sentence: str) -> None:
        if sentence != self._fault:
            self._fault = sentence
            _LOG.warning("the file of keys can't be used; the keys from before count", cause=sentence)


async def follow_keys(files: Sequence[KeyFile], *, look_every: float) -> None:
    """Refresh the files every `look_every` seconds, until cancelled: a change counts after two to three times that."""
    while True:
        await asyncio.sleep(look_every)
        for file in files:
            try:
                await file.refresh()
            except Exception:  # noqa: BLE001 - logged; it must not end the following for good
                _LOG.exception("could not look at a file of keys")


def _signature(path: Path) -> _Signature:
    """Return the file's metadata. Links are followed, so that an exchanged link shows."""
    try:
        status = os.stat(path)
    except OSError as error:
        return (str(error.strerror),)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
