// Run counts times call sites; see program_calls.h.
#include "kernel/bpf_maps/program_calls.h"

#include <utility>

namespace mapscope {

struct ProgramCalls::State {};

ProgramCalls::ProgramCalls(std::unique_ptr<State> state) : state_(std::move(state)) {}
ProgramCalls::ProgramCalls(ProgramCalls &&) noexcept = default;
ProgramCalls &ProgramCalls::operator=(ProgramCalls &&) noexcept = default;
ProgramCalls::~ProgramCalls() = default;

ProgramCalls ProgramCalls::start() { return ProgramCalls{std::make_unique<State>()}; }
Result<void> ProgramCalls::begin() { return {}; }
Result<ProgramCallsAnswer> ProgramCalls::end() { return ProgramCallsAnswer{}; }

} // namespace mapscope
