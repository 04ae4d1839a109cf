"""Comparison of the speed of two implementations on a machine that other programs use at the same time."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any


def compare(benchmark: Any, unit: str, ours: Callable[[], float], theirs: Callable[[], float], *, rounds: int) -> None:
    """Measure two implementations in alternating order, and print their median rates and the median ratio.

    Rates are per second of this process's CPU time, which other programs hardly affect; with one thread they are those of an
    idle core.

    Args:
        benchmark: The fixture of pytest-benchmark.
        unit: Name of the units of work, such as *episodes*.
        ours: Runs this project's implementation; returns the number of units of work.
        theirs: Runs the other implementation, likewise.
        rounds: Number of measured rounds, which follow a warm-up round.
    """
    rates: dict[str, list[float]] = {"ours": [], "theirs": []}
    implementations = {"ours": ours, "theirs": theirs}

    def run_round() -> None:
        order = [*implementations] if len(rates["ours"]) % 2 else [*reversed(implementations)]
        for name in order:
            before = time.process_time()
            amount = implementations[name]()
            rates[name].append(amount / (time.process_time() - before))

    if benchmark.disabled:
        benchmark.pedantic(run_round, rounds=1)
        return
    benchmark.pedantic(run_round, rounds=rounds + 1)
    our_rates, their_rates = rates["ours"][1:], rates["theirs"][1:]
    ratios = sorted(our_rate / their_rate for our_rate, their_rate in zip(our_rates, their_rates, strict=True))
    benchmark.extra_info.update(ours=median(our_rates), theirs=median(their_rates), ratio=median(ratios))
    print(
        f"\n{unit} per CPU second: {median(our_rates):,.4g} ours, {median(their_rates):,.4g} theirs; "
        f"{median(ratios):.2f} times as many ({ratios[0]:.2f} to {ratios[-1]:.2f} in {len(ratios)} rounds)"
    )
