// The database of alerts: what is known of each, and what every sink has yet to be told. One
// transaction for each change; who calls sees to it that only one thread does at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"

namespace mapscope {

struct StoredAlert {
  std::string fingerprint;
  bool is_firing = true;
  bool is_told = false; // sinks were to be told that it fires
  std::string boot_id;
  std::string text; // of the notice
};

struct StoredNotice {
  std::uint64_t sequence = 0;
  std::string sink, fingerprint;
  bool is_firing = true;
  std::shared_ptr<const std::string> text; // null where a list is asked for
};

struct StoreChanges {
  std::vector<StoredAlert> alerts;    // new, or as they are now
  std::vector<std::string> forgotten; // fingerprints
  std::vector<StoredNotice> notices;  // new, or with another text
  std::vector<std::uint64_t> done;    // sequences
  bool empty() const {
    return alerts.empty() && forgotten.empty() && notices.empty() && done.empty();
  }
};

class AlertStore {
public:
  // Makes the file and the directories above it where they are missing. A damaged one is moved
  // aside, which the log says. Errors: denied; malformed: a database of another program, or of a
  // newer mapscope; system: no space, an input error, or another process has it open.
  static Result<AlertStore> open(const std::string &path);
  AlertStore(AlertStore &&) noexcept;
  AlertStore &operator=(AlertStore &&) noexcept;
  ~AlertStore();

  Result<std::vector<StoredAlert>> alerts() const;
  Result<std::vector<StoredNotice>> notices() const; // without texts, by sequence
  Result<std::string> text(std::uint64_t sequence) const;
  // On disk when it returns, all of it or nothing.
  Result<> save(const StoreChanges &changes);

private:
  struct Connection;
  explicit AlertStore(std::unique_ptr<Connection> connection);
  std::unique_ptr<Connection> connection_;
};

} // namespace mapscope
