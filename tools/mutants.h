// What tools/mutate.py writes into a mutated copy of the sources: all faults are in one program,
// and the environment variable SAMEBITS_MUTANT names the one that acts; 0 or nothing: none. With
// SAMEBITS_MUTANTS_SEEN, the program adds the numbers of the places that it came by to that file.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <type_traits>

#pragma GCC diagnostic ignored "-Wbool-compare"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wfloat-conversion"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wmisleading-indentation"
#pragma GCC diagnostic ignored "-Wnarrowing"
#pragma GCC diagnostic ignored "-Wparentheses"
#pragma GCC diagnostic ignored "-Wreturn-type"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wtype-limits"

namespace mutants {

inline constexpr int kMost = 1 << 16;
inline bool seen[kMost];
inline int chosen = -1;

inline void write_seen() {
  std::FILE* file = std::fopen(std::getenv("SAMEBITS_MUTANTS_SEEN"), "a");
  if (file == nullptr) return;
  for (int id = 0; id < kMost; ++id) {
    if (seen[id]) std::fprintf(file, "%d\n", id);
  }
  std::fclose(file);
}

inline bool start() {
  if (chosen >= 0) return true;
  const char* number = std::getenv("SAMEBITS_MUTANT");
  chosen = number == nullptr ? 0 : std::atoi(number);
  if (std::getenv("SAMEBITS_MUTANTS_SEEN") != nullptr) std::atexit(write_seen);
  return true;
}
inline const bool started = start();

inline bool on(int id) {
  if (chosen < 0) start();
  seen[id] = true;
  return id == chosen;
}

// "a < b" becomes "a < less<7> < b": as strong a bond as before, and no need to know where a begins
// and b ends. Two faults each: the nearest other operator is `id`, the opposite one is `id` + 1.
template <class A, class Tag>
struct Left {
  const A& a;
};

template <int id, class At, class Near, class Far>
struct Relation {
  template <class A, class B>
  static bool of(const A& a, const B& b) {
    return on(id) ? Near()(a, b) : on(id + 1) ? Far()(a, b) : At()(a, b);
  }
};
template <int id>
struct Less : Relation<id, std::less<>, std::less_equal<>, std::greater<>> {};
template <int id>
struct LessEqual : Relation<id, std::less_equal<>, std::less<>, std::greater_equal<>> {};
template <int id>
struct Greater : Relation<id, std::greater<>, std::greater_equal<>, std::less<>> {};
template <int id>
struct GreaterEqual : Relation<id, std::greater_equal<>, std::greater<>, std::less_equal<>> {};

template <class A, class Tag>
  requires requires { Tag::is_relation; }
Left<A, Tag> operator<(const A& a, Tag) {
  return {a};
}
template <class A, class B, class Tag>
bool operator<(const Left<A, Tag>& left, const B& b) {
  return Tag::of(left.a, b);
}

template <class Base>
struct RelationTag : Base {
  static constexpr bool is_relation = true;
};
template <int id>
inline constexpr RelationTag<Less<id>> less{};
template <int id>
inline constexpr RelationTag<LessEqual<id>> less_equal{};
template <int id>
inline constexpr RelationTag<Greater<id>> greater{};
template <int id>
inline constexpr RelationTag<GreaterEqual<id>> greater_equal{};

template <int id, bool wanted>
struct EqualTag {
  static constexpr bool is_equality = true;
  template <class A, class B>
  static bool of(const A& a, const B& b) {
    return on(id) ? (a == b) != wanted : (a == b) == wanted;
  }
};
template <int id>
inline constexpr EqualTag<id, true> equal{};
template <int id>
inline constexpr EqualTag<id, false> unequal{};
template <class A, class Tag>
  requires requires { Tag::is_equality; }
Left<A, Tag> operator==(const A& a, Tag) {
  return {a};
}
template <class A, class B, class Tag>
bool operator==(const Left<A, Tag>& left, const B& b) {
  return Tag::of(left.a, b);
}

template <int id, bool minus>
struct SumTag {
  static constexpr bool is_sum = true;
  template <class A, class B>
  static auto of(const A& a, const B& b) {
    static_assert(std::is_arithmetic_v<A> && std::is_arithmetic_v<B>);
    return on(id) != minus ? a - b : a + b;
  }
};
template <int id>
inline constexpr SumTag<id, false> plus{};
template <int id>
inline constexpr SumTag<id, true> minus{};
template <class A, class Tag>
  requires requires { Tag::is_sum; }
Left<A, Tag> operator+(const A& a, Tag) {
  return {a};
}
template <class A, class B, class Tag>
auto operator+(const Left<A, Tag>& left, const B& b) {
  return Tag::of(left.a, b);
}

// "!x" becomes "no<7> * x".
template <int id>
struct NotTag {};
template <int id>
inline constexpr NotTag<id> no{};
template <int id, class A>
bool operator*(NotTag<id>, const A& a) {
  return on(id) ? static_cast<bool>(a) : !a;
}

template <int id, bool smaller>
struct Extreme {
  template <class T>
  static T of(const T& a, const T& b) {
    return on(id) != smaller ? std::min(a, b) : std::max(a, b);
  }
  template <class T>
  static T of(std::initializer_list<T> all) {
    return on(id) != smaller ? std::min(all) : std::max(all);
  }
};

// all_of for any_of, any_of for the others.
template <int id>
struct Quantifier {
  template <class... Arguments>
  static bool all_of(Arguments&&... arguments) {
    return on(id) ? std::ranges::any_of(arguments...) : std::ranges::all_of(arguments...);
  }
  template <class... Arguments>
  static bool any_of(Arguments&&... arguments) {
    return on(id) ? std::ranges::all_of(arguments...) : std::ranges::any_of(arguments...);
  }
  template <class... Arguments>
  static bool none_of(Arguments&&... arguments) {
    return on(id) ? std::ranges::any_of(arguments...) : std::ranges::none_of(arguments...);
  }
};

}  // namespace mutants
