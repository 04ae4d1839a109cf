"""A trained reward model as a `Score`, with the normalization that is stored beside its weights."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.models.tokens import completion_ids, prompt_ids
from agent.score import Scored
from browser_env.errors import UsageError
from browser_env.observation import observe
from browser_env.pages.characters import END_OF_FIELD, clean, clean_line
from browser_env.records import Question, Reference, Settings
from browser_env.state import BrowserState

if TYPE_CHECKING:
    import torch
    from torch import Tensor

REWARD_FILE = "reward.json"
"""Beside the weights of a reward model: its `Normalization`."""


@dataclass(frozen=True, slots=True)
class Normalization:
    """How a model's output becomes the score: ``(output - shift) / scale``."""

    shift: float = 0.0
    """Mean of the outputs on the answers it was trained on, so that an ordinary answer scores 0."""
    scale: float = 1.0
    """1: a difference of scores is the logit of the preference, the unit in which the paper's KL coefficient is meant."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.shift) and math.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"a shift is finite and a scale above 0, got {self.shift} and {self.scale}")


class RewardModelScore:
    """A `Score` over a model with one output, as `webgpt train rm` makes it."""

    def __init__(
        self,
        model: Any,  # a class of transformers, see `agent.models.scalar_model`
        tokenizer: Any,
        *,
        name: str,
        normalization: Normalization | None = None,
        batch_tokens: int = 16_384,
    ) -> None:
        """Take a model as it is: on its device, in its precision.

        Args:
            model: Gives one number for each position.
            tokenizer: Its tokenizer.
            name: What records call it.
            normalization: Of its outputs; None: they are the scores.
            batch_tokens: Tokens of a batch, padding included; a longer text is a batch of its own.
        """
        self.name = name
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.normalization = normalization or Normalization()
        self._batch_tokens = batch_tokens

    @classmethod
    def load(
        cls,
        path_or_id: str | Path,
        *,
        name: str | None = None,
        device: str | None = None,
        dtype: "torch.dtype | None" = None,
        batch_tokens: int = 16_384,
    ) -> "RewardModelScore":
        """Load a reward model from a folder or the Hugging Face hub.

        Args:
            path_or_id: The folder, or the name on the hub.
            name: What records call it; None: the last part of the path.
            device: As torch names it; None: CUDA where there is one, or else the CPU.
            dtype: None: bfloat16 on a GPU that computes in it, or else float32: scores are compared with each other, and on a
                CPU there are few of them.
            batch_tokens: See above.

        Raises:
            UsageError: torch and transformers are not installed, or there is no such model, or it is no reward model.
        """
        try:
            import torch
            from safetensors import SafetensorError
            from transformers import AutoTokenizer

            from agent.models.language_model import fast_dtype
            from agent.models.scalar_model import load_scalar_model
        except ImportError as error:
            raise UsageError(f"the reward model {path_or_id} needs torch: pip install 'open-webgpt[train]'") from error
        folder = Path(path_or_id).expanduser()
        source = str(folder) if folder.is_dir() else str(path_or_id)
        if folder.is_dir() and not _is_reward_model(folder):
            raise UsageError(f"{path_or_id} is no folder of a reward model: make one with webgpt train rm")
        place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        try:
            tokenizer = AutoTokenizer.from_pretrained(source)
            model = load_scalar_model(source, dtype=dtype or (fast_dtype(place) if place.type == "cuda" else torch.float32))
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise UsageError(f"{path_or_id} is no reward model that can be loaded: {clean_line(str(error))[:300]}") from error
        return cls(
            model.to(place),
            tokenizer,
            name=name or (folder.resolve().name if folder.is_dir() else str(path_or_id)),
            normalization=load_normalization(folder),
            batch_tokens=batch_tokens,
        )

    def __call__(self, items: Sequence[Scored]) -> list[float]:
        outputs = self.outputs([scored_ids(self.tokenizer, item) for item in items])
        return [(output - self.normalization.shift) / self.normalization.scale for output in outputs]

    def outputs(self, texts: Sequence[Sequence[int]]) -> list[float]:
        """What the model says of each text (token ids), before normalization."""
        import torch

        outputs = [0.0] * len(texts)
        with torch.inference_mode():
            for batch in length_batches([len(text) for text in texts], self._batch_tokens):
                values = last_outputs(self.model, [texts[index] for index in batch])
                for index, value in zip(batch, values.tolist(), strict=True):
                    outputs[index] = value
        return outputs


def answering_text(question: str, references: Sequence[Reference]) -> str:
    """What is shown when the answer is asked for; without references, the question alone."""
    state = BrowserState(Question(id="", text=question), Settings(), references=tuple(references), ending="answer")
    return observe(state) or f"{clean(question).strip()}{END_OF_FIELD}"


def answer_ids(tokenizer: Any, text: str, answer: str) -> list[int]:
    """The ids that a reward model reads: what was shown, the answer, and the answer's end."""
    return [*prompt_ids(tokenizer, text), *completion_ids(tokenizer, answer.strip(), "answering")]


def scored_ids(tokenizer: Any, item: Scored) -> list[int]:
    """The ids that a reward model reads of an item."""
    return answer_ids(tokenizer, answering_text(item.question, item.references), item.answer)


def last_outputs(model: Any, texts: Sequence[Sequence[int]]) -> "Tensor":
    """The model's output at the last token of each text, float32, shape (B,).

    Texts are padded on the right, where no token of a causal model looks; so no mask is needed, and which token pads does not
    matter.
    """
    import torch

    lengths = torch.tensor([len(text) for text in texts], device=model.device)
    ids = torch.zeros(len(texts), int(lengths.max()), dtype=torch.long)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = torch.tensor(text)
    hidden = model.base_model(input_ids=ids.to(model.device), use_cache=False).last_hidden_state
    last = hidden[torch.arange(len(texts), device=model.device), lengths - 1]
    outputs: Tensor = model.score(last)[:, 0].float()
    return outputs


def length_batches(lengths: Sequence[int], most_tokens: int) -> list[list[int]]:
    """Indices in batches of similar length, the longest first, each of at most so many tokens with its padding."""
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if not batches or (len(batches[-1]) + 1) * lengths[batches[-1][0]] > most_tokens:
            batches.append([])
        batches[-1].append(index)
    return batches


def load_normalization(folder: Path) -> Normalization:
    """The normalization beside a model's weights; none if it names none.

    Raises:
        UsageError: The file holds something else.
    """
    file = folder / REWARD_FILE
    if not file.is_file():
        return Normalization()
    try:
        return Normalization(**json.loads(file.read_text()))
    except (ValueError, TypeError) as error:
        raise UsageError(f"{file} holds no shift and scale: {clean_line(str(error))[:200]}") from error


def save_normalization(folder: Path, normalization: Normalization) -> None:
    """Write it beside the weights."""
    (folder / REWARD_FILE).write_text(json.dumps(asdict(normalization), indent=2) + "\n")


def _is_reward_model(folder: Path) -> bool:
    try:
        architectures = json.loads((folder / "config.json").read_text()).get("architectures") or []
    except (OSError, ValueError):
        return False
    return any(str(name).endswith("ForSequenceClassification") for name in architectures)
