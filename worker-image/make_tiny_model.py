"""A tiny chat model with random weights, for the demonstration and the tests.

A Qwen2 of two layers and a byte-level tokenizer of 512 tokens, written with the standard library
alone: no download, no torch, half a second. The same seed gives the same bytes on every machine.
It talks nonsense, in printable characters, and runs through every part of the engine.

    python3 make_tiny_model.py [FOLDER]
"""

from __future__ import annotations

import argparse
import json
import random
import struct
from array import array
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from embedded.cache import making, model_folder

SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
PRINTABLE = frozenset(map(chr, range(0x21, 0x7F))) | {"Ġ", "Ċ"}  # Ġ stands for a space, Ċ for a newline
PROSE = """Requests wait in a queue while the worker starts, and none of them is lost. When the worker is
ready the gateway sends them on, one after another, and the answers come back as a stream of tokens.
After a while without work the worker goes to sleep and the node has its cores and its memory again.
The operator watches what is wanted and what is there, and moves the second toward the first; it writes
nothing when there is nothing to do. A queue has a bound, and whoever comes too late is told so at once.
Small clusters live long: machines break, networks stall, people change their minds, and every part must
begin again from what it finds. Therefore each decision is made from the present state, never from the
memory of an event. Numbers are measured before they are believed, limits are written down with their
units, and an error names the field, the value and the remedy."""
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the model; a head of 32 is the smallest that vLLM has a CPU kernel for."""

    hidden: int = 128
    heads: int = 4
    kv_heads: int = 2
    layers: int = 2
    intermediate: int = 256
    vocabulary: int = 512
    positions: int = 8192

    @property
    def head(self) -> int:
        return self.hidden // self.heads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=model_folder("tiny-chat"))
    print(make(parser.parse_args().folder))


def make(folder: Path, shape: Shape | None = None, seed: int = 7) -> Path:
    """Write the model into the folder, unless it stands there already; the folder."""
    shape = shape or Shape()
    with making(folder, f"tiny-chat {seed} {shape}") as part:
        if part:
            vocabulary, merges = train_tokenizer(PROSE, shape.vocabulary)
            write_tokenizer(part, vocabulary, merges)
            write_json(part / "config.json", model_config(shape, vocabulary))
            write_json(part / "generation_config.json", {"eos_token_id": vocabulary["<|im_end|>"]})
            weights = random_weights(shape, vocabulary, random.Random(seed))  # noqa: S311 - weights, not secrets
            write_safetensors(part / "model.safetensors", weights)
    return folder


def byte_alphabet() -> dict[int, str]:
    """The byte-level tokenizers' name of each byte: printable ones keep theirs, the rest move up."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    moved = (byte for byte in range(256) if byte not in plain)
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + n) for n, byte in enumerate(moved)}


def train_tokenizer(text: str, size: int) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """The vocabulary (token to number) and the merges of a byte-pair encoding of the text."""
    alphabet = byte_alphabet()
    words = [[alphabet[byte] for byte in f" {word}".encode()] for word in text.split()]
    tokens = [*SPECIALS, *alphabet.values()]
    merges: list[tuple[str, str]] = []
    while len(tokens) < size:
        counts = Counter(pair for word in words for pair in pairwise(word))
        pair = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(pair)
        tokens.append(pair[0] + pair[1])
        words = [_merged(word, pair) for word in words]
    return {token: number for number, token in enumerate(tokens)}, merges


def _merged(word: list[str], pair: tuple[str, str]) -> list[str]:
    out: list[str] = []
    for piece in word:
        if out and (out[-1], piece) == pair:
            out[-1] += piece
        else:
            out.append(piece)
    return out


def write_tokenizer(folder: Path, vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> None:
    """tokenizer.json and tokenizer_config.json, as the tokenizers library reads them."""
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": vocabulary[token], "content": token, **plain} for token in SPECIALS],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {"type": "BPE", "vocab": vocabulary, "merges": [list(pair) for pair in merges]},
    }
    write_json(folder / "tokenizer.json", tokenizer)
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
    }
    write_json(folder / "tokenizer_config.json", settings)


