"""Which weights a Trainer of transformers 5 does not restore, for classes whose tables the program does not have."""

import pytest
import safetensors.torch
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


MODELS = {
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
