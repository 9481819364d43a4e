"""One large file from one address: resumed after an interrupt, checked, and put in place whole.

What has arrived lies in ``NAME.part`` beside the target, and what the server said about it in
``NAME.part.json``, so that a later attempt asks for the rest only, and only if the file at the
address is still the same. Two processes never write one ``.part``: it is locked, and whoever comes
second waits and finds the work done.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from vde_nb._cache_folder import make_folder
from vde_nb._progress import heard, report
from vde_nb._text import byte_size
from vde_nb._version import __version__
from vde_nb.segment._partial import (
    locked_part,
    put_in_place,
    read_note,
    remove_empty,
    write_note,
)

__all__ = ["FetchError", "fetch", "file_hash"]

_CHUNK = 1 << 18  # bytes: small enough that a slow network is interrupted at once
_TIMEOUT = 20.0  # seconds without a byte
_TRIES = 4
_PAUSE = 1.0  # seconds before the second try; twice as many before each further one
_SPARE = 64 * 10**6  # bytes that are left free on the disk
_FULL = (errno.ENOSPC, errno.EDQUOT)


class FetchError(Exception):
    """The file could not be had; the message says why, in words, as a clause.

    Attributes
    ----------
    status
        The server's answer, 0 where there was none.
    """

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


class _Broken(Exception):
    """The connection broke, or the server was busy: worth another try."""


class _Unreached(_Broken):
    """There was no connection at all."""


def fetch(
    address: str,
    target: Path,
    *,
    digest: str = "",
    what: str,
    token: str = "",
    schemes: Collection[str] = ("https",),
    unchecked: bool = False,
) -> str:
    """Bring the file at `address` to `target`, replacing what is there.

    Parameters
    ----------
    digest
        ``"sha256:"`` or ``"md5:"`` and how its checksum begins; empty: as the server says, where
        it does (the Hugging Face hub names the SHA-256 of its large files).
    what
        What it is, for people.
    token
        Sent to the host of `address` only, never to one that it forwards to.
    schemes
        Of `address`, and of every address it forwards to.
    unchecked
        Take the file also when nobody names its checksum.

    Returns
    -------
    str
        The checksum the file was found to have, such as ``"sha256:..."``; empty when none was
        known, or when another process fetched it meanwhile.

    Raises
    ------
    FetchError
        It could not be had. What has arrived stays, for the next attempt, unless it is wrong or
        the disk is full.

    Notes
    -----
    Progress goes to :func:`vde_nb._progress.report`, or where nobody listens to a bar of tqdm.
    """
    before = _stamp(target)
    waiting = f"{what}: another process is downloading it"
    try:
        make_folder(target.parent)
        with locked_part(target, lambda: _wait(0.2, waiting)) as file:
            try:
                if _stamp(target) != before:  # another process has been at it while we waited
                    return ""
                found = _Job(file, address, target, what, token, schemes, digest, unchecked).run()
                put_in_place(file, target)
                return found
            except OSError as error:
                if error.errno in _FULL:
                    file.truncate(0)  # others need the space
                raise
            finally:
                remove_empty(file, target)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FetchError(
            f"{target.parent} cannot be written to ({reason}); VDE_NB_CACHE names another folder"
        ) from error


def file_hash(path: Path, algorithm: str, what: str) -> str:
    """Hexadecimal checksum of a file, ``"sha256"`` or ``"md5"``; tells how far it is."""
    with path.open("rb") as file:
        return _hash(file, algorithm, what)


def _hash(file: IO[bytes], algorithm: str, what: str) -> str:
    size = os.fstat(file.fileno()).st_size
    hasher = hashlib.new(algorithm, usedforsecurity=False)
    file.seek(0)
    done = 0
    while chunk := file.read(1 << 22):
        hasher.update(chunk)
        done += len(chunk)
        report(f"{what}: checking", done / size)
    return hasher.hexdigest()


@dataclass(frozen=True)
class _Job:
    """What is fetched into which open file; the other fields as for :func:`fetch`."""

    file: IO[bytes]
    address: str
    target: Path
    what: str
    token: str
    schemes: Collection[str]
    digest: str
    unchecked: bool

    @property
    def have(self) -> int:
        return os.fstat(self.file.fileno()).st_size

    def run(self) -> str:
        """Have the whole file, and its checksum right."""
        is_resumed = self.have > 0
        while True:
            named = self.receive()
            algorithm, _, expected = (self.digest or named).partition(":")
            if not expected:
                return ""
            found = _hash(self.file, algorithm, self.what)
            if found.startswith(expected):
                return f"{algorithm}:{found}"
            self.file.truncate(0)
            if not is_resumed:
                raise FetchError(
                    f"what arrived is not the file: its {algorithm.upper()} is {found} and should "
                    f"{'be' if len(expected) == len(found) else 'begin with'} {expected}"
                )
            is_resumed = False  # what lay here from before may be at fault: from the beginning

    def receive(self) -> str:
        """Fill the file in as many tries as it takes; the checksum the server names, if any."""
        pause = _PAUSE
        for left in range(_TRIES - 1, -1, -1):
            before = self.have
            try:
                return self.attempt()
            except _Broken as error:
                is_first = left == _TRIES - 1
                if not left or (is_first and isinstance(error, _Unreached)):
                    raise FetchError(str(error)) from error
            if self.have > before:
                pause = _PAUSE
            _wait(pause, f"{self.what}: the connection broke, trying again")
            pause *= 2
        raise AssertionError("the last try returns or raises")

    def attempt(self) -> str:
        have = self.have
        validator = read_note(self.target, self.address) if have else ""
        if not validator:
            have = 0  # from another address, or from nobody knows where
        redirects = _Redirects(self.schemes)
        redirects.check(self.address)
        try:
            opener = urllib.request.build_opener(redirects)
            answer = opener.open(self.request(have, validator), timeout=_TIMEOUT)
        except urllib.error.HTTPError as error:
            with error:
                self.refused(error, have)
                return self.checksum(redirects, error.headers)
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error) or type(error).__name__
            raise _Unreached(f"the network does not lead there ({reason})") from error
        with answer:
            named = self.checksum(redirects, answer.headers)
            self.read(answer, have, validator)
        return named

    def checksum(self, redirects: _Redirects, headers: Any) -> str:
        """What the server names, empty where that does not matter; otherwise raise."""
        named = redirects.named or _checksum(headers)
        if not (self.digest or named or self.unchecked):
            raise FetchError(
                "the server names no checksum, so nobody could tell whether it is the right file; "
                "HF_ENDPOINT can name another server"
            )
        return named

    def request(self, have: int, validator: str) -> urllib.request.Request:
        request = urllib.request.Request(  # noqa: S310 - the scheme is checked before
            self.address,
            headers={"User-Agent": f"vde-nb/{__version__}", "Accept-Encoding": "identity"},
        )
        if self.token:  # unredirected: the hub forwards to the hosts of others
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        if have:
            request.add_header("Range", f"bytes={have}-")
            request.add_header("If-Range", validator)
        return request

    def refused(self, error: urllib.error.HTTPError, have: int) -> None:
        """Return if nothing was left to send, otherwise raise."""
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            if error.headers.get("Content-Range", "") == f"bytes */{have}":
                return
            self.file.truncate(0)
            raise _Broken("the server has another file than before") from error
        told = f"the server answers {error.code} ({error.reason})"
        if error.code == HTTPStatus.TOO_MANY_REQUESTS or error.code >= 500:
            raise _Broken(told) from error
        raise FetchError(told, error.code) from error

    def read(self, answer: Any, have: int, validator: str) -> None:
        """Append the body of `answer` to the first `have` bytes of the file."""
        if answer.headers.get_content_type() == "text/html":
            raise FetchError("it answers with a web page, perhaps of a network that wants a login")
        start, total = _extent(answer, have)
        now = _validator(answer.headers)
        if start and now and now != validator:
            self.file.truncate(0)
            raise _Broken("the server has another file than before")
        _check_space(self.target.parent, (total or 0) - start)
        self.file.truncate(start)
        self.file.seek(start)
        write_note(self.target, self.address, now)
        done = start
        with _meter(self.what, start, total) as tell:
            while chunk := _receive(answer, done):
                done += _write(self.file, chunk)
                tell(done)
        if total is not None and done != total:
            raise _Broken(f"the connection ended after {byte_size(done)} of {byte_size(total)}")


def _checksum(headers: Any) -> str:
    """The checksum that the hub, or a mirror of it, names of a large file; empty for none."""
    etag = str(headers.get("X-Linked-ETag", "")).strip('"')
    return f"sha256:{etag}" if re.fullmatch("[0-9a-f]{64}", etag) else ""


def _validator(headers: Any) -> str:
    """What the server calls this version of the file, so that a part of it can be asked for."""
    etag = str(headers.get("ETag", ""))
    # a weak one promises the same meaning, not the same bytes
    return etag if etag.startswith('"') else str(headers.get("Last-Modified", ""))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _extent(answer: Any, have: int) -> tuple[int, int | None]:
    """Where the body begins in the file, and how long the file is (None: not said)."""
    length = answer.headers.get("Content-Length", "")
    if answer.status != HTTPStatus.PARTIAL_CONTENT:
        return 0, int(length) if length.isdecimal() else None
    part, _, total = answer.headers.get("Content-Range", "").rpartition("/")
    if not part.startswith(f"bytes {have}-") or not total.isdecimal():
        raise FetchError("the server sends another part of the file than it was asked for")
    return have, int(total)


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed + _SPARE:
        raise FetchError(
            f"there is not enough space: {byte_size(free)} free in {folder}, {byte_size(needed)} "
            f"needed and {byte_size(_SPARE)} to spare; VDE_NB_CACHE names another folder"
        )


def _receive(answer: Any, done: int) -> bytes:
    """The next bytes of a body of which `done` are here; the disk's errors are not in here."""
    try:
        chunk: bytes = answer.read1(_CHUNK)
    except (http.client.HTTPException, OSError) as error:
        raise _Broken(f"the connection broke after {byte_size(done)} ({error})") from error
    return chunk


