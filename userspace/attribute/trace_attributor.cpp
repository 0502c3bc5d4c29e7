// Puts together what the tables know; see trace_attributor.h.
#include "attribute/trace_attributor.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <numeric>
#include <utility>

#include <sys/wait.h>

#include "attribute/go_names.h"

namespace mapscope {
namespace {

// The kernel side remembers 8,192 stacks that it sent; with twice as many, none that it thinks
// is known here was forgotten.
constexpr std::size_t kStacksMax = 16384;
constexpr std::size_t kMapsMax = 65536;
constexpr std::size_t kWaitingMax = 16384;
constexpr std::size_t kEventsReserved = 65536;
// A creation that has not returned after so many takes has lost its return, or is very large.
constexpr std::uint64_t kTakesForReturn = 256;
// So long what is younger than a call waits for its result as well. Most take microseconds, but
// their thread can lose its processor meanwhile.
constexpr std::uint64_t kHeldForResultNs = 100'000'000;

bool waits_for_return(map_operation operation) {
  return operation == MAP_OPERATION_MAKE_SMALL || operation == MAP_OPERATION_MAKE ||
         operation == MAP_OPERATION_NEW_MAP || operation == MAP_OPERATION_CLONE;
}

} // namespace

TraceAttributor::TraceAttributor(ProcessKey process, const BinaryFacts &facts, BinaryNames &names,
                                 bool returns_probed)
    : process_(process), returns_probed_(returns_probed), names_(names), lines_(facts, names),
      stacks_(kStacksMax), types_(names), operations_(facts, kMapsMax),
      calls_(process, facts, names), misuses_(facts) {}

void TraceAttributor::set_load_bias(LoadBias bias) {
  lines_.set_load_bias(bias);
  calls_.set_load_bias(bias);
}

void TraceAttributor::add(const map_operation_event &event) {
  if (event.is_return) {
    add_return(event);
    return;
  }
  bool replaces_first_sight = !waiting_.empty() && end_waiting(event);
  auto operation = operations_.read(event);
  if (!operation)
    return;
  operation->change.is_first_sight |= replaces_first_sight;
  bool waits = (returns_probed_ && waits_for_return(operation->change.operation)) ||
               operation->change.operation == MAP_OPERATION_PRUNE;
  if (waits && event.goid != 0 && waiting_.size() < kWaitingMax) {
    waiting_.emplace(event.goid, WaitingOperation{.header = event.header,
                                                  .operation = std::move(*operation),
                                                  .stack = stack_of(event.stack),
                                                  .table = event.table,
                                                  .stack_distance = event.stack_distance,
                                                  .since = takes_});
    return;
  }
  tell(event.header, event.goid, stack_of(event.stack), std::move(*operation));
}

void TraceAttributor::add_return(const map_operation_event &event) {
  auto waiting = waiting_.find(event.goid);
  if (waiting == waiting_.end() || !waits_for_return(waiting->second.operation.change.operation) ||
      waiting->second.operation.change.operation != event.operation ||
      waiting->second.stack_distance != event.stack_distance)
    return;
  auto entry = waiting_.extract(waiting);
  operations_.complete(entry.mapped().operation, event);
  tell(event.goid, std::move(entry.mapped()));
}

// Map operations do not nest, but for the growth of a table, which follows when pruning it was in
// vain: so whatever waits for this goroutine has ended. True: it is not told, `event` is told in
// its place, and it was the first that was seen of its map.
bool TraceAttributor::end_waiting(const map_operation_event &event) {
  auto waiting = waiting_.find(event.goid);
  if (waiting == waiting_.end())
    return false;
  auto entry = waiting_.extract(waiting);
  WaitingOperation &ended = entry.mapped();
  if (ended.operation.change.operation != MAP_OPERATION_PRUNE) {
    ++returns_lost_;
  } else if (is_table_growth(static_cast<map_operation>(event.operation)) &&
             event.table == ended.table) {
    return ended.operation.change.is_first_sight;
  }
  tell(event.goid, std::move(ended));
  return false;
}

void TraceAttributor::tell(std::uint64_t goid, WaitingOperation waiting) {
  tell(waiting.header, goid, std::move(waiting.stack), std::move(waiting.operation));
}

void TraceAttributor::tell(const event_header &header, std::uint64_t goid, NamedStackPtr stack,
                           MapOperation operation) {
  const MapTypePtr *type = operation.type == 0 ? nullptr : types_.find(operation.type);
  if (operation.allocation)
    operation.change.bytes =
        operations_.rules().bytes(*operation.allocation, type ? type->get() : nullptr);
  if (type != nullptr) {
    operation.change.type = *type;
  } else if (operation.type != 0) {
    types_.want(operation.type);
    untyped_.push_back({events_.size(), operation.type, operation.allocation});
  }
  TraceEvent &event = begin(operation.kind, header);
  if (goid != 0)
    event.goroutine = goid;
  event.stack = call_stack_of(stack);
  event.what = std::move(operation.change);
}

void TraceAttributor::add(const heap_request_event &event) {
  auto stack = stack_of(event.stack);
  HeapRequest request{.request = static_cast<heap_request>(event.request), .bytes = event.bytes};
  // Neither a signal handler nor the scheduler works for the map operation below it.
  if (!(event.witnesses & (WITNESS_SIGNAL_STACK | WITNESS_OTHER_SWITCH))) {
    if (auto operation = operation_name(static_cast<map_operation>(event.operation)))
      request.operation = *operation;
    if (stack)
      requests_.push_back({events_.size(), stack});
  }
  TraceEvent &told = begin(request.request == HEAP_REQUEST_GROW ? TraceKind::heap_grown
                                                                : TraceKind::large_allocation,
                           event.header);
  if (event.goid != 0)
    told.goroutine = event.goid;
  told.stack = call_stack_of(stack);
  told.what = std::move(request);
}

void TraceAttributor::add(const map_misuse_event &event) {
  misuses_.add(event, stack_of(event.stack));
}

void TraceAttributor::add(const process_exec_event &event) {
  TraceEvent &told = begin(TraceKind::process_exec, event.header);
  told.what = std::make_shared<const ProcessChange>(ProcessChange{.path = event.path});
}

void TraceAttributor::add(const process_exit_event &event) {
  int status = static_cast<int>(event.exit_code);
  ProcessChange change;
  if (WIFEXITED(status))
    change.exit_status = WEXITSTATUS(status);
  else if (WIFSIGNALED(status))
    change.signal = WTERMSIG(status);
  TraceEvent &told = begin(TraceKind::process_exit, event.header);
  told.what = std::make_shared<const ProcessChange>(std::move(change));
}

std::vector<TraceEvent> TraceAttributor::take() { return finish(false); }
std::vector<TraceEvent> TraceAttributor::take_all() { return finish(true); }

std::vector<TraceEvent> TraceAttributor::finish(bool all) {
  release_waiting(all);
  tell_calls(all ? calls_.take_all() : calls_.take());
  name();
  tell_misuses(misuses_.take(all, {lines_, names_, operations_.maps(), stacks_, types_}));
  std::uint64_t end_ns = held_from_ns();
  for (const auto &[goid, waiting] : waiting_)
    if (waiting.since == takes_)
      end_ns = std::min<std::uint64_t>(end_ns, waiting.header.time_ns);
  ++takes_;
  return take_before(end_ns);
}

// When the first call began that others wait for.
std::uint64_t TraceAttributor::held_from_ns() const {
  const auto newest = std::ranges::max_element(events_, {}, &TraceEvent::time_ns);
  if (newest == events_.end())
    return std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t since_ns = newest->time_ns - std::min(newest->time_ns, kHeldForResultNs);
  return calls_.first_waiting_ns(since_ns).value_or(std::numeric_limits<std::uint64_t>::max());
}

// What has waited through a whole interval between takes, at most for its return.
void TraceAttributor::release_waiting(bool all) {
  for (auto entry = waiting_.begin(); entry != waiting_.end();) {
    WaitingOperation &waiting = entry->second;
    bool is_prune = waiting.operation.change.operation == MAP_OPERATION_PRUNE;
    std::uint64_t waited = takes_ - waiting.since;
    if (!all && waited < (is_prune ? 1 : kTakesForReturn)) {
      ++entry;
      continue;
    }
    returns_lost_ += is_prune ? 0 : 1;
    tell(entry->first, std::move(waiting));
    entry = waiting_.erase(entry);
  }
}

void TraceAttributor::tell_calls(std::vector<AttributedCall> calls) {
  for (AttributedCall &call : calls) {
    if (!is_told(call))
      continue;
    TraceEvent &told = events_.emplace_back();
    told.kind = call.klass == CALL_CLASS_MEMORY ? TraceKind::memory_call : TraceKind::file_call;
    told.process = call.process;
    told.time_ns = call.time_ns;
    told.tid = call.tid;
    told.goroutine = call.goroutine;
    told.what = std::make_shared<const AttributedCall>(std::move(call));
  }
}

void TraceAttributor::tell_misuses(std::vector<MisuseReport> reports) {
  for (MisuseReport &report : reports) {
    TraceEvent &told = begin(TraceKind::map_misuse, report.header);
    if (report.goroutine != 0)
      told.goroutine = report.goroutine;
    told.stack = std::move(report.stack);
    told.what = std::make_shared<const MapMisuse>(std::move(report.misuse));
  }
}

void TraceAttributor::name() {
  lines_.begin();
  stacks_.want(lines_);
  lines_.ask();
  stacks_.name(lines_);
  types_.ask(lines_);
  for (const Untyped &untyped : untyped_) {
    const MapTypePtr *type = types_.find(untyped.type);
    if (type == nullptr || *type == nullptr)
      continue;
    auto &change = std::get<MapChange>(events_[untyped.event].what);
    change.type = *type;
    if (untyped.allocation)
      change.bytes = operations_.rules().bytes(*untyped.allocation, type->get());
  }
  for (const Request &request : requests_)
    if (request.stack->map_operation)
      std::get<HeapRequest>(events_[request.event].what).operation = *request.stack->map_operation;
  untyped_.clear();
  requests_.clear();
}

// Events that are not before `end_ns` stay, and what a goroutine did since an operation of it that
// waits: a creation of millions of slots takes longer than the time between two takes.
std::vector<TraceEvent> TraceAttributor::take_before(std::uint64_t end_ns) {
  if (!std::ranges::is_sorted(events_, {}, &TraceEvent::time_ns)) {
    // Events are large, so only their order is sorted, and each is moved once.
    std::vector<std::size_t> order(events_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, {}, [&](std::size_t at) { return events_[at].time_ns; });
    std::vector<TraceEvent> sorted;
    sorted.reserve(events_.size());
    for (std::size_t at : order)
      sorted.push_back(std::move(events_[at]));
    events_ = std::move(sorted);
  }
  auto is_ready = [&](const TraceEvent &event) {
    if (event.time_ns >= end_ns)
      return false;
    auto waiting = event.goroutine ? waiting_.find(*event.goroutine) : waiting_.end();
    return waiting == waiting_.end() || event.time_ns < waiting->second.header.time_ns;
  };
  const bool are_all_ready =
      waiting_.empty() && end_ns == std::numeric_limits<std::uint64_t>::max();
  auto rest =
      are_all_ready ? events_.end() : std::ranges::stable_partition(events_, is_ready).begin();
  std::vector<TraceEvent> stay;
  stay.reserve(std::min(events_.size(), kEventsReserved)); // about as many will come again
  std::ranges::move(rest, events_.end(), std::back_inserter(stay));
  events_.erase(rest, events_.end());
  return std::exchange(events_, std::move(stay));
}

TraceEvent &TraceAttributor::begin(TraceKind kind, const event_header &header) {
  TraceEvent &event = events_.emplace_back();
  event.kind = kind;
  event.process = process_;
  event.time_ns = header.time_ns;
  event.tid = header.tid;
  return event;
}

NamedStackPtr TraceAttributor::stack_of(std::uint64_t id) {
  if (id == 0)
    return nullptr; // could not be read; the kernel side counts it
  auto stack = stacks_.use(id);
  stacks_unknown_ += stack ? 0U : 1U;
  return stack;
}

TraceAttributor::Counts TraceAttributor::counts() const {
  const CallAttributor::Counts &calls = calls_.counts();
  Counts counts{.stacks_unknown = stacks_unknown_,
                .addresses_unnamed = lines_.unnamed() + calls.unsymbolized,
                .types_unknown = types_.unknown(),
                .maps_forgotten = operations_.maps().forgotten(),
                .returns_lost = returns_lost_,
                .calls_without_result = calls.without_result,
                .misuses_dropped = misuses_.dropped()};
  for (const std::string *error : {&lines_.error(), &types_.error(), &calls.symbolizer_error})
    if (!error->empty())
      counts.error = *error;
  return counts;
}

TraceAttributor::Counts &TraceAttributor::Counts::operator+=(const Counts &other) {
  stacks_unknown += other.stacks_unknown;
  addresses_unnamed += other.addresses_unnamed;
  types_unknown += other.types_unknown;
  maps_forgotten += other.maps_forgotten;
  returns_lost += other.returns_lost;
  calls_without_result += other.calls_without_result;
  misuses_dropped += other.misuses_dropped;
  if (!other.error.empty())
    error = other.error;
  return *this;
}

} // namespace mapscope
