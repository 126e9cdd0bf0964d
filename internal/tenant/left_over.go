package tenant

import "strings"

// leftOver begins the part of a provisioning error that names what own steps left at their
// receivers.
const leftOver = ". Left over: "

// LeftOver is what a provisioning error goes on with when the undo of an own step failed.
func LeftOver(step, failure string) string {
	return leftOver + "the step " + step + ", whose undo failed: " + failure
}

// CutLeftOver returns what a provisioning error says is left over; empty if nothing is.
func CutLeftOver(provisioningError string) string {
	_, left, _ := strings.Cut(provisioningError, leftOver)
	return left
}
