//go:build unix

package telemetry_test

import (
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }
