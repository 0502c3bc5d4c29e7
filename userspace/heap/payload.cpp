// A bounded sample of entries, and its error.
#include "heap/payload.h"
