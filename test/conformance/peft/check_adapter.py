"""Loads adapters with PEFT as any user would, and prints their mean loss over given tokens as JSON.

    python check_adapter.py <base model directory> <tokens.json> <adapter directory>...

tokens.json holds {"windows": [[t0, t1, ...], ...]}: in each window every token but the first is predicted from those before it.
Prints {"tokens": count, "base_loss": nats per token, "adapters": [{"loss": nats per token, "ranks": {module: rank}, "scalings": {module: s}}]},
the adapters in the order of the command line.
"""

import json
import sys

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from transformers import AutoModelForCausalLM


def mean_loss(model: torch.nn.Module, windows: list[list[int]]) -> tuple[float, int]:
    nats, tokens = 0.0, 0
    with torch.no_grad():
        for window in windows:
            ids = torch.tensor([window])
            logits = model(input_ids=ids[:, :-1]).logits[0]
            nats += torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum").item()
            tokens += len(window) - 1
    return nats / tokens, tokens


def check(base_directory: str, adapter_directory: str, windows: list[list[int]]) -> dict[str, object]:
    base = AutoModelForCausalLM.from_pretrained(base_directory, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, adapter_directory).eval()
    layers = {
        name.removeprefix("base_model.model."): layer
        for name, layer in model.named_modules()
        if isinstance(layer, LoraLayer)
    }
    return {
        "loss": mean_loss(model, windows)[0],
        "ranks": {name: layer.r["default"] for name, layer in layers.items()},
        "scalings": {name: layer.scaling["default"] for name, layer in layers.items()},
    }


def main() -> None:
    base_directory, tokens_file, *adapter_directories = sys.argv[1:]
    torch.set_num_threads(1)
    with open(tokens_file, encoding="utf-8") as file:
        windows = json.load(file)["windows"]
    base = AutoModelForCausalLM.from_pretrained(base_directory, dtype=torch.float32).eval()
    base_loss, tokens = mean_loss(base, windows)
    adapters = [check(base_directory, directory, windows) for directory in adapter_directories]
    print(json.dumps({"tokens": tokens, "base_loss": base_loss, "adapters": adapters}))


if __name__ == "__main__":
    main()
