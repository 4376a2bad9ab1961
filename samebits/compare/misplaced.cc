// Tensors whose bytes stand where others belong: found, and put into words.
#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/compare/alignment_state.h"
#include "samebits/compare/name_affinity.h"
#include "samebits/compare/name_pieces.h"

namespace samebits {
namespace {

/// Two tensors, and the templates of their names.
struct TemplateLink {
  Link link;
  std::string from, to;
};

/// What the links say of each template of A: the template in B that most of them lead to.
class TemplateVotes {
 public:
  TemplateVotes(const WeightSet& a, const std::vector<TemplateLink>& links,
                std::vector<std::string>* unsearched) {
    std::map<std::string, std::map<std::string, std::size_t>> votes;
    for (const TemplateLink& each : links) {
      ++votes[each.from][each.to];
      shapes_.try_emplace(each.from, a[each.link.a].view.shape());
    }
    for (const auto& [from, tos] : votes) winner_[from] = most_voted(from, tos);
    swap_misnamed(unsearched);
  }

  const std::string& winner(const std::string& from) const { return winner_.at(from); }

 private:
  struct Pairing {
    std::uint32_t from = 0, names_to = 0;  // numbers of templates in a NameAffinity
    std::size_t to = 0;                    // whose winner it has
    double shared = 0;                     // pieces of both
  };

  static std::string most_voted(const std::string& from,
                                const std::map<std::string, std::size_t>& tos) {
    if (tos.size() == 1) return tos.begin()->first;
    NameAffinity names;
    const std::uint32_t own = names.add(from);
    const std::string* best = nullptr;
    std::pair<std::size_t, double> most;
    for (const auto& [to, count] : tos) {
      const std::pair offered(count, names.affinity(own, names.add(to)));
      if (best != nullptr && offered <= most) continue;
      best = &to;
      most = offered;
    }
    return *best;
  }

  // A query that leads to a k_proj and a key that leads to a q_proj, in every block: names say
  // that they are exchanged where both would be more alike the other way round.
  void swap_misnamed(std::vector<std::string>* unsearched) {
    constexpr std::size_t kMostOfOneShape = 1000;
    constexpr int kMostRounds = 8;
    std::map<Shape, std::vector<std::map<std::string, std::string>::iterator>> by_shape;
    for (auto at = winner_.begin(); at != winner_.end(); ++at)
      by_shape[shapes_.at(at->first)].push_back(at);
    WorkBudget left(kMostOfOneShape * kMostOfOneShape);
    std::size_t skipped = 0;
    for (const auto& [shape, members] : by_shape) {
      const std::uint64_t every = std::uint64_t{members.size()} * (members.size() - 1) / 2;
      if (!left.take(every)) {
        skipped += members.size();
        continue;
      }
      NameAffinity names;
      std::vector<std::string> texts;  // of winners, by their numbers
      std::vector<Pairing> pairings;
      for (const auto& at : members) pairings.push_back({.from = names.add(at->first)});
      texts.reserve(members.size());
      for (std::size_t i = 0; i < members.size(); ++i) {
        texts.push_back(members[i]->second);
        pairings[i].to = i;
        pairings[i].names_to = names.add(texts[i]);
        pairings[i].shared = names.shared_pieces(pairings[i].from, pairings[i].names_to);
      }
      for (int round = 0; round < kMostRounds && swap_round(&names, &pairings); ++round) {
        if (!left.take(every)) break;
      }
      for (std::size_t i = 0; i < members.size(); ++i) members[i]->second = texts[pairings[i].to];
    }
    if (skipped > 0)
      unsearched->push_back(
          fmt::format("whether tensors are exchanged in every block was not tried for {} kinds of "
                      "names: so many "
                      "have one shape",
                      skipped));
  }

  static bool swap_round(NameAffinity* names, std::vector<Pairing>* pairings) {
    bool swapped = false;
    for (std::size_t x = 0; x < pairings->size(); ++x) {
      for (std::size_t y = x + 1; y < pairings->size(); ++y)
        swapped |= swap_if_more_alike(names, &(*pairings)[x], &(*pairings)[y]);
    }
    return swapped;
  }

  static bool swap_if_more_alike(NameAffinity* names, Pairing* x, Pairing* y) {
    if (x->names_to == y->names_to) return false;
    const double shared_x = names->shared_pieces(x->from, y->names_to);
    // Of both, since one word alone may mislead: transformers' post_attention_layernorm is Meta's
    // ffn_norm, which stands in front of that part, and input_layernorm is attention_norm.
    if (shared_x <= x->shared) return false;
    const double shared_y = names->shared_pieces(y->from, x->names_to);
    if (shared_y <= y->shared || shared_x + shared_y - x->shared - y->shared < 0.5) return false;
    std::swap(x->names_to, y->names_to);
    std::swap(x->to, y->to);
    x->shared = shared_x;
    y->shared = shared_y;
    return true;
  }

