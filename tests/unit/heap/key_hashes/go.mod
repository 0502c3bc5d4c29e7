module mapscope.dev/key_hashes

go 1.18
