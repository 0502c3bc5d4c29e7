// Type descriptors as bytes, each field checked against others.
#include "heap/go_types.h"
