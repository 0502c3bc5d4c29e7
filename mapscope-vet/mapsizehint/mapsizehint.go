// The analyzer: pairs of a map and the loop behind it.

package mapsizehint

import (
	"fmt"
	"go/ast"
	"go/printer"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"

	"mapscope.dev/mapscope-vet/internal/gosource"
)

// Category is the rule's name in reports.
const Category = "go-map-no-hint"

// Analyzer reports maps that a loop of known length fills, and that were made without that length.
var Analyzer = &analysis.Analyzer{Name: "mapsizehint", Doc: doc, Run: run}

var tests bool

func init() {
	Analyzer.Flags.BoolVar(&tests, "tests", false, "look at _test.go files too")
}

func run(pass *analysis.Pass) (any, error) {
	for _, file := range gosource.Files(pass, tests) {
		gosource.StatementLists(file, func(statements []ast.Stmt) {
			for i, statement := range statements {
				for _, creation := range gosource.Creations(pass.TypesInfo, statement) {
					if creation.Hint == nil && creation.Elements == 0 {
						examine(pass, creation, statements[i+1:])
					}
				}
			}
		})
	}
	return nil, nil
}

// examine looks for the loop that fills a map, among the statements that follow it.
func examine(pass *analysis.Pass, creation gosource.Creation, following []ast.Stmt) {
	for i, statement := range following {
		loop, ok := loopOf(pass.TypesInfo, statement)
		if ok {
			if size, ok := loop.size(pass.TypesInfo, creation, following[:i]); ok && loop.fills(creation) {
				report(pass, creation, loop, size)
			}
			return
		}
		if !isHarmless(pass.TypesInfo, statement) || gosource.Mentions(pass.TypesInfo, statement, creation.Target) > 0 {
			return
		}
	}
}

// isHarmless says whether a statement only gives values to variables, so that what stands before it could
// as well stand behind it.
func isHarmless(info *types.Info, statement ast.Stmt) bool {
	switch statement := statement.(type) {
	case *ast.AssignStmt:
		for _, target := range statement.Lhs {
			if _, isIdentifier := target.(*ast.Ident); !isIdentifier {
				return false
			}
		}
	case *ast.DeclStmt:
	default:
		return false
	}
	return !gosource.Contains(statement, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.FuncLit:
			return true
		case *ast.UnaryExpr:
			return node.Op == token.ARROW || node.Op == token.AND
		case *ast.CallExpr:
			for _, name := range []string{"make", "new", "len", "cap"} {
				if gosource.IsBuiltin(info, node, name) {
					return false
				}
			}
			return !gosource.IsConversion(info, node)
		}
		return false
	})
}

// source prints the whole of an expression, where types.ExprString may shorten it.
func source(fset *token.FileSet, expression ast.Expr) string {
	var text strings.Builder
	if err := printer.Fprint(&text, fset, expression); err != nil {
		return types.ExprString(expression)
	}
	return text.String()
}

func report(pass *analysis.Pass, creation gosource.Creation, loop loop, size string) {
	better := fmt.Sprintf("make(%s, %s)", source(pass.Fset, creation.Type), size)
	upTo := ""
	if !loop.keysDiffer {
		upTo = "up to "
	}
	pass.Report(analysis.Diagnostic{
		Pos: creation.Value.Pos(), End: creation.Value.End(), Category: Category,
		Message: fmt.Sprintf("%s gets %s%s entries in the loop at line %d, and grows on the way: make it with %s",
			types.ExprString(creation.Target), upTo, size, pass.Fset.Position(loop.statement.Pos()).Line, better),
		SuggestedFixes: []analysis.SuggestedFix{{
			Message: "Write " + better + ".",
			TextEdits: []analysis.TextEdit{{
				Pos: creation.Value.Pos(), End: creation.Value.End(), NewText: []byte(better),
			}},
		}},
	})
}
