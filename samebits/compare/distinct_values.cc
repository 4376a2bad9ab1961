// Statistics of pairs of which many show the same elements.
#include "samebits/compare/equal_bytes.h"
#include "samebits/compare/tensor_stats.h"

namespace samebits {

std::vector<ValueRelation> relate_distinct_values(const std::vector<ValuePair>& pairs,
                                                  int threads) {
  std::vector<BytePair> views;
  for (const ValuePair& pair : pairs) views.push_back({&pair.a, &pair.b});
  const std::vector<std::size_t> first_of = same_pairs(views);
  std::vector<ValuePair> distinct;
  std::vector<std::size_t> place(pairs.size());  // of each pair's first one in `distinct`
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    place[i] = first_of[i] == i ? distinct.size() : place[first_of[i]];
    if (first_of[i] == i) distinct.push_back(pairs[i]);
  }
  const std::vector<ValueRelation> found = relate_values(distinct, threads);
  std::vector<ValueRelation> relations;
  relations.reserve(pairs.size());
  for (const std::size_t at : place) relations.push_back(found[at]);
  return relations;
}

}  // namespace samebits
