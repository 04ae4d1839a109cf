"""The held-out split of demonstrations and comparisons, by question."""

from browser_env.records.digests import stable_hash


def in_part(question: str, share: float, seed: int = 0, *, salt: str = "held out") -> bool:
    """Whether a question is in a random share of all questions; the same for whoever asks, in every process.

    Shares of the same seed and salt are nested.
    """
    return int(stable_hash(salt, seed, question)[:12], 16) < share * 16**12
