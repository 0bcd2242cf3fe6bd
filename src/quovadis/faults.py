"""Unexpected exceptions: one line for the user, and the traceback for debugging.

Everything that works on many videos turns what it did not expect into an `UnexpectedError` here, so that one video
costs no other. The traceback goes to the logger `quovadis` at level DEBUG, which `show_tracebacks` shows on stderr.
"""

from __future__ import annotations

import logging
import os
import sys

from quovadis.environment import is_true
from quovadis.errors import UnexpectedError, VideoError
from quovadis.escape import printable

DEBUG_VARIABLE = "QUOVADIS_DEBUG"

_USERS = "raised by the iterable of frames that was given"
_logger = logging.getLogger("quovadis")


def unexpected(name: str, error: Exception) -> UnexpectedError:
    """Return the error for a video whose work raised an unexpected exception, and log its traceback.

    Args:
        name: what the user calls the video.
        error: the exception.
    """
    log_traceback(error)
    found = UnexpectedError(f"{name}: {describe(error)}")
    found.__cause__ = error
    return found


def mark_as_users(error: Exception) -> None:
    """Note, also for whoever reads its traceback, that an exception comes out of an iterable that the user gave."""
    if _USERS not in getattr(error, "__notes__", ()):
        error.add_note(_USERS)


def users_error(name: str, error: Exception) -> VideoError | None:
    """Return the error for a video whose own iterable of frames raised an exception; None: something else did."""
    if _USERS not in getattr(error, "__notes__", ()):
        return None
    said = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    found = VideoError(f"{name}: its iterable of frames raised {said}")
    found.__cause__ = error
    return found


def describe(error: BaseException) -> str:
    """Return one line on an unexpected exception, and what to do about it."""
    message = " ".join(str(error).split())
    said = f"unexpected {type(error).__name__}: {message}" if message else f"unexpected {type(error).__name__}"
    advice = (
        "report it with the traceback above" if is_debugging() else f"run again with `{DEBUG_VARIABLE}=1` and report it"
    )
    return f"{said}; this is a bug in quovadis: {advice}"


def log_traceback(error: BaseException) -> None:
    """Log the traceback of an exception for debugging."""
    _logger.debug("%s", type(error).__name__, exc_info=error)


def is_debugging() -> bool:
    """Tell whether tracebacks are shown."""
    return any(isinstance(handler, _TracebackHandler) for handler in _logger.handlers)


def show_tracebacks() -> None:
    """Show on stderr, from now on, the tracebacks of unexpected exceptions; safe to call twice."""
    if not is_debugging():
        _logger.addHandler(_TracebackHandler(logging.DEBUG))
        _logger.setLevel(logging.DEBUG)


def show_tracebacks_if_asked() -> None:
    """Show tracebacks if `QUOVADIS_DEBUG` asks for them."""
    if is_true(os.environ.get(DEBUG_VARIABLE, "")):
        show_tracebacks()


class _TracebackHandler(logging.Handler):
    """Writes what is logged to stderr, its control characters escaped: messages may hold names of files."""

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        sys.stderr.write("".join(f"{printable(line)}\n" for line in text.split("\n")))
        sys.stderr.flush()
