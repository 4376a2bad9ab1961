// The shared library between the program and one implementation of MPI: samebits/cli/mpi_shim.h.
#include <mpi.h>
#include <string.h>
#include <time.h>

#include "samebits/cli/mpi_shim.h"

// MPI counts in int.
static const size_t kMost = (size_t)1 << 30;

static int open_group(int* rank, int* size) {
  int provided = 0;
  int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
  if (code == MPI_SUCCESS) code = MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  if (code == MPI_SUCCESS) code = MPI_Comm_rank(MPI_COMM_WORLD, rank);
  if (code == MPI_SUCCESS) code = MPI_Comm_size(MPI_COMM_WORLD, size);
  return code;
}

// Some tests in a row, since most answers come soon; then pauses, so that a rank that has to wait
// takes no processor from one that works.
static int wait_for(MPI_Request* requests, int (*give_up)(void*), void* context) {
  const struct timespec pause = {0, 50 * 1000};
  const int at_once = 200;
  const int pauses = 200;
  for (int round = 0;; ++round) {
    int done = 0;
    MPI_Status statuses[2];
    const int code = MPI_Testall(2, requests, &done, statuses);
    if (code != MPI_SUCCESS || done) return code;
    if (round < at_once) continue;
    nanosleep(&pause, NULL);
    if (round % pauses == 0 && give_up(context)) return -1;
  }
}

static size_t piece_of(size_t left) { return left < kMost ? left : kMost; }

// Both sides cut what is longer than MPI can count into the same messages: one at least, and no
// empty ones behind it.
static int exchange(int to, const void* out, size_t out_size, int from, void* in, size_t in_size,
                    int (*give_up)(void*), void* context) {
  size_t sent = 0, received = 0;
  for (int first = 1; first || sent < out_size || received < in_size; first = 0) {
    MPI_Request requests[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
    int code = MPI_SUCCESS;
    if (first || received < in_size) {
      const size_t piece = piece_of(in_size - received);
      code = MPI_Irecv((char*)in + received, (int)piece, MPI_BYTE, from, 0, MPI_COMM_WORLD,
                       &requests[0]);
      received += piece;
    }
    if (code == MPI_SUCCESS && (first || sent < out_size)) {
      const size_t piece = piece_of(out_size - sent);
      code = MPI_Isend((const char*)out + sent, (int)piece, MPI_BYTE, to, 0, MPI_COMM_WORLD,
                       &requests[1]);
      sent += piece;
    }
    if (code == MPI_SUCCESS) code = wait_for(requests, give_up, context);
    if (code != MPI_SUCCESS) return code;
  }
  return MPI_SUCCESS;
}

static void error_text(int code, char* text, size_t size) {
  char whole[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(code, whole, &length);
  strncpy(text, whole, size - 1);
  text[size - 1] = '\0';
}

static void close_group(void) { MPI_Finalize(); }

static void end_all(int status) { MPI_Abort(MPI_COMM_WORLD, status); }

const struct samebits_mpi* samebits_mpi(void);
const struct samebits_mpi* samebits_mpi(void) {
  static const struct samebits_mpi functions = {SAMEBITS_MPI_VERSION, open_group,  exchange,
                                                error_text,           close_group, end_all};
  return &functions;
}