  std::map<std::string, Shape> shapes_;
  std::map<std::string, std::string> winner_;
};

// True where the numbers change and keep their order: blocks counted from 1 instead of 0.
bool is_renumbering(const WeightSet& a, const WeightSet& b, const std::vector<Link>& links) {
  std::map<std::vector<std::uint64_t>, std::vector<std::uint64_t>> numbers;
  const auto values = [](const std::string& name) {
    std::vector<std::uint64_t> read;
    for (const std::string& text : name_numbers(name))
      read.push_back(text.size() < 19 ? std::stoull(text) : ~0ULL);
    return read;
  };
  for (const Link& link : links) numbers[values(a[link.a].name)] = values(b[link.b].name);
  if (numbers.size() != links.size()) return false;
  return std::is_sorted(numbers.begin(), numbers.end(),
                        [](const auto& x, const auto& y) { return x.second < y.second; });
}

/// The words for one kind of exchange: what was held where, for which blocks.
struct Move {
  std::string home, place;  // "blocks.0.", "blocks.1."; "query", "key"
  auto operator<=>(const Move&) const = default;
};

struct MoveNames {
  std::vector<std::string> a, b;
  std::set<std::string> blocks;  // the numbers in front of the difference
};

std::string without_last_dot(std::string text) {
  if (!text.empty() && text.back() == '.') text.pop_back();
  return text;
}

// The first place where two names differ; a number with the names in front of it, since
// "0" alone says nothing.
Move first_difference(const std::string& home, const std::string& place, std::string* block) {
  const Pieces h = split_name(home);
  const Pieces p = split_name(place);
  const std::vector<Hunk> hunks = differing_hunks(h, p);
  if (hunks.empty()) return {home, place};
  Hunk hunk = hunks.front();
  const bool number = hunk.a_begin < h.size() && is_number(h[hunk.a_begin]);
  for (std::size_t i = 0; i < hunk.a_begin && !number; ++i) {
    if (is_number(h[i])) *block = without_last_dot(std::string(h[i]));
  }
  if (number) hunk.a_begin = hunk.b_begin = 0;
  return {without_last_dot(joined_pieces(h, hunk.a_begin, hunk.a_end)),
          without_last_dot(joined_pieces(p, hunk.b_begin, hunk.b_end))};
}

std::string list_text(const std::set<std::string>& items) {
  constexpr std::size_t kMost = 6;
  std::vector<std::string> sorted(items.begin(), items.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const std::string& x, const std::string& y) {
    return x.size() < y.size();  // numbers without leading zeros: by value
  });
  std::string text;
  for (std::size_t i = 0; i < std::min(sorted.size(), kMost); ++i)
    text += (i == 0 ? "" : ", ") + sorted[i];
  if (sorted.size() > kMost) text += fmt::format(" and {} more", sorted.size() - kMost);
  return text;
}

std::string where(const MoveNames& names) {
  if (names.blocks.empty()) return "";
  return fmt::format(" in {} {}", names.blocks.size() == 1 ? "block" : "blocks",
                     list_text(names.blocks));
}

/// "blocks." where home and place are "blocks.0" and "blocks.2"; "" where they differ in words.
std::string stem_of(const Move& move) {
  const auto stem = [](const std::string& name) {
    return is_number(leaf_of(name)) ? module_of(name) : std::string();
  };
  return stem(move.home) == stem(move.place) ? stem(move.home) : "";
}

std::string numbers_text(const std::vector<const Move*>& moves, std::string Move::* side) {
  constexpr std::size_t kMost = 6;
  std::vector<std::string> numbers;
  for (const Move* move : moves) numbers.push_back(leaf_of(move->*side));
  const std::size_t more = numbers.size() > kMost ? numbers.size() - kMost : 0;
  numbers.resize(numbers.size() - more);
  std::string text = fmt::format("{}", fmt::join(numbers, ", "));
  return more > 0 ? text + fmt::format(" and {} more", more) : text;
}

/// Three and more blocks, or experts, among themselves: one sentence, and one for all layers that
/// hold such experts. Takes them out of `moves`.
std::vector<Exchange> take_shuffles(std::map<Move, MoveNames>* moves) {
  std::map<std::string, std::vector<const Move*>> by_stem;
  for (const auto& [move, names] : *moves)
    if (const std::string stem = stem_of(move); !stem.empty()) by_stem[stem].push_back(&move);
  std::map<std::string, std::map<std::string, std::vector<const Move*>>> by_template;
  for (auto& [stem, members] : by_stem) {
    if (members.size() < 3) continue;
    std::ranges::sort(
        members, [](const Move* x, const Move* y) { return natural_less(x->place, y->place); });
    by_template[template_of(stem)][stem] = std::move(members);
  }
  std::vector<Exchange> exchanges;
  for (const auto& [text, stems] : by_template) {
    Exchange exchange;
    std::set<std::string> blocks;
    for (const auto& [stem, members] : stems) {
      const std::vector<std::string> numbers = name_numbers(stem);
      if (!numbers.empty()) blocks.insert(numbers.back());
      for (const Move* move : members) {
        const MoveNames& names = moves->at(*move);
        exchange.names_a.insert(exchange.names_a.end(), names.a.begin(), names.a.end());
        exchange.names_b.insert(exchange.names_b.end(), names.b.begin(), names.b.end());
      }
    }
    const auto& [stem, members] = *stems.begin();
    exchange.summary =
        stems.size() == 1
            ? fmt::format("{}{} hold what belongs to {}", stem, numbers_text(members, &Move::place),
                          numbers_text(members, &Move::home))
            : fmt::format("{}* are exchanged among themselves, n = {}", text, list_text(blocks));
    for (const auto& each : stems) {
      const std::vector<const Move*> gone = each.second;
      for (const Move* move : gone) moves->erase(moves->find(*move));
    }
    exchanges.push_back(std::move(exchange));
  }
  return exchanges;
}

}  // namespace

