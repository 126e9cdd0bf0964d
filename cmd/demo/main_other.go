//go:build !unix

// Command demo shows a tenant's life cycle end to end on this machine.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "demo: this system is not supported; run it in WSL (Windows Subsystem for Linux)")
	os.Exit(1)
}
