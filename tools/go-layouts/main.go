// Go-layouts measures where the structures of the Go runtime have their fields.
//
//	go run . -o FILE VERSION...              writes the table for these toolchains
//	go run . -o FILE -keep VERSION...        the same, but measures only those that FILE lacks
//	go run . -table FILE -diff OLD NEW       says what differs between two toolchains
//	go run . -table FILE -check LAYOUTS.json compares the table with offsets measured elsewhere
//
// A version is "1.24.13" or "1.24.13-noswissmap". The program in probe/ is built with each
// toolchain, which the go command fetches, for amd64 and for arm64, and its DWARF is read.
// With -diff, a toolchain that the table lacks is measured.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
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
	keep := flag.Bool("keep", false, "do not measure again what the table to write has")
	table := flag.String("table", "layout_table.inc", "the table to check")
	reference := flag.String("check", "", "compare the table with this JSON file")
	compare := flag.Bool("diff", false, "say what differs between two toolchains")
	flag.Parse()

	var err error
	switch {
	case *reference != "":
		err = check(*table, *reference)
	case *compare:
		err = printDifferences(*table, flag.Args())
	default:
		err = generate(*output, *keep, flag.Args())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "go-layouts:", err)
		os.Exit(1)
	}
}

func generate(output string, keep bool, versions []string) error {
	if len(versions) == 0 {
		return fmt.Errorf("no versions given")
	}
	var known []column
	if keep {
		var err error
		if known, err = readTable(output); err != nil {
			return err
		}
	}
	columns, err := columnsOf(versions, known)
	if err != nil {
		return err
	}
	return os.WriteFile(output, formatTable(columns), 0o644)
}

func printDifferences(tablePath string, versions []string) error {
	if len(versions) != 2 {
		return fmt.Errorf("-diff takes two versions, not %d", len(versions))
	}
	known, err := readTable(tablePath)
	if err != nil {
		return err
	}
	columns, err := columnsOf(versions, known)
	if err != nil {
		return err
	}
	for _, line := range differences(columns[0], columns[1]) {
		fmt.Println(line)
	}
	return nil
}

// columnsOf gives what each toolchain has: of the known ones, else measured.
func columnsOf(versions []string, known []column) ([]column, error) {
	work, err := os.MkdirTemp("", "go-layouts")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)

	var columns []column
	for _, text := range versions {
		tc := parseToolchain(text)
		if at := slices.IndexFunc(known, func(c column) bool { return c.toolchain == tc }); at >= 0 {
			columns = append(columns, known[at])
			continue
		}
		fmt.Fprintln(os.Stderr, "measuring", tc)
		amd64, err := extract(tc, "amd64", work)
		if err != nil {
			return nil, err
		}
		arm64, err := extract(tc, "arm64", work)
		if err != nil {
			return nil, err
		}
		columns = append(columns, column{tc, amd64, arm64})
	}
	return columns, nil
}
