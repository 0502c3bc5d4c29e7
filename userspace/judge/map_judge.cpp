// To be written.
#include "judge/map_judge.h"
