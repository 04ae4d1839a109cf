"""A server of OpenAI's completions protocol over a model in this process."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class CompletionsServer:
    """Serves a language model of this process on loopback, like vLLM, with token ids in requests and replies."""

    def __init__(self, model: Any, name: str, context: int | None = None) -> None:
        """Start the server.

        Args:
            model: A `LanguageModel` with free decoding; its limits are not used.
            name: The server's name of the model.
            context: Context length to report; None: report none.
        """
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.num_extra = 0
        """Number of tokens to return beyond a stop, like an engine that samples ahead."""
        self._model = model
        self._name = name
        self._context = context
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                assert self.path == "/v1/models"
                entry = {"id": name, "object": "model", "root": f"/models/{name}", "max_model_len": context}
                self._send({"object": "list", "data": [entry]})

            def do_POST(self) -> None:
                assert self.path == "/v1/completions"
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with server._lock:
                    server.bodies.append(body)
                    server.keys.append(self.headers["Authorization"])
                    self._send(server.complete(body))

            def _send(self, content: dict[str, Any]) -> None:
                encoded = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(encoded)))
                self.end_headers()
                self.wfile.write(encoded)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        from agent.models.completion_limits import TokenPrompt
        from agent.models.language_model import Generation

        assert body["model"] == self._name
        assert set(body["stop_token_ids"]) == self._model.limits.end_tokens
        self._model.temperature = body["temperature"]
        generation = Generation(TokenPrompt(body["prompt"], body["seed"], body["stop"][0], body["max_tokens"]), None)
        self._model.generate([generation])
        tokens = generation.tokens + [5] * self.num_extra
        choice = {
            "index": 0,
            "text": self._model.limits.decode(generation.prompt, generation.tokens),
            "logprobs": {
                "text_offset": [0] * len(tokens),
                "token_logprobs": generation.logprobs + [-1.0] * self.num_extra,
                "tokens": [f"token_id:{token}" for token in tokens],
                "top_logprobs": [None] * len(tokens),
            },
            "finish_reason": "length" if len(generation.tokens) == body["max_tokens"] else "stop",
            "stop_reason": None,
            "token_ids": tokens if body.get("return_token_ids") else None,
            "prompt_logprobs": None,
            "prompt_token_ids": body["prompt"],
        }
        usage = {"prompt_tokens": len(body["prompt"]), "completion_tokens": len(tokens)}
        return {"id": "cmpl-1", "object": "text_completion", "model": self._name, "choices": [choice], "usage": usage}

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
