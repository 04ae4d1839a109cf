"""The five disjoint splits of every question set.

Behavior cloning, the reward model and reinforcement learning are trained on separate questions (§3), and validation and test
have their own. The split of a question depends on its key alone and not on its place in a file, so a set that grows or is
shuffled keeps its splits.
"""

from typing import Final, Literal, get_args

from browser_env.records.digests import hash_fraction

Split = Literal["bc", "rm", "rl", "validation", "test"]
SPLITS: Final[tuple[Split, ...]] = get_args(Split)

SHARES: Final[dict[Split, int]] = {"bc": 30, "rm": 25, "rl": 25, "validation": 5, "test": 15}
"""Size of each split in percent. The paper gives only one: about 4 % of its 6,209 demonstrations were for validation."""


def split_of(key: str) -> Split:
    """The split of a key: the same in every process, on every machine and in every version."""
    percentile = hash_fraction("split", key) * 100
    for split, share in SHARES.items():
        percentile -= share
        if percentile < 0:
            return split
    return SPLITS[-1]
