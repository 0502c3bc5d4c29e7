// Arguments of the workloads. The flag package keeps its flags in maps, which is what these
// programs must not have beside their own.

package truth

import (
	"os"
	"strconv"
)

var known []string

// arguments are those before --.
func arguments() []string { return os.Args[1 : len(os.Args)-len(Rest())] }

// Rest is what follows --.
func Rest() []string {
	for i, argument := range os.Args {
		if argument == "--" {
			return os.Args[i+1:]
		}
	}
	return nil
}

// Switch says whether -name is among the arguments.
func Switch(name string) bool {
	known = append(known, name)
	for _, argument := range arguments() {
		if argument == "-"+name {
			return true
		}
	}
	return false
}

// Int is the whole number that follows -name, or otherwise.
func Int(name string, otherwise int) int {
	word := Text(name, "")
	if word == "" {
		return otherwise
	}
	value, err := strconv.Atoi(word)
	if err != nil {
		Fail("-" + name + " takes a whole number, not " + strconv.Quote(word) + ".")
	}
	return value
}

// Text is the word that follows -name, or otherwise.
func Text(name, otherwise string) string {
	known = append(known, name)
	words := arguments()
	for i, word := range words {
		if word == "-"+name && i+1 < len(words) {
			return words[i+1]
		}
	}
	return otherwise
}

// A misspelt flag would otherwise run the defaults and look like a success.
func refuseUnknownArguments() {
	for _, argument := range arguments() {
		if argument != "--" && argument[:1] == "-" && !isKnown(argument[1:]) {
			Fail("unknown flag " + argument + ".")
		}
	}
}

func isKnown(name string) bool {
	for _, other := range known {
		if other == name {
			return true
		}
	}
	return false
}
