"""Behaviour cloning: a language model learns to give the commands and answers of demonstrations (§3.2, Appendix E).

TRL's SFTTrainer carries it. The loss is on actions only, and what stops it is not the loss on held-out demonstrations (the
paper's models went on improving past its minimum) but how well the averaged weights answer held-out questions.
"""

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import UseAppendAction, arg

from agent.models.shipped import SMALL
from browser_env.backends import Backend
from browser_env.errors import RecordError
from training.behavior_cloning.demonstrations import (
    Augment,
    StepSource,
    common_settings,
    copying_task,
    judged_questions,
    read_demonstrations,
    split,
    word_replacement,
)
from training.behavior_cloning.evaluation import MakePolicy, RolloutScore, greedy, held_out_loss
from training.runs import REPORT, RUN, begin_run, load_base, save_model

if TYPE_CHECKING:
    from training.supervised.averaging import Evaluate
    from training.supervised.trainers import ExtraRows, Progress

MORE_TOKENS = 16
"""Tokens that an evaluated command may have beyond the longest demonstrated one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloningConfig:
    """How a policy is cloned. The defaults are for a model of some million parameters on two cores."""

    demonstrations: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="FILE[:WEIGHT]", help_behavior_hint="(repeatable)")]
    """Files of episodes to learn from; the weight multiplies their loss."""
    base: Annotated[str, arg(metavar="PATH_OR_ID")] = SMALL
    """The language model that learns: small or learned (both ship), a folder (`webgpt train base`), or a name on the Hugging
    Face hub."""
    epochs: float = 4.0
    """Passes over the demonstrations at most (the paper: 12 at most, 2 to 5 used)."""
    batch_size: int = 32
    """Steps of episodes in one step of the optimizer (the paper: 512, Table 5)."""
    micro_batch_size: Annotated[int | None, arg(metavar="N")] = None
    """Of them in memory at once; None: all."""
    learning_rate: float = 1e-3
    """Of Adam at its highest (the paper: a tenth of pre-training's, Table 5). 1e-5 to 3e-5 suit models of 0.5 to 8 billion
    parameters, 2e-4 their adapters."""
    warmup: float = 0.05
    """Share of the training in which the learning rate rises to it; then it falls to 0 in a line."""
    weight_decay: float = 0.01
    """Of AdamW."""
    max_grad_norm: float = 1.0
    """Longer gradients are shortened to this."""
    ema_decay: float = 0.99
    """Of the average of the weights, per step; the average is the result (Table 5)."""
    held_out: float = 0.04
    """Share of the questions whose demonstrations are not learned but measured on (§3.2)."""
    eval_every: int = 200
    """Steps between evaluations."""
    eval_questions: int = 32
    """Held-out questions that are answered at each; 0: none are, and the last average is the result. The result is the last one
    whose score is less than a standard error, 0.5 / sqrt of their number, below the best."""
    patience: Annotated[int | None, arg(metavar="N")] = 5
    """Evaluations without a better score after which training stops; None: it never does."""
    save_every: int = 100
    """Steps between checkpoints, from which a training that was stopped goes on."""
    replaced: float = 0.0
    """Share of the examples in which words are replaced by others, so that nothing is learned by heart."""
    choice_weight: float = 1.0
    """What the tokens that choose count (which command, which sentence), where those that are copied behind them count 1."""
    learn_mistakes: bool = False
    """Learn the steps too that were taken back or found nothing; what was done to recover is learned in any case."""
    copying_every: int = 0
    """Every so many steps the copying task is learned as well; 0: never."""
    lora_rank: int = 0
    """Above 0, only adapters of this rank are trained (LoRA), for models too large to train whole."""
    gradient_checkpointing: bool = False
    """Compute twice what does not fit in memory."""
    weights: Literal["bfloat16", "float32"] = "bfloat16"
    """Of the model on disk."""
    max_steps: Annotated[int | None, arg(metavar="N")] = None
    """Stop after so many steps; None: when the epochs are over."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class CloningEvaluation:
    """The averaged weights, judged."""

    step: int
    score: float | None
    """Of rollouts on held-out questions, 0 to 1; None: nobody judged."""
    held_out_loss: float | None
    """Mean over the tokens of held-out actions, in nats; None: nothing is held out."""


@dataclass(frozen=True, slots=True)
class CloningReport:
    """What came of a training."""

    rows: int
    """Steps of episodes that were learned."""
    held_out_rows: int
    tokens: int
    """Of the rows that were learned, in one epoch, what is only read included."""
    action_tokens: int
    """Of them those that were learned."""
    steps: int
    """Of the optimizer."""
    best_step: int | None
    """Where the weights of the result were best; None: nobody judged, they are the last."""
    score: float | None
    held_out_loss: float | None
    """Of the result."""
    losses: tuple[tuple[int, float], ...]
    """Training loss by step."""
    evaluations: tuple[CloningEvaluation, ...]


def clone(
    config: CloningConfig,
    out: Path,
    *,
    backend: Backend | None = None,
    evaluate: "Evaluate | None" = None,
    make_policy: MakePolicy | None = None,
    augment: Augment | None = None,
    extra_rows: "ExtraRows | None" = None,
    on_progress: "Callable[[Progress], None] | None" = None,
    on_evaluation: Callable[[CloningEvaluation], None] | None = None,
) -> CloningReport:
    """Clone the behaviour of demonstrations into a model, or go on where that was stopped, and save the policy.

    Args:
        config: Everything that decides the result.
        out: Folder of the policy (``hf:OUT``); ``OUT/run`` holds how it was made. What is done already is not done again.
        backend: The web on which held-out questions are answered; None: none are.
        evaluate: Judges a model instead of rollouts; higher is better.
        make_policy: For the rollouts; None: a `LanguageModel` that is greedy.
        augment: Changes examples on the fly; None: words are replaced if the configuration says so.
        extra_rows: Draws rows of another task; None: those of the copying task.
        on_progress: Told of every step.
        on_evaluation: Told of every evaluation.

    Raises:
        UsageError: There is no such model, no demonstration, or one that the model cannot read whole.
        RecordError: A file of demonstrations cannot be read.
    """
    folder = out / RUN
    begin_run(folder, config)
    if (folder / REPORT).is_file():
        return load_report(folder / REPORT)

    from training.supervised.averaging import Averaging
    from training.supervised.trainers import CloningTrainer, Optimization, run

    model, tokenizer = load_base(config.base)
    learned, held_out = split(read_demonstrations(config.demonstrations), config.held_out, config.seed)
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if augment is None and config.replaced > 0:
        augment = word_replacement([episode for episode, _ in learned], config.replaced)
    source = StepSource(
        learned,
        tokenizer,
        context=context,
        name=config.base,
        augment=augment,
        choice_weight=config.choice_weight,
        with_mistakes=config.learn_mistakes,
        seed=config.seed,
    )
    validation = StepSource(held_out, tokenizer, context=context, name=config.base, with_mistakes=config.learn_mistakes)
    if extra_rows is None and config.copying_every:
        extra_rows = copying_task(source)
    settings = common_settings([episode for episode, _ in learned])
    if evaluate is None and backend is not None and config.eval_questions:
        questions = judged_questions([episode.question for episode, _ in held_out], config.eval_questions, config.seed)
        longest = source.longest_completion + MORE_TOKENS
        if questions:
            evaluate = RolloutScore(backend, questions, settings, tokenizer, make_policy or greedy(longest))

    losses: dict[int, float | None] = {}

    def judge(model: Any) -> float:
        losses[-1] = held_out_loss(model, validation, config.batch_size)
        return evaluate(model) if evaluate else 0.0

    def told(step: int, score: float) -> None:
        losses[step] = losses.pop(-1)
        if on_evaluation:
            on_evaluation(CloningEvaluation(step, score, losses[step]))

    averaging = Averaging(
        config.ema_decay,
        evaluate=judge if evaluate else None,
        every=config.eval_every,
        patience=config.patience,
        tolerance=0.5 / math.sqrt(config.eval_questions) if config.eval_questions else 0.0,
        on_evaluation=lambda one: told(one.step, one.score),
    )
    optimization = Optimization(
        epochs=config.epochs,
        batch_size=config.batch_size,
        micro_batch_size=config.micro_batch_size,
        learning_rate=config.learning_rate,
        warmup=config.warmup,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        max_steps=config.max_steps,
        save_every=config.save_every,
        gradient_checkpointing=config.gradient_checkpointing,
        seed=config.seed,
    )
    checkpoints = folder / "checkpoints"
    trainer = CloningTrainer(
        model,
        tokenizer,
        source,
        checkpoints,
        optimization,
        extra_rows=extra_rows,
        extra_every=config.copying_every or 6,
        callbacks=[averaging],
        peft_config=lora(config.lora_rank) if config.lora_rank else None,
    )
    history = run(trainer, averaging, checkpoints, on_progress=on_progress)
    trained = trainer.accelerator.unwrap_model(trainer.model)
    if config.lora_rank:
        trained = trained.merge_and_unload()
    best = averaging.best
    report = CloningReport(
        rows=len(source.lengths),
        held_out_rows=len(validation.lengths),
        tokens=sum(source.lengths),
        action_tokens=source.action_tokens,
        steps=trainer.state.global_step,
        best_step=best.step if best else None,
        score=best.score if best else None,
        held_out_loss=held_out_loss(trained, validation, config.batch_size),
        losses=tuple(history),
        evaluations=tuple(CloningEvaluation(one.step, one.score, losses.get(one.step)) for one in averaging.evaluations),
    )
    if trainer.is_world_process_zero():
        import torch

        save_model(out, trained, tokenizer, settings, dtype=getattr(torch, config.weights))
        (folder / REPORT).write_text(json.dumps(asdict(report), indent=2) + "\n")
        shutil.rmtree(checkpoints, ignore_errors=True)
    return report


# ---------------------------------------------------------------------------------------------------------------- model


def lora(rank: int) -> Any:
    """Adapters on every matrix but the unembedding."""
    from peft import LoraConfig

    return LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")


# ----------------------------------------------------------------------------------------------------------- evaluation


def load_report(file: Path) -> CloningReport:
    """The figures of a training that is done.

    Raises:
        RecordError: The file holds none.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(CloningReport).validate_json(file.read_bytes())
    except ValidationError as error:
        raise RecordError(f"{file} is no report of behaviour cloning: delete it to train again") from error
