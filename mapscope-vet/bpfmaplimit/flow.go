// Where a literal goes: whether its limit is the one that the kernel will see.

package bpfmaplimit

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
)

// What may happen to a value before the kernel sees it.
type fate int

const (
	loaded    fate = iota // the library gets it as it is
	inPackage             // this package may change it
	unknown               // others may
)

type literalFlow struct {
	pass    *analysis.Pass
	parents map[ast.Node]ast.Node

	setsLimits             bool // the package assigns to MaxEntries somewhere, or lets others do it
	namesTypesWithoutLimit bool // it has maps for which 0 is right
}

func newLiteralFlow(pass *analysis.Pass) *literalFlow {
	flow := &literalFlow{pass: pass, parents: make(map[ast.Node]ast.Node)}
	for _, file := range pass.Files {
		var stack []ast.Node
		ast.Inspect(file, func(node ast.Node) bool {
			if node == nil {
				stack = stack[:len(stack)-1]
				return true
			}
			if len(stack) > 0 {
				flow.parents[node] = stack[len(stack)-1]
			}
			stack = append(stack, node)
			switch node := node.(type) {
			case *ast.SelectorExpr:
				flow.setsLimits = flow.setsLimits || isLimit(pass.TypesInfo, node) && flow.isChanged(node)
			case *ast.CallExpr:
				flow.setsLimits = flow.setsLimits || flow.givesAway(node)
			}
			return true
		})
	}
	for _, imported := range pass.Pkg.Imports() {
		flow.namesTypesWithoutLimit = flow.namesTypesWithoutLimit || isPath(imported, ciliumPath+"/perf")
	}
	for _, name := range []string{"PerfEventArray", "CPUMap", "CGroupStorage", "PerCPUCGroupStorage", "SkStorage", "InodeStorage",
		"TaskStorage", "CgroupStorage"} {
		flow.namesTypesWithoutLimit = flow.namesTypesWithoutLimit || usesName(pass, ciliumPath, name)
	}
	return flow
}

// givesAway says whether a call hands a description of maps to code that is not of this package, nor of the
// library.
func (f *literalFlow) givesAway(call *ast.CallExpr) bool {
	if function := f.called(call); function != nil && (function.Pkg() == f.pass.Pkg || isPath(function.Pkg(), ciliumPath)) {
		return false
	}
	for _, argument := range call.Args {
		t := f.pass.TypesInfo.TypeOf(argument)
		if isNamed(t, ciliumPath, "MapSpec") || isNamed(t, ciliumPath, "CollectionSpec") {
			return !isBuiltinOrType(f.pass.TypesInfo, call)
		}
	}
	return false
}

// called returns the function or method of a call; nil: it is a value, or no function.
func (f *literalFlow) called(call *ast.CallExpr) *types.Func {
	var name *ast.Ident
	switch function := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		name = function
	case *ast.SelectorExpr:
		name = function.Sel
	default:
		return nil
	}
	function, _ := f.pass.TypesInfo.Uses[name].(*types.Func)
	return function
}

func isBuiltinOrType(info *types.Info, call *ast.CallExpr) bool {
	function := info.Types[call.Fun]
	return function.IsBuiltin() || function.IsType()
}

// isChanged says whether a field is assigned to, or its address taken.
func (f *literalFlow) isChanged(field ast.Expr) bool {
	switch parent := f.parents[field].(type) {
	case *ast.AssignStmt:
		for _, target := range parent.Lhs {
			if target == field {
				return true
			}
		}
	case *ast.IncDecStmt:
		return true
	case *ast.UnaryExpr:
		return parent.Op == token.AND
	}
	return false
}

// isFinal says whether the numbers of a literal are the ones that the kernel will see.
func (f *literalFlow) isFinal(literal *ast.CompositeLit) bool {
	switch f.fateOf(literal) {
	case loaded:
		return true
	case inPackage:
		return !f.setsLimits
	}
	return false
}

