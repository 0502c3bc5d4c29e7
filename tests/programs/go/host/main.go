// Loads a plugin, lets it fill its map, and waits for the end of standard input where it is told to.
//
//	host PLUGIN [wait]
package main

import (
	"fmt"
	"io"
	"os"
	"plugin"
)

func main() {
	loaded, err := plugin.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	fill, err := loaded.Lookup("Fill")
	if err != nil {
		panic(err)
	}
	fmt.Println("filled", fill.(func(int) int)(10000))
	if len(os.Args) > 2 {
		io.ReadAll(os.Stdin)
	}
}
