// Reads one map back to back until it agrees with itself.
#include "heap/anatomy.h"
