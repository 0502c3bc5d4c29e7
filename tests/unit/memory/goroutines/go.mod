module mapscope.dev/goroutines

go 1.17
