"""`webgpt ask`: one question, browsed and answered, with every citation checked."""

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.text import Text
from tyro.conf import Positional, arg

from agent.commands.one_episode import check_writable, read_question, run_episode
from agent.commands.options import BestOf, Format
from agent.commands.terminal import StepView, explain_ending, print_answer
from agent.policies.registry import TEMPERATURE, make_policy
from browser_env.command_line.exit_codes import FAILURE, UNSUPPORTED
from browser_env.command_line.web_options import WebOptions
from browser_env.pages.characters import clean
from browser_env.records import Episode
from browser_env.records.citations import CitationCheck, check_citations


@dataclass(frozen=True, slots=True)
class Ask:
    """Answer a question with citations that can be checked.

    A policy browses with the ten commands of WebGPT, quotes what it finds and answers from its quotes. Its steps go to
    stderr while they happen; the answer and, under it, each reference with title, address and extract go to stdout. Behind
    each cited sentence stands the share of its words that its references have.

    Exit codes: 0 an answer that cites its references, 3 none, 1 failure, 2 usage, 130 interrupted.
    """

    question: Annotated[tuple[str, ...], Positional, arg(metavar="QUESTION", help_behavior_hint="")]
    """What to ask; a single - reads it from stdin."""
    policy: str = "default"
    """Who browses: default, scripted, search-only, learned (the small model that ships), hf:PATH_OR_ID, openai:MODEL (chat) or
    served:PATH_OR_ID (the completions of a server with token ids, such as vLLM; always free)."""
    base_url: Annotated[str | None, arg(metavar="URL")] = None
    """Server of openai:MODEL or served:PATH_OR_ID, with its /v1. None: OPENAI_BASE_URL, or else OpenAI's own for chat."""
    temperature: float = TEMPERATURE
    """Of policies that sample; 0 takes the likeliest (paper, 3.2)."""
    free: bool = False
    """Let hf:PATH_OR_ID or learned write anything, as the paper did, not just commands that can be carried out here."""
    seed: int = 0
    """The same seed gives the same answer, as far as the policy can."""
    json: bool = False
    """Print one JSON object instead: answer, supported, citations (sentence by sentence) and the whole episode."""
    save: Annotated[Path | None, arg(metavar="FILE")] = None
    """Add the episode to this file of JSON Lines, also when it fails or is interrupted."""
    best_of: Annotated[BestOf, arg(name="")] = field(default_factory=BestOf)
    """Of several answers the best."""
    web: Annotated[WebOptions, arg(name="")] = field(default_factory=WebOptions)
    """Which web is browsed."""
    settings: Annotated[Format, arg(name="")] = field(default_factory=Format)
    """What the policy sees and how much it may do."""

    def run(self) -> int:
        """Ask, show, and say by the exit code whether the answer is supported."""
        question = read_question(self.question)
        policy = make_policy(self.policy, temperature=self.temperature, base_url=self.base_url, free=self.free)
        settings = self.settings.of(policy)
        self.best_of.check(self.policy)
        answering = self.best_of.load()
        check_writable(self.save)
        talk = Console(stderr=True, highlight=False, force_terminal=None if sys.stdout.isatty() else False)
        with self.web.open() as web:
            talk.print(Text(f"{policy.name} browses {web.name}", "dim"), soft_wrap=True)
            with StepView(talk, settings, samples=self.best_of.best_of) as view:
                episode = run_episode(
                    policy,
                    web,
                    question,
                    settings,
                    seed=self.seed,
                    save=self.save,
                    on_step=view,
                    is_timed=self.web.record is None and self.web.replay is None,
                    answering=answering,
                    batch_size=self.best_of.best_of,
                )
                view.chosen(episode)
        answer = None if episode.answer is None else clean(episode.answer).strip()
        check = check_citations(answer or "", episode.references)
        if self.json:
            print(json.dumps(_result(episode, answer, check)))
        elif answer:
            talk.print()
            print_answer(Console(highlight=False), answer, check, episode.references)
        if answer and check.is_supported:
            return 0
        if not answer:
            talk.print(Text(explain_ending(episode), "yellow"), soft_wrap=True)
        return FAILURE if episode.failure else UNSUPPORTED


def _result(episode: Episode, answer: str | None, check: CitationCheck) -> dict[str, object]:
    return {
        "answer": answer,
        "supported": check.is_supported,
        "support": check.support,
        "citations": [asdict(sentence) for sentence in check.sentences],
        "episode": asdict(episode),
    }
