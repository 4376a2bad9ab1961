// The counters of a training as Lightning's loops keep them in a checkpoint.
//
// Source: pytorch_lightning/loops (fit_loop.py, training_epoch_loop.py, progress.py) of 2.6.6, as
// ModelCheckpoint saves them: behind a step the batch is processed and not yet completed, and
// behind the last one of an epoch the epoch is.
#pragma once

#include "samebits/container/pickle_writer.h"

namespace samebits {

struct LightningCounts {
  std::uint64_t step = 0;     // of the optimizer
  std::uint64_t epoch = 0;    // from 0
  std::uint64_t batches = 0;  // of this epoch, done
  bool is_last_batch = false;
  std::uint64_t accumulate = 1;  // batches of a step
  bool scheduled = false;        // a schedule makes a step with every one of the optimizer
};

PickleValue lightning_loops(const LightningCounts& counts);

}  // namespace samebits
