"""A proxy in front of a node that loses answers, refuses, dawdles, or hides what is anvil's."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

Fault = Callable[[int, list[str]], str]
"""What happens to request number n with these methods: "", drop, drop before, 503, busy, slow."""

SLOW_S = 2.5


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or head and body of an answer wait 40 ms for each other

    def do_POST(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked = json.loads(body)
        several = asked if isinstance(asked, list) else [asked]
        methods = [one["method"] for one in several]
        with server.lock:
            server.count += 1
            number = server.count
        fault = server.fault(number, methods)
        server.faults.append(fault)
        if fault == "refuse":
            error = {"code": -32601, "message": "the method does not exist"}
            answers = [{"jsonrpc": "2.0", "id": one["id"], "error": error} for one in several]
            self._reply(answers if isinstance(asked, list) else answers[0])
        elif fault == "503":
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif fault == "busy":
            error = {"code": -32603, "message": "internal error"}
            answers = [{"jsonrpc": "2.0", "id": one["id"], "error": error} for one in several]
            self._reply(answers if isinstance(asked, list) else answers[0])
        elif fault == "drop before":
            self.close_connection = True
        else:
            answer = server.session.post(server.target, data=body, headers=_JSON, timeout=20)
            if fault == "slow":
                time.sleep(SLOW_S)
            if fault == "drop":  # the node has executed it, and nobody hears of it
                self.close_connection = True
                return
            self._reply(answer.json())

    def _reply(self, answer: Any) -> None:
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):  # who asked has stopped waiting
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


_JSON = {"Content-Type": "application/json"}


@contextmanager
def faulty_proxy(target: str, fault: Fault) -> Iterator[tuple[str, list[str]]]:
    """Run a proxy; gives its URL, and the list of what happened to each request."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.target, server.fault, server.count = target, fault, 0
    server.faults, server.lock = [], threading.Lock()
    server.session = requests.Session()
    server.session.trust_env = False
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.faults
    finally:
        server.shutdown()
        server.server_close()


def plain(number: int, methods: list[str]) -> str:
    """Hide everything that a plain node does not offer."""
    hidden = ("anvil_", "evm_", "hardhat_", "debug_")
    return "refuse" if any(method.startswith(hidden) for method in methods) else ""
