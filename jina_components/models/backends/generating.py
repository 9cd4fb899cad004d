"""Causal language models that transformers has a class for: greedy tokens, one after the other, with cached keys."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from jina_components.errors import BackendError, MissingDependencyError, ModelFilesError

try:
    import torch
    import transformers
except ImportError as error:
    raise MissingDependencyError("This model needs torch: pip install 'jina-components[torch]'.") from error

from jina_components.models.backends.linear import DTYPES, choose_precision
from jina_components.models.backends.padded import load_checkpoint
from jina_components.models.backends.torch import pick_device

# Tokens of the prompt that run at a time. Against all that came before they need a mask of as many rows.
_CPU_CHUNK, _GPU_CHUNK = 512, 2048
_TURN = "\ue000turn\ue000"


class TorchGenerator:
    """A causal checkpoint on a device.

    Args:
        folder: The checkpoint.
        device: As `pick_device` takes it.
        precision: As `choose_precision` takes it, without int8; but `auto` means bfloat16 on CUDA, the type that such
            models are trained in, for what they compute may overflow float16.

    Raises:
        ModelFilesError: it cannot be loaded.
        BackendError: it does not fit into the memory.
        ConfigError: the device is not there, or cannot run the precision.
    """

    def __init__(self, folder: Path, *, device: str = "auto", precision: str = "auto") -> None:
        self.device = pick_device(device)
        if precision == "auto" and self.device.type == "cuda" and torch.cuda.is_bf16_supported():
            precision = "bfloat16"
        self.precision = choose_precision(precision, self.device)
        try:
            model = load_checkpoint(transformers.AutoModelForCausalLM, folder)
            self._model = model.to(self.device, DTYPES[self.precision])
        except (RuntimeError, MemoryError) as error:
            raise BackendError(f"{folder} does not fit into the memory of {self.device}: {error}") from error
        self.vocabulary = int(model.get_input_embeddings().num_embeddings)

    def tokens(self, prompt: Sequence[int], *, repetition_penalty: float) -> Generator[int | None, None, None]:
        """The most likely token after the prompt, the one after that, and so on without end.

        Args:
            prompt: Token ids.
            repetition_penalty: Logits of tokens that came before, prompt included, are divided by it when positive and
                multiplied when negative (https://arxiv.org/abs/1909.05858, section 4.1; transformers' of that name).

        Yields:
            None after each part of the prompt but the last, so that the caller may stop; then tokens.

        Raises:
            BackendError: the model gives NaN.
        """
        chunk = _CPU_CHUNK if self.device.type == "cpu" else _GPU_CHUNK
        ids = torch.tensor([list(prompt)], device=self.device)
        cache: Any = None
        for start in range(0, len(prompt), chunk):
            if start:
                yield None
            logits, cache = self._forward(ids[:, start : start + chunk], cache)
        said = torch.zeros_like(logits, dtype=torch.bool)
        said[ids[0]] = True
        while True:
            token = self._best(logits, said, repetition_penalty)
            yield token
            said[token] = True
            logits, cache = self._forward(torch.tensor([[token]], device=self.device), cache)

    def _forward(self, ids: torch.Tensor, cache: Any) -> tuple[torch.Tensor, Any]:  # noqa: ANN401 (transformers is untyped)
        """Logits of the token after `ids`, and the keys and values of all so far."""
        with torch.inference_mode():
            output = self._model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
            return output.logits[0, -1].float(), output.past_key_values

    def _best(self, logits: torch.Tensor, said: torch.Tensor, penalty: float) -> int:
        with torch.inference_mode():
            lowered = torch.where(logits < 0, logits * penalty, logits / penalty)
            best, token = torch.where(said, lowered, logits).max(-1)
            if best.isnan():
                raise BackendError(
                    f"The model returned NaN: its weights are broken, or overflow in {self.precision}; "
                    "try precision='float32'."
                )
            return int(token)


def around_user_turn(folder: Path) -> tuple[str, str]:
    """What a checkpoint's chat template puts before and behind a user's turn, up to where the model goes on.

    The template is rendered in transformers' sandbox.

    Raises:
        ModelFilesError: the folder has no template, or one that does not take a user's turn as it is.
    """
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        turn = [{"role": "user", "content": _TURN}]
        text: str = tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
    except Exception as error:  # a broken folder or template may end in any error
        raise ModelFilesError(f"{folder}: its chat template cannot be used: {error}") from error
    before, turn_found, after = text.partition(_TURN)
    if not turn_found or _TURN in after:
        raise ModelFilesError(f"{folder}: its chat template does not hold the user's turn once, as it is.")
    return before, after
