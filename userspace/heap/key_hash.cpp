// AES rounds as the runtime chains them, and the steps that a key type needs.
#include "heap/key_hash.h"
