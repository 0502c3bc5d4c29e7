// What a census leaves for the next one of the same process.
#pragma once

namespace mapscope {

class CensusMemory {};

} // namespace mapscope
