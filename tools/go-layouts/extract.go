// Offsets and sizes of runtime structures, read from the DWARF of a built program.
package main

import (
	"debug/dwarf"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// layout is "runtime.g" -> size and field offsets; nested structures are dotted, arrays of
// structures are "name[i].field".
type layout map[string]structLayout

type structLayout struct {
	Size   int64            `json:"size"`
	Fields map[string]int64 `json:"fields"`
}

// Elements of an array of structures whose fields are listed one by one.
const arrayElementsMax = 8

// extract builds the probe program with one toolchain and reads its layout.
func extract(tc toolchain, arch, work string) (layout, error) {
	binary := filepath.Join(work, tc.String()+"-"+arch)
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = "probe"
	build.Env = append(os.Environ(), "GOTOOLCHAIN=go"+tc.version, "GOEXPERIMENT="+tc.experiment,
		"GOARCH="+arch, "GOOS=linux", "CGO_ENABLED=0", "GOENV=off", "GOFLAGS=", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the probe with %s for %s: %w\n%s", tc, arch, err, out)
	}
	defer os.Remove(binary)
	return readLayout(binary)
}

func readLayout(path string) (layout, error) {
	file, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := file.DWARF()
	if err != nil {
		return nil, fmt.Errorf("reading the DWARF of %s: %w", path, err)
	}
	found := layout{}
	reader := data.Reader()
	for {
		entry, err := reader.Next()
		if err != nil {
			return nil, err
		}
		if entry == nil {
			return found, nil
		}
		name, _ := entry.Val(dwarf.AttrName).(string)
		switch entry.Tag {
		case dwarf.TagStructType:
			err = found.add(data, name, entry.Offset)
		case dwarf.TagVariable:
			// Up to Go 1.18 these two structures have no name but that of their only variable.
			if offset, ok := entry.Val(dwarf.AttrType).(dwarf.Offset); ok && anonymous[name] != "" {
				err = found.add(data, anonymous[name], offset)
			}
		}
		if err != nil {
			return nil, err
		}
		if entry.Tag != dwarf.TagCompileUnit {
			reader.SkipChildren()
		}
	}
}

func (l layout) add(data *dwarf.Data, name string, offset dwarf.Offset) error {
	if _, known := l[name]; known || !wanted[name] {
		return nil
	}
	typ, err := data.Type(offset)
	if err != nil {
		return fmt.Errorf("type %s: %w", name, err)
	}
	if structure, ok := underlying(typ).(*dwarf.StructType); ok {
		fields := map[string]int64{}
		addFields(fields, "", structure, 0, nestingMax(name))
		l[name] = structLayout{structure.ByteSize, fields}
	}
	return nil
}

func addFields(fields map[string]int64, prefix string, structure *dwarf.StructType, base int64, nesting int) {
	for _, field := range structure.Field {
		name, offset := prefix+field.Name, base+field.ByteOffset
		if field.Name == "_" {
			continue
		}
		fields[name] = offset
		switch typ := underlying(field.Type).(type) {
		case *dwarf.StructType:
			if nesting > 0 && nested(typ) {
				addFields(fields, name+".", typ, offset, nesting-1)
			}
		case *dwarf.ArrayType:
			element, ok := underlying(typ.Type).(*dwarf.StructType)
			if !ok || nesting == 0 || !nested(element) {
				continue
			}
			for i := int64(0); i < typ.Count && i < arrayElementsMax; i++ {
				addFields(fields, fmt.Sprintf("%s[%d].", name, i), element, offset+i*element.ByteSize, nesting-1)
			}
		}
	}
}

// nested says whether the fields of a structure inside another one are listed too. Slices,
// strings, interfaces, locks and the atomic wrapper types are leaves.
func nested(structure *dwarf.StructType) bool {
	name := structure.StructName
	return !strings.HasPrefix(name, "[]") && !leaves[name] &&
		!strings.HasPrefix(name, "runtime/internal/atomic.") &&
		!strings.HasPrefix(name, "internal/runtime/atomic.") &&
		!strings.HasPrefix(name, "internal/runtime/sys.")
}

func underlying(typ dwarf.Type) dwarf.Type {
	for {
		typedef, ok := typ.(*dwarf.TypedefType)
		if !ok {
			return typ
		}
		typ = typedef.Type
	}
}
