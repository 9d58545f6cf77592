"""A gateway that a program in another process can reach: a real proxy, or the embedded gateway on a loopback port."""

import asyncio
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from tests.conftest import Proxy
from tui.demo import DemoGateway

WRITES = {"/key/generate", "/key/update", "/key/delete", "/key/block", "/key/unblock"}


class Served:
    """The embedded gateway behind HTTP; `hold` keeps one call waiting."""

    def __init__(self, proxy: Proxy) -> None:
        self.demo = DemoGateway(version=proxy.version, master_key=proxy.master_key)
        self.held = threading.Event()
        self._going_on = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._loop_thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._loop_thread.start()
        served = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # head and body are two packets: without this the second waits 40 ms on a kept connection
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                served._answer(self)

            def do_POST(self) -> None:
                served._answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server_thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._server_thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _answer(self, asked: BaseHTTPRequestHandler) -> None:
        body = asked.rfile.read(int(asked.headers.get("content-length") or 0))
        request = httpx.Request(asked.command, f"{self.url}{asked.path}", headers=dict(asked.headers), content=body)
        answer = asyncio.run_coroutine_threadsafe(self.demo.handle(request), self._loop).result(60)
        try:
            asked.send_response(answer.status_code)
            asked.send_header("content-type", answer.headers.get("content-type", "application/json"))
            asked.send_header("content-length", str(len(answer.content)))
            asked.end_headers()
            asked.wfile.write(answer.content)
        except OSError:
            # whoever asked is gone
            asked.close_connection = True

    def hold(self, path: str, *, after: bool) -> None:
        """Let the next POST to `path` wait for `go_on`: before it is done, or `after`, before it is answered."""

        async def wait(_: httpx.Request) -> None:
            self.held.set()
            await asyncio.to_thread(self._going_on.wait, 60)

        self.demo.intercept("POST", path, wait, after=after)

    def go_on(self) -> None:
        """Let the held call go on."""
        self._going_on.set()

    def writes(self) -> list[str]:
        """The writing calls that came, by path."""
        return [call.path for call in self.demo.calls if call.path in WRITES]

    def close(self) -> None:
        """End it."""
        self.go_on()
        self._server.shutdown()
        self._server.server_close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._loop_thread.join(10)
        self._loop.close()


class Admin:
    """A gateway as its master key sees it, asked without any of this project's client."""

    def __init__(self, url: str, master_key: str) -> None:
        self.url = url
        self.master_key = master_key
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {master_key}"}, timeout=30)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """POST; the answer's JSON."""
        return self.http.post(path, json=body).raise_for_status().json()

    def keys(self, user: str) -> dict[str, dict[str, Any]]:
        """The user's keys by alias, whole."""
        answer = self.http.get("/key/list", params={"user_id": user, "return_full_object": True, "size": 100})
        return {key["key_alias"]: key for key in answer.raise_for_status().json()["keys"]}

    def works(self, secret: str) -> bool:
        """Whether the gateway takes `secret`."""
        answer = self.http.get("/models", headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code in (200, 401, 403), answer.text
        return answer.status_code == 200

    def forget(self, user: str) -> None:
        """Delete the user's keys, and the user where the gateway can."""
        hashes = [key["token"] for key in self.keys(user).values()]
        if hashes:
            self.post("/key/delete", {"keys": hashes})
        self.http.post("/user/delete", json={"user_ids": [user]})
        self.http.close()
