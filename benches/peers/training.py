"""What a pass of the same fine-tuning costs PyTorch: CPU seconds for the steps alone.

    python benches/peers/training.py FILE.csv TEXT_COLUMN LABEL_COLUMN ENCODER [bf16]

Needs torch and transformers. ENCODER is a plain BERT folder. As in benches/training.rs: steps of 32 texts
sorted by length in groups of 16 steps, each text read twice under dropout 0.1, word embeddings fixed, AdamW,
gradients cut at length 1, cross-entropy and agreement of the two readings. With bf16, products run in it.
"""

import csv
import random
import resource
import sys

import torch
from transformers import AutoModel, AutoTokenizer

file, text_column, label_column, encoder = sys.argv[1:5]
bf16 = sys.argv[5:] == ["bf16"]
torch.set_num_threads(1)
random.seed(1)
with open(file, newline="", encoding="utf-8") as lines:
    rows = list(csv.DictReader(lines))
labels = sorted({row[label_column] for row in rows})
tokenizer = AutoTokenizer.from_pretrained(encoder)
ids = [tokenizer(row[text_column], truncation=True, max_length=256)["input_ids"] for row in rows]
wanted = [labels.index(row[label_column]) for row in rows]
model = AutoModel.from_pretrained(encoder, attn_implementation="sdpa", attention_probs_dropout_prob=0.0)
model.train()
model.embeddings.word_embeddings.weight.requires_grad_(False)
head = torch.nn.Linear(model.config.hidden_size, len(labels))
learned = [p for p in list(model.parameters()) + list(head.parameters()) if p.requires_grad]
optimiser = torch.optim.AdamW(learned, lr=1e-4)

order = list(range(len(rows)))
random.shuffle(order)
steps = []
for start in range(0, len(order), 512):
    part = sorted(order[start : start + 512], key=lambda row: len(ids[row]))
    steps += [part[k : k + 32] for k in range(0, len(part), 32)]
random.shuffle(steps)


def read(step):
    longest = max(len(ids[row]) for row in step)
    batch = torch.tensor([ids[row] + [0] * (longest - len(ids[row])) for row in step])
    mask = torch.tensor([[1] * len(ids[row]) + [0] * (longest - len(ids[row])) for row in step])
    states = model(input_ids=batch, attention_mask=mask).last_hidden_state
    means = (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
    features = torch.nn.functional.normalize(means.float(), dim=1) * means.shape[1] ** 0.5
    return torch.log_softmax(head(features), dim=1)


def one(step):
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        first, second = read(step), read(step)
    target = torch.tensor([wanted[row] for row in step])
    entropy = torch.nn.functional.nll_loss(torch.cat([first, second]), target.repeat(2))
    apart = ((first.exp() - second.exp()) * (first - second)).sum(1).mean() / 2
    (entropy + apart).backward()
    torch.nn.utils.clip_grad_norm_(learned, 1.0)
    optimiser.step()
    optimiser.zero_grad()


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


one(steps[0])
before = cpu_seconds()
for step in steps[1:]:
    one(step)
seconds = (cpu_seconds() - before) * len(steps) / (len(steps) - 1)
tokens = sum(map(len, ids))
print(
    f"{len(rows)} texts, {tokens} tokens, each read twice: {seconds:.1f} CPU s a pass, "
    f"{2 * tokens / seconds:.0f} tokens a CPU s ({'bf16' if bf16 else 'f32'})"
)
