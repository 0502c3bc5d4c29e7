// quiet works on files all the time and grows maps all the time, and never one inside the other.
package main

import (
	"os"
	"strconv"
	"syscall"

	"mapscope.dev/workloads/truth"
)

var kept map[int]string

//go:noinline
func empty() map[int]string { return make(map[int]string) }

func must(err error) {
	if err != nil {
		truth.Fail(err.Error())
	}
}

// useFile makes six system calls on a file.
func useFile(p *truth.Phase, path string, content []byte) {
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CREAT|syscall.O_TRUNC, 0o600)
	must(err)
	_, err = syscall.Write(fd, content)
	must(err)
	_, err = syscall.Seek(fd, 0, 0)
	must(err)
	_, err = syscall.Read(fd, content)
	must(err)
	must(syscall.Close(fd))
	must(syscall.Unlink(path))
	p.FileCalls += 6
}

func main() {
	rounds := truth.Int("rounds", 200)
	n := truth.Int("n", 500)
	// The first look at the environment makes a map of it.
	path := os.TempDir() + "/mapscope-quiet-" + strconv.Itoa(os.Getpid())
	truth.Run(func(p *truth.Phase) {
		content := make([]byte, 512)
		for round := 0; round < rounds; round++ {
			useFile(p, path, content)
			m := empty()
			p.Made()
			w := truth.Watch(m)
			for i := 0; i < n; i++ {
				m[i] = path
				w.Wrote()
				if i%100 == 0 { // between two writes of a map that is half full
					useFile(p, path, content)
				}
			}
			p.Ended(&w)
			kept = m
		}
	})
}
