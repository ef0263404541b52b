"""llama.cpp's own HTTP server, with a tiny model whose weights are random: python llama.py MODEL PORT KEY TOKENS.

MODEL is written first. An answer ends after TOKENS tokens, or with -1 where CONTEXT is full. Its tokens are WORDS, and
the same question has the same answer at temperature 0.
"""

import signal
import sys
from pathlib import Path

import gguf
import numpy
import xllamacpp

CONTEXT = 16384
WORDS = [
    "river",
    "stone",
    "tree",
    "wind",
    "light",
    "ночь",
    "дом",
    "水",
    "山",
    "hôtel",
    "😀",
    "?",
    "one",
    "two",
    "three",
]
TEMPLATE = "{% for one in messages %}{{ one.role }}: {{ one.content }}\n{% endfor %}assistant:"
# Sizes of the model: of a token's vector, of the layers' insides, and how many layers and heads there are.
WIDTH, INSIDE, LAYERS, HEADS = 32, 64, 2, 4


def main() -> None:
    """Serve until killed."""
    model, port, key, tokens = sys.argv[1:]
    write(Path(model))
    settings = xllamacpp.CommonParams()
    settings.model.path, settings.model_alias = model, {"tiny"}
    settings.hostnames, settings.port, settings.api_keys = ["127.0.0.1"], int(port), [key]
    settings.n_predict, settings.n_ctx, settings.n_parallel = int(tokens), 2 * CONTEXT, 2
    settings.cpuparams.n_threads = 1
    settings.endpoint_metrics = True
    # What was computed for an earlier question would be rounded otherwise.
    settings.cache_prompt = False
    server = xllamacpp.Server(settings)
    while server:
        signal.pause()


def write(path: Path) -> None:
    """Write the model, as llama.cpp's kind of file."""
    tokens = [*alphabet().values(), "<|end|>", *(written(f" {word}") for word in WORDS)]
    end = 256
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INSIDE)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    types = [gguf.TokenType.NORMAL] * len(tokens)
    types[end] = gguf.TokenType.CONTROL
    writer.add_token_types(types)
    writer.add_token_merges(["t h"])
    writer.add_eos_token_id(end)
    writer.add_bos_token_id(end)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    weights(writer, len(tokens))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def weights(writer: gguf.GGUFWriter, tokens: int) -> None:
    """Random weights, the same each time; no token but the words is ever likely."""
    random = numpy.random.default_rng(5)

    def drawn(*shape: int) -> numpy.ndarray:
        return random.standard_normal(shape).astype(numpy.float32)

    output = drawn(tokens, WIDTH)
    output[: -len(WORDS)] = 0
    writer.add_tensor("token_embd.weight", drawn(tokens, WIDTH))
    writer.add_tensor("output.weight", output * 4)
    writer.add_tensor("output_norm.weight", numpy.ones(WIDTH, numpy.float32))
    square, up, down = (WIDTH, WIDTH), (INSIDE, WIDTH), (WIDTH, INSIDE)
    shapes = {"attn_q": square, "attn_k": square, "attn_v": square, "attn_output": square}
    shapes |= {"ffn_gate": up, "ffn_up": up, "ffn_down": down}
    for layer in range(LAYERS):
        for name, shape in shapes.items():
            writer.add_tensor(f"blk.{layer}.{name}.weight", drawn(*shape))
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", numpy.ones(WIDTH, numpy.float32))


def alphabet() -> dict[int, str]:
    """GPT-2's characters for the bytes: their own where they are printable, others from 256 on."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    own = {byte: chr(byte) for byte in printable} | {byte: chr(256 + number) for number, byte in enumerate(rest)}
    return dict(sorted(own.items()))


def written(text: str) -> str:
    """A text in those characters."""
    characters = alphabet()
    return "".join(characters[byte] for byte in text.encode())


if __name__ == "__main__":
    main()
