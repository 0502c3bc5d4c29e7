// Counters of the garbage collector's pacer, and sums over the shards of the statistics.
#include "heap/heap_statistics.h"
