// Candidates by size and pointers first, then by cells and hashes.
#include "heap/type_check.h"
