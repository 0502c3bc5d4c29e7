// Package measure times the rounds of a benchmark workload in its own CPU time.
package measure

import (
	"bufio"
	"fmt"
	"os"
	"syscall"
	"time"
)

// Rounds runs a round count times and prints a line for each: wall time, the CPU time of the whole
// process, and that CPU time for each of the operations a round makes. With wait it first prints its
// pid and reads a line from standard input, so that a tracer can be attached.
func Rounds(name string, count, operations int, wait bool, round func()) {
	if wait {
		fmt.Printf("pid=%d\n", os.Getpid())
		bufio.NewReader(os.Stdin).ReadString('\n')
	}
	for i := 0; i < count; i++ {
		cpu, wall := cpuTime(), time.Now()
		round()
		elapsed, used := time.Since(wall), cpuTime()-cpu
		fmt.Printf("%s operations=%d wall_ms=%.2f cpu_ms=%.2f cpu_ns_per_operation=%.1f\n",
			name, operations, elapsed.Seconds()*1e3, used.Seconds()*1e3, used.Seconds()*1e9/float64(operations))
	}
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
