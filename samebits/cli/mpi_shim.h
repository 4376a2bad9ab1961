/* What the program asks of MPI, as C functions that a small shared library has: one library for
 * each implementation of MPI, since their binary interfaces differ. The program itself needs no
 * MPI.
 *
 * All functions are called by one thread.
 */
#ifndef SAMEBITS_CLI_MPI_SHIM_H_
#define SAMEBITS_CLI_MPI_SHIM_H_

#include <stddef.h>

#define SAMEBITS_MPI_VERSION 1
#define SAMEBITS_MPI_FUNCTION "samebits_mpi"

struct samebits_mpi {
  int version;
  /* 0, or the code of an error of MPI, as all below. */
  int (*open)(int* rank, int* size);
  /* Sends and receives at once. While it waits it gives the processor away, and calls
   * give_up(context) now and then; where that is not 0 it returns -1. */
  int (*exchange)(int to, const void* out, size_t out_size, int from, void* in, size_t in_size,
                  int (*give_up)(void* context), void* context);
  void (*error_text)(int code, char* text, size_t size);
  void (*close)(void);
  /* Ends all processes. */
  void (*abort)(int status);
};

/* The type of the function SAMEBITS_MPI_FUNCTION. */
typedef const struct samebits_mpi* (*samebits_mpi_function)(void);

#endif
