// What is worth remembering of a map, and when it is believed again.
#include "heap/census_memory.h"
