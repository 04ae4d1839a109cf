"""Measure a policy of your own beside the scripted one: python examples/own_policy.py [COLLECTION] [LIMIT]."""

import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from agent import Benchmark, Completion, Lexical, Prompt, load_questions, make_policy
from browser_env import Collection, Settings, default_collection


class FirstPage:
    """Search for the question, open the first result, quote its first line of text, repeat it as the answer."""

    name = "first-page"

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        """One command (or answer) for each prompt."""
        return [Completion(self._next(prompt)) for prompt in prompts]

    def _next(self, prompt: Prompt) -> str:
        state = prompt.state
        if state.phase == "answering":
            return f"{state.references[0].extract} [1]"
        match len(state.past_actions):
            case 0:
                return f"Search {state.question.text}"
            case 1:
                return "Clicked on link 0"
            case 2:
                lines = state.page.text.splitlines()
                return f"Quote: {next((line for line in lines if len(line.split()) > 5), lines[0])}"
            case _:
                return "End: Answer"


def main(collection: str | None = None, limit: str = "40") -> None:
    """Print the benchmark's table."""

    def open_web() -> Collection:
        return Collection.open(Path(collection)) if collection else default_collection()

    with open_web() as web, TemporaryDirectory() as folder:
        questions = list(islice(load_questions("pydoc:test", open_docs=open_web), int(limit)))
        policies = [FirstPage(), make_policy("scripted")]
        with Benchmark.open(Path(folder), questions, {"example": "own_policy"}) as benchmark:
            for policy in policies:
                benchmark.run(policy, web, Settings())
            print(benchmark.score([policy.name for policy in policies], Lexical()))


if __name__ == "__main__":
    main(*sys.argv[1:])
