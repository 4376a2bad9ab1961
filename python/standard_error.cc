// Debian's static libjpeg and libpng are compiled for programs: they name the C library's stderr in
// a way that a shared object cannot have. The linker's --wrap=stderr gives them this variable in
// its place, which has the same value.
#include <cstdio>

extern "C" {
extern std::FILE* real_stderr __asm__("__real_stderr");
[[gnu::visibility("hidden")]] extern std::FILE* wrapped_stderr __asm__("__wrap_stderr");
}

std::FILE* wrapped_stderr = real_stderr;
