//go:build withcgo

// Links the program with C code, for the test matrix: thread-local storage, start-up and mmap
// then go through libc.

package truth

import "C"
