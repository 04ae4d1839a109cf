import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from typing import Any

import pytest

from agent.models.chat.chat_model import Chat
from agent.models.chat.prompt import ANSWERING, BROWSING
from agent.models.chat.reply import read_answer, read_command
from agent.models.server import MAX_REPLY, WAITS
from agent.policy import Completion, Prompt
from agent.rollouts.rollout import rollout
from browser_env.actions import Invalid, parse_action
from browser_env.backends import FakeBackend
from browser_env.env import BrowserEnv
from browser_env.errors import PolicyError
from browser_env.network.trusted import trusted_client
from browser_env.pages.page import Page
from browser_env.records import Question, Settings

CROWS = Page("http://a.org/crows", "Crows", "Crows bring gifts to people.\n\nThey are birds.")
KEY = "sk-secret-0123456789"
Answer = Callable[[Any], None]
"""A function that answers an exchange of the chat server."""


def prompt(question: str = "What do crows do?", seed: int = 5) -> Prompt:
    env = BrowserEnv(FakeBackend([CROWS]))
    return Prompt(env.reset(question), env.state, seed)


def answering() -> Prompt:
    env = BrowserEnv(FakeBackend([CROWS]))
    env.reset("What do crows do?")
    for command in ("Search crows", "Clicked on link 0", "Quote: bring gifts", "End: Answer"):
        observation = env.step(command).observation
    return Prompt(observation, env.state, 5)


def chat(server: Any, *answers: Answer, waits: list[float] | None = None, **options: Any) -> Chat:
    server.answers.extend(answers)
    sleep = (waits if waits is not None else []).append
    return Chat("m", server.url, KEY, **{"sleep": sleep, "max_seconds": 20, **options})


def replies(text: str) -> Answer:
    return lambda exchange: exchange.say(text)


def sends(content: bytes, status: int = 200, **headers: str) -> Answer:
    return lambda exchange: exchange.send(content, status, **headers)


def error(policy: Chat) -> str:
    [result] = policy.complete([prompt()])
    assert isinstance(result, PolicyError)
    message = str(result)
    assert "\n" not in message
    assert KEY not in message
    return message


@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_is_recorded_exactly(chat_server: Any, stream: bool) -> None:
    text = "Search for 東京 “gifts”\u2028 and\x85 crows"
    [completion] = chat(chat_server, replies(text), stream=stream).complete([prompt()])
    assert completion == Completion(text)


def test_the_request_follows_the_protocol(chat_server: Any) -> None:
    policy = chat(chat_server, replies("Top"), temperature=0.25)
    browse, answer = prompt(), answering()
    policy.complete([browse])
    policy.complete([answer])
    first, second = chat_server.requests
    assert first.path == "/v1/chat/completions"
    assert first.headers["Authorization"] == f"Bearer {KEY}"
    assert first.body == {
        "model": "m",
        "messages": [{"role": "system", "content": BROWSING}, {"role": "user", "content": browse.text}],
        "stream": False,
        "temperature": 0.25,
        "seed": 5,
        "stop": ["\n♦"],
    }
    assert second.body["messages"][0]["content"] == ANSWERING
    assert second.body["messages"][1]["content"] == answer.text
    assert second.body["stop"] == ["◼"]


def test_without_a_key_none_is_sent(chat_server: Any) -> None:
    chat_server.answers.append(replies("Top"))
    Chat("m", chat_server.url + "/").complete([prompt()])
    assert chat_server.requests[0].headers["Authorization"] is None


def test_a_given_client_is_used(chat_server: Any) -> None:
    client = trusted_client(chat_server.url, headers={"X-Team": "birds"})
    chat(chat_server, replies("Top"), client=client).complete([prompt()])
    assert chat_server.requests[0].headers["X-Team"] == "birds"


def test_the_prompts_of_a_batch_are_sent_at_once_and_answered_in_order(chat_server: Any) -> None:
    together = threading.Barrier(3, timeout=10)

    def answer(exchange: Any) -> None:
        together.wait()
        exchange.say(f"Search {exchange.body['seed']}")

    completions = chat(chat_server, answer, max_concurrent=3).complete([prompt(seed=seed) for seed in range(6)])
    assert [completion.text for completion in completions if isinstance(completion, Completion)] == [
        f"Search {seed}" for seed in range(6)
    ]


