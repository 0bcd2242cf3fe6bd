"""One file over HTTPS: resumed where it broke off, tried again where that may help, checked before it gets its name."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from quovadis.durable import atomic_replace, cache_error
from quovadis.errors import DownloadError
from quovadis.fetch.files import OfficialFile, is_correct
from quovadis.progress import DownloadProgress
from quovadis.version import __version__

_LONGEST_WAIT_SECONDS = 60.0
_TRANSIENT_STATUS = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait for a server, and how often to ask."""

    attempts: int = 5
    """Tries without progress before giving up; a try that brought bytes does not count."""
    connect_seconds: float = 10.0
    read_seconds: float = 30.0
    first_wait_seconds: float = 0.5
    """Pause after the first failure; doubled after each further one."""
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)


class _TransientError(Exception):
    """A failure that may pass; with the seconds that the server asked to wait."""

    def __init__(self, reason: str, wait_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds


def download(
    address: str,
    destination: Path,
    file: OfficialFile,
    *,
    progress: DownloadProgress,
    patience: Patience | None = None,
) -> None:
    """Fetch `file` from `address` to `destination`.

    The bytes gather in `destination` with `.part` added, which a later call, of this or another process, resumes from.
    Since the content is known by its hash, a part needs no validator of the server's: a wrong one is found at the end,
    thrown away, and fetched once more from the start.

    Raises:
        DownloadError: the server cannot be reached, refuses, or sends something else.
        CacheError: the cache cannot be written.
    """
    patience = patience or Patience()
    part = destination.with_name(destination.name + ".part")
    timeout = httpx.Timeout(patience.read_seconds, connect=patience.connect_seconds)
    headers = {"User-Agent": f"quovadis/{__version__}", "Accept-Encoding": "identity"}
    with _explained(address), httpx.Client(timeout=timeout, follow_redirects=True, headers=headers) as client:
        resumed = part.exists() and part.stat().st_size > 0
        _fetch(client, address, part, file, progress, patience)
        if not is_correct(part, file) and resumed:
            part.unlink()
            _fetch(client, address, part, file, progress, patience)
        if not is_correct(part, file):
            part.unlink()
            raise DownloadError(f"{address} sent a file with the wrong checksum")
        atomic_replace(part, destination)


@contextmanager
def _explained(address: str) -> Iterator[None]:
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DownloadError(f"{address}: {_reason(error)}") from error
    except OSError as error:
        raise cache_error(Path(error.filename or "the cache"), error) from error


def _fetch(
    client: httpx.Client,
    address: str,
    part: Path,
    file: OfficialFile,
    progress: DownloadProgress,
    patience: Patience,
) -> None:
    failures = most = 0
    while True:
        done = part.stat().st_size if part.exists() else 0
        if done > file.size:
            part.unlink()
            done = 0
        progress(file.name, done, file.size)
        if done == file.size:
            return
        try:
            _receive(client, address, part, done, file, progress)
        except (httpx.TransportError, _TransientError) as error:
            # Progress is more than ever before: a server without ranges that breaks off now early, now late, has none.
            reached = part.stat().st_size if part.exists() else 0
            failures = 0 if reached > max(most, done) else failures + 1
            most = max(most, done, reached)
            if _is_hopeless(error) or failures >= patience.attempts:
                raise DownloadError(f"{address}: {_reason(error)}") from error
            asked = error.wait_seconds if isinstance(error, _TransientError) else None
            wait = patience.first_wait_seconds * 2 ** max(failures - 1, 0) if asked is None else asked
            patience.sleep(min(wait, _LONGEST_WAIT_SECONDS))


def _receive(
    client: httpx.Client, address: str, part: Path, done: int, file: OfficialFile, progress: DownloadProgress
) -> None:
    headers = {"Range": f"bytes={done}-"} if done else {}
    with client.stream("GET", address, headers=headers) as response:
        if response.status_code in _TRANSIENT_STATUS:
            raise _TransientError(f"status {response.status_code}", _retry_after(response))
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and done:
            part.unlink()
            raise _TransientError("the server has fewer bytes than were fetched before", 0.0)
        if response.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
            raise DownloadError(f"{address}: status {response.status_code}")
        # A server that knows no ranges sends the whole again.
        resumes = response.status_code == httpx.codes.PARTIAL_CONTENT
        if resumes and not response.headers.get("Content-Range", f"bytes {done}-").startswith(f"bytes {done}-"):
            part.unlink(missing_ok=True)
            raise _TransientError("the server sent another range than was asked for")
        done = done if resumes else 0
        with part.open("ab" if resumes else "wb") as stream:
            for chunk in response.iter_raw():
                done += len(chunk)
                if done > file.size:
                    stream.close()
                    part.unlink()
                    raise DownloadError(f"{address} sent more than the {file.size:,} bytes of {file.name}")
                stream.write(chunk)
                progress(file.name, done, file.size)
    if done < file.size:
        raise _TransientError(f"broke off after {done:,} of {file.size:,} bytes")


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None


def _is_hopeless(error: Exception) -> bool:
    """Tell failures that a second try cannot fix: a name that does not resolve, a protocol that does not exist."""
    if isinstance(error, httpx.UnsupportedProtocol):
        return True
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
