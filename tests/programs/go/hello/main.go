// As small as a program with a map is, for compilers that are not Go's own.
package main

import "fmt"

func main() {
	words := map[string]int{}
	for i := 0; i < 100000; i++ {
		words[fmt.Sprint(i)] = i
	}
	fmt.Println("filled", len(words))
}
