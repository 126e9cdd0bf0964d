// Command manifests writes deploy/kubernetes from the Helm chart, for those who do not use
// Helm.
package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/healthcare-platform/terraform-provider-healthcare/tools/deploytest/chart"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: manifests DEPLOY")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "manifests:", err)
		os.Exit(1)
	}
}

func write(deploy string) error {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // The loader says that "rules" is a symbolic link.
	values, err := chart.Values(filepath.Join(deploy, "kubernetes/values.yaml"))
	if err != nil {
		return err
	}
	documents, err := chart.Render(filepath.Join(deploy, "helm/tenant-api"), values)
	if err != nil {
		return err
	}
	for name, text := range chart.Manifests(documents) {
		if err := os.WriteFile(filepath.Join(deploy, "kubernetes", name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
