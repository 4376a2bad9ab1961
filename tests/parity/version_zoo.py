"""Small models of transformers, saved by every route. Run by both versions: version_zoo.py FOLDER NAME...

FOLDER/NAME holds hf4, state4.pth and whole4.pth of 4.57.6; 5.24.0 loads hf4 and writes hf5, state5.pth and whole5.pth of the same weights. With
FRESH in the name's end (beit-FRESH) the weights are those of a new model, zeros and ones among them.
"""

import os
import pathlib
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers as t

t.logging.set_verbosity_error()
BODY = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24)
IMAGE = dict(BODY, image_size=16, patch_size=4)
TEXT = dict(BODY, vocab_size=40, max_position_embeddings=32)
ROTARY = dict(TEXT, num_key_value_heads=1)
WINDOWS = dict(image_size=16, patch_size=2, embed_dim=8, depths=[1, 1], num_heads=[2, 2], window_size=2)
STAGES = dict(depths=[1] * 4, hidden_sizes=[4, 4, 8, 8])
PAIR = dict(d_model=16, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=24,
            decoder_ffn_dim=24, vocab_size=40, max_position_embeddings=32, pad_token_id=0)
PROJECTED_TEXT, PROJECTED_IMAGE = dict(TEXT, projection_dim=8), dict(IMAGE, projection_dim=8)
OPT = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, ffn_dim=24, vocab_size=40, max_position_embeddings=32, word_embed_proj_dim=16)
GPT2 = dict(n_embd=16, n_layer=1, n_head=2, vocab_size=40, n_positions=32)
BACKBONE = dict(IMAGE, num_hidden_layers=4)
NECK = dict(neck_hidden_sizes=[4, 4, 8, 8], fusion_hidden_size=8, reassemble_factors=[4, 2, 1, 0.5])

# Name: class, class of its config, fields.
PLAIN = {
    "vit": ("ViTForImageClassification", "ViTConfig", IMAGE),
    "beit": ("BeitForImageClassification", "BeitConfig", IMAGE),
    "beit-relative": ("BeitForImageClassification", "BeitConfig", dict(IMAGE, use_relative_position_bias=True, use_mask_token=True)),
    "beit-shared": ("BeitModel", "BeitConfig", dict(IMAGE, use_shared_relative_position_bias=True)),
    "beit-segmentation": ("BeitForSemanticSegmentation", "BeitConfig", dict(BACKBONE, out_indices=[1, 2, 3, 4], auxiliary_channels=8, num_labels=3)),
    "yolos": ("YolosForObjectDetection", "YolosConfig", dict(IMAGE, image_size=[16, 16], num_detection_tokens=5)),
    "swin": ("SwinForImageClassification", "SwinConfig", WINDOWS),
    "swinv2": ("Swinv2ForImageClassification", "Swinv2Config", WINDOWS),
    "dinov2": ("Dinov2ForImageClassification", "Dinov2Config", IMAGE),
    "dinov3": ("DINOv3ViTModel", "DINOv3ViTConfig", IMAGE),
    "deit": ("DeiTForImageClassificationWithTeacher", "DeiTConfig", IMAGE),
    "videomae": ("VideoMAEForVideoClassification", "VideoMAEConfig", dict(IMAGE, num_frames=2)),
    "vivit": ("VivitForVideoClassification", "VivitConfig", dict(BODY, image_size=16, num_frames=2, tubelet_size=[2, 4, 4])),
    "segformer": ("SegformerForSemanticSegmentation", "SegformerConfig", dict(STAGES, num_attention_heads=[1, 1, 2, 2], decoder_hidden_size=8)),
    "levit": ("LevitForImageClassification", "LevitConfig", dict(
        image_size=64, hidden_sizes=[16, 24, 32], num_attention_heads=[2] * 3, depths=[1] * 3, key_dim=[8] * 3)),
    "bert": ("BertForMaskedLM", "BertConfig", TEXT),
    "esm": ("EsmForMaskedLM", "EsmConfig", dict(TEXT, pad_token_id=1, mask_token_id=2, position_embedding_type="rotary")),
    "fnet": ("FNetForMaskedLM", "FNetConfig", dict(
        hidden_size=16, num_hidden_layers=2, intermediate_size=24, vocab_size=40, max_position_embeddings=32, tpu_short_seq_length=16)),
    "mamba": ("MambaForCausalLM", "MambaConfig", dict(hidden_size=16, num_hidden_layers=2, state_size=4, vocab_size=40)),
    "mamba2": ("Mamba2ForCausalLM", "Mamba2Config", dict(
        hidden_size=16, num_hidden_layers=2, state_size=4, vocab_size=40, num_heads=4, head_dim=8, n_groups=1)),
    "llama": ("LlamaForCausalLM", "LlamaConfig", ROTARY),
    "qwen2": ("Qwen2ForCausalLM", "Qwen2Config", ROTARY),
    "phi3": ("Phi3ForCausalLM", "Phi3Config", dict(ROTARY, pad_token_id=0)),
    "gptneox": ("GPTNeoXForCausalLM", "GPTNeoXConfig", TEXT),
    "opt": ("OPTForCausalLM", "OPTConfig", OPT),
    "t5": ("T5ForConditionalGeneration", "T5Config", dict(d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2, vocab_size=40)),
    "bart": ("BartForConditionalGeneration", "BartConfig", PAIR),
    "marian": ("MarianMTModel", "MarianConfig", PAIR),
    "whisper": ("WhisperForConditionalGeneration", "WhisperConfig", dict(
        PAIR, max_source_positions=16, max_target_positions=16, num_mel_bins=8, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1)),
    "clip": ("CLIPModel", "CLIPConfig", dict(text_config=PROJECTED_TEXT, vision_config=PROJECTED_IMAGE, projection_dim=8)),
    "clip-vision": ("CLIPVisionModel", "CLIPVisionConfig", PROJECTED_IMAGE),
    "siglip": ("SiglipModel", "SiglipConfig", dict(text_config=TEXT, vision_config=IMAGE)),
    "blip": ("BlipForConditionalGeneration", "BlipConfig", dict(
        text_config=dict(TEXT, encoder_hidden_size=16, bos_token_id=1), vision_config=IMAGE, projection_dim=8)),
    "blip2": ("Blip2ForConditionalGeneration", "Blip2Config", dict(
        vision_config=IMAGE, qformer_config=dict(TEXT, encoder_hidden_size=16), text_config=dict(OPT, model_type="opt"), num_query_tokens=4)),
    "llava": ("LlavaForConditionalGeneration", "LlavaConfig", dict(
        vision_config=dict(PROJECTED_IMAGE, model_type="clip_vision_model"), text_config=dict(ROTARY, model_type="llama"), image_token_index=39)),
    "vilt": ("ViltForQuestionAnswering", "ViltConfig", dict(IMAGE, **TEXT)),
    "owlvit": ("OwlViTForObjectDetection", "OwlViTConfig", dict(text_config=TEXT, vision_config=IMAGE, projection_dim=8)),
}


