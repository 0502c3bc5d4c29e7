// The database of alerts, in SQLite; see alert_store.h.
#include "alert/alert_store.h"

#include <array>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "base/handle.h"
#include "base/printable.h"

namespace mapscope {

namespace {

constexpr int kApplicationId = 0x6d617073; // "maps"
constexpr int kSchema = 1;
constexpr int kDamagedMax = 100;

// Exclusive: a second daemon with the same file would tell everything twice. It also spares the
// memory that connections share.
constexpr const char *kSettings = "PRAGMA locking_mode=EXCLUSIVE;"
                                  "PRAGMA journal_mode=WAL;"
                                  "PRAGMA synchronous=FULL;"
                                  "PRAGMA cache_size=-256;"
                                  "PRAGMA temp_store=MEMORY;"
                                  "PRAGMA wal_autocheckpoint=64;"
                                  "PRAGMA journal_size_limit=1048576;";

constexpr const char *kTables =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE alerts (fingerprint TEXT PRIMARY KEY, state TEXT NOT NULL,"
    " is_told INTEGER NOT NULL, boot_id TEXT NOT NULL, notice TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE outbox (sequence INTEGER PRIMARY KEY, sink TEXT NOT NULL,"
    " fingerprint TEXT NOT NULL, state TEXT NOT NULL, notice TEXT NOT NULL);";

bool is_damage(int code) {
  return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB;
}

Error sqlite_error(sqlite3 *database, std::string_view operation, int code) {
  const int primary = code & 0xff;
  if (primary == SQLITE_BUSY)
    return {Errc::denied, fmt::format("{}: another process has it open; two daemons need two "
                                      "databases",
                                      operation)};
  const Errc kind = is_damage(code)                                    ? Errc::malformed
                    : primary == SQLITE_PERM || primary == SQLITE_AUTH ? Errc::denied
                                                                       : Errc::system;
  return {kind, fmt::format("{}: {}", operation,
                            database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code))};
}

using DatabaseHandle = Handle<sqlite3, sqlite3_close_v2>;

// One statement; reset after each use, so that it locks nothing between them.
class StoreStatement {
public:
  static Result<StoreStatement> prepare(sqlite3 *database, const char *text) {
    sqlite3_stmt *statement = nullptr;
    const int code = sqlite3_prepare_v2(database, text, -1, &statement, nullptr);
    if (code != SQLITE_OK)
      return std::unexpected(sqlite_error(database, "preparing a statement", code));
    return StoreStatement(statement);
  }

  StoreStatement &bind(int at, std::string_view text) {
    sqlite3_bind_text64(statement_.get(), at, text.data(), text.size(), SQLITE_TRANSIENT,
                        SQLITE_UTF8);
    return *this;
  }
  StoreStatement &bind(int at, std::int64_t number) {
    sqlite3_bind_int64(statement_.get(), at, number);
    return *this;
  }

  // True: there is a row. Errors are of SQLite.
  Result<bool> step() {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW)
      return true;
    if (code == SQLITE_DONE)
      return false;
    return std::unexpected(
        sqlite_error(sqlite3_db_handle(statement_.get()), "reading or writing", code));
  }
  Result<> run() {
    Result<bool> row = step();
    sqlite3_reset(statement_.get());
    if (!row)
      return std::unexpected(std::move(row).error());
    return {};
  }

  void reset() { sqlite3_reset(statement_.get()); }
  std::string text(int column) const {
    const auto *bytes = sqlite3_column_text(statement_.get(), column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
    return bytes == nullptr ? std::string{}
                            : std::string(reinterpret_cast<const char *>(bytes), size);
  }
  std::int64_t number(int column) const { return sqlite3_column_int64(statement_.get(), column); }

private:
  explicit StoreStatement(sqlite3_stmt *statement) : statement_(statement) {}
  Handle<sqlite3_stmt, sqlite3_finalize> statement_;
};

Result<> execute(sqlite3 *database, std::string_view operation, const char *text) {
  const int code = sqlite3_exec(database, text, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK)
    return std::unexpected(sqlite_error(database, operation, code));
  return {};
}

Result<std::string> ask(sqlite3 *database, const char *question) {
  StoreStatement statement = TRY(StoreStatement::prepare(database, question));
  if (!TRY(statement.step()))
    return std::string{};
  return statement.text(0);
}

std::string_view state_name(bool is_firing) { return is_firing ? "firing" : "resolved"; }

Result<> make_directory(const std::filesystem::path &directory) {
  if (directory.empty() || ::access(directory.c_str(), F_OK) == 0)
    return {};
  TRY(make_directory(directory.parent_path()));
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    return std::unexpected(Error::from_errno(fmt::format("making {}", directory.string())));
  return {};
}

// SQLite's own files take the mode of this one.
Result<> make_file(const std::string &path) {
  TRY(make_directory(std::filesystem::path(path).parent_path()));
  Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file)
    return std::unexpected(Error::from_errno(fmt::format("opening {}", path)));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0)
    return std::unexpected(Error::from_errno(fmt::format("fstat of {}", path)));
  if (!S_ISREG(status.st_mode))
    return fail(Errc::malformed, "{} is no regular file, so it can't be the database of alerts",
                path);
  if ((status.st_mode & 077U) != 0 && ::fchmod(file.get(), 0600) != 0)
    return std::unexpected(Error::from_errno(fmt::format("chmod 0600 of {}", path)));
  return {};
}