def model_config(shape: Shape, vocabulary: dict[str, int]) -> dict[str, object]:
    """config.json of the model."""
    return {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "max_position_embeddings": shape.positions,
        "vocab_size": shape.vocabulary,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "dtype": "bfloat16",
        "eos_token_id": vocabulary["<|im_end|>"],
        "pad_token_id": vocabulary["<|endoftext|>"],
    }


@dataclass(frozen=True, slots=True)
class Tensor:
    """Numbers in row order."""

    shape: tuple[int, ...]
    values: array[float]


def random_weights(shape: Shape, vocabulary: dict[str, int], chance: random.Random) -> dict[str, Tensor]:
    """Weights by name: uniform noise, except that only printable tokens are ever chosen.

    Dimension 0 of the residual stream is a constant 4 that no layer writes to; the output's weight
    on it is -4 for a token that must not come (about -8 on its logit, e^-8 of a fair share).
    """
    weights = {
        "model.embed_tokens.weight": _noise(chance, shape.vocabulary, shape.hidden, 1.0),
        "model.norm.weight": _ones(shape.hidden),
        "lm_head.weight": _noise(chance, shape.vocabulary, shape.hidden, 0.25),
    }
    for layer in range(shape.layers):
        weights |= {f"model.layers.{layer}.{name}": w for name, w in _layer(shape, chance).items()}
    for token, number in vocabulary.items():
        row = number * shape.hidden
        weights["model.embed_tokens.weight"].values[row] = 4.0
        weights["lm_head.weight"].values[row] = (
            0.0 if set(token) <= PRINTABLE and token not in SPECIALS else -4.0
        )
    return weights


def _layer(shape: Shape, chance: random.Random) -> dict[str, Tensor]:
    hidden, kv, wide = shape.hidden, shape.kv_heads * shape.head, shape.intermediate
    weights = {
        "input_layernorm.weight": _ones(hidden),
        "post_attention_layernorm.weight": _ones(hidden),
        "self_attn.q_proj.weight": _noise(chance, hidden, hidden, 0.15),
        "self_attn.k_proj.weight": _noise(chance, kv, hidden, 0.15),
        "self_attn.v_proj.weight": _noise(chance, kv, hidden, 0.15),
        "self_attn.o_proj.weight": _noise(chance, hidden, hidden, 0.15),
        "self_attn.q_proj.bias": _zeros(hidden),
        "self_attn.k_proj.bias": _zeros(kv),
        "self_attn.v_proj.bias": _zeros(kv),
        "mlp.gate_proj.weight": _noise(chance, wide, hidden, 0.15),
        "mlp.up_proj.weight": _noise(chance, wide, hidden, 0.15),
        "mlp.down_proj.weight": _noise(chance, hidden, wide, 0.15),
    }
    for name in ("self_attn.o_proj.weight", "mlp.down_proj.weight"):  # row 0 writes the constant
        columns = weights[name].shape[1]
        weights[name].values[:columns] = array("f", bytes(4 * columns))
    return weights


def _noise(chance: random.Random, rows: int, columns: int, bound: float) -> Tensor:
    draw = chance.random  # the only call whose sequence Python promises to keep
    return Tensor((rows, columns), array("f", ((2 * draw() - 1) * bound for _ in range(rows * columns))))


def _ones(size: int) -> Tensor:
    return Tensor((size,), array("f", [1.0] * size))


def _zeros(size: int) -> Tensor:
    return Tensor((size,), array("f", bytes(4 * size)))


def write_safetensors(path: Path, weights: dict[str, Tensor]) -> None:
    """The file: the length of a JSON header, the header, the tensors one after another."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    blobs = []
    at = 0
    for name, tensor in sorted(weights.items()):
        blob = bfloat16(tensor.values)
        header[name] = {"dtype": "BF16", "shape": tensor.shape, "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def bfloat16(values: array[float]) -> bytes:
    """The upper halves of the little-endian 32-bit floats."""
    halves = array("H", values.tobytes())
    return halves[1::2].tobytes()


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
