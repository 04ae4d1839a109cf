"""Policies by name: the one grammar of ``--policy``."""

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from agent.models.shipped import LEARNED, LEARNED_FOLDER
from agent.policy import Policy
from browser_env.errors import UsageError

GRAMMAR = "default, scripted, search-only, learned, hf:PATH_OR_ID, openai:MODEL or served:PATH_OR_ID"
"""What ``--policy`` takes."""
OPENAI_URL = "https://api.openai.com/v1"
"""Where ``openai:MODEL`` is, unless told otherwise."""
TEMPERATURE = 0.8
"""Of everything that samples; the paper's, tuned by people (§3.2)."""


def make_policy(
    spec: str,
    *,
    temperature: float = TEMPERATURE,
    base_url: str | None = None,
    free: bool = False,
    environ: Mapping[str, str] | None = None,
) -> Policy:
    """The policy that a ``--policy`` names. Each kind is imported when it is asked for, so the light ones stay light.

    Args:
        spec: ``default``, which is ``scripted``, ``search-only``, ``learned`` (the small model that ships), ``hf:`` and the
            folder or hub id of any causal language model of transformers, ``openai:`` and a model of an OpenAI-compatible chat
            server, or ``served:`` and what would stand behind ``hf:``, for such a model behind a server of the completions
            protocol with token ids, such as vLLM.
        temperature: Of the policies that sample; 0 is greedy.
        base_url: The server; None: ``OPENAI_BASE_URL``, or else OpenAI's for a chat model.
        free: A language model in this process may write anything, not just what the environment can do.
        environ: Where ``OPENAI_API_KEY`` and ``OPENAI_BASE_URL`` are; None: this process's environment.

    Raises:
        UsageError: There is no such policy, or it lacks something.
        PolicyError: The server of a served model does not answer.
    """
    environ = os.environ if environ is None else environ
    kind, _, name = spec.partition(":")
    if base_url is not None and not has_server(spec):
        raise UsageError(f"--base-url is for --policy openai:MODEL or served:PATH_OR_ID, not for --policy {spec}")
    if free and not can_be_free(spec):
        raise UsageError(f"--free is for --policy hf:PATH_OR_ID or learned, not for --policy {spec}")
    if not 0 <= temperature <= 100:
        raise UsageError(f"--temperature must be between 0 and 100, got {temperature:g}")
    match kind, name:
        case (("default" | "scripted"), "") if ":" not in spec:
            from agent.policies.scripted import Scripted

            return Scripted()
        case "search-only", "" if ":" not in spec:
            from agent.policies.search_only import SearchOnly

            return SearchOnly()
        case "learned", "" if ":" not in spec:
            try:
                import tokenizers  # noqa: F401

                from agent.models.small_model import SmallModel
            except ImportError as error:
                needs = "NumPy and the library of its tokenizer: pip install 'open-webgpt[learned]'"
                raise UsageError(f"--policy {spec} needs {needs}") from error
            return SmallModel(LEARNED_FOLDER, name=f"{spec} free" if free else spec, temperature=temperature, free=free)
        case "hf", name if name:
            from agent.models.language_model import LanguageModel

            return LanguageModel.load(name, temperature=temperature, free=free)
        case "openai", name if name:
            from agent.models.chat.chat_model import Chat

            url = base_url or environ.get("OPENAI_BASE_URL") or OPENAI_URL
            key = _key(url, environ)
            if key is None and url.rstrip("/") == OPENAI_URL:
                raise UsageError(f"--policy {spec} needs a key: set OPENAI_API_KEY, or name another server with --base-url")
            return Chat(name, url, key, temperature=temperature)
        case "served", name if name:
            from agent.models.served_model import ServedModel

            named = base_url or environ.get("OPENAI_BASE_URL")
            if not named:
                raise UsageError(f"--policy {spec} needs a server: name it with --base-url, such as http://localhost:8000/v1")
            return ServedModel.load(name, named, _key(named, environ), temperature=temperature)
        case _:
            raise UsageError(f"there is no policy {spec[:80]!r}; --policy takes {GRAMMAR}")


def can_sample(spec: str) -> bool:
    """Whether a policy gives different episodes for different seeds."""
    return spec == LEARNED or spec.partition(":")[0] in ("hf", "openai", "served")


def can_be_free(spec: str) -> bool:
    """Whether a policy is held to what the environment can do unless it is told otherwise."""
    return spec == LEARNED or spec.startswith("hf:")


def has_server(spec: str) -> bool:
    """Whether a policy or a judge is a model behind a server, at ``--base-url``."""
    return spec.startswith(("openai:", "served:"))


def _key(url: str, environ: Mapping[str, str]) -> str | None:
    """The key for a server, after checking both."""
    key = environ.get("OPENAI_API_KEY", "").strip() or None
    if not _is_web_address(url):
        raise UsageError("--base-url (OPENAI_BASE_URL) is no http or https address, such as http://localhost:8000/v1")
    if key is not None and not (key.isascii() and key.isprintable()):
        raise UsageError("OPENAI_API_KEY holds characters that no key has")
    return key


def _is_web_address(url: str) -> bool:
    try:
        address = urlsplit(url)
        return address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        return False
