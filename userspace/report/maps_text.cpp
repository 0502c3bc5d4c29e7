// To be written.
#include "report/maps_text.h"
