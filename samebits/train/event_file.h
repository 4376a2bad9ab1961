// Event files of TensorBoard in the directory of a training: the columns of metrics.csv as scalars.
//
// A file is a row of records: the length (64 bits, little-endian), its masked CRC-32C, a message
// `Event` of protobuf, its masked CRC-32C. A training that goes on begins another file, whose
// second event says at which step it starts: TensorBoard then forgets what the files before it say
// of this step and later ones.
//
// Source: tensorflow/core/util/event.proto, core/framework/summary.proto and
// core/lib/io/record_writer.cc of TensorFlow 2.21; held against tensorboard 2.21.0 in
// tests/parity/train_events_test.py.
#pragma once

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "samebits/base/error.h"

namespace samebits {

/// CRC-32C (Castagnoli).
std::uint32_t crc32c(const std::uint8_t* bytes, std::size_t size);

/// Whether a directory holds event files.
bool has_event_files(const std::string& directory);

class EventFile {
 public:
  /// Makes a file whose name comes behind those that are there. `now`: seconds since 1970. Errors:
  /// io.
  static Result<EventFile> open(const std::string& directory, std::uint64_t steps_done, double now);

  /// The scalars epoch, train_loss, and val_loss where there is one. `step` from 0. They are in the
  /// file when this returns. Errors: io.
  Result<void> add(std::uint64_t epoch, std::uint64_t step, float loss,
                   const std::optional<float>& validation, double now);

 private:
  Result<void> write(const std::vector<std::uint8_t>& event);

  std::string path_;
  std::ofstream file_;
};

}  // namespace samebits
