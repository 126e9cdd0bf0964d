package contracts

import (
	"fmt"
	"strings"
)

// StroopsPerXLM is the number of stroops, the unit of the ledger, in one XLM.
const StroopsPerXLM = 10_000_000

// FormatXLM writes an amount of stroops in XLM, exactly and without trailing zeros.
func FormatXLM(stroops int64) string {
	sign, amount := "", uint64(stroops) //nolint:gosec // Two's complement: negated below.
	if stroops < 0 {
		sign, amount = "-", -amount
	}
	s := strings.TrimRight(fmt.Sprintf("%s%d.%07d", sign, amount/StroopsPerXLM, amount%StroopsPerXLM), "0")
	return strings.TrimSuffix(s, ".") + " XLM"
}
