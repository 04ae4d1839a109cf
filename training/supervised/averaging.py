"""The moving average of the weights, which is the final checkpoint (Appendix E), and early stopping by a score of it.

The average and the best average so far are part of every checkpoint of the trainer, in one file that is written last and in one
piece, so a checkpoint that has it is whole.
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
"""How good a model is; higher is better."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The average of the weights, judged."""

    step: int
    score: float


class Averaging(TrainerCallback):
    """Keeps the average of the trained weights, has it judged, stops when it gets no better."""

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
        """Make one for one training.

        Args:
            decay: Share of the average that a step keeps. While there have been few steps t it is (1 + t) / (10 + t) at most,
                so that a short training is not an average of where it began.
            evaluate: Judges the model with the average in place of its weights; None: nobody does, the last average is the
                result.
            every: Steps between judgements; the last step is judged too.
            patience: Judgements without a better score after which training stops; None: it never does.
            tolerance: Difference of two scores that says nothing: among the best, the last one is the result.
            on_evaluation: Told of every judgement.
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
        """The last one whose score is the highest, or too near to it to be told from it: it has seen more."""
        highest = max((one.score for one in self.evaluations), default=0.0)
        return next((one for one in reversed(self.evaluations) if one.score >= highest - self._tolerance), None)

    def load(self, checkpoint: Path) -> None:
        """Go on from a checkpoint of the trainer."""
        with safe_open(checkpoint / FILE, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118 - it is no mapping
                kind, _, name = key.partition("/")
                (self._average if kind == "average" else self._best)[name] = file.get_tensor(key)
            self.evaluations = [Evaluation(**one) for one in json.loads(file.metadata()["evaluations"])]

    def apply(self, model: Any) -> None:
        """Give a model the best average, or the last if none was judged."""
        with torch.no_grad():
            for name, value in _trained(model):
                value.copy_((self._best or self._average)[name])

    # ------------------------------------------------------------------------------------------- what the trainer calls

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin with the weights themselves, unless there is an average from a checkpoint."""
        own = dict(_trained(kwargs["model"]))
        if not self._average:
            self._average = {name: value.detach().float().clone() for name, value in own.items()}
        self._average = {name: value.to(own[name].device) for name, value in self._average.items()}

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
        """Move the average, and have it judged when it is time."""
        model = kwargs["model"]
        names, values = zip(*((name, value.detach().float()) for name, value in _trained(model)), strict=True)
        decay = min(self._decay, (1 + state.global_step) / (10 + state.global_step))
        torch._foreach_lerp_([self._average[name] for name in names], list(values), 1 - decay)
        is_last = state.global_step >= state.max_steps
        if self._evaluate is None or not (is_last or state.global_step % self._every == 0):
            return control
        with self._in_place(model), torch.random.fork_rng():
            now = Evaluation(state.global_step, self._evaluate(model))
        self.evaluations.append(now)
        if self.best is now:
            self._best = {name: value.to("cpu", copy=True) for name, value in self._average.items()}
        if self._on_evaluation:
            self._on_evaluation(now)
        scores = [one.score for one in self.evaluations]
        if self._patience is not None and len(scores) - 1 - scores.index(max(scores)) >= self._patience:
            control.should_training_stop = True
        return control

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Add the averages to the checkpoint that was just written."""
        if not state.is_world_process_zero:
            return
        tensors = {f"average/{name}": value.contiguous() for name, value in self._average.items()}
        tensors |= {f"best/{name}": value.contiguous() for name, value in self._best.items()}
        file = Path(args.output_dir) / f"checkpoint-{state.global_step}" / FILE
        with replacing(file) as part:
            save_file(tensors, part, metadata={"evaluations": json.dumps([asdict(one) for one in self.evaluations])})

    @contextmanager
    def _in_place(self, model: Any) -> Iterator[None]:
        """The model with the average as its weights, evaluating."""
        own = {name: value.detach().clone() for name, value in _trained(model)}
        was_training = model.training
        model.eval()
        try:
            with torch.no_grad():
                for name, value in _trained(model):
                    value.copy_(self._average[name])
            yield
        finally:
            with torch.no_grad():
                for name, value in _trained(model):
                    value.copy_(own[name])
            model.train(was_training)


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint of a trainer's folder."""
    whole = [path.parent for path in folder.glob(f"checkpoint-*/{FILE}")]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _trained(model: Any) -> Iterator[tuple[str, Tensor]]:
    return ((name, value) for name, value in model.named_parameters() if value.requires_grad)
