package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestReadSoroban_RPCHeaders(t *testing.T) {
	t.Parallel()
	for text, c := range map[string]struct {
		want string // As fmt prints it.
		err  string
	}{
		"": {"map[]", ""},
		"Authorization: Bearer a:b\nx-api-key: k\n\n": {"map[Authorization:[Bearer a:b] X-Api-Key:[k]]", ""},
		"Authorization":        {"", "is not a header; give each on a line of its own as Name: value"},
		"Bad Name: x":          {"", "is not a header"},
		"X-Empty:":             {"", "is not a header"},
		"Host: other.example":  {"", "has the header Host, which the program sets itself"},
		"X-A: 1\rX-B: 2":       {"", "is not a header"},
		strings.Repeat("x", 9): {"", "is not a header"},
	} {
		values := map[string]string{
			SorobanNetwork: "testnet", SorobanDeployerSecret: "S" + strings.Repeat("A", 55), SorobanRPCHeaders: text,
			SorobanRPCURL: "https://user:pass-word@rpc.example/v1/4f1d0e7b9a3c8d2e4f/rpc?key=q-key",
		}
		s, err := ReadSoroban(func(name string) string { return values[name] })
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "Bearer") {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		if err != nil || fmt.Sprint(s.RPCHeaders) != c.want {
			t.Errorf("%q: %v, %v", text, s.RPCHeaders, err)
		}
		for _, secret := range []string{values[SorobanDeployerSecret], "pass-word", "4f1d0e7b9a3c8d2e4f", "q-key"} {
			if !slices.Contains(s.Secrets(), secret) {
				t.Errorf("%s is no secret", secret)
			}
		}
		if secrets := s.Secrets(); text != "" && (!slices.Contains(secrets, "Bearer a:b") || !slices.Contains(secrets, "k")) || slices.Contains(secrets, "v1") {
			t.Errorf("%q", secrets)
		}
	}
}