REPLIES: list[tuple[str, bytes, str]] = [
    ("content-in-parts", b'{"choices": [{"message": {"content": [{"type": "text", "text": "To"}, {"text": "p"}]}}]}', "Top"),
    ("other-keys", b'{"x": 1, "choices": [{"message": {"content": "Top", "y": 2}, "z": null}]}', "Top"),
    ("stream-unasked", b'data: {"choices": [{"delta": {"content": "Top"}}]}\r\n\r\ndata: [DONE]\r\n\r\n', "Top"),
    ("stream-with-a-finish-reason-alone", b'data:{"choices":[{"delta":{"content":"Top"},"finish_reason":"stop"}]}\n\n', "Top"),
]


@pytest.mark.parametrize(("content", "text"), [case[1:] for case in REPLIES], ids=[case[0] for case in REPLIES])
def test_dialects_of_the_protocol_are_parsed(chat_server: Any, content: bytes, text: str) -> None:
    assert chat(chat_server, sends(content)).complete([prompt()]) == [Completion(text)]


def test_a_stream_ends_with_its_last_event_though_the_connection_stays_open(chat_server: Any) -> None:
    done = threading.Event()

    def answer(exchange: Any) -> None:
        exchange.handler.send_response(200)
        exchange.handler.send_header("Content-Type", "text/event-stream")
        exchange.handler.end_headers()
        exchange.handler.wfile.write(b'data: {"choices": [{"delta": {"content": "Top"}}]}\n\ndata: [DONE]\n\n')
        exchange.handler.wfile.flush()
        done.wait(10)

    assert chat(chat_server, answer, stream=True).complete([prompt()]) == [Completion("Top")]
    done.set()


FAILURES: list[tuple[str, Answer, str]] = [
    ("401", sends(b'{"error": {"message": "Incorrect API key provided: sk-secret"}}', 401), "does not accept this key (HTTP 401): set OPENAI_API_KEY"),
    ("403", sends(b"", 403), "(HTTP 403): set OPENAI_API_KEY"),
    ("404", sends(b'{"error": {"message": "The model m does not exist"}}', 404), "HTTP 404: The model m does not exist: the model does not exist"),
    ("404-without-a-reason", sends(b"<html>", 404), "OPENAI_BASE_URL"),
    ("400", sends(b'{"error": {"message": "too\\nlong", "param": "messages"}}', 400), "HTTP 400: too long"),
    ("400-with-a-text", sends(b'{"error": "bad"}', 400), "HTTP 400: bad"),
    ("redirect", sends(b"", 301, Location="http://elsewhere.org/"), "HTTP 301"),
    ("429-for-long", sends(b'{"error": {"message": "slow"}}', 429, Retry_After="3600"), "HTTP 429: slow: the server asks to wait 3,600 seconds"),
    ("a-message-that-repeats-the-key", sends(f'{{"error": {{"message": "key {KEY}"}}}}'.encode(), 418), "HTTP 418: key …"),
    ("html", sends(b"<!DOCTYPE html><p>Welcome"), "the reply does not follow the protocol: '<!DOCTYPE html><p>Welcome'"),
    ("torn-json", sends(b'{"choices": [{"message"'), "the reply does not follow the protocol"),
    ("not-an-object", sends(b"[1]"), "the reply does not follow the protocol"),
    ("binary", sends(b"\xff\x00\xfe"), "the reply does not follow the protocol"),
    ("nothing", sends(b""), "the reply does not follow the protocol"),
    ("no-choices", sends(b'{"id": "1"}'), "the reply is empty"),
    ("empty-choices", sends(b'{"choices": []}'), "the reply is empty"),
    ("choices-of-another-type", sends(b'{"choices": "Top"}'), "the reply does not follow the protocol"),
    ("no-content", sends(b'{"choices": [{"message": {"content": null}, "finish_reason": "length"}]}'), "the reply is empty (it ended because of 'length')"),
    ("white-space", replies(" \n"), "the reply is empty"),
    ("error-in-the-reply", sends(b'{"error": {"message": "overloaded"}}'), "error in the reply: overloaded"),
    ("error-in-the-stream", sends(b'data: {"error": {"message": "overloaded"}}\n\ndata: [DONE]\n\n'), "error in the reply: overloaded"),
    ("torn-event-within", sends(b'data: {"choi\n\ndata: [DONE]\n\n'), "the reply does not follow the protocol"),
    ("too-large", sends(b" " * (MAX_REPLY + 1)), "the reply is larger than 4 MB"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "message"), [case[1:] for case in FAILURES], ids=[case[0] for case in FAILURES])
