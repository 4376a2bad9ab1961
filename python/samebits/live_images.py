"""Pictures as the processors of transformers prepare them for a model."""

import os
import shutil
import tempfile

from . import live_files

FILES = ("preprocessor_config.json", "processor_config.json")


class NoImages(ValueError):
    """Why pictures become no input, as one sentence."""


class Pictures:
    """JPEG and PNG files. `processor`: a preprocessor_config.json that counts for every model; None: each model has its own."""

    def __init__(self, paths, processor=None, trust_code=False):
        self.count = len(paths)
        self._pictures = [_opened(path) for path in paths]
        self._processor, self._trust_code = processor, trust_code

    def has_own(self, directory):
        """Whether this model prepares pictures by a processor of its own."""
        return self._processor is None and os.path.isdir(directory) and any(os.path.exists(os.path.join(directory, name)) for name in FILES)

    def prepared(self, directory):
        """Tensors by the names of a forward pass's arguments, and who made them. Raises NoImages."""
        if self._processor is None and not self.has_own(directory):
            raise NoImages("it has no preprocessor_config.json, by which pictures become an input: name one with --processor")
        try:
            processor = self._loaded(directory)
            made = dict(processor(images=[picture.copy() for picture in self._pictures], return_tensors="pt"))
        except Exception as error:  # whatever a library makes of files and pictures that are not as it expects
            raise NoImages(f"its processor prepares no images: {live_files.short(error)}") from error
        return made, type(processor).__name__

    def _loaded(self, directory):
        import transformers

        options = {"local_files_only": True, "trust_remote_code": self._trust_code}
        if self._processor is None:
            return transformers.AutoImageProcessor.from_pretrained(directory, **options)
        with tempfile.TemporaryDirectory() as folder:
            shutil.copyfile(self._processor, os.path.join(folder, FILES[0]))
            return transformers.AutoImageProcessor.from_pretrained(folder, **options)


def _opened(path):
    try:
        import PIL.Image
        import PIL.ImageOps

        with PIL.Image.open(path) as picture:
            return PIL.ImageOps.exif_transpose(picture).convert("RGB")
    except ImportError as error:
        raise NoImages("Pillow, which reads pictures, is not installed: pip install pillow") from error
    except Exception as error:  # a file is whatever it is
        raise NoImages(f"{path} cannot be read as a picture: {live_files.short(error)}") from error


def versions():
    """Of the libraries whose versions decide the numbers."""
    import importlib.metadata

    found = []
    for name in ("Pillow", "torchvision"):
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return f", with {' and '.join(found)}" if found else ""


def difference_text(own, other):
    """How two preparations of the same pictures differ; "" where they do not."""
    from . import live_tensors

    if own.keys() != other.keys():
        return f"they have other parts: {', '.join(own)} and {', '.join(other)}"
    for name, tensor in own.items():
        if tensor.shape != other[name].shape:
            return "they have another size"
        if not live_tensors.same_bits(tensor, other[name]):
            numbers = live_tensors.difference(other[name], tensor)
            if not numbers["differing"]:
                return "the same numbers with other bits"
            most = "" if numbers["max_abs"] is None else f", up to {numbers['max_abs']:.3g}"
            return f"{numbers['differing']} of {numbers['elements']} numbers differ{most}"
    return ""
