package stellarnet

import (
	"context"
	"encoding"
	"encoding/base64"
	"encoding/json"
	"fmt"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet/host"
)

// format is how one answer shows XDR: in base64, or as the JSON that the Rust
// types make of it. It keeps its first error, so that one check at the end does.
type format struct {
	ctx  context.Context
	host host.Host // Nil for base64.
	err  error
}

// formatOf reads xdrFormat.
func (n *Network) formatOf(ctx context.Context, name string) (*format, error) {
	if err := protocol.IsValidFormat(name); err != nil {
		return nil, invalidParams("%s", err)
	}
	if name == protocol.FormatJSON {
		return &format{ctx: ctx, host: n.host}, nil
	}
	return &format{ctx: ctx}, nil
}

// raw shows one value of a type of stellar-xdr; one of the two results is empty.
func (f *format) raw(typeName string, raw []byte) (string, json.RawMessage) {
	if f.host == nil {
		return base64.StdEncoding.EncodeToString(raw), nil
	}
	if f.err != nil {
		return "", nil
	}
	out, err := f.host.XDRToJSON(f.ctx, typeName, raw)
	if err != nil {
		f.err = internalError("could not show a %s as JSON: %s", typeName, err)
		return "", nil
	}
	return "", out
}

func (f *format) value(v encoding.BinaryMarshaler) (string, json.RawMessage) {
	return f.raw(typeName(v), marshal(v))
}

func (f *format) raws(typeName string, items [][]byte) ([]string, []json.RawMessage) {
	if f.host == nil {
		return base64All(items), nil
	}
	out := make([]json.RawMessage, len(items))
	for i := range items {
		_, out[i] = f.raw(typeName, items[i])
	}
	return nil, out
}

func values[T encoding.BinaryMarshaler](f *format, items []T) ([]string, []json.RawMessage) {
	var none T
	raw := make([][]byte, len(items))
	for i := range items {
		raw[i] = marshal(items[i])
	}
	return f.raws(typeName(none), raw)
}

// typeName is what stellar-xdr calls a type; the Go types have the same names.
func typeName(v any) string {
	name := fmt.Sprintf("%T", v)
	return name[len("xdr."):]
}
