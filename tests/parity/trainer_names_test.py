"""Which weights a Trainer of transformers 5 does not restore, for classes whose tables the program does not have."""

import pytest
import safetensors.torch
import torch
import transformers as t

TINY = {"hidden_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "image_size": 8, "patch_size": 4}
SWIN = {"image_size": 8, "patch_size": 2, "embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2], "window_size": 2}
STAGES = {"depths": [1] * 4, "hidden_sizes": [4, 4, 8, 8]}
SPOKEN = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 20,
          "num_key_value_heads": 2}


def composite(name, vision, text):
    config = getattr(t, name + "Config")
    return getattr(t, name + "ForConditionalGeneration")(config(vision_config=vision, text_config=text, image_token_index=19))


def qwen(name):
    text = SPOKEN | {"rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2]}}
    vision = {"depth": 1, "num_heads": 2, "hidden_size": 16}
    vision |= {"embed_dim": 16} if name == "Qwen2VL" else {"intermediate_size": 16, "out_hidden_size": 16, "fullatt_block_indexes": [0]}
    return getattr(t, name + "ForConditionalGeneration")(getattr(t, name + "Config")(text_config=text, vision_config=vision))


EXPERTS = SPOKEN | {"num_hidden_layers": 2, "max_position_embeddings": 32, "pad_token_id": 0}


def experts(name, **fields):
    return getattr(t, name + "ForCausalLM")(getattr(t, name + "Config")(**EXPERTS, **fields))


def deepseek():
    return experts("DeepseekV3", n_routed_experts=4, num_experts_per_tok=2, n_group=1, topk_group=1, moe_intermediate_size=8, first_k_dense_replace=1,
                   q_lora_rank=8, kv_lora_rank=8, qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=8)


MODELS = {
    "mixtral": lambda: experts("Mixtral", num_local_experts=4),
    "phimoe": lambda: experts("Phimoe", num_local_experts=4),
    "qwen2-moe": lambda: experts("Qwen2Moe", num_experts=4, num_experts_per_tok=2, moe_intermediate_size=8, shared_expert_intermediate_size=8),
    "qwen3-moe": lambda: experts("Qwen3Moe", num_experts=4, num_experts_per_tok=2, moe_intermediate_size=8, head_dim=8),
    "olmoe": lambda: experts("Olmoe", num_experts=4, num_experts_per_tok=2),
    "deepseek-v3": deepseek,
    "granitemoe": lambda: experts("GraniteMoe", num_local_experts=4, num_experts_per_tok=2),
    "gpt-neox": lambda: t.GPTNeoXForCausalLM(t.GPTNeoXConfig(**{k: v for k, v in EXPERTS.items() if k != "num_key_value_heads"})),
    "llava": lambda: composite("Llava", t.CLIPVisionConfig(**TINY).to_dict(), t.LlamaConfig(**SPOKEN).to_dict()),
    "llava-next": lambda: composite("LlavaNext", t.CLIPVisionConfig(**TINY).to_dict(), t.LlamaConfig(**SPOKEN).to_dict()),
    "vipllava": lambda: composite("VipLlava", t.CLIPVisionConfig(**TINY).to_dict(), t.LlamaConfig(**SPOKEN).to_dict()),
    "paligemma": lambda: composite("PaliGemma", t.SiglipVisionConfig(**TINY).to_dict(), t.GemmaConfig(**SPOKEN).to_dict()),
    "qwen2-vl": lambda: qwen("Qwen2VL"),
    "qwen2.5-vl": lambda: qwen("Qwen2_5_VL"),
    "beit": lambda: t.BeitForImageClassification(t.BeitConfig(**TINY)),
    "swin": lambda: t.SwinForImageClassification(t.SwinConfig(**SWIN)),
    "dinov3": lambda: t.DINOv3ViTModel(t.DINOv3ViTConfig(**TINY)),
    "dinov3-convnext": lambda: t.DINOv3ConvNextModel(t.DINOv3ConvNextConfig(**STAGES)),
    "msn": lambda: t.ViTMSNForImageClassification(t.ViTMSNConfig(**TINY)),
    "ijepa": lambda: t.IJepaForImageClassification(t.IJepaConfig(**TINY)),
    "videomae": lambda: t.VideoMAEForVideoClassification(t.VideoMAEConfig(**TINY, num_frames=2)),
    "segformer": lambda: t.SegformerForSemanticSegmentation(t.SegformerConfig(**STAGES, decoder_hidden_size=8)),
    "yolos": lambda: t.YolosForObjectDetection(t.YolosConfig(**TINY | {"image_size": [8, 8]})),
}


@pytest.mark.parametrize("name", MODELS)
def test_names_that_load_state_dict_does_not_take(run, tmp_path, name):
    model = MODELS[name]()
    model.save_pretrained(tmp_path)
    (tmp_path / "trainer_state.json").write_text('{"global_step": 2, "epoch": 1.0, "log_history": []}')
    outcome = model.load_state_dict(safetensors.torch.load_file(tmp_path / "model.safetensors"), strict=False)
    finding = run("check", tmp_path, "--for", "transformers-5").finding("weights.reinitialized")
    assert finding["role"] == "risk" and "resume_from_checkpoint" in finding["summary"]
    assert finding["evidence"]["count"] == len(outcome.unexpected_keys)
    assert set(finding["evidence"]["tensors"]) <= set(outcome.unexpected_keys)
    resumed = run("resume", tmp_path).finding("weights.reinitialized")
    assert resumed["evidence"]["count"] == len(outcome.unexpected_keys)
    assert ("experts" in str(resumed["details"])) == any("experts." in name for name in outcome.unexpected_keys)


def test_experts_one_by_one_are_not_loaded_into_a_stack(run, tmp_path):
    model = MODELS["mixtral"]()
    model.save_pretrained(tmp_path / "hf")
    torch.save(model.state_dict(), tmp_path / "live.pth")
    state = safetensors.torch.load_file(tmp_path / "hf" / "model.safetensors")
    missing = model.load_state_dict(state, strict=False).missing_keys
    finding = run("check", tmp_path / "hf", "--for", tmp_path / "live.pth").finding("weights.reinitialized")
    assert sorted(finding["evidence"]["tensors"]) == sorted(missing) and "from_pretrained stacks" in finding["remedy"]
    loaded = t.MixtralForCausalLM.from_pretrained(tmp_path / "hf").state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in torch.load(tmp_path / "live.pth").items())


@pytest.mark.parametrize("fits", [True, False])
def test_moments_of_stacked_experts_fit_the_experts_of_the_file(run, tmp_path, fits):
    model = MODELS["mixtral"]()
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.arange(4)[None], labels=torch.arange(4)[None]).loss.backward()
    optimizer.step()
    model.save_pretrained(tmp_path)
    state = optimizer.state_dict()
    if not fits:
        place = next(key for key, value in state["state"].items() if value["exp_avg"].dim() == 3)
        state["state"][place] = {name: value[:-1] if value.dim() == 3 else value for name, value in state["state"][place].items()}
    torch.save(state, tmp_path / "optimizer.pt")
    (tmp_path / "trainer_state.json").write_text('{"global_step": 1, "epoch": 1.0, "log_history": []}')
    said = [f for f in run("resume", tmp_path)["findings"] if "shapes that no weight has" in f["summary"]]
    assert len(said) == (not fits), said


