"""Seeded detours: the mistakes that a scripted demonstration makes on purpose, and then recovers from."""

from dataclasses import dataclass

from browser_env.records.digests import stable_hash


@dataclass(frozen=True, slots=True)
class Detours:
    """The detours of one demonstration.

    Args:
        noise: Probability of taking a detour of factor 1, from 0 to 1.
        seed: Random seed of the detours.
        question_id: Identifies the question, so that demonstrations of other questions take other detours.
    """

    noise: float
    seed: int
    question_id: str

    def takes(self, name: str, factor: float = 1.0) -> bool:
        """Whether the named detour is taken, which is the same at every step of the episode.

        Args:
            name: Identifies the detour within the episode.
            factor: Multiplies the noise; above 1 the detour is more frequent.
        """
        uniform = int(stable_hash(self.seed, self.question_id, name)[:8], 16) / 2**32
        return uniform < self.noise * factor
