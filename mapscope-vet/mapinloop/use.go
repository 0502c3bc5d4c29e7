// What a piece of source does with a map.

package mapinloop

import (
	"go/ast"
	"go/types"

	"mapscope.dev/mapscope-vet/internal/gosource"
)

type mapUse struct {
	info   *types.Info
	object types.Object

	isKept         bool // something may have it after the round
	isAssigned     bool
	isFilledByLoop bool
}

// read looks at the body of the loop that declares the map.
func (u *mapUse) read(body *ast.BlockStmt) {
	var stack []ast.Node
	ast.Inspect(body, func(node ast.Node) bool {
		if node == nil {
			stack = stack[:len(stack)-1]
			return true
		}
		if name, ok := node.(*ast.Ident); ok && u.info.Uses[name] == u.object {
			u.readUse(name, stack)
		}
		stack = append(stack, node)
		return true
	})
}

// readUse takes one place where the map is named; above are the nodes that it stands in.
func (u *mapUse) readUse(name *ast.Ident, above []ast.Node) {
	for _, node := range above {
		if _, ok := node.(*ast.FuncLit); ok {
			u.isKept = true
			return
		}
	}
	switch parent := above[len(above)-1].(type) {
	case *ast.IndexExpr:
		if parent.X != name {
			u.isKept = true // a key of another map
			return
		}
		if isTarget(parent, above[:len(above)-1]) {
			u.isAssigned = true
			u.isFilledByLoop = u.isFilledByLoop || standsInLoop(above)
		}
	case *ast.CallExpr:
		isRead := false
		for _, function := range []string{"len", "delete", "clear"} {
			isRead = isRead || gosource.IsBuiltin(u.info, parent, function) && parent.Args[0] == name
		}
		u.isKept = u.isKept || !isRead
	case *ast.RangeStmt:
		u.isKept = u.isKept || parent.X != name
	case *ast.BinaryExpr: // a comparison with nil is all that the language has; a map that is made is not nil
	default:
		u.isKept = true
	}
}

// isTarget says whether an entry is assigned to, where it stands in the given nodes.
func isTarget(entry ast.Expr, above []ast.Node) bool {
	switch parent := above[len(above)-1].(type) {
	case *ast.AssignStmt:
		for _, target := range parent.Lhs {
			if target == entry {
				return true
			}
		}
	case *ast.IncDecStmt:
		return parent.X == entry
	}
	return false
}

func standsInLoop(above []ast.Node) bool {
	for _, node := range above {
		switch node.(type) {
		case *ast.ForStmt, *ast.RangeStmt:
			return true
		}
	}
	return false
}
