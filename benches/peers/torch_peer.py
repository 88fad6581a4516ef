"""PyTorch's part of the comparison; the measuring program starts it and asks it in lines.

    python benches/peers/torch_peer.py EXPORTED_FOLDER

The first line is a JSON object with the workloads; the answer names versions and contenders. Then
`seconds CONTENDER WORKLOAD` is answered by the seconds of one pass, the median of as many as the workload
asks for, and `means CONTENDER WORKLOAD` by the mean states of its texts. Everything runs on one thread.
"""

import copy
import json
import os
import statistics
import sys
import time
import warnings

import torch
import transformers
from transformers import BertModel

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
torch.set_num_interop_threads(1)


def contenders(folder):
    full = BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    linear = {torch.nn.Linear}
    return {
        "f32": full,
        "bf16": copy.deepcopy(full).to(torch.bfloat16),
        "int8": torch.ao.quantization.quantize_dynamic(copy.deepcopy(full), linear, dtype=torch.qint8),
    }


def tensors(batch):
    mask = batch["mask"]
    return torch.tensor(batch["ids"]), None if mask is None else torch.tensor(mask)


def read(model, batch):
    """Returns the mean state of each text."""
    ids, mask = batch
    states = model(input_ids=ids, attention_mask=mask).last_hidden_state
    if mask is None:
        return states.mean(1)
    return (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)


def seconds(model, work, clock):
    read(model, work["batches"][0])
    passes = []
    for _ in range(work["passes"]):
        start = clock()
        for batch in work["batches"]:
            read(model, batch)
        passes.append(clock() - start)
    return statistics.median(passes)


def main():
    # Only answers may go to the standard output.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value):
        print(json.dumps(value), file=answers, flush=True)

    models = contenders(sys.argv[1])
    task = json.loads(sys.stdin.readline())
    clock = time.perf_counter if task["wall"] else time.process_time
    works = task["works"]
    for work in works.values():
        work["batches"] = [tensors(batch) for batch in work["batches"]]
    capability = torch.backends.cpu.get_cpu_capability()
    versions = f"torch {torch.__version__} ({capability}), transformers {transformers.__version__}"
    answer({"versions": versions, "contenders": list(models)})
    with torch.inference_mode():
        for line in sys.stdin:
            what, name, work = line.split()
            if what == "seconds":
                answer(seconds(models[name], works[work], clock))
            else:
                means = [read(models[name], batch) for batch in works[work]["batches"]]
                answer(torch.cat(means).float().tolist())


if __name__ == "__main__":
    main()
