// To be written.
#include "memory/snapshot.h"
