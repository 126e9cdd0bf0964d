//go:build unix

package testenv

import (
	"strconv"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
)

// FreePort is a TCP port of 127.0.0.1 for a program that must be told one. See pgserver.FreePort.
func FreePort(t testing.TB) string {
	t.Helper()
	port, err := pgserver.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(port)
}
