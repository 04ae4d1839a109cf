import subprocess
import sys
from pathlib import Path

import pytest

from agent.models.chat.chat_model import Chat
from agent.models.language_model import LanguageModel
from agent.policies.registry import make_policy
from agent.policies.scripted import Scripted
from agent.policies.search_only import SearchOnly
from browser_env.errors import UsageError

PROGRAMS = [("default", Scripted), ("scripted", Scripted), ("search-only", SearchOnly)]


@pytest.mark.parametrize(("spec", "kind"), PROGRAMS, ids=[spec for spec, _ in PROGRAMS])
def test_a_scripted_policy_is_made_by_its_name(spec: str, kind: type[object]) -> None:
    assert isinstance(make_policy(spec), kind)


def test_a_language_model_is_constrained_unless_it_is_free(tiny_model: Path) -> None:
    held, free = (make_policy(f"hf:{tiny_model}", free=free) for free in (False, True))
    assert isinstance(held, LanguageModel)
    assert isinstance(free, LanguageModel)
    assert (held.constraint is not None, free.constraint is None) == (True, True)
    assert held.name != free.name


def test_a_chat_model_has_the_name_of_its_spec() -> None:
    policy = make_policy("openai:llama3:8b", base_url="http://localhost:1/v1", environ={})
    assert isinstance(policy, Chat)
    assert policy.name == "openai:llama3:8b"


def test_the_environment_names_the_chat_server_and_its_key() -> None:
    environ = {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "http://localhost:1/v1"}
    assert make_policy("openai:m", environ=environ).name == "openai:m"


REFUSED = [
    (
        "unknown",
        "gpt",
        {},
        "there is no policy 'gpt'; --policy takes default, scripted, search-only, learned, hf:PATH_OR_ID, openai:MODEL or "
        "served:PATH_OR_ID",
    ),
    ("empty", "", {}, "there is no policy ''"),
    ("argument-that-is-not-taken", "scripted:fast", {}, "there is no policy 'scripted:fast'"),
    ("trailing-colon", "default:", {}, "there is no policy"),
    ("no-path", "hf:", {}, "there is no policy 'hf:'"),
    ("no-model", "openai:", {}, "there is no policy 'openai:'"),
    ("other-case", "Scripted", {}, "there is no policy"),
    ("no-key", "openai:gpt-5", {}, "set OPENAI_API_KEY, or pass another server as --base-url"),
    ("key-with-a-line-break", "openai:m", {"environ": {"OPENAI_API_KEY": "sk-1\nsk-2"}}, "OPENAI_API_KEY contains characters"),
    ("server-without-scheme", "openai:m", {"base_url": "localhost:8000"}, "is not an http or https URL"),
    ("server-of-another-scheme", "openai:m", {"base_url": "ftp://a.org/v1"}, "is not an http or https URL"),
    ("server-with-a-bad-port", "openai:m", {"base_url": "http://a.org:x/v1"}, "is not an http or https URL"),
    ("server-of-no-chat-model", "scripted", {"base_url": "http://localhost/v1"}, "--base-url is for --policy openai:MODEL"),
    ("served-without-a-server", "served:m", {}, "--policy served:m needs a server; pass its URL as --base-url"),
    ("served-elsewhere", "served:m", {"base_url": "file:///m"}, "is not an http or https URL"),
    (
        "served-and-free",
        "served:m",
        {"free": True},
        "--free is for --policy learned or hf:PATH_OR_ID, not for --policy served:m",
    ),
    ("served-without-a-name", "served:", {"base_url": "http://localhost/v1"}, "there is no policy 'served:'"),
    (
        "served-without-a-folder",
        "served:./no/such/folder",
        {"base_url": "http://localhost:1/v1"},
        "served:./no/such/folder is not a folder with a model",
    ),
    ("temperature-below-0", "scripted", {"temperature": -1.0}, "--temperature must be between 0 and 100, got -1"),
    ("temperature-that-is-no-number", "scripted", {"temperature": float("nan")}, "--temperature must be between"),
    ("free-program", "scripted", {"free": True}, "--free is for --policy learned or hf:PATH_OR_ID, not for --policy scripted"),
    (
        "free-chat-model",
        "openai:m",
        {"free": True},
        "--free is for --policy learned or hf:PATH_OR_ID, not for --policy openai:m",
    ),
    ("no-such-folder", "hf:./no/such/folder", {}, "./no/such/folder"),
]


@pytest.mark.parametrize(("spec", "options", "message"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_refused_policy_says_what_to_do(spec: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_policy(spec, **{"environ": {}, **options})  # type: ignore[arg-type]
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_policy_module_imports_a_model_library_before_it_is_needed() -> None:
    program = (
        "import sys, agent.policies.registry, agent.models.language_model, agent.models.chat.chat_model, agent.rollouts.rollout, agent.policies.search_only;"
        "agent.policies.registry.make_policy('default');"
        "print(sorted({'torch', 'transformers', 'tokenizers', 'numpy'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