def _write(file: IO[bytes], chunk: bytes) -> int:
    rest = memoryview(chunk)
    while rest:
        rest = rest[file.write(rest) :]
    return len(chunk)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to allowed schemes only, and notes the checksum the hub names on the way."""

    def __init__(self, schemes: Collection[str]) -> None:
        self._schemes = schemes
        self.named = ""

    def check(self, address: str) -> None:
        if urlsplit(address).scheme not in self._schemes:
            raise FetchError(f"{address} is not an address that begins with https://")

    def redirect_request(
        self, req: Any, fp: Any, code: Any, msg: Any, headers: Any, newurl: str
    ) -> Any:
        self.check(newurl)
        self.named = _checksum(headers) or self.named
        follow = super().redirect_request(req, fp, code, msg, headers, newurl)
        if follow is not None and follow.host == req.host:  # a model that was renamed
            for name, value in req.unredirected_hdrs.items():
                if name == "Authorization":
                    follow.add_unredirected_header(name, value)
        return follow


def _wait(seconds: float, what: str) -> None:
    """Sleep, in steps short enough for whoever listens to end it."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        report(what)
        time.sleep(min(left, 0.1))


@contextmanager
def _meter(what: str, start: int, total: int | None) -> Iterator[Any]:
    """Give a function of the bytes done so far, which tells it."""
    text = f"{what}: downloading{f' {byte_size(total)}' if total else ''}"
    bar = None if heard() else _bar(what, start, total)
    if bar is None:
        yield lambda done: report(text, done / total if total else None)
        return
    with bar:
        yield lambda done: bar.update(done - bar.n)


def _bar(what: str, start: int, total: int | None) -> Any:
    try:
        from tqdm.auto import tqdm  # a widget in a notebook
    except ImportError:
        return None
    # None: only where it is a terminal, not into a log file
    return tqdm(desc=what, total=total, initial=start, unit="B", unit_scale=True, disable=None)
