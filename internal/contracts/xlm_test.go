package contracts_test

import (
	"math"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
)

func TestFormatXLM(t *testing.T) {
	t.Parallel()
	for stroops, want := range map[int64]string{
		0: "0 XLM", 1: "0.0000001 XLM", 10_000_000: "1 XLM", 15_000_000: "1.5 XLM", 100_000_000_000: "10000 XLM",
		-15_000_000: "-1.5 XLM", -1: "-0.0000001 XLM", math.MaxInt64: "922337203685.4775807 XLM", math.MinInt64: "-922337203685.4775808 XLM",
	} {
		if got := contracts.FormatXLM(stroops); got != want {
			t.Errorf("%d stroops: %q, want %q", stroops, got, want)
		}
	}
}
