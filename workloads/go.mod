module mapscope.dev/workloads

go 1.17
