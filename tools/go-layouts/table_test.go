// The committed table, taken apart and put together again.
package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
)

const committed = "../../userspace/binary/layout_table.inc"

func committedColumns(t *testing.T) ([]byte, []column) {
	t.Helper()
	data, err := os.ReadFile(committed)
	if err != nil {
		t.Fatal(err)
	}
	columns, err := readTable(committed)
	if err != nil {
		t.Fatal(err)
	}
	return data, columns
}

func TestATableThatIsReadIsWrittenByteForByte(t *testing.T) {
	data, columns := committedColumns(t)
	if !bytes.Equal(data, formatTable(columns)) {
		t.Error("the table that was read is written differently")
	}
}

// A release that is taken out and added again, each of them: nothing of it may stay, or be lost.
func TestAReleaseGoesAndComesByteForByte(t *testing.T) {
	data, columns := committedColumns(t)
	for i, gone := range columns {
		shorter := formatTable(slices.Delete(slices.Clone(columns), i, i+1))
		if first, _, _ := strings.Cut(string(shorter), "\ninternal"); strings.Contains(first+" ", " "+gone.toolchain.String()+" ") {
			t.Errorf("%s is still in the table", gone.toolchain)
		}
		path := t.TempDir() + "/table"
		if err := os.WriteFile(path, shorter, 0o600); err != nil {
			t.Fatal(err)
		}
		others, err := readTable(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(others) != len(columns)-1 {
			t.Errorf("without %s, %d of %d toolchains are left", gone.toolchain, len(others), len(columns))
		}
		if again := formatTable(slices.Insert(others, i, gone)); !bytes.Equal(data, again) {
			t.Errorf("with %s added again, the table is another", gone.toolchain)
		}
	}
}

func TestDifferencesAreSaidOnce(t *testing.T) {
	of := func(goid, arenas int64) layout {
		return layout{"runtime.g": {400, map[string]int64{"goid": goid}}, "runtime.mheap": {1000, map[string]int64{"arenas": arenas}}}
	}
	before := column{toolchain{"1.1.0", ""}, of(152, 64), of(152, 128)}
	after := column{toolchain{"1.2.0", ""}, of(160, 64), of(160, 136)}
	delete(after.amd64["runtime.g"].Fields, "goid")
	want := []string{"runtime.g.goid 152 -> -", "runtime.g.goid 152 -> 160 (arm64)", "runtime.mheap.arenas 128 -> 136 (arm64)"}
	if got := differences(before, after); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
