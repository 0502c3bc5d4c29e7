// The analyzer: literals of MapSpec, and calls and assignments that take a limit away.

package bpfmaplimit

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"

	"mapscope.dev/mapscope-vet/internal/gosource"
)

// The rules' names in reports.
const (
	NoLimit   = "go-bpf-no-limit"
	Huge      = "go-bpf-huge"
	WrongSize = "go-bpf-wrong-size"
)

const (
	ciliumPath   = "github.com/cilium/ebpf"
	libbpfgoPath = "github.com/aquasecurity/libbpfgo"
)

// Analyzer reports BPF maps that are declared without a limit, or with one that can't be meant.
var Analyzer = &analysis.Analyzer{Name: "bpfmaplimit", Doc: doc, Run: run}

var (
	tests    bool
	maxBytes int64 = 1 << 30
	cpus     int64 = 128
)

func init() {
	Analyzer.Flags.BoolVar(&tests, "tests", false, "look at _test.go files too")
	Analyzer.Flags.Int64Var(&maxBytes, "max-bytes", maxBytes, "report maps whose keys and values take more bytes")
	Analyzer.Flags.Int64Var(&cpus, "cpus", cpus, "number of CPUs to take for per-CPU types")
}

func run(pass *analysis.Pass) (any, error) {
	if !imports(pass.Pkg, ciliumPath) && !imports(pass.Pkg, libbpfgoPath) {
		return nil, nil
	}
	literals := newLiteralFlow(pass)
	for _, file := range gosource.Files(pass, tests) {
		ast.Inspect(file, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.CompositeLit:
				if isNamed(pass.TypesInfo.TypeOf(node), ciliumPath, "MapSpec") {
					examineLiteral(pass, node, literals)
				}
			case *ast.AssignStmt:
				examineAssignment(pass, node, literals)
			case *ast.CallExpr:
				examineCall(pass, node)
			}
			return true
		})
	}
	return nil, nil
}

func imports(of *types.Package, path string) bool {
	for _, imported := range of.Imports() {
		if isPath(imported, path) {
			return true
		}
	}
	return false
}

// isPath knows vendored copies of GOPATH builds as well.
func isPath(of *types.Package, path string) bool {
	return of != nil && (of.Path() == path || strings.HasSuffix(of.Path(), "/vendor/"+path))
}

// isNamed says whether a type is the named one of a package, or a pointer to it.
func isNamed(t types.Type, path, name string) bool {
	if pointer, ok := t.(*types.Pointer); ok {
		t = pointer.Elem()
	}
	named, ok := t.(*types.Named)
	return ok && named.Obj().Name() == name && isPath(named.Obj().Pkg(), path)
}

// specOf reads a literal. It is not known where fields are not named, or not constants where it matters.
func specOf(info *types.Info, literal *ast.CompositeLit) (spec mapSpec, known bool) {
	spec = mapSpec{mapType: -1, keyBytes: -1, valueBytes: -1}
	for _, element := range literal.Elts {
		field, ok := element.(*ast.KeyValueExpr)
		if !ok {
			return spec, false
		}
		name, ok := field.Key.(*ast.Ident)
		if !ok {
			return spec, false
		}
		number := int64(-1)
		if value := info.Types[field.Value].Value; value != nil && value.Kind() == constant.Int {
			number, _ = constant.Int64Val(value)
		}
		switch name.Name {
		case "Type":
			spec.mapType = number
		case "KeySize":
			spec.keyBytes = number
		case "ValueSize":
			spec.valueBytes = number
		case "MaxEntries":
			spec.entries = number
		case "Flags":
			spec.flags = number
		}
	}
	return spec, spec.mapType > 0 && spec.entries >= 0
}

func examineLiteral(pass *analysis.Pass, literal *ast.CompositeLit, literals *literalFlow) {
	spec, known := specOf(pass.TypesInfo, literal)
	if !known {
		return
	}
	category, message := judge(spec, typeText(literal))
	if category == "" || !literals.isFinal(literal) {
		return
	}
	pass.Report(analysis.Diagnostic{Pos: literal.Pos(), End: literal.End(), Category: category, Message: message})
}

