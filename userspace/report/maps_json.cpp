// To be written.
#include "report/maps_json.h"
