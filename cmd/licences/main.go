// Command licences writes the licence texts of the Go modules (go) or of the Rust crates
// (crates) in the programs of a release to standard output. It runs in the project's folder.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/licences"
)

func main() {
	collect := map[string]func(context.Context, string) (string, error){"go": licences.Go, "crates": licences.Crates}
	if len(os.Args) != 2 || collect[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: licences go|crates")
		os.Exit(2)
	}
	text, err := collect[os.Args[1]](context.Background(), ".")
	if err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
	fmt.Print(text)
}
