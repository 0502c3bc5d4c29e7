module mapscope/tools/go-layouts

go 1.26
