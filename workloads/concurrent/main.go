// concurrent uses one map from two goroutines until the runtime ends the program for it: both write,
// or with -read or -iterate one of them only looks.
package main

import (
	"runtime"
	"time"

	"mapscope.dev/workloads/truth"
)

type session struct{ user, visits int }

const (
	users   = 1024
	forever = 1 << 62
)

var (
	shared map[int]session
	total  int
)

//go:noinline
func hinted(n int) map[int]session { return make(map[int]session, n) }

// The keys are there, so no write makes the map grow. Each of these tells the line of its access, and
// is called with no rounds first for that.

//go:noinline
func login(line *int, rounds int) {
	*line = truth.Line(2)
	for i := 0; i < rounds; i++ {
		shared[i%users] = session{user: i}
	}
}

//go:noinline
func visit(line *int, rounds int) {
	*line = truth.Line(2)
	for i := 0; i < rounds; i++ {
		shared[i%users] = session{visits: i}
	}
}

//go:noinline
func look(line *int, rounds int) {
	*line = truth.Line(2)
	for i := 0; i < rounds; i++ {
		total += shared[i%users].visits
	}
}

//go:noinline
func count(line *int, rounds int) {
	*line = truth.Line(2)
	for i := 0; i < rounds; i++ {
		for _, s := range shared {
			total += s.visits
		}
	}
}

func main() {
	seconds := truth.Int("seconds", 20)
	other, name, message := visit, "main.visit", "concurrent map writes"
	if truth.Switch("read") {
		other, name, message = look, "main.look", "concurrent map read and map write"
	}
	if truth.Switch("iterate") {
		other, name, message = count, "main.count", "concurrent map iteration and map write"
	}
	truth.Run(func(p *truth.Phase) {
		runtime.GOMAXPROCS(2)
		shared = hinted(4 * users)
		p.MadeHint()
		w := truth.Watch(shared)
		for i := 0; i < users; i++ {
			shared[i] = session{user: i}
			w.Wrote()
		}
		p.Ended(&w)

		lines := make([]int, 4)
		login(&lines[0], 0)
		other(&lines[1], 0)
		p.NoteString("message", message)
		p.NoteString("map", truth.AddressOf(shared))
		p.NoteString("type", "map[int]main.session")
		p.NoteString("file", truth.File())
		p.NoteString("function", "main.login")
		p.NoteInt("line", lines[0])
		p.NoteString("other_function", name)
		p.NoteInt("other_line", lines[1])
		p.Say()
		go login(&lines[2], forever)
		go other(&lines[3], forever)
		time.Sleep(time.Duration(seconds) * time.Second)
		truth.Fail("the runtime did not notice the concurrent use.")
	})
}
