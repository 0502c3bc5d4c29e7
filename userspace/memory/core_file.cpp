// To be written.
#include "memory/core_file.h"
