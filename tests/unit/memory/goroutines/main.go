// goroutines starts some that wait, one that runs and one in a system call, tells the goids of all,
// and stays so until its input ends.
//
//	goroutines COUNT
package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

var done = make(chan bool)

//go:noinline
func park(deep int) bool {
	if deep > 0 {
		return park(deep-1) && !park(0)
	}
	return <-done
}

var turns int

//go:noinline
func spin() {
	for {
		turns++
		if turns == 0 {
			fmt.Println()
		}
	}
}

func goid() string {
	text := make([]byte, 64)
	return strings.Fields(string(text[:runtime.Stack(text, false)]))[1]
}

func main() {
	count, _ := strconv.Atoi(os.Args[1])
	goids := make(chan string)
	for i := 0; i < count; i++ {
		depth := i % 50
		go func() {
			goids <- "parked " + goid()
			park(depth)
		}()
	}
	go func() {
		goids <- "running " + goid()
		spin()
	}()
	var report bytes.Buffer
	fmt.Fprintln(&report, "main", goid())
	for i := 0; i < count+1; i++ {
		fmt.Fprintln(&report, <-goids)
	}
	fmt.Fprintln(&report, "end 0")
	os.Stdout.Write(report.Bytes())
	os.Stdin.Read(make([]byte, 1)) // a goroutine in a system call
	os.Exit(0)
}
