"""Registry of policies: the names that ``--policy`` takes, and how each policy is made.

To add a policy, write a function that makes it and add one line to `POLICIES`.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from agent.models.completion_limits import SamplingOptions
from agent.models.shipped import LEARNED_FOLDER
from agent.policy import Policy
from browser_env.errors import UsageError

OPENAI_URL = "https://api.openai.com/v1"
"""Default server of ``openai:MODEL``."""
TEMPERATURE = 0.8
"""Default sampling temperature; the paper's, tuned by human evaluation (§3.2)."""


@dataclass(frozen=True, slots=True)
class Request:
    """The policy and options that a command line asks for."""

    spec: str
    """The value of ``--policy``, such as ``hf:PATH_OR_ID``."""
    temperature: float
    """Sampling temperature; 0 is greedy."""
    base_url: str | None
    """URL of the model server; None: see `make_policy`."""
    free: bool
    """Whether decoding is unconstrained."""
    environ: Mapping[str, str]
    """Environment variables."""

    @property
    def argument(self) -> str:
        """The part of the spec after its first colon."""
        return self.spec.partition(":")[2]

    @property
    def sampling(self) -> SamplingOptions:
        """The sampling options of a language model."""
        return SamplingOptions(temperature=self.temperature, free=self.free)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of policy and the options that apply to it."""

    make: Callable[[Request], Policy]
    """Makes the policy; imports its modules, so that light policies need no model library."""
    argument: str = ""
    """Placeholder for the text after the colon; empty if the kind takes none."""
    samples: bool = False
    """Whether different seeds give different episodes."""
    is_constrained: bool = False
    """Whether the model may only write possible commands, unless ``--free`` is given."""
    has_server: bool = False
    """Whether the model runs behind the server at ``--base-url``."""


def _scripted(request: Request) -> Policy:
    from agent.policies.scripted import Scripted

    return Scripted()


def _search_only(request: Request) -> Policy:
    from agent.policies.search_only import SearchOnly

    return SearchOnly()


def _learned(request: Request) -> Policy:
    try:
        import tokenizers  # noqa: F401

        from agent.models.small_model import SmallModel
    except ImportError as error:
        raise UsageError(
            f"--policy {request.spec} needs NumPy and tokenizers; install them with: make install EXTRAS=learned"
        ) from error
    name = f"{request.spec} free" if request.free else request.spec
    return SmallModel(LEARNED_FOLDER, name=name, options=request.sampling)


def _language_model(request: Request) -> Policy:
    from agent.models.language_model import LanguageModel

    return LanguageModel.load(request.argument, options=request.sampling)


def _chat(request: Request) -> Policy:
    from agent.models.chat.chat_model import Chat

    url = request.base_url or request.environ.get("OPENAI_BASE_URL") or OPENAI_URL
    key = _api_key(url, request.environ)
    if key is None and url.rstrip("/") == OPENAI_URL:
        raise UsageError(f"--policy {request.spec} needs an API key; set OPENAI_API_KEY, or pass another server as --base-url")
    return Chat(request.argument, url, key, temperature=request.temperature)


def _served_model(request: Request) -> Policy:
    from agent.models.served_model import ServedModel

    url = request.base_url or request.environ.get("OPENAI_BASE_URL")
    if not url:
        raise UsageError(f"--policy {request.spec} needs a server; pass its URL as --base-url http://localhost:8000/v1")
    return ServedModel.load(request.argument, url, _api_key(url, request.environ), options=request.sampling)


POLICIES: Final[Mapping[str, Kind]] = {
    "default": Kind(_scripted),
    "scripted": Kind(_scripted),
    "search-only": Kind(_search_only),
    "learned": Kind(_learned, samples=True, is_constrained=True),
    "hf": Kind(_language_model, "PATH_OR_ID", samples=True, is_constrained=True),
    "openai": Kind(_chat, "MODEL", samples=True, has_server=True),
    "served": Kind(_served_model, "PATH_OR_ID", samples=True, has_server=True),
}
"""The kinds of policy, by the part of ``--policy`` before the colon."""


def make_policy(
    spec: str,
    *,
    temperature: float = TEMPERATURE,
    base_url: str | None = None,
    free: bool = False,
    environ: Mapping[str, str] | None = None,
) -> Policy:
    """Make the policy that a ``--policy`` value names.

    Args:
        spec: A name of `POLICIES`, followed by a colon and an argument if its kind takes one.
        temperature: Sampling temperature, from 0 (greedy) to 100; policies without a model ignore it.
        base_url: URL of the model server. Default: ``OPENAI_BASE_URL``, then OpenAI's server for ``openai:``.
        free: Disable constrained decoding.
        environ: Environment variables, of which ``OPENAI_API_KEY`` and ``OPENAI_BASE_URL`` are read. Default: those of this
            process.

    Raises:
        UsageError: There is no such policy, an option does not apply to it, or something that it needs is missing.
        PolicyError: The server of a served model does not answer.
    """
    kind = find_kind(spec)
    if kind is None:
        raise UsageError(f"there is no policy {spec[:80]!r}; --policy takes {names()}")
    if base_url is not None and not kind.has_server:
        raise UsageError(f"--base-url is for --policy {names(lambda kind: kind.has_server)}, not for --policy {spec}")
    if free and not kind.is_constrained:
        raise UsageError(f"--free is for --policy {names(lambda kind: kind.is_constrained)}, not for --policy {spec}")
    if not 0 <= temperature <= 100:
        raise UsageError(f"--temperature must be between 0 and 100, got {temperature:g}")
    return kind.make(Request(spec, temperature, base_url, free, os.environ if environ is None else environ))


def find_kind(spec: str) -> Kind | None:
    """The kind of policy that a spec names; None if there is no such kind, or its argument is missing or not expected."""
    name, colon, argument = spec.partition(":")
    kind = POLICIES.get(name)
    if kind is None or {bool(colon), bool(argument)} != {bool(kind.argument)}:
        return None
    return kind


def names(is_listed: Callable[[Kind], bool] = lambda kind: True) -> str:
    """The values that ``--policy`` takes, for all kinds or for some, as text: ``learned or hf:PATH_OR_ID``."""
    listed = [f"{name}:{kind.argument}".rstrip(":") for name, kind in POLICIES.items() if is_listed(kind)]
    return " or ".join(filter(None, [", ".join(listed[:-1]), listed[-1]]))


def has_server(spec: str) -> bool:
    """Whether a policy or a judge is a model behind the server at ``--base-url``."""
    kind = find_kind(spec)
    return kind is not None and kind.has_server


def _api_key(url: str, environ: Mapping[str, str]) -> str | None:
    """The API key for a server; None if none is set.

    Raises:
        UsageError: The URL or the key is not valid.
    """
    if not _is_web_address(url):
        raise UsageError(
            "--base-url (or OPENAI_BASE_URL) is not an http or https URL; pass one such as http://localhost:8000/v1"
        )
    key = environ.get("OPENAI_API_KEY", "").strip() or None
    if key is not None and not (key.isascii() and key.isprintable()):
        raise UsageError("OPENAI_API_KEY contains characters that are not valid in an API key")
    return key


def _is_web_address(url: str) -> bool:
    try:
        address = urlsplit(url)
        return address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        return False