def test_a_permanent_failure_is_an_error_at_once(chat_server: Any, answer: Answer, message: str) -> None:
    waits: list[float] = []
    assert message in error(chat(chat_server, answer, waits=waits))
    assert waits == []
    assert len(chat_server.requests) == 1


def test_an_error_names_the_model_and_the_server_but_no_credentials(chat_server: Any) -> None:
    chat_server.answers.append(sends(b"", 400))
    message = error(Chat("m", chat_server.url.replace("//", "//user:password@"), KEY))
    assert message.startswith(f"m at {chat_server.url.split('/')[2]}: ")
    assert "password" not in message


def test_a_missing_key_is_an_error_that_says_so(chat_server: Any) -> None:
    chat_server.answers.append(sends(b"", 401))
    assert "the server needs a key (HTTP 401): set OPENAI_API_KEY" in error(Chat("m", chat_server.url))


def hangs_up(exchange: Any) -> None:
    exchange.handler.connection.close()


def cuts_the_body(exchange: Any) -> None:
    exchange.handler.send_response(200)
    exchange.handler.send_header("Content-Length", "1000")
    exchange.handler.end_headers()
    exchange.handler.wfile.write(b'{"choices"')


TRANSIENT: list[tuple[str, Answer, str]] = [
    ("500", sends(b"", 500), "HTTP 500"),
    ("503", sends(b'{"error": {"message": "loading"}}', 503), "HTTP 503: loading"),
    ("429", sends(b"", 429), "HTTP 429"),
    ("connection-lost", hangs_up, "RemoteProtocolError"),
    ("body-cut", cuts_the_body, "RemoteProtocolError"),
    ("stream-cut", lambda exchange: exchange.stream("Search cr", end=b"", finish_reason=None), "the reply was cut off"),
    (
        "stream-cut-in-an-event",
        lambda exchange: exchange.stream("Sea", end=b'data: {"choi', finish_reason=None),
        "the reply was cut off",
    ),
]


@pytest.mark.parametrize(("answer", "message"), [case[1:] for case in TRANSIENT], ids=[case[0] for case in TRANSIENT])
def test_a_failure_that_may_pass_is_retried(chat_server: Any, answer: Answer, message: str) -> None:
    waits: list[float] = []
    policy = chat(chat_server, answer, waits=waits)
    text = error(policy)
    assert message in text
    assert text.endswith("(after 4 attempts)")
    assert waits == list(WAITS)
    chat_server.answers.extend([answer] * len(chat_server.requests) + [replies("Top")])
    assert policy.complete([prompt()]) == [Completion("Top")]


RETRY_AFTER = [
    ("seconds", "3", 3.0),
    ("at-once", "0", 0.0),
    ("most", "10", 10.0),
    ("a-date-that-has-passed", format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True), 0.0),
    ("nonsense", "soon", WAITS[0]),
]


@pytest.mark.parametrize(("header", "wait"), [case[1:] for case in RETRY_AFTER], ids=[case[0] for case in RETRY_AFTER])
def test_retries_wait_as_long_as_the_server_asks(chat_server: Any, header: str, wait: float) -> None:
    waits: list[float] = []
    policy = chat(chat_server, sends(b"", 429, Retry_After=header), replies("Top"), waits=waits)
    assert policy.complete([prompt()]) == [Completion("Top")]
    assert waits == [wait]


def test_a_wait_that_is_too_long_is_an_error(chat_server: Any) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    assert "the server asks to wait" in error(chat(chat_server, sends(b"", 429, Retry_After=later)))


def test_parameters_that_a_model_rejects_are_omitted_from_then_on(chat_server: Any) -> None:
    def picky(exchange: Any) -> None:
        for param in ("temperature", "stop"):
            if param in exchange.body:
                exchange.send(f'{{"error": {{"message": "unsupported", "param": "{param}"}}}}'.encode(), 400)
                return
        exchange.say("Top")

    policy = chat(chat_server, picky)
    assert policy.complete([prompt()]) == [Completion("Top")]
    assert policy.complete([prompt()]) == [Completion("Top")]
    assert len(chat_server.requests) == 4
    assert chat_server.requests[-1].body.keys() == {"model", "messages", "stream", "seed"}


