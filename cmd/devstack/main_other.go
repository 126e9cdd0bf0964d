//go:build !unix

// Command devstack starts local replacements for the services that the product needs.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "devstack: error: this system is not supported; run it in WSL (Windows Subsystem for Linux)")
	os.Exit(1)
}
