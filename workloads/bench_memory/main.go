// bench_memory makes -rate memory calls a second for -seconds, and grows a map beside them, so that a
// tracer has that many events to bring home.
package main

import (
	"flag"
	"fmt"
	"log"
	"syscall"
	"time"
)

const (
	burst    = time.Millisecond
	pageSize = 4096
)

func main() {
	rate := flag.Int("rate", 100000, "memory calls a second")
	seconds := flag.Float64("seconds", 3, "for how long")
	flag.Parse()

	page, err := syscall.Mmap(-1, 0, pageSize, syscall.PROT_READ, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		log.Fatal("mapping a page: ", err)
	}
	grown := map[int]int{}
	calls := 0
	start := time.Now()
	for elapsed := time.Duration(0); elapsed.Seconds() < *seconds; elapsed = time.Since(start) {
		for due := int(elapsed.Seconds() * float64(*rate)); calls < due; calls++ {
			if err := syscall.Madvise(page, syscall.MADV_NORMAL); err != nil {
				log.Fatal("advising about a page: ", err)
			}
			grown[calls] = calls
		}
		time.Sleep(burst)
	}
	fmt.Printf("bench_memory calls=%d calls_per_second=%.0f\n", calls, float64(calls)/time.Since(start).Seconds())
}
