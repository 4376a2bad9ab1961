// The signatures of foreign_files.h, as data.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace samebits {

struct ForeignSignature {
  std::uint64_t offset;
  std::string_view bytes;
  std::string_view what;
  std::string_view hint;
};

inline constexpr std::string_view kUnpackFirst = "Unpack it, and name the file of weights";
inline constexpr std::string_view kNameCheckpoint = "Name the file of weights";
inline constexpr std::string_view kDownloadAgain =
    "Download the file again; behind a login, with a token";
inline constexpr std::string_view kToSafetensors =
    "Load it with the library that wrote it, and save the tensors with safetensors or torch.save";

// Bytes with a zero in them need their length, which the literal operator gives.
using std::literals::operator""sv;

inline constexpr auto kForeignSignatures = std::to_array<ForeignSignature>({
    // Weights of other libraries.
    {0, "tjgg"sv, "a GGML file (llama.cpp before GGUF)", kToSafetensors},
    {0, "lmgg"sv, "a GGML file (llama.cpp before GGUF)", kToSafetensors},
    {0, "fmgg"sv, "a GGML file (llama.cpp before GGUF)", kToSafetensors},
    {0, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file (Keras, h5py)", kToSafetensors},
    {512, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file (Keras, h5py)", kToSafetensors},
    {4, "TFL3"sv, "a TensorFlow Lite model", kToSafetensors},
    {4, "PTMF"sv, "a PyTorch Mobile model (flatbuffer)",
     "Name the state_dict or module that it was made of"},
    {4, "ET12"sv, "an ExecuTorch program", "Name the state_dict or module that it was made of"},
    {0, "ptrt"sv, "a TensorRT engine", "Name the model that it was built from"},
    {0, "ftrt"sv, "a TensorRT engine", "Name the model that it was built from"},
    {0, "MATLAB 5.0 MAT-file"sv, "a MATLAB file",
     "Load it with scipy.io.loadmat, and save the arrays with numpy.savez"},
    // Pointers in place of the file.
    {0, "version https://git-lfs"sv, "a Git LFS pointer, not the file itself",
     "Run git lfs pull in its repository, or download the file again"},
    {0, "/annex/objects/"sv, "a git-annex pointer, not the file itself",
     "Run git annex get in its repository"},
    {0, "outs:\n- md5:"sv, "a DVC pointer, not the file itself", "Run dvc pull in its repository"},
    {0, "model_checkpoint_path: "sv, "TensorFlow's list of checkpoints",
     "Load the checkpoint that it names with tf.train.load_checkpoint, and save its variables with "
     "numpy.savez"},
    // Logs.
    {21,
     "\x1a\x0d"
     "brain.Event:"sv,
     "TensorFlow's event log (TensorBoard)", kNameCheckpoint},
    // Packed files.
    {0, "\x1f\x8b"sv, "a gzip file", kUnpackFirst},
    {0, "BZh"sv, "a bzip2 file", kUnpackFirst},
    {0,
     "\xfd"
     "7zXZ\0"sv,
     "an xz file", kUnpackFirst},
    {0, "\x28\xb5\x2f\xfd"sv, "a zstd file", kUnpackFirst},
    {0, "\x04\x22\x4d\x18"sv, "an lz4 file", kUnpackFirst},
    {0, "7z\xbc\xaf\x27\x1c"sv, "a 7z archive", kUnpackFirst},
    {0, "Rar!\x1a\x07"sv, "a RAR archive", kUnpackFirst},
    {0, "\x5d\0\0"sv, "an LZMA file", kUnpackFirst},
    // Tables, documents, media, programs.
    {0, "PAR1"sv, "a Parquet file", kNameCheckpoint},
    {0, "ARROW1"sv, "an Arrow file", kNameCheckpoint},
    {0, "SQLite format 3\0"sv, "an SQLite database", kNameCheckpoint},
    {16, "\xde\xc0\xef\xbe"sv, "an LMDB database", kNameCheckpoint},
    {0, "\x89PNG"sv, "a PNG image", kNameCheckpoint},
    {0, "\xff\xd8\xff"sv, "a JPEG image", kNameCheckpoint},
    {0, "GIF8"sv, "a GIF image", kNameCheckpoint},
    {0, "II*\0"sv, "a TIFF image", kNameCheckpoint},
    {0, "MM\0*"sv, "a TIFF image", kNameCheckpoint},
    {0, "RIFF"sv, "a RIFF file (WebP, WAV or AVI)", kNameCheckpoint},
    {4, "ftyp"sv, "an MP4 or HEIF file", kNameCheckpoint},
    {0, "%PDF"sv, "a PDF document", kNameCheckpoint},
    {0,
     "\x7f"
     "ELF"sv,
     "a program or shared library (ELF)", kNameCheckpoint},
    {0, "\xcf\xfa\xed\xfe"sv, "a program or shared library (Mach-O)", kNameCheckpoint},
    {0, "MZ\x90\0"sv, "a Windows program or library", kNameCheckpoint},
    {0, "#!"sv, "a script", kNameCheckpoint},
});

/// A zip archive, by the end of an entry's name.
struct ForeignEntry {
  std::string_view name_end;
  std::string_view what;
  std::string_view hint;
};

inline constexpr std::string_view kFromExport =
    "Load it with torch.export.load, and save its state_dict with torch.save or safetensors";

inline constexpr auto kForeignEntries = std::to_array<ForeignEntry>({
    {"/archive_format", "a torch.export archive (.pt2)", kFromExport},
    {"serialized_exported_program.json", "a torch.export archive (.pt2)", kFromExport},
    {"serialized_exported_program.pt", "a torch.export archive (.pt2)", kFromExport},
    {"model.weights.h5", "a Keras 3 model (.keras)",
     "Load it with Keras, and save its weights with numpy.savez or safetensors"},
    {"/code/model.json", "a TorchScript archive of before PyTorch 1.4",
     "Load it with torch.jit.load, and save its state_dict with torch.save"},
    {"/model.json", "a TorchScript archive of before PyTorch 1.4",
     "Load it with torch.jit.load, and save its state_dict with torch.save"},
    {".data/extern_modules", "a torch.package archive",
     "Load it with torch.package, and save the state_dict with torch.save"},
    {"MAR-INF/MANIFEST.json", "a TorchServe archive (.mar)", kUnpackFirst},
    {".dist-info/WHEEL", "a Python wheel", kUnpackFirst},
    {"EGG-INFO/PKG-INFO", "a Python egg", kUnpackFirst},
    {"AndroidManifest.xml", "an Android package", kNameCheckpoint},
    {"META-INF/MANIFEST.MF", "a Java archive", kNameCheckpoint},
    {"[Content_Types].xml", "an Office document", kNameCheckpoint},
    {"Manifest.json", "a Core ML package", "Name the model that it was converted from"},
});

}  // namespace samebits
