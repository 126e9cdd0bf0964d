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

// xdrFormat is the format of XDR in one response: base64, or the JSON of the Rust types.
// It keeps its first error, so that one check at the end is enough.
type xdrFormat struct {
	ctx  context.Context
	host host.Host // Nil for base64.
	err  error
}

// newXDRFormat parses xdrFormat.
func (n *Network) newXDRFormat(ctx context.Context, name string) (*xdrFormat, error) {
	if err := protocol.IsValidFormat(name); err != nil {
		return nil, invalidParams("%s", err)
	}
	if name == protocol.FormatJSON {
		return &xdrFormat{ctx: ctx, host: n.host}, nil
	}
	return &xdrFormat{ctx: ctx}, nil
}

// encodeRaw encodes one value of a stellar-xdr type; one of the two results is empty.
func (f *xdrFormat) encodeRaw(typeName string, raw []byte) (string, json.RawMessage) {
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

func (f *xdrFormat) encodeValue(v encoding.BinaryMarshaler) (string, json.RawMessage) {
	return f.encodeRaw(typeName(v), marshal(v))
}

func (f *xdrFormat) encodeRawList(typeName string, items [][]byte) ([]string, []json.RawMessage) {
	if f.host == nil {
		return encodeBase64List(items), nil
	}
	out := make([]json.RawMessage, len(items))
	for i := range items {
		_, out[i] = f.encodeRaw(typeName, items[i])
	}
	return nil, out
}

func encodeValues[T encoding.BinaryMarshaler](f *xdrFormat, items []T) ([]string, []json.RawMessage) {
	var zero T
	raw := make([][]byte, len(items))
	for i := range items {
		raw[i] = marshal(items[i])
	}
	return f.encodeRawList(typeName(zero), raw)
}

// typeName is the stellar-xdr name of a type; the Go types have the same names.
func typeName(v any) string {
	name := fmt.Sprintf("%T", v)
	return name[len("xdr."):]
}
