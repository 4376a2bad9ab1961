// What the other files call of libfmt and do not carry themselves, compiled from its headers: for
// systems that have libfmt as a shared library alone. To be compiled with FMT_HEADER_ONLY; a
// function that is missing here is an error of the linker.
#include <fmt/format.h>

// Inline functions are written into this file's object as soon as their address is taken.
[[gnu::used]] void (*const samebits_keeps_throw)(const char*) = &fmt::detail::throw_format_error;
[[gnu::used]] std::string (*const samebits_keeps_vformat)(fmt::string_view,
                                                          fmt::format_args) = &fmt::vformat;
[[gnu::used]] bool (*const samebits_keeps_printable)(std::uint32_t) = &fmt::detail::is_printable;
[[gnu::used]] fmt::detail::thousands_sep_result<char> (*const samebits_keeps_separator)(
    fmt::detail::locale_ref) = &fmt::detail::thousands_sep_impl<char>;
