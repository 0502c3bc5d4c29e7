// Owners and exact types of maps, against a program that holds maps in all the ways that Go has,
// and says of each who does; at rest, and while it makes and replaces maps at full speed.
//
// MAPSCOPE_PASSES=1000 takes so many of the second kind; else two.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "pipeline/map_survey.h"
#include "support/census_program.h"

namespace mapscope {
namespace {

using testing::CensusProgram;

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::vector<std::string> list(const std::string &text) {
  return text == "-" ? std::vector<std::string>{} : split(text, ',');
}

bool has(const std::vector<std::string> &all, std::string_view one) {
  return std::ranges::find(all, one) != all.end();
}

// What workloads/owners says of a map.
struct TrueOwner {
  std::string kind; // variable, pool, goroutine, kept, stale, garbage
  std::vector<std::string> roots, users, fields, types;

  static TrueOwner of(const std::string &line, const std::string &types) {
    std::vector<std::string> words = split(line, ' ');
    words.resize(4, "-");
    return {.kind = words[0],
            .roots = split(words[1], '|'),
            .users = list(words[2]),
            .fields = list(words[3]),
            .types = split(types, '|')};
  }
};

// Whether a path has these names, in this order.
bool has_fields(std::string_view path, const std::vector<std::string> &fields) {
  for (const std::string &field : fields) {
    const std::size_t at = path.find(field);
    if (at == path.npos)
      return false;
    path.remove_prefix(at + field.size());
  }
  return true;
}

// As `maps` shows it.
std::string describe(const JudgedMap &map) {
  return fmt::format("map {:#x} of {} entries: {} \"{}\", {} \"{}\", \"{}\"", map.map.address.value,
                     map.map.len, map.certainty == TypeCertainty::exact ? "exact" : "not exact",
                     map.type,
                     map.owner.reach == Reach::reachable     ? "reachable"
                     : map.owner.reach == Reach::unreachable ? "unreachable"
                                                             : "not known",
                     map.owner.root, map.owner.path);
}

struct Build {
  std::string version, mode;
  bool has_symbols() const { return mode != "stripped"; }
  std::string name() const {
    std::string name = "Go" + version + "_" + mode;
    std::ranges::replace(name, '.', '_');
    return name;
  }
  friend void PrintTo(const Build &build, std::ostream *out) { *out << build.name(); }
};

using Report = std::map<std::uint64_t, JudgedMap>;

class OwnersAccuracyTest : public ::testing::TestWithParam<Build> {
protected:
  void SetUp() override {
    path_ = fmt::format("{}/build/workloads/{}/{}/owners", SOURCE_DIRECTORY, GetParam().version,
                        GetParam().mode);
    if (!std::filesystem::exists(path_))
      GTEST_SKIP() << "owners is not built; tools/build-workloads does that";
  }

  // Nothing: a pass failed, and the test with it.
  static std::optional<Report> look(MapSurvey &survey) {
    auto looked = survey.look();
    EXPECT_TRUE(looked) << looked.error().message();
    if (!looked)
      return {};
    MapsReport report = survey.report({.top = 0});
    EXPECT_TRUE(report.owners.was_made);
    Report maps;
    for (JudgedMap &map : report.maps) {
      const std::uint64_t address = map.map.address.value;
      EXPECT_TRUE(maps.emplace(address, std::move(map)).second)
          << std::hex << address << " is told of twice";
    }
    return maps;
  }

  // Where the program uses unsafe.Pointer, or says of an object what it is not, nothing but the
  // map itself tells its type.
  static bool is_type_told(const TrueOwner &truth) {
    static const std::vector<std::string> kUntyped{"main.raw",    "main.raws",    "main.lies",
                                                   "main.mirror", "main.mirrors", "main.published"};
    return truth.kind == "variable" && !has(kUntyped, truth.roots.front());
  }

  // Garbage may be swept. One of a header and its copy is told, and not always the right one.
  // Without symbols, nothing tells a map that was never written to from chance.
  static bool may_be_missed(const TrueOwner &truth) {
    return truth.kind == "garbage" || has(truth.roots, "main.copied") ||
           (!GetParam().has_symbols() && has(truth.roots, "main.notFilled"));
  }

