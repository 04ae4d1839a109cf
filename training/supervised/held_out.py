"""Random shares of the questions, for splits of demonstrations and comparisons."""

from browser_env.records.digests import stable_hash


def in_part(question: str, share: float, seed: int = 0, *, salt: str = "held out") -> bool:
    """Whether a question is in a random share of all questions.

    The result is the same in every process. With equal seed and salt a smaller share is a subset of a larger one.
    """
    return int(stable_hash(salt, seed, question)[:12], 16) < share * 16**12
