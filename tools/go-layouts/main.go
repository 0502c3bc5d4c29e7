// Go-layouts measures where the structures of the Go runtime have their fields.
//
//	go run . [-o FILE] VERSION...            writes the table for these toolchains
//	go run . -table FILE -check LAYOUTS.json compares the table with offsets measured elsewhere
//
// A version is "1.24.13" or "1.24.13-noswissmap". The program in probe/ is built with each
// toolchain, which the go command fetches, for amd64 and for arm64, and its DWARF is read.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

// toolchain is a Go release and the experiment it builds with ("" or one name).
type toolchain struct{ version, experiment string }

func (t toolchain) String() string {
	if t.experiment == "" {
		return t.version
	}
	return t.version + "-" + t.experiment
}

func parseToolchain(text string) toolchain {
	version, experiment, _ := strings.Cut(text, "-")
	return toolchain{version, experiment}
}

func main() {
	output := flag.String("o", "layout_table.inc", "the table to write")
	table := flag.String("table", "layout_table.inc", "the table to check")
	reference := flag.String("check", "", "compare the table with this JSON file")
	flag.Parse()

	var err error
	if *reference != "" {
		err = check(*table, *reference)
	} else {
		err = generate(*output, flag.Args())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "go-layouts:", err)
		os.Exit(1)
	}
}

func generate(output string, versions []string) error {
	if len(versions) == 0 {
		return fmt.Errorf("no versions given")
	}
	work, err := os.MkdirTemp("", "go-layouts")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)

	var columns []column
	for _, text := range versions {
		tc := parseToolchain(text)
		fmt.Fprintln(os.Stderr, "measuring", tc)
		amd64, err := extract(tc, "amd64", work)
		if err != nil {
			return err
		}
		arm64, err := extract(tc, "arm64", work)
		if err != nil {
			return err
		}
		columns = append(columns, column{tc, amd64, arm64})
	}
	return os.WriteFile(output, formatTable(columns), 0o644)
}
