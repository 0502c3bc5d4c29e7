// From a file to a DaemonConfig and back; see config.h.
#include "config/config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>

#include "base/handle.h"
#include "config/config_fields.h"
#include "config/yaml_tree.h"

namespace mapscope {
namespace {

using namespace configuration;

// At most one byte more than a configuration may have, so that a device can't fill the memory.
Result<std::string> read_text(int fd, const std::string &path) {
  std::string text(kYamlBytesMax + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return std::unexpected(Error::from_errno(fmt::format("reading {}", path)));
    if (got == 0)
      break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

bool wants_default_rules(const YamlNode &root) {
  const YamlEntry *entry = find_entry(root, kDefaultRulesKey);
  return entry == nullptr || entry->value.text != "false";
}

} // namespace

Result<DaemonConfig> read_config(const std::string &path) {
  const Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)}; // a pipe must not hold us
  if (!file)
    return std::unexpected(Error::from_errno(fmt::format("opening the configuration {}", path)));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0)
    return std::unexpected(Error::from_errno(fmt::format("looking at {}", path)));
  if (!S_ISREG(status.st_mode))
    return fail(Errc::usage, "{}: no regular file; expected the configuration", path);
  return parse_config(TRY(read_text(file.get(), path)), path);
}

Result<DaemonConfig> parse_config(std::string_view text, std::string_view name) {
  const YamlNode root = TRY(parse_yaml(text, name));
  ConfigProblems problems{name};
  DaemonConfig config;
  if (wants_default_rules(root))
    config.rules = default_rules();
  section<DaemonConfig>(config_fields()).read({root, "", problems}, config);
  if (!problems.empty())
    return std::unexpected(problems.error());
  return config;
}

DaemonConfig default_config() {
  DaemonConfig config;
  config.rules = default_rules();
  return config;
}

std::string config_text(const DaemonConfig &config) {
  return yaml_text(write_fields(config_fields(), config));
}

std::vector<std::string> config_keys() {
  std::vector<std::string> paths;
  for (const ConfigKey &key : all_keys_of(config_fields()))
    paths.push_back(key.path);
  return paths;
}

} // namespace mapscope
