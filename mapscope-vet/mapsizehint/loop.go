// A loop whose number of rounds is known when it starts.

package mapsizehint

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"

	"mapscope.dev/mapscope-vet/internal/gosource"
)

type loop struct {
	info      *types.Info
	statement ast.Stmt
	body      *ast.BlockStmt
	counted   ast.Expr     // what has the length, or is the number of rounds
	isLength  bool         // counted has a length
	rounds    int64        // -1: not a constant
	position  types.Object // differs in each round: an index, a key of a map, a counter
	element   types.Object // of a slice or an array: may be the same in two rounds

	keysDiffer bool // set by fills
}

func loopOf(info *types.Info, statement ast.Stmt) (loop, bool) {
	switch statement := statement.(type) {
	case *ast.RangeStmt:
		return rangeLoop(info, statement)
	case *ast.ForStmt:
		return countingLoop(info, statement)
	}
	return loop{}, false
}

func rangeLoop(info *types.Info, statement *ast.RangeStmt) (loop, bool) {
	result := loop{info: info, statement: statement, body: statement.Body, counted: statement.X, rounds: -1}
	if statement.Tok != token.DEFINE {
		return loop{}, false
	}
	result.position = variable(info, statement.Key)
	result.element = variable(info, statement.Value)

	t := info.TypeOf(statement.X)
	if t == nil {
		return loop{}, false
	}
	t = t.Underlying()
	if pointer, ok := t.(*types.Pointer); ok {
		t = pointer.Elem().Underlying()
		if _, ok := t.(*types.Array); !ok {
			return loop{}, false
		}
	}
	switch t := t.(type) {
	case *types.Slice, *types.Map:
		result.isLength = true
	case *types.Array:
		result.isLength, result.rounds = true, t.Len()
	case *types.Basic:
		if t.Info()&types.IsInteger == 0 {
			return loop{}, false // characters of a string are fewer than its bytes, and the same ones come again
		}
		if value, ok := constantOf(info, statement.X); ok {
			result.rounds = value
			return result, true
		}
	default:
		return loop{}, false
	}
	return result, gosource.IsPath(statement.X)
}

// countingLoop takes for i := 0; i < n; i++, where n is a constant or len(x).
func countingLoop(info *types.Info, statement *ast.ForStmt) (loop, bool) {
	result := loop{info: info, statement: statement, body: statement.Body, rounds: -1}
	start, ok := statement.Init.(*ast.AssignStmt)
	if !ok || start.Tok != token.DEFINE || len(start.Lhs) != 1 || len(start.Rhs) != 1 {
		return loop{}, false
	}
	result.position = variable(info, start.Lhs[0])
	first, firstKnown := constantOf(info, start.Rhs[0])
	condition, isBinary := statement.Cond.(*ast.BinaryExpr)
	step, isStep := statement.Post.(*ast.IncDecStmt)
	if result.position == nil || !firstKnown || !isBinary || !isStep || step.Tok != token.INC ||
		!result.isPosition(step.X) || !result.isPosition(condition.X) || result.changesPosition() {
		return loop{}, false
	}
	if last, ok := constantOf(info, condition.Y); ok {
		switch condition.Op {
		case token.LSS:
		case token.LEQ:
			last++
		default:
			return loop{}, false
		}
		result.rounds = last - first
		if first == 0 && condition.Op == token.LSS {
			result.counted = condition.Y
		}
		return result, last > first
	}
	length, ok := condition.Y.(*ast.CallExpr)
	if !ok || first != 0 || condition.Op != token.LSS || !gosource.IsBuiltin(info, length, "len") || !gosource.IsPath(length.Args[0]) {
		return loop{}, false
	}
	result.counted, result.isLength = length.Args[0], true
	return result, true
}

func variable(info *types.Info, expression ast.Expr) types.Object {
	if identifier, ok := expression.(*ast.Ident); ok && identifier.Name != "_" {
		return info.Defs[identifier]
	}
	return nil
}

func constantOf(info *types.Info, expression ast.Expr) (int64, bool) {
	value := info.Types[expression].Value
	if value == nil {
		return 0, false
	}
	return constant.Int64Val(constant.ToInt(value))
}

func (l *loop) isPosition(expression ast.Expr) bool {
	identifier, ok := expression.(*ast.Ident)
	return ok && l.info.ObjectOf(identifier) == l.position
}

// changesPosition says whether the body does more with the counter than read it.
func (l *loop) changesPosition() bool {
	return gosource.Contains(l.body, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.AssignStmt:
			for _, target := range node.Lhs {
				if l.isPosition(target) {
					return true
				}
			}
		case *ast.IncDecStmt:
			return l.isPosition(node.X)
		case *ast.UnaryExpr:
			return node.Op == token.AND && l.isPosition(node.X)
		}
		return false
	})
}

// size returns what to give to make, as source; nothing where it is not known at that place, or so small
// that it does not matter.
func (l *loop) size(info *types.Info, creation gosource.Creation, between []ast.Stmt) (string, bool) {
	if l.rounds >= 0 && l.rounds <= gosource.EntriesWithoutGrowth {
		return "", false
	}
	if l.counted == nil {
		return fmt.Sprint(l.rounds), true
	}
	known := gosource.Mentions(info, l.counted, creation.Target) == 0
	ast.Inspect(l.counted, func(node ast.Node) bool {
		identifier, ok := node.(*ast.Ident)
		if !ok || !known {
			return known
		}
		object := info.ObjectOf(identifier)
		if object == nil {
			known = false
			return false
		}
		isField := false
		if field, ok := object.(*types.Var); ok {
			isField = field.IsField()
		}
		isLocal := object.Parent() != nil && object.Pkg() != nil && object.Parent() != object.Pkg().Scope() && !isField
		if isLocal && object.Pos() > creation.Value.Pos() {
			known = false // declared behind the map
		}
		for _, statement := range between {
			if gosource.Uses(info, statement, object) && !isField {
				known = false // it may have got another value there
			}
		}
		return known
	})
	if l.isLength {
		return fmt.Sprintf("len(%s)", types.ExprString(l.counted)), known
	}
	return types.ExprString(l.counted), known
}
