module mapscope.dev/testdata

go 1.20