def encoder_decoder():
    config = t.VisionEncoderDecoderConfig.from_encoder_decoder_configs(t.ViTConfig(**IMAGE), t.GPT2Config(**GPT2))
    return t.VisionEncoderDecoderModel(config)


def swin_decoder():
    config = t.VisionEncoderDecoderConfig.from_encoder_decoder_configs(t.SwinConfig(**WINDOWS), t.BertConfig(**TEXT))
    return t.VisionEncoderDecoderModel(config)


def dual_encoder():
    config = t.VisionTextDualEncoderConfig.from_vision_text_configs(t.ViTConfig(**IMAGE), t.BertConfig(**TEXT), projection_dim=8)
    return t.VisionTextDualEncoderModel(config)


def upernet():
    backbone = t.BeitConfig(**IMAGE, out_features=["stage1", "stage2"], use_relative_position_bias=True)
    return t.UperNetForSemanticSegmentation(t.UperNetConfig(backbone_config=backbone, hidden_size=8, num_labels=3, use_auxiliary_head=False))


def dpt():
    backbone = t.Dinov2Config(**BACKBONE, out_indices=[1, 2, 3, 4], reshape_hidden_states=False, apply_layernorm=False)
    return t.DPTForDepthEstimation(t.DPTConfig(backbone_config=backbone, **NECK))


def dpt_vit():
    return t.DPTForDepthEstimation(t.DPTConfig(**BACKBONE, backbone_out_indices=[0, 1, 2, 3], readout_type="project", **NECK))


BUILT = {"encoder-decoder": encoder_decoder, "swin-decoder": swin_decoder, "dual-encoder": dual_encoder, "upernet-beit": upernet, "dpt": dpt_vit, "dpt-dinov2": dpt}


def build(name):
    if name in BUILT:
        return BUILT[name]()
    model, config, fields = PLAIN[name]
    return getattr(t, model)(getattr(t, config)(**fields))


@torch.no_grad()
def spread(model):
    """No constants: what a training leaves."""
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.add_(torch.randn(parameter.shape) * 0.05)
    for name, buffer in model.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.add_(torch.rand(buffer.shape))
    return model


def save(folder, name, version):
    plain = name.removesuffix("-FRESH")
    torch.manual_seed(3)
    if version == "5":
        model = getattr(t, (folder / "class").read_text()).from_pretrained(folder / "hf4")
    else:
        model = build(plain) if plain != name else spread(build(plain))
        (folder / "class").write_text(type(model).__name__)
    model.eval()
    model.save_pretrained(folder / f"hf{version}")
    torch.save(model.state_dict(), folder / f"state{version}.pth")
    try:
        torch.save(model, folder / f"whole{version}.pth")
    except AttributeError:  # 5.24.0 leaves a local function in models with a backbone
        (folder / f"whole{version}.pth").unlink()


if __name__ == "__main__":
    for each in sys.argv[2:]:
        path = pathlib.Path(sys.argv[1]) / each
        path.mkdir(exist_ok=True)
        save(path, each, t.__version__[0])
