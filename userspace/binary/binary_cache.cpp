// Which files were opened before, and what became of it; see confined_parser.h.
#include <algorithm>
#include <thread>
#include <utility>

#include "binary/confined_parser.h"

namespace mapscope {
namespace {

constexpr std::size_t kKnownFilesMax = 4096;

std::size_t parsers_max(const CacheLimits &limits) {
  return limits.alive_max != 0 ? limits.alive_max
                               : std::max<std::size_t>(1, std::thread::hardware_concurrency());
}

} // namespace

BinaryCache::BinaryCache(const ParserLimits &parser) : parser_(parser) {}

BinaryCache::BinaryCache(const ParserLimits &parser, const CacheLimits &cache)
    : parser_(parser), cache_(cache), starter_(std::make_unique<ParserStarter>()),
      pool_(std::make_shared<ParserPool>(
          parser, PoolLimits{.alive_max = parsers_max(cache), .rest_after = cache.rest_after},
          starter_.get())) {}

BinaryCache::~BinaryCache() { stop(); }

Result<std::unique_ptr<ConfinedBinary>>
BinaryCache::parse(ParsedFile file, std::shared_ptr<const BinaryFacts> known) {
  if (cache_)
    return ConfinedBinary::open(std::move(file), pool_, cache_->binary, std::move(known));
  auto own_pool = std::make_shared<ParserPool>(parser_, PoolLimits{}, nullptr);
  return ConfinedBinary::open(std::move(file), std::move(own_pool), {}, std::move(known));
}

Result<std::shared_ptr<ConfinedBinary>> BinaryCache::open(Fd file, const std::string &path) {
  ParsedFile parsed = TRY(ParsedFile::of(std::move(file), path));
  const FileIdentity identity = parsed.identity();
  std::unique_lock lock{mutex_};
  for (auto found = known_.find(identity); found != known_.end(); found = known_.find(identity)) {
    if (const auto *error = std::get_if<Error>(&found->second))
      return std::unexpected(*error);
    if (const auto *binary = std::get_if<std::weak_ptr<ConfinedBinary>>(&found->second)) {
      if (auto held = binary->lock())
        return held;
      break;
    }
    progress_.wait(lock);
  }
  forget_unused();
  known_.insert_or_assign(identity, InProgress{});
  auto known_facts = kept_facts(identity);
  lock.unlock();
  auto opened = parse(std::move(parsed), std::move(known_facts));
  lock.lock();
  progress_.notify_all();
  if (!opened) {
    // What may be better the next time is tried again then.
    if (opened.error().code() != Errc::system && opened.error().code() != Errc::gone)
      known_.insert_or_assign(identity, opened.error());
    else
      known_.erase(identity);
    return std::unexpected(std::move(opened).error());
  }
  std::shared_ptr<ConfinedBinary> binary = *std::move(opened);
  known_.insert_or_assign(identity, std::weak_ptr{binary});
  keep_facts(identity, binary->shared_facts());
  return binary;
}

void BinaryCache::forget_unused() {
  std::erase_if(known_, [](const auto &entry) {
    const auto *binary = std::get_if<std::weak_ptr<ConfinedBinary>>(&entry.second);
    return binary != nullptr && binary->expired();
  });
  if (known_.size() >= kKnownFilesMax)
    std::erase_if(known_,
                  [](const auto &entry) { return std::holds_alternative<Error>(entry.second); });
}

std::shared_ptr<const BinaryFacts> BinaryCache::kept_facts(const FileIdentity &identity) const {
  auto kept = std::ranges::find(facts_, identity, [](const auto &entry) { return entry.first; });
  return kept == facts_.end() ? nullptr : kept->second;
}

void BinaryCache::keep_facts(const FileIdentity &identity,
                             std::shared_ptr<const BinaryFacts> facts) {
  if (!cache_)
    return;
  std::erase_if(facts_, [&](const auto &entry) { return entry.first == identity; });
  facts_.emplace_back(identity, std::move(facts));
  if (facts_.size() > cache_->facts_max)
    facts_.pop_front();
}

void BinaryCache::end_rested() {
  if (pool_)
    pool_->end_rested(ParserPool::Clock::now());
}

void BinaryCache::stop() {
  if (pool_)
    pool_->stop();
}

std::size_t BinaryCache::parsers_alive() const { return pool_ ? pool_->alive() : 0; }
std::uint64_t BinaryCache::parsers_died() const { return pool_ ? pool_->died() : 0; }

} // namespace mapscope
