"""The only module that turns text into token ids.

Behavior cloning, the reward model, rollouts and PPO all use it, so a policy is trained on exactly the tokens that it is asked
with. A prompt and its completion are tokenized separately and joined as token ids: tokenizing the joined text could merge the
tokens at the border.
"""

from typing import Any, Literal

from browser_env.pages.characters import END_OF_FIELD
from browser_env.records.storage import storable

Phase = Literal["browsing", "answering"]
"""The phase of an episode in which a completion is sampled."""


def prompt_ids(tokenizer: Any, observation: str) -> list[int]:
    """The tokens of an observation, after those that the tokenizer puts before every text (such as a begin-of-text token).

    Args:
        tokenizer: A tokenizer of transformers.
        observation: Text in which special tokens such as <|endoftext|> are read as plain text, because a page may contain them
            and the model would obey them.
    """
    ids: list[int] = tokenizer(storable(observation), split_special_tokens=True, verbose=False)["input_ids"]
    if ids and ids[-1] == tokenizer.eos_token_id:
        ids.pop()  # some tokenizers end every text, and a completion cannot follow an end
    return ids


def completion_ids(tokenizer: Any, text: str, phase: Phase) -> list[int]:
    """The tokens of a command or an answer, including its end, since ending is an action of the policy."""
    completion = storable(text) + stop_of(phase)
    ids: list[int] = tokenizer(completion, add_special_tokens=False, split_special_tokens=True, verbose=False)["input_ids"]
    return ids


def stop_of(phase: Phase) -> str:
    """The text that ends a completion: a line feed for a command, the end of the field for an answer (Appendix A)."""
    return END_OF_FIELD if phase == "answering" else "\n"
