// cgo_mmap is linked with C code that has its own mmap, which logs each call to a file: open, write,
// close. The runtime of a cgo program asks libc for memory, so the log is written inside whatever
// map operation needed the memory.
package main

/*
void log_from_here(const char *path);
void log_no_more(void);
int logged_count(void);
*/
import "C"

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"mapscope.dev/workloads/truth"
)

var (
	kept map[int]int
	line int
)

//go:noinline
func empty() map[int]int { return make(map[int]int) }

//go:noinline
func fill(p *truth.Phase, m map[int]int, n int) {
	w := truth.Watch(m)
	_, _, here, _ := runtime.Caller(0)
	line = here + 3 // of the write below
	for i := 0; i < n; i++ {
		m[i] = i
		w.Wrote()
	}
	p.Ended(&w)
}

func goroutine() string {
	header := make([]byte, 64)
	header = header[:runtime.Stack(header, false)] // "goroutine 1 [running]:"
	return strings.Fields(string(header))[1]
}

func main() {
	n := truth.Int("n", 3000000)
	// The first look at the environment makes a map of it.
	path := os.TempDir() + "/mapscope-mmap-" + strconv.Itoa(os.Getpid()) + ".log"
	truth.Run(func(p *truth.Phase) {
		// Only this thread logs, only this goroutine runs on it, and without a collector all that it
		// allocates meanwhile is for the map: so every call that is logged is inside a map operation.
		runtime.LockOSThread()
		debug.SetGCPercent(-1)
		kept = empty()
		p.Made()
		C.log_from_here(C.CString(path))
		fill(p, kept, n)
		C.log_no_more()
		os.Remove(path)

		_, file, _, _ := runtime.Caller(0)
		p.NoteInt("file_calls_inside", 3*int(C.logged_count()))
		p.NoteString("path", path)
		p.NoteString("goroutine", goroutine())
		p.NoteString("function", "main.fill")
		p.NoteString("file", file)
		p.NoteInt("line", line)
	})
}
