//go:build !unix

// Command bench starts its own PostgreSQL server with package pgserver, which supports
// Unix only. On Windows run it in WSL.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench: Windows is not supported; run it in WSL")
	os.Exit(1)
}
