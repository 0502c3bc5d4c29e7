// Package truth is how a workload says what it knows happened to its maps, so that a test can
// compare what a tracer saw with it, call for call.
//
// Nothing here estimates. A program reports a creation because the source form it used is known
// to call the runtime (compiler, walk/builtin.go), and a growth because it read its own map's
// header (see classic.go and swiss.go). The package imports little and makes no map, so that a
// run with -idle, which does everything but the phase, makes the very maps that the runtime and
// the standard library make on their own: a test subtracts it.
package truth

import (
	"os"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

// Counts is what happened to maps, in calls of the runtime's functions.
type Counts struct {
	Created     int // makemap_small, makemap or maps.NewMap, and clones
	CreatedHint int // of these: with a hint that the compiler could not prove to be 8 or less
	Cloned      int // of these: by maps.Clone
	Grown       int // hashGrow (same size included); growToTable and table.grow
	Split       int // table.split
	Cleared     int // mapclear: clear(m), and the range loop that deletes every key
}

// Add adds what another goroutine counted.
func (c *Counts) Add(other Counts) {
	c.Created += other.Created
	c.CreatedHint += other.CreatedHint
	c.Cloned += other.Cloned
	c.Grown += other.Grown
	c.Split += other.Split
	c.Cleared += other.Cleared
}

// Made counts one creation without a hint, or with one that is a constant of 8 or less.
func (c *Counts) Made() { c.Created++ }

// MadeHint counts one creation with any other hint.
func (c *Counts) MadeHint() {
	c.Created++
	c.CreatedHint++
}

// Ended adds what a watched map did.
func (c *Counts) Ended(m *Map) {
	grown, split := m.growths()
	c.Grown += grown
	c.Split += split
}

// Phase is the part of a program that a test compares.
type Phase struct {
	Counts
	FileCalls int // system calls on files that the program made itself: at least these are outside
	unknown   bool
	notes     []byte
	sites     []*Site
}

// Unknown says that this program cannot know its counts under this Go version: they are null.
func (p *Phase) Unknown() { p.unknown = true }

// NoteString and NoteInt add a key of the program's own to the truth.
func (p *Phase) NoteString(key, value string) {
	p.notes = append(p.notes, ',')
	p.notes = strconv.AppendQuote(p.notes, key)
	p.notes = append(p.notes, ':')
	p.notes = strconv.AppendQuote(p.notes, value)
}

func (p *Phase) NoteInt(key string, value int) {
	p.notes = append(p.notes, ',')
	p.notes = strconv.AppendQuote(p.notes, key)
	p.notes = append(p.notes, ':')
	p.notes = strconv.AppendInt(p.notes, int64(value), 10)
}

// Run runs the phase and then prints the truth, one JSON object on one line, to standard output.
//
//	-idle        leave the phase out
//	-wait        print "ready" first and wait for a byte on standard input
//	-truth FILE  print the truth there instead
func Run(phase func(p *Phase)) {
	idle, wait, file := Switch("idle"), Switch("wait"), Text("truth", "")
	refuseUnknownArguments()
	if wait {
		write(1, []byte("ready\n"))
		waitForByte()
	}
	p := new(Phase)
	if !idle {
		phase(p)
	}
	p.print(file)
}

// Meet says where a map is and waits for a byte on standard input, so that a tracer can be told of this
// map before anything more happens to it.
func (p *Phase) Meet(m interface{}) {
	write(1, []byte("map "+AddressOf(m)+"\n"))
	waitForByte()
}

// AddressOf is where the header of a map on the heap is, in hexadecimal.
func AddressOf(m interface{}) string {
	return "0x" + strconv.FormatUint(uint64(uintptr(unsafe.Pointer(headerOf(m)))), 16)
}

// Say prints the truth before the end, for a program that will not live to see it.
func (p *Phase) Say() { p.print("") }

func (p *Phase) print(file string) {
	fd := 1
	if file != "" {
		opened, err := syscall.Open(file, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_TRUNC, 0o644)
		if err != nil {
			Fail("opening " + file + " for the truth: " + err.Error())
		}
		fd = opened
	}
	write(fd, p.json())
}

func (p *Phase) json() []byte {
	line := []byte(`{"pid":`)
	line = strconv.AppendInt(line, int64(os.Getpid()), 10)
	line = append(line, `,"go_version":`...)
	line = strconv.AppendQuote(line, runtime.Version())
	for _, field := range []struct {
		key   string
		value int
	}{
		{"created", p.Created}, {"created_hint", p.CreatedHint}, {"cloned", p.Cloned},
		{"grown", p.Grown}, {"split", p.Split}, {"cleared", p.Cleared},
	} {
		line = append(line, `,"`+field.key+`":`...)
		if p.unknown {
			line = append(line, "null"...)
		} else {
			line = strconv.AppendInt(line, int64(field.value), 10)
		}
	}
	line = append(line, `,"file_calls_outside_min":`...)
	line = strconv.AppendInt(line, int64(p.FileCalls), 10)
	line = append(line, p.notes...)
	line = p.appendSites(line)
	return append(line, "}\n"...)
}

// Fail ends the program with a sentence.
func Fail(sentence string) {
	write(2, []byte(os.Args[0]+": "+sentence+"\n"))
	os.Exit(1)
}

func write(fd int, bytes []byte) {
	for len(bytes) > 0 {
		n, err := syscall.Write(fd, bytes)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			os.Exit(1) // nobody is left to tell
		}
		bytes = bytes[n:]
	}
}

func waitForByte() {
	for {
		_, err := syscall.Read(0, make([]byte, 1))
		if err != syscall.EINTR {
			return
		}
	}
}