@pytest.mark.parametrize("name", ("swin", "llava", "segformer", "mixtral"))
def test_names_in_the_files_of_a_directory_are_not_taken_for_those_of_its_model(run, tmp_path, name):
    model = MODELS[name]()
    model.save_pretrained(tmp_path / "hf")
    torch.save(model.state_dict(), tmp_path / "live.pth")
    loaded = type(model).from_pretrained(tmp_path / "hf")
    assert not any(loaded.load_state_dict(torch.load(tmp_path / "live.pth"), strict=False))
    torch.save(safetensors.torch.load_file(tmp_path / "hf" / "model.safetensors"), tmp_path / "files.pth")
    assert loaded.load_state_dict(torch.load(tmp_path / "files.pth"), strict=False).missing_keys
    for source in ("live.pth", "files.pth"):
        report = run("check", tmp_path / source, "--for", tmp_path / "hf")
        assert report["verdict"] == "unknown" and not report["loads"] and not report["findings"]
        assert "names that save_pretrained of transformers 5.24.0 writes" in report["not_checked"][0]
    report = run("check", tmp_path / "hf", "--for", tmp_path / "hf")
    assert report["verdict"] == "clean" and report["loads"][0]["way"] == "from_pretrained"


def conditional_detr():
    backbone = t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1], out_features=["stage4"])
    return t.DetrForObjectDetection(t.DetrConfig(backbone_config=backbone, d_model=8, encoder_layers=1, decoder_layers=1, encoder_ffn_dim=8,
                                                 decoder_ffn_dim=8, encoder_attention_heads=2, decoder_attention_heads=2, num_queries=3))


