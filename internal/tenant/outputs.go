package tenant

import (
	"fmt"
	"log/slog"
)

// Outputs are values that a tenant's own steps answered, by name. They can be secrets, so that no
// log prints them.
type Outputs map[string]string

// Limits of a tenant's outputs.
const (
	MaxOutputName  = 64       // Characters.
	MaxOutputBytes = 16 << 10 // Of all names and values together.
)

// Size is the length of all names and values, in bytes.
func (o Outputs) Size() (n int) {
	for name, value := range o {
		n += len(name) + len(value)
	}
	return n
}

const redactedOutputs = "(sensitive)"

// String hides the values.
func (Outputs) String() string { return redactedOutputs }

// Format hides the values from every verb.
func (Outputs) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redactedOutputs)) }

// LogValue hides the values.
func (Outputs) LogValue() slog.Value { return slog.StringValue(redactedOutputs) }