  static void expect_no_lie(const JudgedMap &map, const TrueOwner &truth);
  static void expect_variable(const JudgedMap &map, const TrueOwner &truth);

  const std::string &path() const { return path_; }

private:
  std::string path_;
};

// A variable, or a part of it; those that were not told a name have an address.
bool is_named(const TrueOwner &truth, const MapOwner &owner) {
  return owner.root.starts_with("variable at ") ||
         std::ranges::any_of(truth.roots, [&](const std::string &root) {
           return owner.root.starts_with(root) &&
                  (owner.root.size() == root.size() ||
                   std::string_view{".["}.contains(owner.root[root.size()]));
         });
}

// By name with symbols; else by a function that uses it.
bool is_root(const TrueOwner &truth, const MapOwner &owner, const Build &build) {
  if (build.has_symbols())
    return is_named(truth, owner);
  const std::size_t at = owner.root.find("used by ");
  return at == owner.root.npos || std::ranges::any_of(truth.users, [&](const std::string &user) {
           return owner.root.substr(at).find(user) != std::string::npos;
         });
}

// A go statement's arguments that stay on the stack do so in the frame of what calls the function;
// from Go 1.18 to 1.21 that has the name of a closure.
bool is_frame(const TrueOwner &truth, const MapOwner &owner, const Build &build) {
  const bool is_caller_nameless = build.version == "1.19.13" || build.version == "1.21.13";
  return has(truth.roots, owner.root) ||
         (is_caller_nameless && owner.root.starts_with("main.goroutines.func")) ||
         std::ranges::any_of(truth.roots, [&](const std::string &root) {
           return owner.root.starts_with(root + ".func"); // a closure of it
         });
}

// Of a map that no package variable leads to.
void OwnersAccuracyTest::expect_no_lie(const JudgedMap &map, const TrueOwner &truth) {
  if (map.certainty == TypeCertainty::exact) {
    EXPECT_TRUE(has(truth.types, map.type)) << describe(map) << " is " << truth.types.front();
  }
  const MapOwner &owner = map.owner;
  if (truth.kind == "garbage") {
    EXPECT_NE(owner.reach, Reach::reachable) << describe(map);
    EXPECT_EQ(owner.root, "") << describe(map);
    return;
  }
  if (truth.kind == "stale") { // what a frame no longer uses is garbage to the collector
    EXPECT_TRUE(owner.reach != Reach::reachable || owner.root_class == OwnerClass::goroutine)
        << describe(map);
    return;
  }
  EXPECT_NE(owner.reach, Reach::unreachable)
      << describe(map) << "; truth: " << truth.kind << " " << truth.roots.front();
  if (owner.reach != Reach::reachable)
    return;
  if (truth.kind == "variable") {
    EXPECT_EQ(owner.root_class, OwnerClass::variable) << describe(map);
    EXPECT_TRUE(is_root(truth, owner, GetParam())) << describe(map) << "; " << truth.roots.front();
  } else if (truth.kind == "pool" && owner.root_class != OwnerClass::runtime) {
    EXPECT_TRUE(is_root(truth, owner, GetParam())) << describe(map) << "; " << truth.roots.front();
  } else if (truth.kind == "goroutine") {
    EXPECT_EQ(owner.root_class, OwnerClass::goroutine) << describe(map);
    EXPECT_TRUE(is_frame(truth, owner, GetParam())) << describe(map) << "; " << truth.roots.front();
  }
}

// With symbols, every map below a variable has its owner and its type.
void OwnersAccuracyTest::expect_variable(const JudgedMap &map, const TrueOwner &truth) {
  EXPECT_EQ(map.owner.reach, Reach::reachable) << describe(map) << "; " << truth.roots.front();
  if (!is_type_told(truth))
    return;
  EXPECT_EQ(map.certainty, TypeCertainty::exact) << describe(map) << "; " << truth.roots.front();
  EXPECT_TRUE(has_fields(map.owner.path, truth.fields))
      << describe(map) << "; fields " << fmt::format("{}", truth.fields);
}

TEST_P(OwnersAccuracyTest, EveryMapHasItsTypeAndWhoHoldsIt) {
  CensusProgram program(path(), {});
  ASSERT_TRUE(program.is_ready());
  auto source = open_process(program.pid());
  ASSERT_TRUE(source) << source.error().message();
  MapSurvey survey(*source, {.remembers = true, .owners = OwnersWanted::yes});
  for (int pass = 0; pass < 2; ++pass) { // the second one starts from the first
    SCOPED_TRACE(pass);
    auto maps = look(survey);
    ASSERT_TRUE(maps);
    std::uint64_t variables = 0, told = 0, typed = 0, owned = 0, held = 0, held_by_frames = 0;
    for (const auto &[address, line] : program.owners) {
      const TrueOwner truth = TrueOwner::of(line, program.maps[address].type);
      const auto found = maps->find(address);
      if (found == maps->end()) {
        EXPECT_TRUE(may_be_missed(truth)) << std::hex << address << " " << line;
        continue;
      }
      expect_no_lie(found->second, truth);
      held += truth.kind == "goroutine";
      held_by_frames += truth.kind == "goroutine" && found->second.owner.reach == Reach::reachable;
      if (truth.kind != "variable")
        continue;
      ++variables;
      owned += found->second.owner.reach == Reach::reachable;
      told += is_type_told(truth);
      typed += is_type_told(truth) && found->second.certainty == TypeCertainty::exact;
      if (GetParam().has_symbols())
        expect_variable(found->second, truth);
    }
    for (const auto &[address, kind] : program.noise) {
      const auto found = maps->find(address);
      if (found == maps->end())
        continue;
      // Of a header and its copy the census takes one, and the array that both have tells its type.
      EXPECT_TRUE(kind == "copy" || found->second.certainty != TypeCertainty::exact)
          << kind << describe(found->second);
      EXPECT_NE(found->second.owner.reach, Reach::reachable) << kind << describe(found->second);
    }
    fmt::print(stderr, "{}: {} maps of variables, {} of {} typed, {} owned\n", GetParam().name(),
               variables, typed, told, owned);
    EXPECT_GE(typed * 100, told * (GetParam().has_symbols() ? 100 : 80));
    EXPECT_GE(owned * 100, variables * 99);
    EXPECT_EQ(held_by_frames, held);
  }
}

// What the program logs of each map that it makes; see workloads/owners/churn.go.
class MapLog {
public:
  explicit MapLog(const std::string &path) {
    Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    size_bytes_ = std::filesystem::file_size(path);
    void *at = ::mmap(nullptr, size_bytes_, PROT_READ, MAP_SHARED, file.get(), 0);
    if (at == MAP_FAILED)
      std::abort();
    words_ = {static_cast<std::uint64_t *>(at), size_bytes_ / 8};
  }
  ~MapLog() { ::munmap(words_.data(), size_bytes_); }
  MapLog(const MapLog &) = delete;
  MapLog &operator=(const MapLog &) = delete;

