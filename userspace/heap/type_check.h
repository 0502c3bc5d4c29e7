// Which map types the contents of a map allow, and whether its keys hash to where they lie.
#pragma once

namespace mapscope {} // namespace mapscope