// Whether it is ours; makes the tables in an empty one.
Result<> claim_database(sqlite3 *database, const std::string &path) {
  const std::string check = TRY(ask(database, "PRAGMA quick_check(1)"));
  if (check != "ok")
    return fail(Errc::malformed, "its check says: {}", printable(check));
  const std::string id = TRY(ask(database, "PRAGMA application_id"));
  const std::string schema = TRY(ask(database, "PRAGMA user_version"));
  const bool is_empty = TRY(ask(database, "SELECT count(*) FROM sqlite_schema")) == "0";
  if (is_empty && (id == "0" || id == std::to_string(kApplicationId))) {
    TRY(execute(database, "making tables", kTables));
    TRY(execute(database, "making tables",
                fmt::format("PRAGMA application_id={};PRAGMA user_version={};COMMIT",
                            kApplicationId, kSchema)
                    .c_str()));
    return {};
  }
  if (id != std::to_string(kApplicationId))
    return fail(Errc::usage,
                "{} is a database of another program (application_id {}): name another file in "
                "alerts.database",
                path, id);
  if (schema != std::to_string(kSchema))
    return fail(Errc::usage,
                "{} was made by another version of mapscope (schema {}, this one knows {}): move "
                "it away, or name another file in alerts.database",
                path, schema, kSchema);
  return {};
}

Result<DatabaseHandle> open_database(const std::string &path) {
  sqlite3 *opened = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  DatabaseHandle database(opened); // there is one after a failure too
  if (code != SQLITE_OK)
    return std::unexpected(sqlite_error(opened, "opening", code));
  sqlite3_extended_result_codes(opened, 1);
  sqlite3_busy_timeout(opened, 500);
  TRY(execute(opened, "opening", kSettings));
  TRY(claim_database(opened, path));
  return database;
}

// Errors: malformed where it can't be.
Result<std::string> move_aside(const std::string &path) {
  for (int n = 1; n <= kDamagedMax; ++n) {
    const std::string aside = fmt::format("{}.damaged-{}", path, n);
    if (::access(aside.c_str(), F_OK) == 0)
      continue;
    if (::rename(path.c_str(), aside.c_str()) != 0)
      return std::unexpected(Error::from_errno(fmt::format("renaming {} to {}", path, aside)));
    // Its log belongs to it: with a new database it would be damage again.
    for (const char *suffix : {"-wal", "-shm", "-journal"})
      if (::rename((path + suffix).c_str(), (aside + suffix).c_str()) != 0 && errno != ENOENT)
        return std::unexpected(Error::from_errno(fmt::format("renaming {}{}", path, suffix)));
    return aside;
  }
  return fail(Errc::malformed, "there are {} damaged ones beside it: remove some", kDamagedMax);
}

} // namespace

struct AlertStore::Connection {
  DatabaseHandle database;
  // Handles close in reverse order: statements first.
  StoreStatement put_alert, forget_alert, put_notice, done_notice, text_of;

  static Result<std::unique_ptr<Connection>> make(DatabaseHandle database) {
    sqlite3 *raw = database.get();
    StoreStatement put_alert = TRY(
        StoreStatement::prepare(raw, "INSERT OR REPLACE INTO alerts VALUES (?1, ?2, ?3, ?4, ?5)"));
    StoreStatement forget_alert =
        TRY(StoreStatement::prepare(raw, "DELETE FROM alerts WHERE fingerprint = ?1"));
    StoreStatement put_notice = TRY(
        StoreStatement::prepare(raw, "INSERT OR REPLACE INTO outbox VALUES (?1, ?2, ?3, ?4, ?5)"));
    StoreStatement done_notice =
        TRY(StoreStatement::prepare(raw, "DELETE FROM outbox WHERE sequence = ?1"));
    StoreStatement text_of =
        TRY(StoreStatement::prepare(raw, "SELECT notice FROM outbox WHERE sequence = ?1"));
    return std::unique_ptr<Connection>(
        new Connection{std::move(database), std::move(put_alert), std::move(forget_alert),
                       std::move(put_notice), std::move(done_notice), std::move(text_of)});
  }