// fateOf follows a value to where it is used: as argument, in a variable, in another literal.
func (f *literalFlow) fateOf(value ast.Expr) fate {
	switch parent := f.parents[value].(type) {
	case *ast.ParenExpr:
		return f.fateOf(parent)
	case *ast.UnaryExpr:
		return f.fateOf(parent)
	case *ast.CallExpr:
		return f.fateOfArgument(parent, value)
	case *ast.KeyValueExpr:
		if literal, ok := f.parents[parent].(*ast.CompositeLit); ok && parent.Value == value {
			return f.fateOfElement(literal)
		}
	case *ast.CompositeLit:
		return f.fateOfElement(parent)
	case *ast.ReturnStmt:
		return f.fateOfResult(parent)
	case *ast.AssignStmt:
		for i, from := range parent.Rhs {
			if from == value && len(parent.Lhs) == len(parent.Rhs) {
				return f.fateOfTarget(parent.Lhs[i])
			}
		}
	case *ast.ValueSpec:
		for i, from := range parent.Values {
			if from == value && len(parent.Names) == len(parent.Values) {
				return f.fateOfTarget(parent.Names[i])
			}
		}
	}
	return unknown
}

// fateOfElement takes the library's own types and what they are made of; what others make of a literal is
// theirs.
func (f *literalFlow) fateOfElement(literal *ast.CompositeLit) fate {
	t := f.pass.TypesInfo.TypeOf(literal)
	if isNamed(t, ciliumPath, "MapSpec") || isNamed(t, ciliumPath, "CollectionSpec") {
		return f.fateOf(literal)
	}
	var element types.Type
	switch t := t.Underlying().(type) {
	case *types.Map:
		element = t.Elem()
	case *types.Slice:
		element = t.Elem()
	default:
		return unknown
	}
	if isNamed(element, ciliumPath, "MapSpec") {
		return f.fateOf(literal)
	}
	return unknown
}

func (f *literalFlow) fateOfArgument(call *ast.CallExpr, value ast.Expr) fate {
	function := f.called(call)
	if function == nil || call.Fun == value {
		return unknown
	}
	if isPath(function.Pkg(), ciliumPath) {
		switch function.Name() {
		case "NewMap", "NewMapWithOptions", "NewCollection", "NewCollectionWithOptions":
			return loaded
		}
		return unknown
	}
	if function.Pkg() == f.pass.Pkg {
		return inPackage
	}
	return unknown
}

// fateOfResult: others than this package get what exported functions return.
func (f *literalFlow) fateOfResult(statement ast.Node) fate {
	for node := f.parents[statement]; node != nil; node = f.parents[node] {
		switch node := node.(type) {
		case *ast.FuncLit:
			return unknown
		case *ast.FuncDecl:
			if node.Name.IsExported() {
				return unknown
			}
			return inPackage
		}
	}
	return unknown
}

// fateOfTarget looks at all uses of the variable that holds the value, and takes the worst.
func (f *literalFlow) fateOfTarget(target ast.Expr) fate {
	name, ok := target.(*ast.Ident)
	if !ok {
		return unknown
	}
	if name.Name == "_" {
		return unknown // nobody loads it
	}
	variable := f.pass.TypesInfo.ObjectOf(name)
	if variable == nil {
		return unknown
	}
	worst := loaded
	if variable.Parent() == f.pass.Pkg.Scope() {
		if variable.Exported() {
			return unknown
		}
		worst = inPackage
	}
	isUsed := false
	for use, object := range f.pass.TypesInfo.Uses {
		if object != variable || use == name {
			continue
		}
		isUsed = true
		if of := f.fateOfUse(use); of > worst {
			worst = of
		}
	}
	if !isUsed {
		return unknown
	}
	return worst
}

func (f *literalFlow) fateOfUse(use *ast.Ident) fate {
	switch parent := f.parents[use].(type) {
	case *ast.SelectorExpr:
		return f.fateOfSelection(parent)
	case *ast.AssignStmt, *ast.ValueSpec:
		return unknown // another value, or another name for it
	case *ast.BinaryExpr:
		return loaded // compared
	case *ast.CallExpr:
		return f.fateOfArgument(parent, use)
	case *ast.UnaryExpr, *ast.KeyValueExpr, *ast.CompositeLit, *ast.ReturnStmt, *ast.ParenExpr:
		return f.fateOf(use)
	}
	return unknown
}

// fateOfSelection: a field may be read, and written where it is not the limit; a method may do anything.
func (f *literalFlow) fateOfSelection(selector *ast.SelectorExpr) fate {
	selection := f.pass.TypesInfo.Selections[selector]
	if selection == nil || selection.Kind() != types.FieldVal {
		return unknown
	}
	if isLimit(f.pass.TypesInfo, selector) && f.isChanged(selector) {
		return unknown
	}
	if selector.Sel.Name == "Maps" || selector.Sel.Name == "InnerMap" {
		return inPackage
	}
	return loaded
}
