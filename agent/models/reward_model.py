"""A trained reward model as a `Score`, with the normalization that is stored beside its weights."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.models.folder import short_name
from agent.models.pretrained import default_device, fast_dtype, load_errors
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
"""Name of the file with a reward model's `Normalization`, beside its weights."""


@dataclass(frozen=True, slots=True)
class Normalization:
    """The affine map from a model's output to the score: ``(output - shift) / scale``."""

    shift: float = 0.0
    """Mean of the outputs on the training answers, so that an average answer scores 0."""
    scale: float = 1.0
    """Divisor of the outputs. With 1, a difference of scores is the logit of the preference, the unit of the paper's KL
    coefficient."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.shift) and math.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"expected a finite shift and a scale above 0, got {self.shift} and {self.scale}")

    def score(self, output: float) -> float:
        """The score of an output."""
        return (output - self.shift) / self.scale


class RewardModelScore:
    """A `Score` over a model with a scalar head, as `webgpt train rm` trains it."""

    def __init__(
        self,
        model: Any,  # classes of transformers, see `agent.models.scalar_model`
        tokenizer: Any,
        *,
        name: str,
        normalization: Normalization | None = None,
        batch_tokens: int = 16_384,
    ) -> None:
        """Wrap a model as it is, on its device and in its precision.

        Args:
            model: A model with one output at each position.
            tokenizer: The model's tokenizer.
            name: Name of the score in records.
            normalization: Normalization of the outputs. Default: none; outputs are scores.
            batch_tokens: Maximum number of tokens of a batch, padding included. A longer text is a batch by itself.
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
            path_or_id: Folder or hub id.
            name: Name of the score in records. Default: the folder's name or the hub id.
            device: Name of a torch device. Default: CUDA if it is available, otherwise the CPU.
            dtype: Precision of the weights. Default: bfloat16 on a GPU with instructions for it, otherwise float32, because
                scores are compared with each other.
            batch_tokens: Maximum number of tokens of a batch, padding included.

        Raises:
            UsageError: torch or transformers is not installed, or the model does not exist or is not a reward model.
        """
        folder = Path(path_or_id).expanduser()
        source = str(folder) if folder.is_dir() else str(path_or_id)
        model, tokenizer = _load(source, device, dtype)
        normalization = load_normalization(folder)
        name = name or short_name(source)
        return cls(model, tokenizer, name=name, normalization=normalization, batch_tokens=batch_tokens)

    def __call__(self, items: Sequence[Scored]) -> list[float]:
        return [
            self.normalization.score(output) for output in self.outputs([scored_ids(self.tokenizer, item) for item in items])
        ]

    def outputs(self, texts: Sequence[Sequence[int]]) -> list[float]:
        """The model's output for each text (token ids), before normalization."""
        import torch

        outputs = [0.0] * len(texts)
        with torch.inference_mode():
            for batch in length_batches([len(text) for text in texts], self._batch_tokens):
                values = last_outputs(self.model, [texts[index] for index in batch])
                for index, value in zip(batch, values.tolist(), strict=True):
                    outputs[index] = value
        return outputs


def answering_text(question: str, references: Sequence[Reference]) -> str:
    """The observation of the answering phase, or the question alone if there are no references."""
    state = BrowserState(Question(id="", text=question), Settings(), references=tuple(references), ending="answer")
    return observe(state) or f"{clean(question).strip()}{END_OF_FIELD}"


def answer_ids(tokenizer: Any, text: str, answer: str) -> list[int]:
    """The tokens that a reward model reads: the observation, the answer, and the answer's end."""
    return [*prompt_ids(tokenizer, text), *completion_ids(tokenizer, answer.strip(), "answering")]


def scored_ids(tokenizer: Any, item: Scored) -> list[int]:
    """The tokens that a reward model reads for an item."""
    return answer_ids(tokenizer, answering_text(item.question, item.references), item.answer)


def last_outputs(model: Any, texts: Sequence[Sequence[int]]) -> "Tensor":
    """The model's output at the last token of each text, float32, shape (B,).

    Texts are padded on the right. A causal model does not attend to the right, so the padding needs no mask.
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


def length_batches(lengths: Sequence[int], max_tokens: int) -> list[list[int]]:
    """Batches of indices of texts with similar lengths, the longest first.

    Args:
        lengths: Number of tokens of each text.
        max_tokens: Maximum number of tokens of a batch, padding included. A longer text is a batch by itself.
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if not batches or (len(batches[-1]) + 1) * lengths[batches[-1][0]] > max_tokens:
            batches.append([])
        batches[-1].append(index)
    return batches


def load_normalization(folder: Path) -> Normalization:
    """The normalization stored beside a model's weights, or the identity if there is none.

    Raises:
        UsageError: The file cannot be read as a normalization.
    """
    file = folder / REWARD_FILE
    if not file.is_file():
        return Normalization()
    try:
        return Normalization(**json.loads(file.read_text()))
    except (ValueError, TypeError) as error:
        raise UsageError(f"{file} does not contain a shift and a scale: {clean_line(str(error))[:200]}") from error


def save_normalization(folder: Path, normalization: Normalization) -> None:
    """Store a normalization beside a model's weights."""
    (folder / REWARD_FILE).write_text(json.dumps(asdict(normalization), indent=2) + "\n")


def _load(source: str, device: str | None, dtype: "torch.dtype | None") -> tuple[Any, Any]:
    """The reward model of a folder or hub id, on its device, and its tokenizer."""
    try:
        import torch
        from transformers import AutoTokenizer

        from agent.models.scalar_model import load_scalar_model
    except ImportError as error:
        raise UsageError(f"the reward model {source} needs torch and transformers: make install EXTRAS=train") from error
    if Path(source).is_dir() and not _is_reward_model(Path(source)):
        raise UsageError(f"{source} is not the folder of a reward model: train one with webgpt train rm")
    place = default_device(device)
    with load_errors(f"{source} cannot be loaded as a reward model"):
        tokenizer = AutoTokenizer.from_pretrained(source)
        model = load_scalar_model(source, dtype=dtype or (fast_dtype(place) if place.type == "cuda" else torch.float32))
    return model.to(place), tokenizer


def _is_reward_model(folder: Path) -> bool:
    try:
        architectures = json.loads((folder / "config.json").read_text()).get("architectures") or []
    except (OSError, ValueError):
        return False
    return any(str(name).endswith("ForSequenceClassification") for name in architectures)