def test_a_server_that_hangs_times_out(chat_server: Any) -> None:
    release = threading.Event()

    def hang(exchange: Any) -> None:
        release.wait(20)

    policy = chat(chat_server, hang, client=trusted_client(chat_server.url, read_seconds=0.1))
    assert "ReadTimeout" in error(policy)
    release.set()


def test_a_slow_reply_times_out(chat_server: Any) -> None:
    clock = count(step=50.0)
    policy = chat(chat_server, replies("Top"), clock=lambda: next(clock), max_seconds=40)
    assert "the reply took more than 40 seconds" in error(policy)


def test_a_missing_server_is_an_error() -> None:
    assert "ConnectError" in error(Chat("m", "http://127.0.0.1:9/v1", KEY, sleep=lambda _: None))


def test_a_failure_does_not_affect_the_rest_of_the_batch(chat_server: Any) -> None:
    def answer(exchange: Any) -> None:
        if exchange.body["seed"] == 1:
            exchange.send(b"", 400)
        else:
            exchange.say("Top")

    results = chat(chat_server, answer).complete([prompt(seed=seed) for seed in range(3)])
    assert [type(result) for result in results] == [Completion, PolicyError, Completion]


@pytest.mark.parametrize("stream", [False, True])
def test_a_chat_model_browses_and_answers(chat_server: Any, stream: bool) -> None:
    texts = [
        "<think>Let me search.</think>\nSearch crows",
        "Next action: click on link 0",
        '```\nQuote: "Crows bring\ngifts to people."\n```',
        "Frobnicate",
        "End: answer",
        "<think>Done.</think>Crows bring gifts [1].◼",
    ]
    policy = chat(chat_server, *map(replies, texts), stream=stream)
    [episode] = rollout(policy, FakeBackend([CROWS]), [Question(id="q", text="What do crows do?")], Settings())
    assert [step.completion for step in episode.steps] == texts
    assert [step.command for step in episode.steps] == [
        "Search crows",
        "Clicked on link 0",
        "Quote: Crows bring gifts to people.",
        None,
        "End: Answer",
        "Crows bring gifts [1].",
    ]
    assert [step.problem is None for step in episode.steps] == [True, True, True, False, True, True]
    assert (episode.ending, episode.answer, episode.failure) == ("answer", "Crows bring gifts [1].", None)
    assert [reference.extract for reference in episode.references] == ["Crows bring gifts to people."]


def test_without_a_working_server_every_episode_fails(chat_server: Any) -> None:
    questions = [Question(id=str(number), text="Why?") for number in range(3)]
    episodes = list(rollout(chat(chat_server, sends(b"", 401)), FakeBackend([]), questions, Settings()))
    assert len(episodes) == 3
    assert all((episode.failure or "").startswith("PolicyError: m at 127.0.0.1:") for episode in episodes)
    assert all(KEY not in (episode.failure or "") for episode in episodes)


