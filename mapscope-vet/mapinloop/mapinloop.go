// The analyzer: maps that live for one round of a loop.

package mapinloop

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"go/version"

	"golang.org/x/tools/go/analysis"

	"mapscope.dev/mapscope-vet/internal/gosource"
)

// Category is the rule's name in reports.
const Category = "go-map-in-loop"

// Analyzer reports maps that each round of a loop makes, fills and drops.
var Analyzer = &analysis.Analyzer{Name: "mapinloop", Doc: doc, Run: run}

var tests bool

func init() {
	Analyzer.Flags.BoolVar(&tests, "tests", false, "look at _test.go files too")
}

func run(pass *analysis.Pass) (any, error) {
	for _, file := range gosource.Files(pass, tests) {
		if !hasClear(pass, file) {
			continue
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if body := loopBody(pass.TypesInfo, node); body != nil && !waitsOrEnds(pass.TypesInfo, body) {
				examine(pass, body, node.Pos())
			}
			return true
		})
	}
	return nil, nil
}

// hasClear says whether the file is written for a Go version that has the function.
func hasClear(pass *analysis.Pass, file *ast.File) bool {
	of := pass.TypesInfo.FileVersions[file]
	if of == "" {
		of = pass.Pkg.GoVersion()
	}
	return version.IsValid(of) && version.Compare(of, "go1.21") >= 0
}

// loopBody returns the body of a loop that goes over elements or numbers. Others (for {}, over a
// channel, while a condition holds) mostly wait for something, and a new map is nothing beside that.
func loopBody(info *types.Info, node ast.Node) *ast.BlockStmt {
	switch loop := node.(type) {
	case *ast.ForStmt:
		if loop.Init != nil && loop.Cond != nil && loop.Post != nil {
			return loop.Body
		}
	case *ast.RangeStmt:
		t := info.TypeOf(loop.X)
		if t == nil {
			return nil
		}
		switch t.Underlying().(type) {
		case *types.Chan, *types.Signature:
			return nil
		}
		return loop.Body
	}
	return nil
}

func waitsOrEnds(info *types.Info, body *ast.BlockStmt) bool {
	if count := len(body.List); count > 0 {
		switch last := body.List[count-1].(type) {
		case *ast.ReturnStmt:
			return true
		case *ast.BranchStmt:
			return last.Tok != token.CONTINUE
		}
	}
	return gosource.Contains(body, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.SelectStmt, *ast.SendStmt, *ast.GoStmt, *ast.DeferStmt:
			return true
		case *ast.UnaryExpr:
			return node.Op == token.ARROW
		case *ast.RangeStmt:
			t := info.TypeOf(node.X)
			if t == nil {
				return false
			}
			_, isChannel := t.Underlying().(*types.Chan)
			return isChannel
		case *ast.SelectorExpr:
			function, ok := info.Uses[node.Sel].(*types.Func)
			return ok && function.FullName() == "time.Sleep"
		}
		return false
	})
}

// examine looks at the maps that the body itself declares, not at those of blocks in it or behind a
// continue: these may be made in few rounds.
func examine(pass *analysis.Pass, body *ast.BlockStmt, loop token.Pos) {
	for _, statement := range body.List {
		if gosource.Contains(statement, isContinue) {
			return
		}
		for _, creation := range gosource.Creations(pass.TypesInfo, statement) {
			name, ok := creation.Target.(*ast.Ident)
			if !ok || !creation.Declares || pass.TypesInfo.Defs[name] == nil {
				continue
			}
			use := mapUse{info: pass.TypesInfo, object: pass.TypesInfo.Defs[name]}
			use.read(body)
			if use.isKept || !use.isAssigned || !use.isFilledByLoop && !isMadeLarge(pass.TypesInfo, creation) {
				continue
			}
			pass.Report(analysis.Diagnostic{
				Pos: creation.Value.Pos(), End: creation.Value.End(), Category: Category,
				Message: fmt.Sprintf("%s is made and filled anew in each round of the loop at line %d, and nothing keeps it: "+
					"make it before the loop and call clear(%s) here",
					name.Name, pass.Fset.Position(loop).Line, name.Name),
			})
		}
	}
}

func isContinue(node ast.Node) bool {
	branch, ok := node.(*ast.BranchStmt)
	return ok && branch.Tok == token.CONTINUE
}

// isMadeLarge says whether a map needs memory of the heap from its first moment on.
func isMadeLarge(info *types.Info, creation gosource.Creation) bool {
	if creation.Hint == nil {
		return creation.Elements > gosource.EntriesWithoutGrowth
	}
	value := info.Types[creation.Hint].Value
	if value == nil {
		return false // it may be small
	}
	hint, ok := constant.Int64Val(constant.ToInt(value))
	return ok && hint > gosource.EntriesWithoutGrowth
}