std::vector<Misplaced> take_misplaced(const WeightSet& a, const WeightSet& b,
                                      std::vector<Link>* links,
                                      std::vector<std::string>* unsearched) {
  std::vector<TemplateLink> all;
  all.reserve(links->size());
  for (const Link& link : *links)
    all.push_back({link, template_of(a[link.a].name), template_of(b[link.b].name)});
  const TemplateVotes votes(a, all, unsearched);
  std::map<std::string_view, std::vector<const TemplateLink*>> by_template;
  for (const TemplateLink& each : all) by_template[each.from].push_back(&each);
  std::vector<Misplaced> misplaced;
  links->clear();
  for (const auto& [from, group] : by_template) {
    const std::string& to = votes.winner(group[0]->from);
    std::vector<Link> regular;
    for (const TemplateLink* each : group) {
      if (each->to == to) regular.push_back(each->link);
    }
    const bool renumbered = is_renumbering(a, b, regular);
    for (const TemplateLink* each : group) {
      const Link& link = each->link;
      const bool trusted = renumbered && each->to == to;
      const auto home = b.find(fill_template(to, name_numbers(a[link.a].name)));
      const bool moved =
          !trusted && home && *home != link.b && b[*home].view.shape() == b[link.b].view.shape();
      if (moved) {
        misplaced.push_back({link, *home});
      } else {
        links->push_back(link);
      }
    }
  }
  take_apart_modules(a, b, links, &misplaced);
  take_out_of_order(a, b, links, &misplaced);
  return misplaced;
}

std::vector<Exchange> describe_misplaced(const WeightSet& a, const WeightSet& b,
                                         const std::vector<Misplaced>& misplaced) {
  std::map<Move, MoveNames> moves;
  for (const Misplaced& each : misplaced) {
    const std::string& held = a[each.link.a].name;
    const std::string& place = b[each.link.b].name;
    const std::string& home = each.expected == each.link.b ? held : b[each.expected].name;
    std::string block;
    MoveNames& names = moves[first_difference(home, place, &block)];
    names.a.push_back(held);
    names.b.push_back(place);
    if (!block.empty()) names.blocks.insert(block);
  }
  std::vector<Exchange> exchanges = take_shuffles(&moves);
  std::set<Move> done;
  for (auto& [move, names] : moves) {
    if (done.contains(move)) continue;
    const Move back{move.place, move.home};
    const auto other = moves.find(back);
    Exchange exchange{names.a, names.b, ""};
    if (other != moves.end() && move != back) {
      done.insert(back);
      exchange.names_a.insert(exchange.names_a.end(), other->second.a.begin(),
                              other->second.a.end());
      exchange.names_b.insert(exchange.names_b.end(), other->second.b.begin(),
                              other->second.b.end());
      exchange.summary =
          fmt::format("{} and {} are exchanged{}", move.home, move.place, where(names));
    } else {
      exchange.summary =
          fmt::format("{} holds what belongs to {}{}", move.place, move.home, where(names));
    }
    exchanges.push_back(std::move(exchange));
  }
  return exchanges;
}

std::vector<Exchange> describe_contrary(const WeightSet& a, const WeightSet& b,
                                        const std::vector<AlignmentState::Contrary>& contrary) {
  struct Group {
    Exchange names;
    std::string first;
    std::set<std::string> blocks;
  };
  std::map<std::pair<std::string, std::string>, Group> groups;  // by layer and order
  for (const AlignmentState::Contrary& each : contrary) {
    const std::string layer = each.name.substr(0, each.name.rfind('.'));
    const std::vector<std::string> numbers = name_numbers(each.name);
    Group& group = groups[{template_of(layer + "."), each.how}];
    if (group.first.empty()) group.first = layer;
    if (!numbers.empty()) group.blocks.insert(numbers.back());
    group.names.how = each.how;
    for (const std::uint32_t i : each.match.a) group.names.names_a.push_back(a[i].name);
    for (const std::uint32_t i : each.match.b) group.names.names_b.push_back(b[i].name);
  }
  std::vector<Exchange> exchanges;
  for (auto& [key, group] : groups) {
    const std::string layer =
        group.blocks.size() > 1 ? without_last_dot(key.first) : without_last_dot(group.first);
    group.names.summary = fmt::format("{} {}", layer, key.second);
    if (group.blocks.size() > 1)
      group.names.summary += fmt::format(", n = {}", list_text(group.blocks));
    exchanges.push_back(std::move(group.names));
  }
  return exchanges;
}

}  // namespace samebits
