"""Policies by name: the one grammar of ``--policy``."""

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from agent.policy import Policy
from browser_env.errors import UsageError

GRAMMAR = "default, scripted, search-only, hf:PATH_OR_ID or openai:MODEL"
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
        spec: ``default`` (what ships), ``scripted``, ``search-only``, ``hf:`` and the folder or hub id of any causal language
            model of transformers, or ``openai:`` and a model of an OpenAI-compatible chat server.
        temperature: Of the policies that sample; 0 is greedy.
        base_url: The chat server; None: ``OPENAI_BASE_URL``, or else OpenAI's.
        free: A language model in this process may write anything, not just what the environment can do.
        environ: Where ``OPENAI_API_KEY`` and ``OPENAI_BASE_URL`` are; None: this process's environment.

    Raises:
        UsageError: There is no such policy, or it lacks something.
    """
    environ = os.environ if environ is None else environ
    kind, _, name = spec.partition(":")
    if base_url is not None and kind != "openai":
        raise UsageError(f"--base-url is for --policy openai:MODEL, not for --policy {spec}")
    if free and not can_be_free(spec):
        raise UsageError(f"--free is for --policy hf:PATH_OR_ID, not for --policy {spec}")
    if not 0 <= temperature <= 100:
        raise UsageError(f"--temperature must be between 0 and 100, got {temperature:g}")
    match kind, name:
        case (("default" | "scripted"), "") if ":" not in spec:
            from agent.scripted import Scripted

            return Scripted()
        case "search-only", "" if ":" not in spec:
            from agent.search_only import SearchOnly

            return SearchOnly()
        case "hf", name if name:
            from agent.language_model import LanguageModel

            return LanguageModel.load(name, temperature=temperature, free=free)
        case "openai", name if name:
            from agent.chat import Chat

            url = base_url or environ.get("OPENAI_BASE_URL") or OPENAI_URL
            key = environ.get("OPENAI_API_KEY", "").strip() or None
            if not _is_web_address(url):
                raise UsageError("--base-url (OPENAI_BASE_URL) is no http or https address, such as http://localhost:8000/v1")
            if key is None and url.rstrip("/") == OPENAI_URL:
                raise UsageError(f"--policy {spec} needs a key: set OPENAI_API_KEY, or name another server with --base-url")
            if key is not None and not (key.isascii() and key.isprintable()):
                raise UsageError("OPENAI_API_KEY holds characters that no key has")
            return Chat(name, url, key, temperature=temperature)
        case _:
            raise UsageError(f"there is no policy {spec[:80]!r}; --policy takes {GRAMMAR}")


def can_sample(spec: str) -> bool:
    """Whether a policy gives different episodes for different seeds."""
    return spec.partition(":")[0] in ("hf", "openai")


def can_be_free(spec: str) -> bool:
    """Whether a policy is held to what the environment can do unless it is told otherwise."""
    return spec.startswith("hf:")


def _is_web_address(url: str) -> bool:
    try:
        address = urlsplit(url)
        return address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        return False
