// Maps whose header lies on the stack of a goroutine, where no census of the heap sees it.
#pragma once

namespace mapscope {} // namespace mapscope
