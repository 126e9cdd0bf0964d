//go:build !unix

// Command devstack starts what the product needs on a laptop or in a CI job in
// place of the real services.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "devstack: error: this system is not supported; run it in WSL (Windows Subsystem for Linux)")
	os.Exit(1)
}
