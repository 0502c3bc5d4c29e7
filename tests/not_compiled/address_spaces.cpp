// Addresses of different spaces do not mix: a symbol's address is not a register's value.
#include "base/address.h"

mapscope::ProcessAddress at_run_time(mapscope::ElfAddress symbol, mapscope::LoadBias bias) {
#ifdef MUST_NOT_COMPILE
  (void)bias;
  return symbol;
#else
  return bias.to_process(symbol);
#endif
}
