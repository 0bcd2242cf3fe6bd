"""A server on loopback that serves one file and misbehaves as it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

Behaviour = Literal["good", "drop", "no ranges", "wrong bytes", "missing", "error", "busy", "hang", "oversize", "slow"]


@dataclass
class Loopback:
    """What the server does and what it saw."""

    content: bytes
    behaviours: list[Behaviour] = field(default_factory=list)
    """One for each request in turn; after the last one it is good."""
    ranges: list[str | None] = field(default_factory=list)
    """The Range header of each request."""
    address: str = ""
    release: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serve(content: bytes, *behaviours: Behaviour) -> Iterator[Loopback]:
    """Serve `content` under every path."""
    state = Loopback(content, list(behaviours))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.ranges.append(wanted)
            behaviour = state.behaviours.pop(0) if state.behaviours else "good"
            start = 0 if wanted is None or behaviour == "no ranges" else int(wanted.removeprefix("bytes=").rstrip("-"))
            body = state.content[start:]
            match behaviour:
                case "missing":
                    self.refuse(404)
                    return
                case "error":
                    self.refuse(503, {"Retry-After": "7"})
                    return
                case "busy":
                    self.refuse(429)
                    return
                case "hang":
                    state.release.wait(900)
                    self.refuse(200)
                    return
                case "wrong bytes":
                    body = bytes(len(body))
                case "oversize":
                    body = state.content + b"more"
                case _:
                    pass
            status = 206 if start else 200
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if behaviour == "drop":
                self.wfile.write(body[: len(body) // 2])
                self.close_connection = True
            elif behaviour == "slow":
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                state.release.wait(900)
                self.wfile.write(body[len(body) // 2 :])
            else:
                self.wfile.write(body)

        def refuse(self, status: int, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {**(headers or {}), "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Clients that leave midway are part of the tests."""

    server = Server(("127.0.0.1", 0), Handler)
    # The pause after which it sees that it is to end.
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        state.release.set()
        server.shutdown()
        thread.join()
        server.server_close()
