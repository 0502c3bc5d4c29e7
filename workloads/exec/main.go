// exec makes a map and then becomes another program: the command after --, from the main thread or,
// with -thread, from another one. With -child it starts that program as its child and waits for it.
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

func startChild(words []string) {
	files := []uintptr{0, 1, 2}
	pid, err := syscall.ForkExec(words[0], words, &syscall.ProcAttr{Env: os.Environ(), Files: files})
	if err != nil {
		truth.Fail("starting " + words[0] + ": " + err.Error())
	}
	var status syscall.WaitStatus
	for {
		if _, err = syscall.Wait4(pid, &status, 0, nil); err != syscall.EINTR {
			break
		}
	}
	os.Exit(status.ExitStatus())
}

// Locked here, main stays on the main thread, and no other goroutine gets there.
func init() { runtime.LockOSThread() }

func main() {
	thread := truth.Switch("thread")
	child := truth.Switch("child")
	words := truth.Rest()
	if len(words) == 0 {
		truth.Fail("expected -- and a command.")
	}
	truth.Run(func(p *truth.Phase) {
		kept = hinted(100)
		p.MadeHint()
		p.Say()
		if child {
			startChild(words)
		}
		if thread {
			go become(words)
			select {}
		}
		become(words)
	})
}