  // Reads what has come since the last time.
  void catch_up() {
    const std::uint64_t length = word(0), written = word(1);
    read_ = std::max(read_, written > length ? written - length : 0);
    for (; read_ < written; ++read_) {
      const std::uint64_t at = 2 + read_ % length * 2;
      const std::uint64_t place = word(at + 1), seed = word(at);
      if (place != 0 && place == word(at + 1))
        kinds_[{place & kAddress, static_cast<std::uint32_t>(seed)}] = place >> 56;
    }
  }
  std::uint64_t length() const { return read_; }

  std::optional<std::uint64_t> kind_of(const MapSample &map) const {
    const auto kind = kinds_.find({map.address.value, static_cast<std::uint32_t>(map.seed)});
    return kind == kinds_.end() ? std::nullopt : std::optional{kind->second};
  }

private:
  static constexpr std::uint64_t kAddress = (std::uint64_t{1} << 56) - 1;

  using Key = std::pair<std::uint64_t, std::uint32_t>; // of a map: its address and its seed
  struct KeyHash {
    std::size_t operator()(const Key &key) const {
      return std::hash<std::uint64_t>{}(key.first ^ std::uint64_t{key.second} << 32);
    }
  };

  std::uint64_t word(std::size_t index) const { return std::atomic_ref{words_[index]}.load(); }

