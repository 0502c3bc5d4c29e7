// What differs between toolchains, and between the table and what was measured elsewhere.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
)

func (l layout) flatten() map[string]int64 {
	flat := map[string]int64{}
	for name, structure := range l {
		flat[name] = structure.Size
		for field, offset := range structure.Fields {
			flat[name+"."+field] = offset
		}
	}
	return flat
}

// differences has a line for each size or offset that two toolchains do not share: "runtime.g.goid
// 152 -> 160", with "-" where one lacks it. What differs in the same way on arm64 is said once.
func differences(before, after column) []string {
	lines := changedValues(before.amd64.flatten(), after.amd64.flatten())
	for _, line := range changedValues(before.arm64.flatten(), after.arm64.flatten()) {
		if !slices.Contains(lines, line) {
			lines = append(lines, line+" (arm64)")
		}
	}
	return lines
}

func changedValues(before, after map[string]int64) []string {
	both := maps.Clone(before)
	maps.Copy(both, after)
	text := func(of map[string]int64, name string) string {
		if value, ok := of[name]; ok {
			return fmt.Sprint(value)
		}
		return "-"
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(both)) {
		if was, is := text(before, name), text(after, name); was != is {
			lines = append(lines, fmt.Sprintf("%s %s -> %s", name, was, is))
		}
	}
	return lines
}

// check compares the amd64 part of a table with {version: {structure: {size, fields}}}.
func check(tablePath, referencePath string) error {
	data, err := os.ReadFile(referencePath)
	if err != nil {
		return err
	}
	var reference map[string]layout
	if err := json.Unmarshal(data, &reference); err != nil {
		return fmt.Errorf("%s: %w", referencePath, err)
	}
	columns, err := readTable(tablePath)
	if err != nil {
		return err
	}
	compared, differences := 0, 0
	for _, version := range slices.Sorted(maps.Keys(reference)) {
		at := slices.IndexFunc(columns, func(c column) bool { return c.toolchain.String() == version })
		if at < 0 {
			fmt.Printf("%s is not in the table\n", version)
			differences++
			continue
		}
		table, flat := columns[at].amd64.flatten(), reference[version].flatten()
		for _, name := range slices.Sorted(maps.Keys(flat)) {
			compared++
			if got, ok := table[name]; !ok || got != flat[name] {
				fmt.Printf("%s %s: table %v (present: %v), reference %d\n", version, name, got, ok, flat[name])
				differences++
			}
		}
	}
	fmt.Printf("%d values compared, %d differences\n", compared, differences)
	if compared == 0 || differences > 0 {
		return errors.New("the table does not agree with the reference")
	}
	return nil
}
