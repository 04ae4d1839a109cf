"""The five parts of every question set, disjoint whatever else is done with them.

§3 of the paper trains three times and never twice on a question: behaviour cloning, the reward model and reinforcement learning
have questions of their own, and so do validation and test. A question belongs to one part because of its own key, not because
of its place in a file, so a set that grows or is shuffled keeps its parts.
"""

from typing import Final, Literal, get_args

from browser_env.records.digests import hash_fraction

Split = Literal["bc", "rm", "rl", "validation", "test"]
SPLITS: Final[tuple[Split, ...]] = get_args(Split)

SHARES: Final[dict[Split, int]] = {"bc": 30, "rm": 25, "rl": 25, "validation": 5, "test": 15}
"""Percent of a set. Of the paper's 6,209 demonstrations about 4 % were for validation; the others it does not print."""


def split_of(key: str) -> Split:
    """The part that a key falls in: the same in every process, on every machine and in every version."""
    place = hash_fraction("split", key) * 100
    for split, share in SHARES.items():
        place -= share
        if place < 0:
            return split
    return SPLITS[-1]
