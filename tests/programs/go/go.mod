module mapscope.dev/programs

go 1.17
