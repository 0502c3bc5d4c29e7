// Searches the live part of each stack for words that agree with each other as a header does.
#include "heap/stack_maps.h"
