"""Two ways to do the same work, compared on a machine that others use too."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any


def compare(benchmark: Any, what: str, ours: Callable[[], float], theirs: Callable[[], float], *, rounds: int) -> None:
    """Measure both, round by round, in alternating order, and print medians and the median ratio.

    Rates are per second of this process's CPU time, which other jobs hardly change, and with one thread are what an idle core
    would give.

    Args:
        benchmark: The fixture.
        what: Name of the work.
        ours: Does it and says how much it was, like the next.
        theirs: See there.
        rounds: Of both; the first is a warm-up.
    """
    rates: dict[str, list[float]] = {"ours": [], "theirs": []}
    ways = {"ours": ours, "theirs": theirs}

    def one_round() -> None:
        order = [*ways] if len(rates["ours"]) % 2 else [*reversed(ways)]
        for name in order:
            before = time.process_time()
            amount = ways[name]()
            rates[name].append(amount / (time.process_time() - before))

    if benchmark.disabled:
        benchmark.pedantic(one_round, rounds=1)
        return
    benchmark.pedantic(one_round, rounds=rounds + 1)
    mine, others = rates["ours"][1:], rates["theirs"][1:]
    ratios = sorted(one / other for one, other in zip(mine, others, strict=True))
    benchmark.extra_info.update(ours=median(mine), theirs=median(others), ratio=median(ratios))
    print(
        f"\n{what} per CPU second: {median(mine):,.4g} ours, {median(others):,.4g} theirs; "
        f"{median(ratios):.2f} times as many ({ratios[0]:.2f} to {ratios[-1]:.2f} in {len(ratios)} rounds)"
    )
