// The programs on the kernel's own functions that update maps and delete from them: what programs
// do there, which no system call tells. Not every kernel lets these functions be traced.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace mapscope {

class UpdateProbes {
public:
  // Tries one of them before all are loaded. `table`: a descriptor of the map that bpf_calls
  // counts in. Where nothing works, problem() says why, and the rest does nothing.
  static UpdateProbes load(int table);
  UpdateProbes(UpdateProbes &&) noexcept;
  UpdateProbes &operator=(UpdateProbes &&) noexcept;
  ~UpdateProbes();

  // `with_lookups`: of hash maps too, whose function is the busiest of all.
  void attach(bool with_lookups);
  // enum bpf_map_type of the maps all of whose updates and deletes are seen now.
  std::vector<std::uint32_t> types() const;
  const std::string &problem() const; // a phrase; of the types that are not seen, if any are
  // How often a program was not run since another ran on that CPU: calls that were not seen.
  std::uint64_t detach();

private:
  struct State;
  explicit UpdateProbes(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

} // namespace mapscope
