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
from agent.commands.options import POLICY_HELP, EpisodeOptions, PolicyOptions
from agent.commands.terminal import StepView, explain_ending, print_answer
from browser_env.command_line.exit_codes import FAILURE, UNSUPPORTED
from browser_env.command_line.web_options import WebOptions
from browser_env.pages.characters import clean
from browser_env.records import Episode
from browser_env.records.citations import CitationCheck, check_citations


@dataclass(frozen=True, slots=True)
class Ask:
    """Answer a question with citations that can be checked.

    A policy (a language model or a script) searches, reads pages, quotes from them, and answers from its quotes. Its steps are
    printed to stderr as they happen. The answer goes to stdout, with the title, URL and quoted text of each reference below it,
    and behind each cited sentence the share of its words that the cited quotes contain.

    Exit codes: 0 an answer that cites its references, 1 failure, 2 usage, 3 no answer or no citation, 130 interrupted.
    """

    question: Annotated[tuple[str, ...], Positional, arg(metavar="QUESTION", help_behavior_hint="")]
    """The question; - reads it from stdin."""
    policy: Annotated[str, arg(metavar="POLICY", help=POLICY_HELP)] = "default"
    seed: int = 0
    """Random seed of the policy. Scripts and models in this process repeat their answer for the same seed."""
    json: bool = False
    """Print one JSON object instead: answer, supported, support, citations (per sentence) and episode (the record)."""
    save: Annotated[Path | None, arg(metavar="FILE")] = None
    """Append the episode to this JSON Lines file, even if it fails or is interrupted."""
    policy_options: Annotated[PolicyOptions, arg(name="")] = field(default_factory=PolicyOptions)
    """Options of the policy."""
    web: Annotated[WebOptions, arg(name="")] = field(default_factory=WebOptions)
    """Options of the web to browse."""
    settings: Annotated[EpisodeOptions, arg(name="")] = field(default_factory=EpisodeOptions)
    """Format and budgets of the episode."""

    def run(self) -> int:
        """Print the answer with its references; the exit code says whether it is supported."""
        question = read_question(self.question)
        policy = self.policy_options.make(self.policy)
        settings = self.settings.for_policy(policy)
        answering = self.policy_options.answering()
        check_writable(self.save)
        log = Console(stderr=True, highlight=False, force_terminal=None if sys.stdout.isatty() else False)
        with self.web.open() as web:
            log.print(Text(f"{policy.name} browses {web.name}", "dim"), soft_wrap=True)
            with StepView(log, settings, samples=self.policy_options.best_of) as view:
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
                    batch_size=self.policy_options.best_of,
                )
                view.chosen(episode)
        return self._print(episode, log)

    def _print(self, episode: Episode, log: Console) -> int:
        """Print the result of an episode; returns the exit code."""
        answer = None if episode.answer is None else clean(episode.answer).strip()
        check = check_citations(answer or "", episode.references)
        if self.json:
            print(json.dumps(_result(episode, answer, check)))
        elif answer:
            log.print()
            print_answer(Console(highlight=False), answer, check, episode.references)
        if answer and check.is_supported:
            return 0
        if not answer:
            log.print(Text(explain_ending(episode), "yellow"), soft_wrap=True)
        return FAILURE if episode.failure else UNSUPPORTED


def _result(episode: Episode, answer: str | None, check: CitationCheck) -> dict[str, object]:
    return {
        "answer": answer,
        "supported": check.is_supported,
        "support": check.support,
        "citations": [asdict(sentence) for sentence in check.sentences],
        "episode": asdict(episode),
    }
