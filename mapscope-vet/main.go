// Mapscope-vet finds maps in Go sources that will bloat, the kernel's and Go's own, before they run.
//
// It is a tool for the go command, and starts that by itself where it is given packages:
//
//	go vet -vettool=$(which mapscope-vet) ./...
//	mapscope-vet ./...
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/tools/go/analysis/unitchecker"

	"mapscope.dev/mapscope-vet/bpfmaplimit"
	"mapscope.dev/mapscope-vet/mapinloop"
	"mapscope.dev/mapscope-vet/mapsizehint"
)

func main() {
	if packages := os.Args[1:]; namesPackages(packages) {
		os.Exit(runGoVet(packages))
	}
	if err := redirectOutput(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "mapscope-vet: %v\n", err)
		os.Exit(2)
	}
	unitchecker.Main(bpfmaplimit.Analyzer, mapsizehint.Analyzer, mapinloop.Analyzer)
}

// namesPackages says whether the arguments are a user's. The go command's end with one *.cfg file, or ask
// for the flags or the version.
func namesPackages(arguments []string) bool {
	if len(arguments) == 0 || arguments[0] == "help" {
		return false
	}
	for _, argument := range arguments {
		switch strings.TrimLeft(argument, "-") {
		case "flags", "V=full", "h", "help":
			return false
		}
	}
	return !strings.HasSuffix(arguments[len(arguments)-1], ".cfg")
}

// runGoVet lets the go command load the packages: it knows modules, build tags and what is cached.
func runGoVet(arguments []string) int {
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintf(os.Stderr, "mapscope-vet: the path of this program is not known: %v\n", err)
		return 2
	}
	command := exec.Command("go", append([]string{"vet", "-vettool=" + self}, arguments...)...)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = command.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "mapscope-vet: go vet did not start: %v. Is the go command in PATH?\n", err)
		return 2
	}
	return 0
}
