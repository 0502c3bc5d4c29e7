// Whether each round of a loop adds an entry: how often it assigns, and whether its keys differ.

package mapsizehint

import (
	"go/ast"
	"go/token"
	"go/types"

	"mapscope.dev/mapscope-vet/internal/gosource"
)

// What is known of an expression from round to round.
type variation int

const (
	same      variation = iota // or not known
	ofElement                  // differs as far as the elements of a slice do
	differs
)

// fills says whether the body assigns to the map once in each round, under another key.
func (l *loop) fills(creation gosource.Creation) bool {
	if l.mayLeave() || gosource.Mentions(l.info, l.body, creation.Target) != 1 {
		return false
	}
	for _, statement := range l.body.List {
		assignment, ok := statement.(*ast.AssignStmt)
		if !ok || assignment.Tok != token.ASSIGN || len(assignment.Lhs) != 1 || len(assignment.Rhs) != 1 {
			continue
		}
		entry, ok := assignment.Lhs[0].(*ast.IndexExpr)
		if !ok || !gosource.SamePath(l.info, entry.X, creation.Target) || l.hasFewValues(entry.Index) {
			continue
		}
		kind := l.variation(entry.Index)
		l.keysDiffer = kind == differs
		// A set of some field of the elements, or a table of one field by another, is a way to group
		// them; an index of the elements themselves has one entry for each.
		return kind == differs || kind == ofElement && (l.isElement(entry.Index) || l.isElement(assignment.Rhs[0]))
	}
	return false
}

// mayLeave says whether a round may be the last one, or end before its end.
func (l *loop) mayLeave() bool {
	return gosource.Contains(l.body, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.BranchStmt, *ast.ReturnStmt, *ast.FuncLit:
			return true
		case *ast.CallExpr:
			return gosource.IsBuiltin(l.info, node, "panic")
		}
		return false
	})
}

func (l *loop) variation(expression ast.Expr) variation {
	switch expression := expression.(type) {
	case *ast.ParenExpr:
		return l.variation(expression.X)
	case *ast.Ident:
		return l.variationOfName(expression)
	case *ast.SelectorExpr:
		if l.variation(expression.X) != same && l.info.Selections[expression] != nil {
			return ofElement // a field, or a method's value, of something that differs
		}
	case *ast.IndexExpr:
		return l.variationOfIndex(expression)
	case *ast.CallExpr:
		return l.variationOfCall(expression)
	case *ast.BinaryExpr:
		return l.variationOfSum(expression)
	}
	return same
}

func (l *loop) variationOfName(name *ast.Ident) variation {
	object := l.info.ObjectOf(name)
	switch {
	case object == nil:
		return same
	case object == l.position:
		return differs
	case object == l.element:
		return ofElement
	}
	// key := element.Name; table[key] = ...
	for _, statement := range l.body.List {
		assignment, ok := statement.(*ast.AssignStmt)
		if !ok || assignment.Tok != token.DEFINE || len(assignment.Lhs) != len(assignment.Rhs) {
			continue
		}
		for i, target := range assignment.Lhs {
			if variable(l.info, target) == object && !l.isAssignedAgain(object) {
				return l.variation(assignment.Rhs[i])
			}
		}
	}
	return same
}

func (l *loop) isAssignedAgain(object types.Object) bool {
	isIt := func(expression ast.Expr) bool {
		identifier, ok := expression.(*ast.Ident)
		return ok && l.info.Uses[identifier] == object
	}
	return gosource.Contains(l.body, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.AssignStmt:
			for _, target := range node.Lhs {
				if isIt(target) {
					return true
				}
			}
		case *ast.IncDecStmt:
			return isIt(node.X)
		case *ast.UnaryExpr:
			return node.Op == token.AND && isIt(node.X)
		}
		return false
	})
}

// variationOfIndex takes elements[i] of the loop's own slice, and a part of an element: pair[0].
func (l *loop) variationOfIndex(expression *ast.IndexExpr) variation {
	if l.isLength && l.isPosition(expression.Index) && gosource.SamePath(l.info, expression.X, l.counted) {
		if _, isMap := l.info.TypeOf(expression.X).Underlying().(*types.Map); !isMap {
			return ofElement
		}
		return same
	}
	if _, isConstant := constantOf(l.info, expression.Index); isConstant && l.variation(expression.X) != same {
		return ofElement
	}
	return same
}

// variationOfCall takes conversions, and strconv.Itoa(i) as the usual way to a string.
func (l *loop) variationOfCall(call *ast.CallExpr) variation {
	if len(call.Args) != 1 {
		return same
	}
	if gosource.IsConversion(l.info, call) {
		if l.hasFewValues(call) {
			return same
		}
		return l.variation(call.Args[0])
	}
	if selector, ok := call.Fun.(*ast.SelectorExpr); ok {
		if function, ok := l.info.Uses[selector.Sel].(*types.Func); ok && function.FullName() == "strconv.Itoa" {
			return l.variation(call.Args[0])
		}
	}
	return same
}

// variationOfSum takes what does not lose the difference: i + 1, i * 2, "name" + key.
func (l *loop) variationOfSum(expression *ast.BinaryExpr) variation {
	left, right := l.variation(expression.X), l.variation(expression.Y)
	leftConstant, rightConstant := l.info.Types[expression.X].Value != nil, l.info.Types[expression.Y].Value != nil
	if !leftConstant && !rightConstant {
		return same
	}
	switch expression.Op {
	case token.ADD:
	case token.SUB, token.MUL:
		if factor, ok := constantOf(l.info, expression.Y); ok && factor == 0 {
			return same
		}
	default:
		return same
	}
	if left > right {
		return left
	}
	return right
}

// isElement says whether an expression is the element itself or its address, whole: v, &v, list[i].
func (l *loop) isElement(expression ast.Expr) bool {
	switch expression := expression.(type) {
	case *ast.ParenExpr:
		return l.isElement(expression.X)
	case *ast.UnaryExpr:
		return expression.Op == token.AND && l.isElement(expression.X)
	case *ast.StarExpr:
		return l.isElement(expression.X)
	case *ast.CallExpr:
		return gosource.IsConversion(l.info, expression) && l.isElement(expression.Args[0])
	case *ast.Ident:
		return l.element != nil && l.info.ObjectOf(expression) == l.element
	case *ast.IndexExpr:
		return l.isPosition(expression.Index) && l.variationOfIndex(expression) != same
	}
	return false
}

// hasFewValues says whether an expression's type has so few values that rounds must share them: bool,
// bytes, and enumerations, which are named types with constants.
func (l *loop) hasFewValues(expression ast.Expr) bool {
	t := l.info.TypeOf(expression)
	basic, ok := t.Underlying().(*types.Basic)
	if !ok {
		return types.IsInterface(t)
	}
	switch basic.Kind() {
	case types.Bool, types.Int8, types.Uint8:
		return true
	}
	named, ok := t.(*types.Named)
	if !ok || named.Obj().Pkg() == nil {
		return false
	}
	scope, constants := named.Obj().Pkg().Scope(), 0
	for _, name := range scope.Names() {
		if value, ok := scope.Lookup(name).(*types.Const); ok && types.Identical(value.Type(), t) {
			constants++
		}
	}
	return constants >= 2
}
