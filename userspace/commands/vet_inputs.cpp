// A walk over directories with a limit; see vet_inputs.h.
#include "commands/vet_inputs.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <span>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/format.h"
#include "base/handle.h"
#include "binary/bpf_object.h"
#include "commands/output.h"

namespace mapscope {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kFileBytesMax = 64 << 20; // the largest objects that are known have 5 MB
constexpr std::size_t kEntriesMax = 1'000'000;    // of a walk
constexpr int kDepthMax = 64;

// As the go command leaves them out of "./...".
bool is_passed_over_by_go(const fs::path &directory, const fs::path &below) {
  return std::ranges::any_of(directory.lexically_relative(below), [](const fs::path &part) {
    const std::string name = part.string();
    return name == "testdata" || name == "vendor" || name.starts_with('_') ||
           (name.starts_with('.') && name != ".");
  });
}

struct FileBeginning {
  std::array<std::byte, 64> bytes{};
  std::size_t size = 0;
  std::span<const std::byte> span() const { return {bytes.data(), size}; }
};

FileBeginning beginning_of(const fs::path &path) {
  FileBeginning beginning;
  const Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  const ssize_t size =
      file ? ::read(file.get(), beginning.bytes.data(), beginning.bytes.size()) : 0;
  beginning.size = size > 0 ? static_cast<std::size_t>(size) : 0;
  return beginning;
}

class InputFinder {
public:
  explicit InputFinder(VetReport &report) : report_(report) {}

  void take(const std::string &argument) {
    std::error_code error;
    const std::size_t dots = argument.find("...");
    if (dots != std::string::npos && !fs::exists(argument, error)) {
      take_pattern(argument, dots);
      return;
    }
    const fs::file_status status = fs::status(argument, error);
    if (fs::is_directory(status))
      walk(argument);
    else if (fs::exists(status) && argument.ends_with(".go"))
      sources_[parent_of(argument)].push_back(fs::path{argument}.filename().string());
    else
      inputs_.objects.push_back(argument); // what is wrong with it is told when it is read
  }

  VetInputs inputs() && {
    for (auto &[directory, files] : sources_)
      inputs_.go_runs.push_back({directory, std::move(files)});
    return std::move(inputs_);
  }

private:
  static std::string parent_of(const std::string &path) {
    const std::string parent = fs::path{path}.parent_path().string();
    return parent.empty() ? "." : parent;
  }

  // "dir/..." runs in dir, so that it is judged by the module that it is in.
  void take_pattern(const std::string &pattern, std::size_t dots) {
    std::string directory = pattern.substr(0, dots);
    std::error_code error;
    if (dots + 3 == pattern.size() && (directory.empty() || directory.ends_with('/'))) {
      while (directory.size() > 1 && directory.ends_with('/'))
        directory.pop_back();
      if (directory.empty())
        directory = ".";
      if (fs::is_directory(directory, error)) {
        inputs_.go_runs.push_back({directory, {"./..."}});
        return;
      }
    }
    inputs_.go_runs.push_back({".", {pattern}});
  }

  void take_object(const fs::path &path, std::vector<std::string> &objects) {
    const FileBeginning beginning = beginning_of(path);
    const bool is_object = looks_like_bpf_object(beginning.span());
    if (is_object && is_big_endian_object(beginning.span()))
      ++report_.big_endian;
    else if (is_object || path.string().ends_with(".bpf.o"))
      objects.push_back(path.string()); // a damaged one is told when it is read
  }

  void walk(const fs::path &top) {
    const std::uint64_t big_endian_before = report_.big_endian;
    const std::size_t before = inputs_.objects.size() + inputs_.go_runs.size();
    std::vector<std::string> objects;
    bool has_sources = false, has_module = false;
    std::error_code error;
    fs::recursive_directory_iterator at{top, fs::directory_options::skip_permission_denied, error};
    for (std::size_t count = 0; !error && at != fs::recursive_directory_iterator{};
         at.increment(error)) {
      if (++count > kEntriesMax || at.depth() > kDepthMax) {
        report_.problems.push_back(
            {top.string(), fmt::format("more than {} entries or {} levels: the rest was not "
                                       "looked at; name its parts",
                                       format_count(kEntriesMax), kDepthMax)});
        break;
      }
      const fs::path &path = at->path();
      std::error_code unknown; // what can't be asked for is no regular file
      if (at->is_directory(unknown) &&
          (path.filename() == ".git" || path.filename() == "node_modules"))
        at.disable_recursion_pending();
      if (!at->is_regular_file(unknown))
        continue;
      if (path.extension() == ".o")
        take_object(path, objects);
      has_sources |= at.depth() == 0 && path.extension() == ".go";
      if (path.filename() == "go.mod" && !is_passed_over_by_go(path.parent_path(), top)) {
        inputs_.go_runs.push_back({path.parent_path().string(), {"./..."}});
        has_module |= at.depth() == 0;
      }
    }
    if (error)
      report_.problems.push_back({top.string(), fmt::format("reading it: {}", error.message())});
    if (has_sources && !has_module) // a package of a module above
      inputs_.go_runs.push_back({top.string(), {"./..."}});
    std::ranges::sort(objects);
    inputs_.objects.insert(inputs_.objects.end(), objects.begin(), objects.end());
    if (!error && inputs_.objects.size() + inputs_.go_runs.size() == before &&
        report_.big_endian == big_endian_before)
      report_.problems.push_back({top.string(), "no BPF object and no Go module in it"});
  }

  VetReport &report_;
  VetInputs inputs_;
  std::map<std::string, std::vector<std::string>> sources_; // files by directory
};

} // namespace

VetInputs find_vet_inputs(const std::vector<std::string> &arguments, VetReport &report) {
  InputFinder finder{report};
  for (const std::string &argument : arguments)
    finder.take(argument);
  return std::move(finder).inputs();
}

Result<std::vector<std::byte>> read_vet_file(const std::string &path) {
  const Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)}; // a pipe must not hold us
  if (!file)
    return std::unexpected(Error::from_errno("opening it"));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0)
    return std::unexpected(Error::from_errno("fstat"));
  if (!S_ISREG(status.st_mode))
    return fail(Errc::unsupported, "no regular file");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > kFileBytesMax)
    return fail(Errc::unsupported, "{}, which is more than any BPF object has", format_bytes(size));
  std::vector<std::byte> bytes(size);
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t part = ::read(file.get(), bytes.data() + have, bytes.size() - have);
    if (part < 0 && errno == EINTR)
      continue;
    if (part < 0)
      return std::unexpected(Error::from_errno("reading it"));
    if (part == 0)
      break; // it became shorter
    have += static_cast<std::size_t>(part);
  }
  bytes.resize(have);
  return bytes;
}

} // namespace mapscope