// typeText is the map's type as the source names it.
func typeText(literal *ast.CompositeLit) string {
	for _, element := range literal.Elts {
		if field, ok := element.(*ast.KeyValueExpr); ok && types.ExprString(field.Key) == "Type" {
			return types.ExprString(field.Value)
		}
	}
	return ""
}

func judge(spec mapSpec, name string) (category, message string) {
	switch bytes := spec.declaredBytes(cpus); {
	case spec.entries == 0 && needsLimit[spec.mapType]:
		return NoLimit, fmt.Sprintf("this map of type %s has no MaxEntries, and the kernel refuses it: say how many entries it may have", name)
	case spec.entries > 0 && hasNoLimit[spec.mapType]:
		return WrongSize, fmt.Sprintf("MaxEntries is %d, and the kernel refuses a limit for %s: leave it out", spec.entries, name)
	case isRing(spec.mapType) && (spec.entries < pageBytesMin || spec.entries&(spec.entries-1) != 0):
		return WrongSize, fmt.Sprintf("MaxEntries of %s is its size in bytes, and %d is no power of two of at least a page: "+
			"the kernel refuses it", name, spec.entries)
	case bytes > float64(maxBytes):
		onCPUs := ""
		if spec.isPerCPU() {
			onCPUs = fmt.Sprintf(" on %d CPUs", cpus)
		}
		return Huge, fmt.Sprintf("this map of type %s takes at least %.1f GiB when it is created%s, used or not: "+
			"declare what is needed", name, bytes/(1<<30), onCPUs)
	}
	return "", ""
}

// examineAssignment takes collection.Maps["flows"].MaxEntries = 0.
func examineAssignment(pass *analysis.Pass, assignment *ast.AssignStmt, literals *literalFlow) {
	if assignment.Tok != token.ASSIGN || len(assignment.Lhs) != len(assignment.Rhs) || literals.namesTypesWithoutLimit {
		return
	}
	for i, target := range assignment.Lhs {
		field, ok := target.(*ast.SelectorExpr)
		if !ok || !isLimit(pass.TypesInfo, field) || !isZero(pass.TypesInfo, assignment.Rhs[i]) {
			continue
		}
		entry, ok := field.X.(*ast.IndexExpr)
		if !ok {
			continue // a variable, which may hold any type
		}
		pass.Report(analysis.Diagnostic{
			Pos: assignment.Pos(), End: assignment.End(), Category: NoLimit,
			Message: fmt.Sprintf("%s loses its limit, and the kernel refuses maps without one", types.ExprString(entry)),
		})
	}
}

// isLimit says whether a selector is the field MaxEntries of a MapSpec.
func isLimit(info *types.Info, field *ast.SelectorExpr) bool {
	return field.Sel.Name == "MaxEntries" && isNamed(info.TypeOf(field.X), ciliumPath, "MapSpec")
}

func isZero(info *types.Info, expression ast.Expr) bool {
	value := info.Types[expression].Value
	return value != nil && value.Kind() == constant.Int && constant.Sign(value) == 0
}

// examineCall takes SetMaxEntries(0) of libbpfgo. Only a perf event array may be meant, for which libbpf
// puts the number of CPUs; a package that has one makes perf buffers.
func examineCall(pass *analysis.Pass, call *ast.CallExpr) {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) != 1 || method.Sel.Name != "SetMaxEntries" && method.Sel.Name != "Resize" {
		return
	}
	selection := pass.TypesInfo.Selections[method]
	if selection == nil || !isNamed(selection.Recv(), libbpfgoPath, "BPFMap") || !isZero(pass.TypesInfo, call.Args[0]) ||
		usesName(pass, libbpfgoPath, "InitPerfBuf") {
		return
	}
	pass.Report(analysis.Diagnostic{
		Pos: call.Pos(), End: call.End(), Category: NoLimit,
		Message: fmt.Sprintf("%s(0) takes the limit away, and the kernel refuses maps without one", types.ExprString(method)),
	})
}

// usesName says whether the package uses a function, method or constant of another.
func usesName(pass *analysis.Pass, path, name string) bool {
	for _, object := range pass.TypesInfo.Uses {
		if object.Name() == name && isPath(object.Pkg(), path) {
			return true
		}
	}
	return false
}
