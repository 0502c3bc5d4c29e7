// exec makes a map and then becomes another program: the command after --, from the main thread or,
// with -thread, from another one.
package main

import (
	"os"
	"runtime"
	"syscall"

	"mapscope.dev/workloads/truth"
)

var kept map[int]int

//go:noinline
func hinted(n int) map[int]int { return make(map[int]int, n) }

func become(words []string) {
	err := syscall.Exec(words[0], words, os.Environ())
	truth.Fail("becoming " + words[0] + ": " + err.Error())
}

// Locked here, main stays on the main thread, and no other goroutine gets there.
func init() { runtime.LockOSThread() }

func main() {
	thread := truth.Switch("thread")
	words := truth.Rest()
	if len(words) == 0 {
		truth.Fail("expected -- and a command.")
	}
	truth.Run(func(p *truth.Phase) {
		kept = hinted(100)
		p.MadeHint()
		p.Say()
		if thread {
			go become(words)
			select {}
		}
		become(words)
	})
}
