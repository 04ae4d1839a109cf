"""The only place where text becomes token ids.

Behaviour cloning, the reward model, rollouts and PPO all come here, so that a policy is trained on exactly the ids that it
is asked with. A prompt and its completion become ids apart from each other and are joined as ids: tokenising their joined
text could merge the two at the border.
"""

from typing import Any, Literal

from browser_env.pages.characters import END_OF_FIELD
from browser_env.records.storage import storable

Phase = Literal["browsing", "answering"]


def prompt_ids(tokenizer: Any, observation: str) -> list[int]:
    """The ids of what is shown, with what the tokenizer puts in front of every text (a begin-of-text token, say).

    Args:
        tokenizer: Any tokenizer of transformers.
        observation: Pages are full of texts such as <|endoftext|>; as special tokens they would be commands to the model,
            so they are read as plain text.
    """
    ids: list[int] = tokenizer(storable(observation), split_special_tokens=True, verbose=False)["input_ids"]
    if ids and ids[-1] == tokenizer.eos_token_id:
        ids.pop()  # some tokenizers end every text, and nothing follows an end
    return ids


def completion_ids(tokenizer: Any, text: str, phase: Phase) -> list[int]:
    """The ids of a command or an answer with its end, which is an action of the policy like every other token."""
    whole = storable(text) + stop_of(phase)
    ids: list[int] = tokenizer(whole, add_special_tokens=False, split_special_tokens=True, verbose=False)["input_ids"]
    return ids


def stop_of(phase: Phase) -> str:
    """The text that ends a completion: the line of a command, the field of an answer (Appendix A)."""
    return END_OF_FIELD if phase == "answering" else "\n"
