// Package gosource holds what the analyzers ask of syntax and types.
package gosource

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// First group of a Go map, or bucket before Go 1.24: so many entries need no growth, and no hint.
const EntriesWithoutGrowth = 8

// Files returns what people wrote of a package. Tests make maps that are wrong on purpose, and nobody
// waits for them: they are left out unless asked for.
func Files(pass *analysis.Pass, tests bool) []*ast.File {
	var files []*ast.File
	for _, file := range pass.Files {
		name := pass.Fset.Position(file.Pos()).Filename
		if strings.HasSuffix(name, "_test.go") && !tests || ast.IsGenerated(file) {
			continue
		}
		files = append(files, file)
	}
	return files
}

// Creation is a statement's variable or field that gets a new map.
type Creation struct {
	Target   ast.Expr // an *ast.Ident, or fields of one
	Value    ast.Expr // make(map[K]V) or map[K]V{...}
	Type     ast.Expr // as the source writes it
	Hint     ast.Expr // nil: none
	Elements int      // of a literal
	Declares bool
}

// Creations returns the maps that a statement makes: m := make(map[K]V), var m = map[K]V{}, x.m = ....
func Creations(info *types.Info, statement ast.Stmt) []Creation {
	var creations []Creation
	add := func(target, value ast.Expr, declares bool) {
		if creation, ok := creationOf(info, value); ok && IsPath(target) {
			creation.Target, creation.Declares = target, declares
			creations = append(creations, creation)
		}
	}
	switch statement := statement.(type) {
	case *ast.AssignStmt:
		if len(statement.Lhs) != len(statement.Rhs) || statement.Tok != token.ASSIGN && statement.Tok != token.DEFINE {
			return nil
		}
		for i, value := range statement.Rhs {
			add(statement.Lhs[i], value, statement.Tok == token.DEFINE)
		}
	case *ast.DeclStmt:
		declaration, ok := statement.Decl.(*ast.GenDecl)
		if !ok || declaration.Tok != token.VAR {
			return nil
		}
		for _, spec := range declaration.Specs {
			if spec, ok := spec.(*ast.ValueSpec); ok && len(spec.Names) == len(spec.Values) {
				for i, value := range spec.Values {
					add(spec.Names[i], value, true)
				}
			}
		}
	}
	return creations
}

func creationOf(info *types.Info, value ast.Expr) (Creation, bool) {
	if _, isMap := underlying(info, value).(*types.Map); !isMap {
		return Creation{}, false
	}
	switch value := value.(type) {
	case *ast.CallExpr:
		if !IsBuiltin(info, value, "make") || len(value.Args) > 2 {
			return Creation{}, false
		}
		creation := Creation{Value: value, Type: value.Args[0]}
		if len(value.Args) == 2 {
			creation.Hint = value.Args[1]
		}
		return creation, true
	case *ast.CompositeLit:
		return Creation{Value: value, Type: value.Type, Elements: len(value.Elts)}, value.Type != nil
	}
	return Creation{}, false
}

func underlying(info *types.Info, expression ast.Expr) types.Type {
	if t := info.TypeOf(expression); t != nil {
		return t.Underlying()
	}
	return nil
}

// IsBuiltin says whether a call is of that predeclared function, and not of one that took its name.
func IsBuiltin(info *types.Info, call *ast.CallExpr, name string) bool {
	called, ok := ast.Unparen(call.Fun).(*ast.Ident)
	if !ok || called.Name != name {
		return false
	}
	_, ok = info.Uses[called].(*types.Builtin)
	return ok
}

// IsConversion says whether a call only changes the type of its one argument.
func IsConversion(info *types.Info, call *ast.CallExpr) bool {
	return len(call.Args) == 1 && info.Types[call.Fun].IsType()
}

// IsPath says whether an expression names a variable or fields of one, so that asking twice gives the same
// and costs nothing.
func IsPath(expression ast.Expr) bool {
	switch expression := expression.(type) {
	case *ast.Ident:
		return expression.Name != "_"
	case *ast.SelectorExpr:
		return IsPath(expression.X)
	}
	return false
}

// SamePath says whether two paths name the same variable, as far as names can tell.
func SamePath(info *types.Info, a, b ast.Expr) bool {
	switch a := ast.Unparen(a).(type) {
	case *ast.Ident:
		b, ok := ast.Unparen(b).(*ast.Ident)
		return ok && info.ObjectOf(a) != nil && info.ObjectOf(a) == info.ObjectOf(b)
	case *ast.SelectorExpr:
		b, ok := ast.Unparen(b).(*ast.SelectorExpr)
		return ok && info.ObjectOf(a.Sel) == info.ObjectOf(b.Sel) && SamePath(info, a.X, b.X)
	}
	return false
}

// Mentions counts where a path stands in some syntax.
func Mentions(info *types.Info, within ast.Node, path ast.Expr) int {
	count := 0
	ast.Inspect(within, func(node ast.Node) bool {
		if expression, ok := node.(ast.Expr); ok && SamePath(info, expression, path) {
			count++
			return false
		}
		return true
	})
	return count
}

// Uses says whether some syntax names the object.
func Uses(info *types.Info, within ast.Node, object types.Object) bool {
	found := false
	ast.Inspect(within, func(node ast.Node) bool {
		if identifier, ok := node.(*ast.Ident); ok && info.ObjectOf(identifier) == object {
			found = true
		}
		return !found
	})
	return found
}

// Contains says whether some syntax has a node of which the question is true. Functions that stand in it
// are looked at too.
func Contains(within ast.Node, question func(ast.Node) bool) bool {
	found := false
	ast.Inspect(within, func(node ast.Node) bool {
		if node != nil && !found {
			found = question(node)
		}
		return !found
	})
	return found
}

// StatementLists calls visit with each list of statements in a file: bodies, and the cases of switches.
func StatementLists(file *ast.File, visit func([]ast.Stmt)) {
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.BlockStmt:
			visit(node.List)
		case *ast.CaseClause:
			visit(node.Body)
		case *ast.CommClause:
			visit(node.Body)
		}
		return true
	})
}
