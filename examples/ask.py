"""Ask a question and print the answer with its citations: python examples/ask.py [QUESTION] [COLLECTION]."""

import sys
from pathlib import Path

from agent import make_policy, rollout
from browser_env import Collection, Question, Settings, check_citations, default_collection


def main(text: str = "What does shutil.copytree do?", collection: str | None = None) -> None:
    """Browse the documentation of this Python (or a collection) with the scripted policy."""
    policy = make_policy("scripted")  # or "learned", "hf:PATH_OR_ID", "openai:MODEL"
    with Collection.open(Path(collection)) if collection else default_collection() as web:
        (episode,) = rollout(policy, web, [Question(id="1", text=text)], Settings())

    for step in episode.steps:
        print(">", step.command or step.completion.partition("\n")[0])
    print(f"\n{episode.answer or 'No answer found.'}\n")
    for number, reference in enumerate(episode.references, start=1):
        print(f"[{number}] {reference.full_title}, {reference.url}\n    {reference.extract!r}")
    for sentence in check_citations(episode.answer or "", episode.references).sentences:
        print(f"{sentence.support:.0%} supported: {sentence.text}")


if __name__ == "__main__":
    main(*sys.argv[1:])
