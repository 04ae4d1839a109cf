"""Moving average of the weights, the paper's final checkpoint (Appendix E), and early stopping by its score.

The averages are part of each checkpoint, in a file that is written last and atomically: a checkpoint that has it is complete.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from transformers import TrainerCallback

from browser_env.records.files import replacing

FILE = "averages.safetensors"

Evaluate = Callable[[Any], float]
"""Scores a model; higher is better."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The score of the averaged weights after an optimizer step."""

    step: int
    score: float


class Averaging(TrainerCallback):
    """Averages the trained weights, has the average evaluated, keeps the best and stops training early."""

    def __init__(
        self,
        decay: float = 0.99,
        *,
        evaluate: Evaluate | None = None,
        every: int = 100,
        patience: int | None = None,
        tolerance: float = 0.0,
        on_evaluation: Callable[[Evaluation], None] | None = None,
    ) -> None:
        """Create the callback of one training.

        Args:
            decay: The share of the average that a step keeps. At step t it is at most (1 + t) / (10 + t), so that the start
                does not dominate the average of a short training.
            evaluate: Scores the model with the averaged weights. None: no evaluation; the result is the final average.
            every: Number of optimizer steps between evaluations; the last step is evaluated too.
            patience: Number of evaluations without a higher score after which training stops. None: no early stopping.
            tolerance: Scores this close to the highest count as equal to it; the latest of them is the best.
            on_evaluation: Called after each evaluation.
        """
        self._decay = decay
        self._evaluate = evaluate
        self._every = every
        self._patience = patience
        self._tolerance = tolerance
        self._on_evaluation = on_evaluation
        self._average: dict[str, Tensor] = {}
        self._best: dict[str, Tensor] = {}
        self.evaluations: list[Evaluation] = []

    @property
    def best(self) -> Evaluation | None:
        """The latest evaluation within `tolerance` of the highest score. None: there was no evaluation."""
        highest = max((evaluation.score for evaluation in self.evaluations), default=0.0)
        return next((last for last in reversed(self.evaluations) if last.score >= highest - self._tolerance), None)

    def load(self, checkpoint: Path) -> None:
        """Restore the averages and evaluations of a checkpoint."""
        with safe_open(checkpoint / FILE, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118 - it is not a mapping
                kind, _, name = key.partition("/")
                (self._average if kind == "average" else self._best)[name] = file.get_tensor(key)
            self.evaluations = [Evaluation(**values) for values in json.loads(file.metadata()["evaluations"])]

    def apply(self, model: Any) -> None:
        """Give a model the best average, or the latest if there was no evaluation."""
        _copy(self._best or self._average, model)

    # -------------------------------------------------------------------------------------------------- trainer callbacks

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start from the current weights, unless a checkpoint was loaded."""
        weights = dict(_trained(kwargs["model"]))
        if not self._average:
            self._average = {name: value.detach().float().clone() for name, value in weights.items()}
        self._average = {name: value.to(weights[name].device) for name, value in self._average.items()}

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Update the average, and evaluate it at the steps that `every` selects."""
        model, step = kwargs["model"], state.global_step
        self._update(model, step)
        is_last = step >= state.max_steps
        if self._evaluate is not None and (is_last or step % self._every == 0):
            self._score(self._evaluate, model, step)
            control.should_training_stop |= self._is_out_of_patience()
        return control

    def _update(self, model: Any, step: int) -> None:
        names, values = zip(*((name, value.detach().float()) for name, value in _trained(model)), strict=True)
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_([self._average[name] for name in names], list(values), 1 - decay)

    def _score(self, evaluate: Evaluate, model: Any, step: int) -> None:
        with self._averaged(model), torch.random.fork_rng():
            evaluation = Evaluation(step, evaluate(model))
        self.evaluations.append(evaluation)
        if self.best is evaluation:
            self._best = {name: value.to("cpu", copy=True) for name, value in self._average.items()}
        if self._on_evaluation:
            self._on_evaluation(evaluation)

    def _is_out_of_patience(self) -> bool:
        scores = [evaluation.score for evaluation in self.evaluations]
        return self._patience is not None and len(scores) - 1 - scores.index(max(scores)) >= self._patience

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Add the averages to the checkpoint that the trainer has just written."""
        if not state.is_world_process_zero:
            return
        tensors = {f"average/{name}": value.contiguous() for name, value in self._average.items()}
        tensors |= {f"best/{name}": value.contiguous() for name, value in self._best.items()}
        evaluations = json.dumps([asdict(evaluation) for evaluation in self.evaluations])
        with replacing(Path(args.output_dir) / f"checkpoint-{state.global_step}" / FILE) as part:
            save_file(tensors, part, metadata={"evaluations": evaluations})

    @contextmanager
    def _averaged(self, model: Any) -> Iterator[None]:
        """Give the model the averaged weights, in evaluation mode, and restore it afterwards."""
        weights = {name: value.detach().clone() for name, value in _trained(model)}
        was_training = model.training
        model.eval()
        try:
            _copy(self._average, model)
            yield
        finally:
            _copy(weights, model)
            model.train(was_training)


def last_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint in a trainer's folder."""
    return max((path.parent for path in folder.glob(f"checkpoint-*/{FILE}")), key=checkpoint_step, default=None)


def checkpoint_step(checkpoint: Path) -> int:
    """The optimizer step of a checkpoint, by the name of its folder."""
    return int(checkpoint.name.rpartition("-")[2])


def _copy(values: dict[str, Tensor], model: Any) -> None:
    with torch.no_grad():
        for name, value in _trained(model):
            value.copy_(values[name])


def _trained(model: Any) -> Iterator[tuple[str, Tensor]]:
    return ((name, value) for name, value in model.named_parameters() if value.requires_grad)
