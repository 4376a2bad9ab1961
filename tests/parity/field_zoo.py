"""Tiny models of the most used model types, and inputs for them: class, class of its config, fields, inputs.

Sequences are longer than every window, and fields that say something only beside another one have it.
"""

import version_zoo as zoo

TEXT = dict(zoo.TEXT, max_position_embeddings=64)
ROTARY = dict(TEXT, num_key_value_heads=2, num_attention_heads=4, num_hidden_layers=3, hidden_size=32)
WIDE = dict(ROTARY, head_dim=8)
WINDOWED = dict(WIDE, sliding_window=4)
EXPERTS = dict(ROTARY, moe_intermediate_size=12, shared_expert_intermediate_size=12, num_experts=4, num_experts_per_tok=2)
GPT2 = dict(n_embd=16, n_layer=2, n_head=2, vocab_size=40, n_positions=64)
T5 = dict(d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2, vocab_size=40, relative_attention_num_buckets=8, relative_attention_max_distance=12)
PAIR = dict(zoo.PAIR, max_position_embeddings=64)
SOUND = dict(zoo.BODY, vocab_size=20, conv_dim=[8, 8], conv_stride=[5, 2], conv_kernel=[10, 3], num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
             mask_time_prob=0.0)
DETR = dict(d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=24, decoder_ffn_dim=24,
            num_queries=5, use_timm_backbone=False, use_pretrained_backbone=False, num_labels=3,
            backbone_config=dict(model_type="resnet", embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], out_features=["stage2"]))
CONV = dict(depths=[1, 1], hidden_sizes=[8, 16], num_labels=3)
CLIP_TEXT = dict(zoo.PROJECTED_TEXT, max_position_embeddings=64, eos_token_id=39, bos_token_id=1)
LLAVA = dict(vision_config=dict(zoo.PROJECTED_IMAGE, model_type="clip_vision_model"), text_config=dict(ROTARY, model_type="llama"))

