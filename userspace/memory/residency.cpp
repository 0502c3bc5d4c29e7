// Runs of pages of one kind, from either interface of the kernel.
#include "memory/residency.h"
