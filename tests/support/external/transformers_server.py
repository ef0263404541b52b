"""The app of `transformers serve`, with a stand-in for the model: python transformers_server.py PORT.

Its own code reads requests, writes the conversation by the template, runs threads and writes answers; only the weights
are missing, and with them torch. The model repeats the conversation, token for token; a word in the question may
have it fail. A token is a byte of UTF-8, or one of WORDS.
"""

import sys
import time
from typing import Any

import numpy
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import GenerationConfig, PreTrainedTokenizerFast
from transformers.cli import serve
from transformers.cli.serving import model_manager

NAME = "stand-in"
CONTEXT = 2000
# Seconds for a token: slow enough for a stream of several pieces.
PACE = 0.02
WORDS = ["river", "stone", "ночь", "水"]
TEMPLATE = "{% for one in messages %}{{ one.role }}: {{ one.content }}\n{% endfor %}"
# Its words have quotes and line ends, as torch's have; the server puts them into its stream as they are.
NO_MEMORY = 'CUDA error: out of memory\nCompile with "TORCH_USE_CUDA_DSA" to enable device-side assertions.\n'


def main() -> None:
    """Serve until killed."""
    model_manager.ModelManager = Models
    serve.Serve(force_model=NAME, host="127.0.0.1", port=int(sys.argv[1]))


class Model:
    """Repeats its prompt. Has the attributes of a model that the app looks at."""

    name_or_path = NAME
    device = "cpu"

    def __init__(self) -> None:
        self.generation_config = GenerationConfig(max_new_tokens=CONTEXT)
        self.config = GenerationConfig(model_type=NAME)

    def generate(self, input_ids: Any, tokenizer: Any, streamer: Any = None, **_settings: Any) -> Any:
        """Return the prompt's tokens twice: the prompt, and the answer. A streamer is given each as it comes."""
        prompt = input_ids[0]
        text = tokenizer.decode(prompt)
        if len(prompt) > CONTEXT:
            raise IndexError("index out of range in self")
        if "!no-memory" in text:
            raise RuntimeError(NO_MEMORY)
        if streamer is not None:
            self._stream(prompt, text, streamer)
        return numpy.concatenate([prompt, prompt])[None]

    def _stream(self, prompt: Any, text: str, streamer: Any) -> None:
        streamer.put(prompt)
        try:
            for number, token in enumerate(prompt):
                if number == 20 and "!breaks" in text:
                    raise RuntimeError(NO_MEMORY)
                time.sleep(0.1 if "!slow" in text else PACE)
                streamer.put(numpy.array([token]))
        except BaseException as error:
            sys.stderr.write(f"stopped early by {type(error).__name__}\n")
            raise
        streamer.end()


class Prompt(dict[str, Any]):
    """A conversation in tokens, for any device."""

    def to(self, _device: str) -> "Prompt":
        """Return the same."""
        return self


class Words(PreTrainedTokenizerFast):  # type: ignore[misc]
    """A tokenizer whose tensors are numpy's."""

    def apply_chat_template(self, conversation: Any, **settings: Any) -> Prompt:
        """Return the tokens of the whole conversation."""
        return Prompt(super().apply_chat_template(conversation, **{**settings, "return_tensors": "np"}))


class Models(model_manager.ModelManager):  # type: ignore[misc]
    """Loads the stand-ins."""

    @staticmethod
    def _resolve_dtype(dtype: Any) -> Any:
        return dtype

    def _validate_args(self) -> None:
        """Its arguments name nothing that has to be looked up."""

    def _load_processor(self, *_names: Any, **_settings: Any) -> Words:
        return words()

    def _load_model(self, *_names: Any, **_settings: Any) -> Model:
        return Model()


def words() -> Words:
    """Return the tokenizer."""
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    known = ["".join(part for part, _ in level.pre_tokenize_str(word)) for word in WORDS]
    names = ["<|end|>", *sorted(level.alphabet()), *known]
    tokenizer = Tokenizer(models.BPE(vocab={name: number for number, name in enumerate(names)}, merges=[]))
    tokenizer.pre_tokenizer, tokenizer.decoder = level, decoders.ByteLevel()
    found = Words(tokenizer_object=tokenizer, eos_token="<|end|>")
    found.chat_template = TEMPLATE
    return found


if __name__ == "__main__":
    main()
