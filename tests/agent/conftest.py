"""Fixtures for tests of the agent: a tiny language model on disk and a server of OpenAI's chat protocol."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny random model with its tokenizer."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.set_num_threads(1)  # more are slower on matrices this small
    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(
        ["Search crows\nQuote: Crows bring gifts\nEnd: Answer\n♦Question\n♦Next action\n◼"] * 10, trainer
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    fast: Any = PreTrainedTokenizerFast
    fast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>").save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        bos_token_id=0,
        eos_token_id=1,
        initializer_range=0.4,  # wide, so that the next token is neither certain nor uniform
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


class Exchange:
    """A request to the chat server, with methods to answer it."""

    def __init__(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        self.handler = handler
        self.path = handler.path
        self.headers = handler.headers
        self.body = body

    def send(self, content: bytes, status: int = 200, content_type: str = "application/json", **headers: str) -> None:
        self.handler.send_response(status)
        self.handler.send_header("Content-Type", content_type)
        self.handler.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()
        self.handler.wfile.write(content)

    def say(self, text: str) -> None:
        """Send a complete reply, streamed if the request asks for it."""
        if self.body["stream"]:
            self.stream(text)
        else:
            message = {"role": "assistant", "content": text, "refusal": None}
            reply = {
                "id": "1",
                "object": "chat.completion",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            }
            self.send(json.dumps(reply).encode())

    def stream(self, text: str, size: int = 3, end: bytes = b"data: [DONE]\n\n", finish_reason: str | None = "stop") -> None:
        """Send a reply in parts of `size` characters, with the comments and other events that streams contain."""
        pieces = b"".join(self._event({"content": text[start : start + size]}) for start in range(0, len(text), size))
        usage = b'data: {"object": "chat.completion.chunk", "choices": [], "usage": {"total_tokens": 3}}\n\n'
        last = self._event({}, finish_reason) if finish_reason else b""
        self.send(
            b": a comment\n\n" + self._event({"role": "assistant"}) + pieces + last + usage + end,
            content_type="text/event-stream",
        )

    @staticmethod
    def _event(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
        chunk = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}
        return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


class ChatServer:
    """A chat server on loopback. Requests are answered by the functions in `answers`, in order; the last answers all further ones."""

    def __init__(self) -> None:
        self.answers: list[Callable[[Exchange], None]] = []
        self.requests: list[Exchange] = []
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                exchange = Exchange(self, body)
                with server._lock:
                    server.requests.append(exchange)
                    answer = server.answers[min(len(server.requests), len(server.answers)) - 1]
                answer(exchange)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def chat_server() -> Iterator[ChatServer]:
    server = ChatServer()
    yield server
    server.close()
