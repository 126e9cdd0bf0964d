package config

import (
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// maxRPCHeaders limits the headers of SorobanRPCHeaders.
const maxRPCHeaders = 20

// rpcHeaders reads headers, each on a line of its own as "Name: value".
func (r *reader) rpcHeaders() http.Header {
	text := r.text(SorobanRPCHeaders, "")
	if text == "" {
		return nil
	}
	headers := http.Header{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, found := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch name = http.CanonicalHeaderKey(strings.TrimSpace(name)); {
		case !found || !httpguts.ValidHeaderFieldName(name) || value == "" || !httpguts.ValidHeaderFieldValue(value):
			r.addError(SorobanRPCHeaders, "has a line that is not a header; give each on a line of its own as Name: value")
			return nil
		case name == "Host" || name == "Content-Type" || name == "Content-Length":
			r.addError(SorobanRPCHeaders, "has the header %s, which the program sets itself; remove it", name)
			return nil
		}
		headers.Set(name, value)
	}
	if len(headers) > maxRPCHeaders {
		r.addError(SorobanRPCHeaders, "has %d headers; give %d at most", len(headers), maxRPCHeaders)
	}
	return headers
}

// minURLSecret is the length from which a part of a URL's path counts as an access key.
const minURLSecret = 16

// Secrets are the values of these settings that no message may have: the seed, the headers'
// values, and what may be an access key in the RPC server's URL.
func (s Soroban) Secrets() (all []string) {
	if s.DeployerSecret != "" {
		all = append(all, s.DeployerSecret.Reveal())
	}
	for _, values := range s.RPCHeaders {
		all = append(all, values...)
	}
	u, err := url.Parse(s.RPCURL)
	if err != nil {
		return all
	}
	if password, ok := u.User.Password(); ok && password != "" {
		all = append(all, password)
	}
	for _, values := range u.Query() {
		for _, value := range values {
			if value != "" {
				all = append(all, value)
			}
		}
	}
	for part := range strings.SplitSeq(u.Path, "/") {
		if len(part) >= minURLSecret {
			all = append(all, part)
		}
	}
	return all
}