MODELS = {
    # Decoders of text.
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", GPT2, "text"),
    "gpt_neo": ("GPTNeoForCausalLM", "GPTNeoConfig", dict(hidden_size=16, num_layers=2, num_heads=2, vocab_size=40, max_position_embeddings=64, window_size=4,
                                                          attention_types=[[["global", "local"], 1]]), "text"),
    "gpt_neox": ("GPTNeoXForCausalLM", "GPTNeoXConfig", dict(TEXT, hidden_size=32), "text"),
    "gptj": ("GPTJForCausalLM", "GPTJConfig", dict(GPT2, n_embd=32, rotary_dim=4), "text"),
    "gpt_bigcode": ("GPTBigCodeForCausalLM", "GPTBigCodeConfig", GPT2, "text"),
    "codegen": ("CodeGenForCausalLM", "CodeGenConfig", dict(GPT2, n_embd=32, n_head=4, rotary_dim=4), "text"),
    "opt": ("OPTForCausalLM", "OPTConfig", dict(zoo.OPT, max_position_embeddings=64), "text"),
    "bloom": ("BloomForCausalLM", "BloomConfig", dict(hidden_size=16, n_layer=2, n_head=2, vocab_size=40), "text"),
    "falcon": ("FalconForCausalLM", "FalconConfig", dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, vocab_size=40, alibi=False), "text"),
    "llama": ("LlamaForCausalLM", "LlamaConfig", ROTARY, "text"),
    "mistral": ("MistralForCausalLM", "MistralConfig", WINDOWED, "text"),
    "mixtral": ("MixtralForCausalLM", "MixtralConfig", dict(ROTARY, num_local_experts=4, sliding_window=4), "text"),
    "qwen2": ("Qwen2ForCausalLM", "Qwen2Config", dict(ROTARY, use_sliding_window=True, sliding_window=4, max_window_layers=1), "text"),
    "qwen2_moe": ("Qwen2MoeForCausalLM", "Qwen2MoeConfig", dict(EXPERTS, use_sliding_window=True, sliding_window=4, max_window_layers=1), "text"),
    "qwen3": ("Qwen3ForCausalLM", "Qwen3Config", dict(WIDE, use_sliding_window=True, sliding_window=4, max_window_layers=1), "text"),
    "qwen3_moe": ("Qwen3MoeForCausalLM", "Qwen3MoeConfig", dict(EXPERTS, head_dim=8, use_sliding_window=True, sliding_window=4), "text"),
    "gemma": ("GemmaForCausalLM", "GemmaConfig", WIDE, "text"),
    "gemma2": ("Gemma2ForCausalLM", "Gemma2Config", WINDOWED, "text"),
    "gemma3_text": ("Gemma3ForCausalLM", "Gemma3TextConfig", dict(WINDOWED, sliding_window_pattern=2), "text"),
    "phi": ("PhiForCausalLM", "PhiConfig", dict(ROTARY, bos_token_id=1, eos_token_id=2), "text"),
    "phi3": ("Phi3ForCausalLM", "Phi3Config", dict(ROTARY, pad_token_id=0, sliding_window=4), "text"),
    "cohere": ("CohereForCausalLM", "CohereConfig", ROTARY, "text"),
    "cohere2": ("Cohere2ForCausalLM", "Cohere2Config", dict(WINDOWED, num_hidden_layers=4), "text"),
    "granite": ("GraniteForCausalLM", "GraniteConfig", ROTARY, "text"),
    "granitemoe": ("GraniteMoeForCausalLM", "GraniteMoeConfig", dict(ROTARY, num_local_experts=4, num_experts_per_tok=2), "text"),
    "olmo": ("OlmoForCausalLM", "OlmoConfig", dict(ROTARY, pad_token_id=0), "text"),
    "olmo2": ("Olmo2ForCausalLM", "Olmo2Config", dict(ROTARY, pad_token_id=0), "text"),
    "olmoe": ("OlmoeForCausalLM", "OlmoeConfig", dict(ROTARY, pad_token_id=0, num_experts=4, num_experts_per_tok=2), "text"),
    "stablelm": ("StableLmForCausalLM", "StableLmConfig", dict(ROTARY, pad_token_id=0), "text"),
    "starcoder2": ("Starcoder2ForCausalLM", "Starcoder2Config", dict(ROTARY, sliding_window=4), "text"),
    "persimmon": ("PersimmonForCausalLM", "PersimmonConfig", dict(TEXT, hidden_size=32), "text"),
    "nemotron": ("NemotronForCausalLM", "NemotronConfig", WIDE, "text"),
    "glm": ("GlmForCausalLM", "GlmConfig", dict(WIDE, pad_token_id=0), "text"),
    "glm4": ("Glm4ForCausalLM", "Glm4Config", dict(WIDE, pad_token_id=0), "text"),
    "smollm3": ("SmolLM3ForCausalLM", "SmolLM3Config", dict(ROTARY, num_hidden_layers=4, pad_token_id=0, bos_token_id=1, eos_token_id=2, use_sliding_window=True,
                                                            sliding_window=4), "text"),
    "gpt_oss": ("GptOssForCausalLM", "GptOssConfig", dict(WINDOWED, num_local_experts=4, num_experts_per_tok=2, pad_token_id=0,
                                                          rope_scaling=dict(rope_type="default", rope_theta=10000.0)), "text"),
    "deepseek_v3": ("DeepseekV3ForCausalLM", "DeepseekV3Config", dict(
        ROTARY, num_key_value_heads=4, moe_intermediate_size=12, n_routed_experts=4, n_group=2, topk_group=1, num_experts_per_tok=2, q_lora_rank=8,
        kv_lora_rank=8, qk_rope_head_dim=4, qk_nope_head_dim=4, v_head_dim=8, first_k_dense_replace=1), "text"),
    "mpt": ("MptForCausalLM", "MptConfig", dict(d_model=16, n_heads=2, n_layers=2, vocab_size=40, max_seq_len=64), "text"),
    "mamba": ("MambaForCausalLM", "MambaConfig", dict(hidden_size=16, num_hidden_layers=2, state_size=4, vocab_size=40), "text"),
    # Encoders of text.
    "bert": ("BertForMaskedLM", "BertConfig", TEXT, "text"),
    "roberta": ("RobertaForMaskedLM", "RobertaConfig", TEXT, "text"),
    "xlm-roberta": ("XLMRobertaForMaskedLM", "XLMRobertaConfig", TEXT, "text"),
    "camembert": ("CamembertForMaskedLM", "CamembertConfig", TEXT, "text"),
    "distilbert": ("DistilBertForMaskedLM", "DistilBertConfig", dict(dim=16, n_layers=2, n_heads=2, hidden_dim=24, vocab_size=40, max_position_embeddings=64), "text"),
    "albert": ("AlbertForMaskedLM", "AlbertConfig", dict(TEXT, embedding_size=8), "text"),
    "electra": ("ElectraForMaskedLM", "ElectraConfig", dict(TEXT, embedding_size=8), "text"),
    "deberta-v2": ("DebertaV2ForMaskedLM", "DebertaV2Config", dict(TEXT, relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=8), "text"),
    "deberta": ("DebertaForMaskedLM", "DebertaConfig", dict(TEXT, relative_attention=True, pos_att_type=["p2c", "c2p"]), "text"),
    "mpnet": ("MPNetForMaskedLM", "MPNetConfig", TEXT, "text"),
    "modernbert": ("ModernBertForMaskedLM", "ModernBertConfig", dict(
        TEXT, num_hidden_layers=4, pad_token_id=0, bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2, local_attention=8), "text"),
    # Encoders and decoders.
    "t5": ("T5ForConditionalGeneration", "T5Config", dict(T5, pad_token_id=0, decoder_start_token_id=0), "pair"),
    "mt5": ("MT5ForConditionalGeneration", "MT5Config", dict(T5, pad_token_id=0, decoder_start_token_id=0), "pair"),
    "umt5": ("UMT5ForConditionalGeneration", "UMT5Config", dict(T5, pad_token_id=0, decoder_start_token_id=0), "pair"),
    "bart": ("BartForConditionalGeneration", "BartConfig", PAIR, "pair"),
    "mbart": ("MBartForConditionalGeneration", "MBartConfig", PAIR, "pair"),
    "pegasus": ("PegasusForConditionalGeneration", "PegasusConfig", PAIR, "pair"),
    "marian": ("MarianMTModel", "MarianConfig", PAIR, "pair"),
    "m2m_100": ("M2M100ForConditionalGeneration", "M2M100Config", PAIR, "pair"),
    "blenderbot": ("BlenderbotForConditionalGeneration", "BlenderbotConfig", PAIR, "pair"),
    # Sound.
    "whisper": ("WhisperForConditionalGeneration", "WhisperConfig", dict(
        zoo.PAIR, max_source_positions=16, max_target_positions=64, num_mel_bins=8, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1), "mel"),
    "wav2vec2": ("Wav2Vec2ForCTC", "Wav2Vec2Config", SOUND, "sound"),
    "hubert": ("HubertForCTC", "HubertConfig", SOUND, "sound"),
    "wavlm": ("WavLMForCTC", "WavLMConfig", dict(SOUND, num_buckets=8, max_bucket_distance=12), "sound"),
    "audio-spectrogram-transformer": ("ASTForAudioClassification", "ASTConfig", dict(zoo.BODY, patch_size=4, max_length=32, num_mel_bins=16), "spectrogram"),
    # Images.
    "vit": ("ViTForImageClassification", "ViTConfig", zoo.IMAGE, "image"),
    "deit": ("DeiTForImageClassification", "DeiTConfig", zoo.IMAGE, "image"),
    "beit": ("BeitForImageClassification", "BeitConfig", dict(zoo.IMAGE, use_relative_position_bias=True), "image"),
    "swin": ("SwinForImageClassification", "SwinConfig", zoo.WINDOWS, "image"),
    "swinv2": ("Swinv2ForImageClassification", "Swinv2Config", zoo.WINDOWS, "image"),
    "convnext": ("ConvNextForImageClassification", "ConvNextConfig", dict(CONV, num_stages=2), "image32"),
    "convnextv2": ("ConvNextV2ForImageClassification", "ConvNextV2Config", dict(CONV, num_stages=2), "image32"),
    "resnet": ("ResNetForImageClassification", "ResNetConfig", dict(CONV, embedding_size=8), "image32"),
    "regnet": ("RegNetForImageClassification", "RegNetConfig", dict(CONV, embedding_size=8, groups_width=4), "image32"),
    "segformer": ("SegformerForSemanticSegmentation", "SegformerConfig", dict(zoo.STAGES, num_attention_heads=[1, 1, 2, 2], decoder_hidden_size=8), "image128"),
    "dpt": ("DPTForDepthEstimation", "DPTConfig", dict(zoo.BACKBONE, backbone_out_indices=[0, 1, 2, 3], readout_type="project", **zoo.NECK), "image"),
    "detr": ("DetrForObjectDetection", "DetrConfig", DETR, "image32"),
    "mobilevit": ("MobileViTForImageClassification", "MobileViTConfig", dict(
        image_size=64, hidden_sizes=[12, 16, 20], neck_hidden_sizes=[4, 4, 8, 8, 8, 8, 16], num_attention_heads=2), "image128"),
    "mobilenet_v2": ("MobileNetV2ForImageClassification", "MobileNetV2Config", dict(image_size=32, depth_multiplier=0.35), "image32"),
    "dinov2": ("Dinov2ForImageClassification", "Dinov2Config", zoo.IMAGE, "image"),
    "dinov3_vit": ("DINOv3ViTModel", "DINOv3ViTConfig", zoo.IMAGE, "image"),
    "yolos": ("YolosForObjectDetection", "YolosConfig", dict(zoo.IMAGE, image_size=[16, 16], num_detection_tokens=5), "image"),
    "videomae": ("VideoMAEForVideoClassification", "VideoMAEConfig", dict(zoo.IMAGE, num_frames=4), "video"),
    # Images and text.
    "clip": ("CLIPModel", "CLIPConfig", dict(text_config=CLIP_TEXT, vision_config=zoo.PROJECTED_IMAGE, projection_dim=8), "image text"),
    "clip_text_model": ("CLIPTextModelWithProjection", "CLIPTextConfig", CLIP_TEXT, "text"),
    "clip_vision_model": ("CLIPVisionModelWithProjection", "CLIPVisionConfig", zoo.PROJECTED_IMAGE, "image"),
    "siglip": ("SiglipModel", "SiglipConfig", dict(text_config=TEXT, vision_config=zoo.IMAGE), "image text"),
    "siglip_text_model": ("SiglipTextModel", "SiglipTextConfig", TEXT, "text"),
    "siglip_vision_model": ("SiglipVisionModel", "SiglipVisionConfig", zoo.IMAGE, "image"),
    "blip_vision_model": ("BlipVisionModel", "BlipVisionConfig", zoo.IMAGE, "image"),
    "blip_text_model": ("BlipTextModel", "BlipTextConfig", dict(TEXT, encoder_hidden_size=16, bos_token_id=1), "text"),
    "llava": ("LlavaForConditionalGeneration", "LlavaConfig", dict(LLAVA, image_token_index=39), "image tokens"),
    "paligemma": ("PaliGemmaForConditionalGeneration", "PaliGemmaConfig", dict(
        vision_config=dict(zoo.IMAGE, model_type="siglip_vision_model"), text_config=dict(WIDE, model_type="gemma"), image_token_index=39, projection_dim=32), "image tokens"),
}
