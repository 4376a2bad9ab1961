"""An input for a model of transformers, made from its config and a seed: images, tokens, sound."""

import inspect

IMAGE, TOKENS, SAMPLES = 224, 16, 16000  # where the config says no other size


class NoInput(ValueError):
    """What a forward pass takes is not known how to make."""


def made(models, seed, shape=None, pixels=None):
    """Keyword arguments for the first of the models that the others can take too, as far as their configs say; and a sentence on each.

    `shape`: of pixel_values; `pixels`: what a processor made of pictures, with which the rest goes. Raises NoInput where the forward pass
    asks for something else."""
    import torch

    model = models[0]
    asked = inspect.signature(model.forward).parameters
    generator = torch.Generator().manual_seed(seed)
    configs = [each.config for each in models]
    given, said = dict(pixels or {}), []
    if pixels and "input_ids" in asked and _has_image_tokens(configs[0]):
        raise NoInput("images stand among its tokens, where only its whole processor puts them: give both as a safetensors file (--input)")
    rows = len(given["pixel_values"]) if pixels else 1
    for name, make in MAKERS.items():
        if name not in asked or name in given or (name == "pixel_values" and "input_ids" in asked and _has_image_tokens(configs[0])):
            continue
        if name == "decoder_input_ids" and not getattr(configs[0], "is_encoder_decoder", False):
            continue
        if name == "pixel_values" and shape:
            value, text = torch.randn(*shape, generator=generator), f"torch.randn{tuple(shape)}"
        else:
            value, text = make(configs, generator)
        given[name] = value.expand(rows, *value.shape[1:]).contiguous() if pixels else value
        said.append(f"{name}: {text}, seed {seed}{f', once for each of the {rows} images' if rows > 1 else ''}")
    needed = [name for name, each in asked.items() if each.default is each.empty and each.kind == each.POSITIONAL_OR_KEYWORD]
    lacking = [name for name in needed if name not in given]
    if lacking or not given:
        what = ", ".join(lacking) or "something else than images, tokens and sound"
        raise NoInput(f"its forward pass takes {what}, which is not made from a config: give it as a safetensors file (--input)")
    return {**given, **without_cache(model)}, said


def taken(model, prepared):
    """Of what a processor made of pictures the tensors that the forward pass takes."""
    import torch

    asked = inspect.signature(model.forward).parameters
    pixels = {name: value for name, value in prepared.items() if name in asked and isinstance(value, torch.Tensor)}
    if "pixel_values" not in pixels:
        raise NoInput("its processor makes no pixel_values, which its forward pass takes")
    return pixels


def need_pixels(model):
    """Raises NoInput where the forward pass takes no pictures."""
    if "pixel_values" not in inspect.signature(model.forward).parameters:
        raise NoInput("its forward pass takes no images: there is no pixel_values among its arguments")


def without_cache(model):
    """What keeps a pass from giving back its cache, which is an input of the next one and no answer."""
    return {"use_cache": False} if "use_cache" in inspect.signature(model.forward).parameters else {}


def _first(config, *names):
    """The first of the fields that it has, wherever a config inside it keeps them."""
    inside = [value for value in vars(config).values() if hasattr(value, "to_dict")]
    for each in [config, *inside]:
        for name in names:
            value = getattr(each, name, None)
            if value is not None:
                return value
    return None


def _has_image_tokens(config):
    """Then images stand among the tokens, by marks that only a processor sets."""
    return _first(config, "image_token_id", "image_token_index") is not None


def _pixels(configs, generator):
    import torch

    config = configs[0]
    size = _first(config, "image_size") or IMAGE
    if isinstance(size, dict):
        size = [size.get("height", IMAGE), size.get("width", IMAGE)]
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    shape = [1, _first(config, "num_channels") or 3, height, width]
    frames = _first(config, "num_frames")
    if frames:
        shape.insert(1, frames)
    return torch.randn(*shape, generator=generator), f"torch.randn{tuple(shape)}"


def _text(config):
    getter = getattr(config, "get_text_config", None)
    return getter() if getter else config


def _ids(configs, generator):
    """As many tokens as every model has places for; the last one ends the text, where there is a token for that."""
    import torch

    texts = [_text(config) for config in configs]
    vocabulary = min((size for size in (_first(text, "vocab_size") for text in texts) if size), default=1)
    places = min(_first(text, "max_position_embeddings", "n_positions") or TOKENS + 2 for text in texts)
    count = max(1, min(TOKENS, places - 2))  # some count places from 2 on
    ids = torch.randint(0, vocabulary, (1, count), generator=generator)
    end = _first(texts[0], "eos_token_id")
    text = f"torch.randint(0, {vocabulary}, (1, {count}))"
    if isinstance(end, int) and 0 <= end < vocabulary:
        ids[0, ids[0] == end] = (end + 1) % vocabulary
        ids[0, -1] = end
        text += f" that ends with eos_token_id {end}"
    return ids, text


def _sound(configs, generator):
    import torch

    bins, length = _first(configs[0], "num_mel_bins"), _first(configs[0], "max_length")
    spectrogram = bins and length and _first(configs[0], "frequency_stride")
    shape = (1, length, bins) if spectrogram else (1, SAMPLES)
    return torch.randn(*shape, generator=generator), f"torch.randn{shape}"


def _features(configs, generator):
    import torch

    config = configs[0]
    bins, length = _first(config, "num_mel_bins", "input_feat_per_channel", "feature_projection_input_dim"), _first(config, "max_source_positions")
    if bins is None:
        raise NoInput("its config does not say how many features an input has: give it as a safetensors file (--input)")
    whisper = _first(config, "model_type") == "whisper"
    shape = (1, bins, 2 * length) if whisper else (1, TOKENS, bins)
    return torch.randn(*shape, generator=generator), f"torch.randn{shape}"


MAKERS = {
    "pixel_values": _pixels,
    "input_ids": _ids,
    "input_values": _sound,
    "input_features": _features,
    "decoder_input_ids": _ids,
}