SHOWN = "♦Text\nCrows bring\ngifts to people. 【3†birds†a.org】 are “clever”"
COMMANDS: list[tuple[str, str, str]] = [
    ("a-command", "Search crows", "Search crows"),
    ("only-its-first-line", "Search crows\nBack", "Search crows"),
    ("empty-lines-before", "\n\n  Search crows", "Search crows"),
    ("small-letters", "search crows", "Search crows"),
    ("capitals", "SCROLLED DOWN 2", "Scrolled down 2"),
    ("colon", "Search: crows", "Search crows"),
    ("a-call", 'search("crows and gifts")', "Search crows and gifts"),
    ("brackets", "Search[crows]", "Search crows"),
    ("fence", "```text\nClicked on link 3\n```", "Clicked on link 3"),
    ("backquotes", "`Clicked on link 3`", "Clicked on link 3"),
    ("bold", "**End: Answer**", "End: Answer"),
    ("bullet", "- Back", "Back"),
    ("numbered", "1. Search crows", "Search crows"),
    ("label", "Action: Search crows", "Search crows"),
    ("label-on-its-own-line", "Next action:\nSearch crows", "Search crows"),
    ("label-in-bold", "**Next action:** `Click 3`", "Clicked on link 3"),
    ("label-after-prose", "Search results show nothing.\nAction: Search ravens", "Search ravens"),
    ("heading-repeated", "♦Next action\nSearch crows", "Search crows"),
    ("prose-before", "I should look for crows first.\n\nSearch crows", "Search crows"),
    ("prose-after", "Search crows\n\nThis finds pages about crows.", "Search crows"),
    ("exact-before-rephrased", "find out more about them\nSearch crows", "Search crows"),
    ("thoughts", "<think>Search foo\nBack</think>\nSearch crows", "Search crows"),
    ("thoughts-without-their-beginning", "Search foo\n</think>\nSearch crows", "Search crows"),
    ("thoughts-without-an-end", "<think>Search crows", ""),
    ("click", "Click 3", "Clicked on link 3"),
    ("click-on-link", "click on link [3].", "Clicked on link 3"),
    ("click-on-a-marker", "Clicked on link 【3†birds†a.org】", "Clicked on link 3"),
    ("leading-zeros", "Clicked on link 007", "Clicked on link 7"),
    ("scroll-once", "Scroll down", "Scrolled down 1"),
    ("scroll-by", "scroll up by 2 views", "Scrolled up 2"),
    ("scroll-too-far", "Scrolled down 9", "Scrolled down 3"),
    ("go-back", "Go back.", "Back"),
    ("to-the-top", "Scroll to the top of the page", "Top"),
    ("end", "End", "End: Answer"),
    ("end-reason", "end: nonsense.", "End: Nonsense"),
    ("finish", "finish(answer)", "End: Answer"),
    ("find", "find: crows", "Find in page: crows"),
    ("quote-on-several-lines", "Quote: Crows bring\ngifts to people.", "Quote: Crows bring gifts to people."),
    ("quote-then-prose", "Quote: Crows bring\nThis is it.", "Quote: Crows bring"),
    ("quote-then-empty-line", "Quote: Crows bring\n\ngifts", "Quote: Crows bring"),
    ("quotation-marks", 'Quote: "Crows bring gifts"', "Quote: Crows bring gifts"),
    ("quotation-marks-around-several-lines", 'Quote: "Crows bring\ngifts to people."', "Quote: Crows bring gifts to people."),
    ("quotation-marks-of-the-page", "Quote: “clever”", "Quote: “clever”"),
    ("no-command", "I do not know.\nSorry.", "I do not know."),
    ("nothing", " \n ", ""),
    ("a-link-without-a-number", "Click on the first one", "Click on the first one"),
]


@pytest.mark.parametrize(("reply", "command"), [case[1:] for case in COMMANDS], ids=[case[0] for case in COMMANDS])
def test_commands_are_parsed_leniently(reply: str, command: str) -> None:
    assert read_command(reply, SHOWN) == command


ANSWERS = [
    ("plain", "Crows\n\nbring gifts [1].", "Crows\n\nbring gifts [1]."),
    ("thoughts", "<think>hm</think>\n\nCrows [1].", "Crows [1]."),
    ("label", "**Answer:** Crows [1].", "Crows [1]."),
    ("label-in-the-text", "The answer: Crows [1].", "The answer: Crows [1]."),
    ("end-of-field", "Crows [1].◼[2] More", "Crows [1]."),
    ("nothing", "<think>hm", ""),
]


@pytest.mark.parametrize(("reply", "answer"), [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS])
def test_answers_are_parsed_leniently(reply: str, answer: str) -> None:
    assert read_answer(reply) == answer


def test_the_system_message_lists_only_valid_commands() -> None:
    lines = BROWSING.splitlines()
    begin, end = lines.index("Search <query>"), lines.index("End: Controversial")
    commands = [line for line in lines[begin : end + 1] if not line.startswith(" ") and "<" not in line and line[:1].isupper()]
    assert commands == ["Top", "Back", "End: Answer", "End: Nonsense", "End: Controversial"]
    assert all(not isinstance(parse_action(command), Invalid) for command in commands)
    for prefix in ("Search ", "Clicked on link ", "Find in page: ", "Quote: ", "Scrolled down ", "Scrolled up "):
        assert any(line.startswith(f"{prefix}<") for line in lines)


def test_parsing_a_long_reply_does_not_hang() -> None:
    for reply in ("x" * 1_000_000, "\n" * 200_000, "Quote: a\n" + "b\n" * 100_000, "<think>" * 50_000, "Action:" * 50_000):
        read_command(reply, SHOWN)
