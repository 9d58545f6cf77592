"""Small real servers on loopback that note what reaches them, and certificates made for a test."""

import ssl
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Got:
    """A request as it came: its first line and every header, as one text."""

    method: str
    target: str
    text: str


@dataclass(frozen=True)
class Given:
    """An answer."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b"{}"


class Noting:
    """A server that notes what comes; `answer` says what it gives for a target. With `tls` it speaks TLS."""

    def __init__(
        self, answer: Callable[[str], Given], tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        self.got: list[Got] = []
        noting = self

        class Handler(BaseHTTPRequestHandler):
            def _any(self) -> None:
                noting.got.append(Got(self.command, self.path, f"{self.requestline}\n{self.headers}"))
                given = answer(self.path)
                self.send_response(given.status)
                for name, value in given.headers:
                    self.send_header(name, value)
                self.send_header("content-length", str(len(given.body)))
                self.end_headers()
                self.wfile.write(given.body)

            do_GET = do_POST = do_CONNECT = _any

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """A handshake that a client breaks off is what some tests want."""

        self._server = Server((host, 0), Handler)
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def _openssl(*words: str, where: Path) -> None:
    subprocess.run(["openssl", *words], cwd=where, check=True, capture_output=True, timeout=60)


class Authority:
    """A CA of a test's own, in a folder. `ca_file` is what a profile would name."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.ca_file = where / "ca.pem"
        _openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"),
            *("-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=a test's own CA"),
            where=where,
        )

    def context(self, name: str, names: str = "IP:127.0.0.1", *, days: tuple[str, str] | None = None) -> ssl.SSLContext:
        """A server's TLS with a certificate for `names`; `days` are its first and last, as `YYYYMMDDHHMMSSZ`."""
        _openssl(
            *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"),
            where=self.where,
        )
        (self.where / "index.txt").touch()
        (self.where / f"{name}.cnf").write_text(
            "[ca]\ndefault_ca=here\n[here]\ndatabase=index.txt\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\n"
            f"policy=any\nunique_subject=no\n[any]\ncommonName=supplied\n[names]\nsubjectAltName={names}\n"
        )
        when = ("-startdate", days[0], "-enddate", days[1]) if days else ("-days", "30")
        _openssl(
            *("ca", "-batch", "-notext", "-config", f"{name}.cnf", "-extensions", "names", "-cert", "ca.pem"),
            *("-keyfile", "ca.key", "-in", f"{name}.csr", "-out", f"{name}.pem", *when),
            where=self.where,
        )
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.where / f"{name}.pem", self.where / f"{name}.key")
        return made
