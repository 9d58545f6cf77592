"""A forwarder on loopback, in front of a gateway: what arrives there has left the program, whatever is inside it."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

READS = ("GET", "HEAD")
_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})
"""Headers that are between two neighbours."""


class Forwarder:
    """Passes everything on to the gateway at `target`, and counts it. `url` is its own address."""

    def __init__(self, target: str) -> None:
        self.arrived: list[tuple[str, str]] = []
        """Method and path of each call, in the order of arrival."""
        where = urlsplit(target)
        forwarder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                forwarder.arrived.append((self.command, urlsplit(self.path).path))
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
                behind = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
                try:
                    behind.request(self.command, where.path + self.path, body or None, headers)
                    answer = behind.getresponse()
                    content = answer.read()
                    self._answer(answer.status, answer.getheaders(), content)
                except OSError:
                    # the program or the gateway is gone
                    self.close_connection = True
                finally:
                    behind.close()

            def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in _HOP:
                        self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _any

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def writes(self) -> list[str]:
        """What arrived and was no reading."""
        return [f"{method} {path}" for method, path in list(self.arrived) if method not in READS]

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
