module mapscope.dev/map_types

go 1.18
