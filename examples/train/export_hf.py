"""Checkpoint of train.py -> Hugging Face directory (config.json, model.safetensors, tokenizer.json, ...).

    python3 export_hf.py /tmp/train/stories-1m/best.pt ../models/stories-1m/hf

BitLinear weights are exported packed, with their scale; norms and embeddings as F32. Embeddings that were trained on a grid
of trits are exported as the values of that grid.
"""
import argparse
import json
import pathlib

import numpy as np
import torch

import hf_files
import tokenizer
from model import DEFAULTS, levels_of, quantise_rows

LINEARS = {"q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj",
           "gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj"}
NORMS = {"input_layernorm": "input_layernorm", "post_attention_layernorm": "post_attention_layernorm",
         "attn_sub_norm": "self_attn.attn_sub_norm", "ffn_sub_norm": "mlp.ffn_sub_norm"}


def rows(w, kind):
    levels = levels_of(kind)
    if levels is None:
        return w
    q, s = quantise_rows(w, levels)
    return q * s


def export(checkpoint, tok, out, linear_class, embed=None, extra=None):
    """embed: quantiser of the embeddings, by default the one of the checkpoint. extra: further keys of config.json."""
    ck = torch.load(checkpoint, map_location="cpu")
    c, state = {**DEFAULTS, **ck["config"]}, ck["model"]
    embed = embed or ck["embed_quant"]
    t = {"model.embed_tokens.weight": rows(state["embed"], embed).numpy()}
    for i in range(c["n_layers"]):
        for ours, theirs in NORMS.items():
            if f"blocks.{i}.{ours}.weight" in state:
                t[f"model.layers.{i}.{theirs}.weight"] = state[f"blocks.{i}.{ours}.weight"].numpy()
        for ours, theirs in LINEARS.items():
            w = state[f"blocks.{i}.{ours}"]
            absmean = w.abs().mean().clamp(min=1e-5)
            scale = absmean if linear_class == "autobitlinear" else 1 / absmean
            trits = (w / absmean).round().clamp(-1, 1).numpy()
            t[f"model.layers.{i}.{theirs}.weight"] = hf_files.pack(trits)
            t[f"model.layers.{i}.{theirs}.weight_scale"] = scale.reshape(1).numpy()
    t["model.norm.weight"] = state["norm.weight"].numpy()
    if not c["tied"]:
        t["lm_head.weight"] = rows(state["head"], embed).numpy()

    llama = c["variant"] == "llama"
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    ids = {"bos_token_id": tok.bos, "eos_token_id": tok.eos}
    config = {
        "architectures": ["LlamaForCausalLM" if llama else "BitNetForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, **ids,
        "head_dim": c["head_dim"], "hidden_act": "relu2" if c["variant"] == "relu2_subln" else "silu", "hidden_size": c["dim"],
        "initializer_range": 0.02, "intermediate_size": c["hidden_dim"], "max_position_embeddings": c["seq_len"],
        "model_type": "llama" if llama else "bitnet", "num_attention_heads": c["n_heads"], "num_hidden_layers": c["n_layers"],
        "num_key_value_heads": c["n_kv_heads"], "rms_norm_eps": c["rms_eps"], "rope_scaling": None, "rope_theta": c["rope_theta"],
        "tie_word_embeddings": c["tied"], "torch_dtype": "float32", "use_cache": True, "vocab_size": c["vocab_size"],
        "quantization_config": {"quant_method": "bitnet", "linear_class": linear_class, "quantization_mode": "offline"},
    }
    if llama:
        config["mlp_bias"] = False
        del config["quantization_config"]["quantization_mode"]  # as in the published Llama checkpoints
    config.update(extra or {})
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    generation = {"_from_model_config": True, **ids, "do_sample": True, "temperature": 0.8, "top_p": 0.95}
    (out / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
    (out / "tokenizer_config.json").write_text(json.dumps({
        "added_tokens_decoder": {str(i): {"content": s, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
                                 for i, s in enumerate(tok.specials, tok.bos)},
        "bos_token": tokenizer.BOS, "eos_token": tokenizer.EOS, "clean_up_tokenization_spaces": False, "model_max_length": c["seq_len"],
        "tokenizer_class": "PreTrainedTokenizerFast"}, indent=2) + "\n")
    tok.save_hf(out / "tokenizer.json")
    note = {"format": "pt", "embeddings": embed}
    hf_files.save(out / "model.safetensors", {k: np.ascontiguousarray(v) for k, v in t.items()}, note)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("checkpoint")
    ap.add_argument("out")
    ap.add_argument("--tokenizer", default=str(pathlib.Path(__file__).parent / "tokenizer.json"))
    ap.add_argument("--linear-class", choices=["autobitlinear", "bitlinear"], help="default: bitlinear (scale 1/absmean) for llama, else autobitlinear (absmean)")
    ap.add_argument("--embed", help="float, int8, t2 .. t5: quantise the embeddings afterwards")
    args = ap.parse_args()
    variant = torch.load(args.checkpoint)["config"]["variant"]
    tok = tokenizer.Tokenizer.load_hf(args.tokenizer)
    export(args.checkpoint, tok, args.out, args.linear_class or ("bitlinear" if variant == "llama" else "autobitlinear"), args.embed)


if __name__ == "__main__":
    main()