  Result<> write(const StoreChanges &changes) {
    for (const StoredAlert &alert : changes.alerts)
      TRY(put_alert.bind(1, alert.fingerprint)
              .bind(2, state_name(alert.is_firing))
              .bind(3, static_cast<std::int64_t>(alert.is_told))
              .bind(4, alert.boot_id)
              .bind(5, alert.text)
              .run());
    for (const std::string &fingerprint : changes.forgotten)
      TRY(forget_alert.bind(1, fingerprint).run());
    for (const StoredNotice &notice : changes.notices)
      TRY(put_notice.bind(1, static_cast<std::int64_t>(notice.sequence))
              .bind(2, notice.sink)
              .bind(3, notice.fingerprint)
              .bind(4, state_name(notice.is_firing))
              .bind(5, *notice.text)
              .run());
    for (std::uint64_t sequence : changes.done)
      TRY(done_notice.bind(1, static_cast<std::int64_t>(sequence)).run());
    return {};
  }
};

AlertStore::AlertStore(std::unique_ptr<Connection> connection)
    : connection_(std::move(connection)) {}
AlertStore::AlertStore(AlertStore &&) noexcept = default;
AlertStore &AlertStore::operator=(AlertStore &&) noexcept = default;
AlertStore::~AlertStore() = default;

Result<AlertStore> AlertStore::open(const std::string &path) {
  TRY(make_file(path));
  Result<DatabaseHandle> database = open_database(path);
  if (!database && database.error().code() == Errc::malformed) {
    const std::string aside =
        TRY_WHILE(move_aside(path), "moving the damaged database {} aside ({})", path,
                  database.error().message());
    spdlog::error("The database of alerts {} is damaged ({}). It was moved to {}, and a new one "
                  "takes its place: what was not delivered yet is in there.",
                  path, database.error().message(), aside);
    TRY(make_file(path));
    database = open_database(path);
  }
  if (!database) {
    const bool is_foreign = database.error().code() == Errc::usage;
    return fail(is_foreign ? Errc::malformed : database.error().code(),
                "the database of alerts {}: {}", path, database.error().message());
  }
  return AlertStore(TRY(Connection::make(*std::move(database))));
}

Result<std::vector<StoredAlert>> AlertStore::alerts() const {
  StoreStatement rows = TRY(
      StoreStatement::prepare(connection_->database.get(),
                              "SELECT fingerprint, state, is_told, boot_id, notice FROM alerts"));
  std::vector<StoredAlert> alerts;
  while (TRY(rows.step()))
    alerts.push_back({.fingerprint = rows.text(0),
                      .is_firing = rows.text(1) == state_name(true),
                      .is_told = rows.number(2) != 0,
                      .boot_id = rows.text(3),
                      .text = rows.text(4)});
  return alerts;
}

Result<std::vector<StoredNotice>> AlertStore::notices() const {
  StoreStatement rows = TRY(StoreStatement::prepare(
      connection_->database.get(),
      "SELECT sequence, sink, fingerprint, state FROM outbox ORDER BY sequence"));
  std::vector<StoredNotice> notices;
  while (TRY(rows.step()))
    notices.push_back({.sequence = static_cast<std::uint64_t>(rows.number(0)),
                       .sink = rows.text(1),
                       .fingerprint = rows.text(2),
                       .is_firing = rows.text(3) == state_name(true)});
  return notices;
}

Result<std::string> AlertStore::text(std::uint64_t sequence) const {
  StoreStatement &statement = connection_->text_of;
  Result<bool> found = statement.bind(1, static_cast<std::int64_t>(sequence)).step();
  std::string text = found && *found ? statement.text(0) : std::string{};
  statement.reset();
  if (!found)
    return std::unexpected(std::move(found).error());
  if (!*found)
    return fail(Errc::not_found, "row {} is not in the outbox", sequence);
  return text;
}

Result<> AlertStore::save(const StoreChanges &changes) {
  sqlite3 *database = connection_->database.get();
  TRY(execute(database, "writing", "BEGIN IMMEDIATE"));
  Result<> written = connection_->write(changes);
  if (written)
    written = execute(database, "writing", "COMMIT");
  if (!written && sqlite3_get_autocommit(database) == 0)
    (void)execute(database, "writing", "ROLLBACK"); // some errors have done so already
  return written;
}

} // namespace mapscope