def encoder_decoder():
    decoder = t.GPT2Config(n_embd=8, n_layer=1, n_head=2, vocab_size=20, n_positions=8, add_cross_attention=True)
    return t.VisionEncoderDecoderModel(encoder=t.SwinModel(t.SwinConfig(**SWIN)), decoder=t.GPT2LMHeadModel(decoder))


@pytest.mark.parametrize("make", (conditional_detr, encoder_decoder))
def test_directories_whose_conversion_is_not_known_are_no_answer_about_the_model(run, tmp_path, make):
    model = make()
    model.save_pretrained(tmp_path / "hf")
    torch.save(model.state_dict(), tmp_path / "live.pth")
    assert set(safetensors.torch.load_file(tmp_path / "hf" / "model.safetensors")) - set(model.state_dict())
    report = run("check", tmp_path / "live.pth", "--for", tmp_path / "hf")
    assert report["verdict"] == "unknown" and not report["loads"] and not report["findings"]


def test_types_that_the_loader_converts_are_all_listed():
    import pathlib

    from transformers import conversion_mapping
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    source = (pathlib.Path(__file__).parents[2] / "samebits" / "family" / "disk_names.cc").read_text()
    words = set(source.replace('"', " ").split()) | {"deit", "dinov2", "dinov2_with_registers", "vit", "vit_mae"}
    # Their conversions leave names as they are: held with models on meta.
    words |= {"apertus1p5_text", "colqwen2", "gemma3n_text", "gemma4_unified"}
    converted = set(conversion_mapping._build_checkpoint_conversion_mapping()) | set(conversion_mapping._MODEL_TO_CONVERSION_PATTERN)
    assert sorted(converted & set(CONFIG_MAPPING_NAMES) - words) == []


KNOWN = {
    "vit": lambda: t.ViTForImageClassification(t.ViTConfig(**TINY)),
    "vit-mae": lambda: t.ViTMAEForPreTraining(t.ViTMAEConfig(**TINY, decoder_hidden_size=8, decoder_num_hidden_layers=1,
                                                            decoder_num_attention_heads=2, decoder_intermediate_size=8)),
    "deit": lambda: t.DeiTForImageClassification(t.DeiTConfig(**TINY)),
    "dinov2": lambda: t.Dinov2ForImageClassification(t.Dinov2Config(**{k: v for k, v in TINY.items() if k != "intermediate_size"})),
}


@pytest.mark.parametrize("optimizer", [False, True])
@pytest.mark.parametrize("name", KNOWN)
def test_resume_says_it_of_classes_whose_tables_are_known(run, tmp_path, name, optimizer):
    model = KNOWN[name]()
    model.save_pretrained(tmp_path)
    (tmp_path / "trainer_state.json").write_text('{"global_step": 2, "epoch": 1.0, "log_history": []}')
    if optimizer:
        moved = torch.optim.AdamW(model.parameters())
        torch.save(moved.state_dict(), tmp_path / "optimizer.pt")
        torch.save(torch.optim.lr_scheduler.ConstantLR(moved).state_dict(), tmp_path / "scheduler.pt")
    lost = model.load_state_dict(safetensors.torch.load_file(tmp_path / "model.safetensors"), strict=False).missing_keys
    for command in (["resume", tmp_path], ["check", tmp_path, "--for", "transformers-5"]):
        said = run(*command).finding("weights.reinitialized")
        assert said["evidence"]["count"] == len(lost) and set(said["evidence"]["tensors"]) <= set(lost)
        assert ("the optimizer's moments" in str(said["details"])) == optimizer
