"""Writes the shipped encoder in the forms that its peers read.

    python benches/peers/export.py MODEL_FOLDER OUT_FOLDER

The whole numbers of the file are widened to f32, which is exact, so that every peer begins with the same
weights. OUT_FOLDER gets a plain BERT (config.json, model.safetensors), the graph in f32 (f32.onnx) and twice
quantised as ONNX Runtime's own tool does it (int8-tensor.onnx, int8-channel.onnx). The graph's states are
compared with those of PyTorch before anything is quantised.
"""

import pathlib
import sys
import tomllib
import warnings

import numpy
import onnxruntime
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.numpy import load_file
from transformers import BertConfig, BertModel

# Largest difference of a state; those of the encoder are around 1.
TOLERANCE = 1e-4


def widened(folder):
    """Returns the weights in f32; those of NAME are rows of whole numbers times NAME.scale."""
    found = load_file(folder / "encoder.safetensors")
    weights = {}
    for name, values in found.items():
        if name.endswith(".scale"):
            continue
        scale = found.get(f"{name}.scale")
        values = values.astype(numpy.float32)
        weights[name] = torch.from_numpy(values if scale is None else values * scale[:, None])
    return weights


def config_of(shape):
    return BertConfig(
        vocab_size=shape["vocabulary"],
        hidden_size=shape["hidden"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=shape["attention_heads"],
        intermediate_size=shape["intermediate"],
        max_position_embeddings=shape["positions"],
        layer_norm_eps=shape["layer_norm_eps"],
        hidden_act="gelu",
        type_vocab_size=2,
    )


def renamed(weights, shape):
    """Returns the weights under the names of BERT. It adds a vector for the kind of text; ours has none."""
    hidden = shape["hidden"]
    state = {
        "embeddings.word_embeddings.weight": weights["embeddings.words"],
        "embeddings.position_embeddings.weight": weights["embeddings.positions"],
        "embeddings.token_type_embeddings.weight": torch.zeros(2, hidden),
        "embeddings.LayerNorm.weight": weights["embeddings.norm.weight"],
        "embeddings.LayerNorm.bias": weights["embeddings.norm.bias"],
    }
    theirs = {
        "attention": "attention.output.dense",
        "attention_norm": "attention.output.LayerNorm",
        "up": "intermediate.dense",
        "down": "output.dense",
        "output_norm": "output.LayerNorm",
    }
    for layer in range(shape["layers"]):
        for kind in ("weight", "bias"):
            for our, their in theirs.items():
                state[f"encoder.layer.{layer}.{their}.{kind}"] = weights[f"layers.{layer}.{our}.{kind}"]
            fused = weights[f"layers.{layer}.qkv.{kind}"].split(hidden)
            for part, name in zip(fused, ("query", "key", "value"), strict=True):
                state[f"encoder.layer.{layer}.attention.self.{name}.{kind}"] = part.clone()
    return state


class States(torch.nn.Module):
    """The model with the inputs and the output of the graph."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        return self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state


def example(shape, texts, longest):
    """Returns texts of random words, padded to the longest of them."""
    lengths = torch.randint(min(8, longest), longest + 1, (texts,))
    lengths[0] = longest
    mask = (torch.arange(longest)[None, :] < lengths[:, None]).long()
    return torch.randint(1000, shape["vocabulary"], (texts, longest)) * mask, mask


def write_graph(model, shape, file):
    # The graph of the newer exporter has more to do around attention and took ONNX Runtime about a fifth longer.
    torch.onnx.export(
        States(model).eval(),
        example(shape, 3, 24),
        str(file),
        input_names=["input_ids", "attention_mask"],
        output_names=["last_hidden_state"],
        dynamic_axes={
            name: {0: "texts", 1: "tokens"} for name in ("input_ids", "attention_mask", "last_hidden_state")
        },
        opset_version=17,
        dynamo=False,
    )


def difference(model, shape, file):
    """Returns the largest difference between the states of the graph and of PyTorch, over three batches."""
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    largest = 0.0
    for texts, longest in ((1, 8), (5, 33), (2, 128)):
        ids, mask = example(shape, texts, longest)
        inputs = {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}
        (found,) = session.run(["last_hidden_state"], inputs)
        with torch.inference_mode():
            wanted = States(model)(ids, mask).numpy()
        apart = numpy.abs(found - wanted)[mask.numpy() == 1]
        largest = max(largest, float(apart.max()))
    return largest


def main(folder, out):
    warnings.filterwarnings("ignore")
    torch.manual_seed(1)
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    shape = tomllib.loads((folder / "manifest.toml").read_text(encoding="utf-8"))["encoder"]
    model = BertModel(config_of(shape), add_pooling_layer=False).eval()
    model.load_state_dict(renamed(widened(folder), shape), strict=True)
    model.save_pretrained(out)
    model.set_attn_implementation("eager")
    graph = out / "f32.onnx"
    write_graph(model, shape, graph)
    apart = difference(model, shape, graph)
    print(f"f32.onnx: states differ from PyTorch's by {apart:.1e} at most")
    if apart > TOLERANCE:
        sys.exit(f"more than {TOLERANCE} is not the same encoder")
    for name, per_channel in (("int8-tensor", False), ("int8-channel", True)):
        file = out / f"{name}.onnx"
        quantize_dynamic(graph, file, per_channel=per_channel, weight_type=QuantType.QInt8)
        megabytes, apart = file.stat().st_size / 1e6, difference(model, shape, file)
        print(f"{file.name}: {megabytes:.1f} MB, states differ by {apart:.2f} at most")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