  std::size_t size_bytes_ = 0;
  std::span<std::uint64_t> words_;
  std::uint64_t read_ = 0;
  std::unordered_map<Key, std::uint64_t, KeyHash> kinds_;
};

struct ChurnTally {
  std::uint64_t maps = 0, typed = 0, owned = 0, changed = 0;
};

// A map that comes and goes has its own type and owner, or none.
void expect_hot(const JudgedMap &map, const std::vector<std::string> &kind, const Build &build,
                ChurnTally &tally) {
  ++tally.maps;
  if (map.certainty == TypeCertainty::exact) {
    ++tally.typed;
    EXPECT_EQ(map.type, kind[2]) << describe(map);
  }
  if (map.owner.reach != Reach::reachable)
    return;
  ++tally.owned;
  if (map.owner.root_class == OwnerClass::goroutine) {
    // That just made it; or in whose frame it was left by a call that is over.
    EXPECT_TRUE(map.owner.root.starts_with("main.") || map.owner.root.starts_with("syscall."))
        << describe(map);
  } else if (build.has_symbols() && map.owner.root_class == OwnerClass::variable) {
    // And the runtime's own frames hold addresses of spans, which are those of their first objects.
    EXPECT_EQ(map.owner.root, kind[1]) << describe(map);
  }
}

TEST_P(OwnersAccuracyTest, MapsThatComeAndGoHaveTheirOwnTypeOrNone) {
  const char *wanted = std::getenv("MAPSCOPE_PASSES");
  const int pass_count = wanted == nullptr ? 2 : std::atoi(wanted);
  const auto share = std::filesystem::temp_directory_path() /
                     fmt::format("mapscope-owners-{}-{}", GetParam().name(), ::getpid());
  CensusProgram program(path(), {"-churn", share, "-n", "50"});
  ASSERT_TRUE(program.is_ready());
  MapLog log(share);
  std::filesystem::remove(share);
  auto source = open_process(program.pid());
  ASSERT_TRUE(source) << source.error().message();
  MapSurvey fresh(*source, {.owners = OwnersWanted::yes});
  MapSurvey remembering(*source, {.remembers = true, .owners = OwnersWanted::yes});
  std::vector<std::vector<std::string>> kinds;
  for (const std::string &line : program.kinds)
    kinds.push_back(split(line, ' '));
  ASSERT_EQ(kinds.size(), 6u);
  ChurnTally tally;
  for (int pass = 0; pass < pass_count; ++pass) {
    SCOPED_TRACE(pass);
    auto maps = look(pass % 2 == 0 ? fresh : remembering);
    ASSERT_TRUE(maps);
    log.catch_up();
    for (const auto &[address, map] : *maps) {
      if (const auto kind = log.kind_of(map.map)) {
        expect_hot(map, kinds.at(*kind), GetParam(), tally);
        continue;
      }
      const auto line = program.owners.find(address);
      if (line == program.owners.end() || line->second.starts_with("garbage"))
        continue; // the runtime's, or another map by now
      expect_no_lie(map, TrueOwner::of(line->second, program.maps[address].type));
    }
    ASSERT_FALSE(HasFailure()) << "in pass " << pass;
  }
  fmt::print(stderr, "{}: {} passes, {} maps made, of {} that came and went {} typed, {} owned\n",
             GetParam().name(), pass_count, log.length(), tally.maps, tally.typed, tally.owned);
  EXPECT_GT(tally.maps, 0u);
}

INSTANTIATE_TEST_SUITE_P(Programs, OwnersAccuracyTest,
                         ::testing::Values(Build{"1.17.13", "plain"}, Build{"1.17.13", "stripped"},
                                           Build{"1.19.13", "plain"}, Build{"1.19.13", "stripped"},
                                           Build{"1.21.13", "plain"}, Build{"1.21.13", "pie"},
                                           Build{"1.22.12", "plain"}, Build{"1.22.12", "stripped"},
                                           Build{"1.23.12", "plain"}, Build{"1.23.12", "cgo"},
                                           Build{"1.24.13", "plain"}, Build{"1.24.13", "stripped"},
                                           Build{"1.25.14", "plain"}, Build{"1.25.14", "pie"},
                                           Build{"1.26.8", "plain"}, Build{"1.26.8", "stripped"},
                                           Build{"1.26.8", "cgo"}, Build{"1.27.4", "plain"},
                                           Build{"1.27.4", "stripped"}, Build{"1.27.4", "pie"}),
                         [](const auto &parameter) { return parameter.param.name(); });

} // namespace
} // namespace mapscope
