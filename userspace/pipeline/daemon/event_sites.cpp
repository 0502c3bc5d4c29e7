// Names for call sites and the types of their maps; see event_sites.h.
#include "pipeline/daemon/event_sites.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "attribute/source_lines.h"
#include "attribute/type_table.h"

namespace mapscope {
namespace {

constexpr std::array kGrowth{MAP_OPERATION_HASH_GROW, MAP_OPERATION_GROW_TO_TABLE,
                             MAP_OPERATION_REHASH};
constexpr std::array kCreation{MAP_OPERATION_MAKE_SMALL, MAP_OPERATION_MAKE, MAP_OPERATION_NEW_MAP,
                               MAP_OPERATION_CLONE};

template <std::size_t Size> OperationSet set_of(const std::array<map_operation, Size> &operations) {
  OperationSet set;
  for (map_operation operation : operations)
    set.set(operation);
  return set;
}

using SiteName = std::tuple<std::string, std::string, std::uint32_t, std::string>;

// All that one line does to maps of one type.
struct NamedSite {
  SourceFrame frame;
  std::string type;
  std::uint64_t slots_max = 0;
  std::map<std::uint64_t, std::vector<std::uint64_t>> hits; // by operation, then by moment
};

class SiteNamer {
public:
  SiteNamer(const BinaryFacts &facts, BinaryNames &names, LoadBias bias)
      : names_(names), lines_(facts, names), types_(names) {
    lines_.set_load_bias(bias);
  }

  void ask(const std::vector<RateAccount::Site> &sites);
  SourceFrame frame_of(const map_site_key &key) const;
  std::string type_of(const map_site_key &key) const;

private:
  BinaryNames &names_;
  SourceLines lines_;
  TypeTable types_;
  std::map<std::uint64_t, std::string> types_at_calls_; // by return address
};

void SiteNamer::ask(const std::vector<RateAccount::Site> &sites) {
  lines_.begin();
  std::vector<std::uint64_t> calls;
  std::vector<ElfAddress> addresses;
  for (const RateAccount::Site &site : sites) {
    for (std::uint64_t caller : site.key.callers)
      if (auto address = lines_.call_site({caller}))
        lines_.want(*address);
    if (site.key.map_type != 0) {
      types_.want(site.key.map_type);
    } else if (auto address = lines_.to_elf({site.key.callers[0]})) {
      calls.push_back(site.key.callers[0]);
      addresses.push_back(*address);
    }
  }
  lines_.ask();
  types_.ask(lines_);
  if (addresses.empty())
    return;
  if (auto types = names_.map_types_at_calls(addresses); types && types->size() == calls.size())
    for (std::size_t i = 0; i < calls.size(); ++i)
      if ((*types)[i])
        types_at_calls_[calls[i]] = (*types)[i]->name;
}

SourceFrame SiteNamer::frame_of(const map_site_key &key) const {
  std::vector<SourceFrames> frames;
  for (std::uint64_t caller : key.callers)
    if (auto address = lines_.call_site({caller}))
      frames.push_back(lines_.at(*address));
  if (auto frame = user_frame(frames))
    return *frame;
  // All of it is of the standard library: then that is the line.
  for (const SourceFrames &logical : frames)
    if (!logical.empty())
      return logical.front();
  return {};
}

std::string SiteNamer::type_of(const map_site_key &key) const {
  if (key.map_type == 0) {
    auto type = types_at_calls_.find(key.callers[0]);
    return type == types_at_calls_.end() ? std::string{} : type->second;
  }
  const MapTypePtr *type = types_.find(key.map_type);
  return type != nullptr && *type ? (*type)->name : std::string{};
}

void add_to(std::vector<std::uint64_t> &sum, const std::vector<std::uint64_t> &hits) {
  sum.resize(std::max(sum.size(), hits.size()));
  for (std::size_t i = 0; i < hits.size(); ++i)
    sum[i] += hits[i];
}

std::uint64_t total_of(const std::vector<std::uint64_t> &hits) {
  std::uint64_t total = 0;
  for (std::uint64_t count : hits)
    total += count;
  return total;
}

SiteRate rate_of(NamedSite site, std::span<const WatchedMoment> moments, const RateSpan &span) {
  SiteRate told;
  told.slots_max = site.slots_max;
  double weight = 0, error = 0; // hits, and theirs times the error of their rate
  for (const auto &[operation, hits] : site.hits) {
    const Rate rate = estimate_rate(moments, hits, static_cast<map_operation>(operation),
                                    span.cpu_ns, span.elapsed_ns);
    if (growth_operations().test(operation)) {
      told.growths += total_of(hits);
      told.growths_per_minute += rate.per_second * 60;
    } else {
      told.creations += total_of(hits);
      told.creations_per_second += rate.per_second;
    }
    weight += rate.per_second;
    error += rate.per_second * rate.relative_error;
  }
  told.relative_error = weight > 0 ? error / weight : 1;
  told.site = std::move(site.frame);
  told.type = std::move(site.type);
  return told;
}

} // namespace

OperationSet growth_operations() { return set_of(kGrowth); }
OperationSet creation_operations() { return set_of(kCreation); }

std::vector<SiteRate> name_site_rates(const RateAccount &account, const BinaryFacts &facts,
                                      BinaryNames &names, const RateSpan &span,
                                      std::size_t sites_max) {
  const std::vector<RateAccount::Site> sites = account.sites();
  SiteNamer namer{facts, names, span.bias};
  namer.ask(sites);
  std::map<SiteName, NamedSite> named;
  for (const RateAccount::Site &site : sites) {
    SourceFrame frame = namer.frame_of(site.key);
    std::string type = namer.type_of(site.key);
    NamedSite &sum = named[{frame.function, frame.file, frame.line, type}];
    sum.frame = std::move(frame);
    sum.type = std::move(type);
    sum.slots_max = std::max(sum.slots_max, site.slots_max);
    add_to(sum.hits[site.key.operation], site.hits);
  }
  std::vector<SiteRate> rates;
  for (auto &[name, site] : named)
    rates.push_back(rate_of(std::move(site), account.moments(), span));
  std::ranges::sort(rates, std::ranges::greater{},
                    [](const SiteRate &rate) { return rate.growths + rate.creations; });
  rates.resize(std::min(rates.size(), sites_max));
  return rates;
}

} // namespace mapscope
