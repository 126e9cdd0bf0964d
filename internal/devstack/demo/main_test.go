//go:build unix

package demo_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/demo"
)

// helperEnv makes the test binary run a demo with the CLI in this variable.
const helperEnv = "DEMO_TEST_HELPER"

func TestMain(m *testing.M) {
	if cli, ok := os.LookupEnv(helperEnv); ok {
		if err := demo.Run(context.Background(), demo.Options{Out: os.Stdout, CLI: cli}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
