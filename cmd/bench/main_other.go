//go:build !unix

// Command bench needs a PostgreSQL server of its own, which package pgserver
// starts on Unix alone; on Windows run it in WSL.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench: it runs on Unix alone; on Windows use WSL")
	os.Exit(1)
}
