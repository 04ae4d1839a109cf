"""Entailment judged by a natural language inference model of transformers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from agent.evaluation.judges import Pair
from browser_env.errors import UsageError
from browser_env.pages.characters import clean_line
from browser_env.records.storage import storable

BATCH_SIZE: Final = 16
"""Number of pairs that the model reads at a time."""
TRUE_LABEL: Final = "1"
"""Output of a model that was trained as TRUE (Honovich et al. 2022), for a premise that entails the hypothesis."""


class LanguageInference:
    """Entailment by a natural language inference model in this process.

    The model is either a classifier with a label that begins with *entail*, or an encoder-decoder trained as TRUE, which reads
    ``premise: … hypothesis: …`` and writes 1 or 0. For a classifier, a premise that is too long is cut at its end, and a
    hypothesis that fills more than half of the model's input is not entailed.
    """

    def __init__(self, model: Any, tokenizer: Any, *, name: str) -> None:
        """Wrap a model, which keeps its device and precision. Classes of transformers are duck-typed here, as they are there.

        Raises:
            UsageError: The model is a classifier without a label that begins with *entail*.
        """
        self.name = name
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._writes = bool(model.config.is_encoder_decoder)
        if not self._writes:
            labels = model.config.id2label
            entailed = [index for index, label in labels.items() if str(label).casefold().startswith("entail")]
            if not entailed:
                raise UsageError(
                    f"{name} cannot judge entailment: none of its labels begins with entail, they are "
                    f"{', '.join(map(str, labels.values()))}"
                )
            self._label = int(entailed[0])

    @classmethod
    def load(cls, path_or_id: str) -> "LanguageInference":
        """Load a model from a folder or the Hugging Face hub.

        Raises:
            UsageError: torch and transformers are not installed, or there is no such model.
        """
        try:
            import torch
            from transformers import AutoConfig, AutoModelForSeq2SeqLM, AutoModelForSequenceClassification, AutoTokenizer
        except ImportError as error:
            raise UsageError(f"hf:{path_or_id} needs torch and transformers: make install EXTRAS=train") from error
        folder = Path(path_or_id).expanduser()
        source = str(folder) if folder.is_dir() else path_or_id
        try:
            config: Any = AutoConfig.from_pretrained(source)
            kind: Any = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForSequenceClassification
            tokenizer, model = AutoTokenizer.from_pretrained(source), kind.from_pretrained(source)
        except (OSError, ValueError, RuntimeError) as error:
            raise UsageError(
                f"hf:{path_or_id} cannot be loaded as a model of entailment: {clean_line(str(error))[:300]}"
            ) from error
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return cls(model.to(device), tokenizer, name=f"hf:{folder.resolve().name if folder.is_dir() else path_or_id}")

    def entails(self, pairs: Sequence[Pair]) -> list[bool]:
        import torch

        judge = self._write if self._writes else self._classify
        with torch.inference_mode():
            return [
                verdict for start in range(0, len(pairs), BATCH_SIZE) for verdict in judge(pairs[start : start + BATCH_SIZE])
            ]

    def _classify(self, pairs: Sequence[Pair]) -> list[bool]:
        longest = min(self._tokenizer.model_max_length, self._model.config.max_position_embeddings - 2)
        lengths = [len(ids) for ids in self._tokens([storable(pair.hypothesis) for pair in pairs])["input_ids"]]
        readable = [pair for pair, length in zip(pairs, lengths, strict=True) if length <= longest // 2]
        if not readable:
            return [False] * len(pairs)
        inputs = self._tokens(
            [storable(pair.premise) for pair in readable],
            [storable(pair.hypothesis) for pair in readable],
            truncation="only_first",
            max_length=longest,
            padding=True,
            return_tensors="pt",
        )
        logits = self._model(**inputs.to(self._model.device)).logits
        labels = iter(logits.argmax(-1).tolist())
        return [length <= longest // 2 and next(labels) == self._label for length in lengths]

    def _write(self, pairs: Sequence[Pair]) -> list[bool]:
        # Inputs longer than T5's training length are not cut, as in ALCE.
        texts = [storable(f"premise: {pair.premise} hypothesis: {pair.hypothesis}") for pair in pairs]
        inputs = self._tokens(texts, padding=True, return_tensors="pt")
        written = self._model.generate(
            input_ids=inputs["input_ids"].to(self._model.device),
            attention_mask=inputs["attention_mask"].to(self._model.device),
            max_new_tokens=10,
            do_sample=False,
        )
        replies = self._tokenizer.batch_decode(written, skip_special_tokens=True)
        return [reply.strip() == TRUE_LABEL for reply in replies]

    def _tokens(self, *texts: list[str], **options: Any) -> Any:
        """Token ids of texts; names of special tokens in them stay plain text, because pages may contain them."""
        return self._tokenizer(*texts, split_special_tokens=True, verbose=False, **options)
