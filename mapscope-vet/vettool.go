// What the go command expects of a vet tool since Go 1.26, whatever release of the library this is built with.

// The type checker of go.mod's Go version knows no generic aliases, and stops at packages that have one.
//go:debug gotypesalias=1

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// redirectOutput sends standard output to the file that the go command names in its *.cfg. Since Go 1.26 it
// reads findings from there, to keep them in its cache; on standard output they are noise to it, and
// nothing is found.
func redirectOutput(arguments []string) error {
	if len(arguments) == 0 || !strings.HasSuffix(arguments[len(arguments)-1], ".cfg") {
		return nil
	}
	text, err := os.ReadFile(arguments[len(arguments)-1])
	if err != nil {
		return nil // unitchecker says so in its own words
	}
	var unit struct{ Stdout string }
	if err := json.Unmarshal(text, &unit); err != nil || unit.Stdout == "" {
		return nil // an older go command
	}
	output, err := os.Create(unit.Stdout)
	if err != nil {
		return fmt.Errorf("the go command's file for findings can't be written: %w", err)
	}
	os.Stdout = output
	return nil
}
