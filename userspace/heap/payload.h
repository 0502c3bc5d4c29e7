// The bytes behind keys and elements: strings, slices, pointers.
#pragma once

namespace mapscope {} // namespace mapscope
