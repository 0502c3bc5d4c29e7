// What this process may ask of the kernel.
#pragma once

namespace mapscope {

// Whether `capability` (CAP_BPF, ...) is effective, by itself or as a part of CAP_SYS_ADMIN.
// Those held in a user namespace other than the first do not count: BPF looks at the first.
bool holds_capability(unsigned capability);

} // namespace mapscope
