"""Aggregates adapters with PEFT's own add_weighted_adapter, to hold `flexlora aggregate` against it.

    compare_with_peft.py make DIR
        saves four adapters with save_pretrained, of different ranks, alphas and scalings, as DIR/site-0 to DIR/site-3.
    compare_with_peft.py compare DIR AGGREGATED SAMPLES RANKS
        loads them and, for each rank N of the list, the adapter AGGREGATED/rank-N, and prints by module how far the products
        s·B·A differ from PEFT's own. SAMPLES and RANKS are numbers with commas between.

Both print one JSON document. PEFT splits Σ in its own way, so the products are compared and not the factors.
"""

import json
import sys
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model

SHAPES = {"q_proj": (96, 64), "v_proj": (32, 64), "up_proj": (160, 64)}
LAYERS = 2

# The first is plain: PEFT copies use_rslora from it to the result, and would scale the result by it once more.
SITES = [
    {"r": 4, "lora_alpha": 8},
    {"r": 16, "lora_alpha": 8, "use_rslora": True},
    {"r": 8, "lora_alpha": 24, "rank_pattern": {"up_proj": 20}, "alpha_pattern": {"layers.0.q_proj": 3}},
    {"r": 30, "lora_alpha": 16, "rank_pattern": {r"layers\.[1-9]\..*": 6, "q_proj": 2}},
]


class Layer(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        for name, (rows, columns) in SHAPES.items():
            setattr(self, name, torch.nn.Linear(columns, rows, bias=False))


class Base(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList(Layer() for _ in range(LAYERS))


def modules_of(model: torch.nn.Module) -> dict[str, torch.nn.Module]:
    prefix = "base_model.model."
    return {name.removeprefix(prefix): part for name, part in model.named_modules() if hasattr(part, "get_delta_weight")}


def make(home: Path) -> dict[str, object]:
    ranks = {}
    for number, fields in enumerate(SITES):
        torch.manual_seed(100 + number)
        model = get_peft_model(Base(), LoraConfig(target_modules=list(SHAPES), **fields))
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(parameter, std=0.2)
        site = home / f"site-{number}"
        model.save_pretrained(site)
        ranks[site.name] = {name: part.r["default"] for name, part in modules_of(model).items()}
    return {"ranks": ranks}


def compare(home: Path, aggregated: Path, samples: list[int], ranks: list[int]) -> dict[str, object]:
    sites = [f"site-{number}" for number in range(len(SITES))]
    weights = [count / sum(samples) for count in samples]
    model = PeftModel.from_pretrained(Base(), home / sites[0], adapter_name=sites[0])
    for site in sites[1:]:
        model.load_adapter(home / site, adapter_name=site)
    answer = {}
    for rank in ranks:
        ours, theirs = f"rank-{rank}", f"peft-{rank}"
        unexpected = model.load_adapter(aggregated / ours, adapter_name=ours).unexpected_keys
        model.add_weighted_adapter(sites, weights, theirs, combination_type="svd", svd_rank=rank)
        differences = {}
        for name, part in modules_of(model).items():
            if min(part.out_features, part.in_features) > rank:
                want = part.get_delta_weight(theirs)
            else:
                # PEFT's factors have no common side here, and nothing is truncated: the sum itself.
                want = sum(weight * part.get_delta_weight(site) for site, weight in zip(sites, weights, strict=True))
            got = part.get_delta_weight(ours)
            differences[name] = {
                "difference": (torch.linalg.norm(got - want) / torch.linalg.norm(want)).item(),
                "rank": part.r[ours],
                "scaling": part.scaling[ours],
            }
        answer[rank] = {"modules": differences, "unexpected": list(unexpected)}
    return answer


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def main(arguments: list[str]) -> None:
    match arguments:
        case ["make", home]:
            result = make(Path(home))
        case ["compare", home, aggregated, samples, ranks]:
            result = compare(Path(home), Path(aggregated), numbers(samples), numbers(ranks))
        case _:
            sys.exit(__doc__)
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
