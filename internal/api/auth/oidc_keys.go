package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
)

// issuerKeys are the public keys of an issuer. It fetches them again when no known key
// verifies a signature: issuers rotate their keys. It is an oidc.KeySet.
type issuerKeys struct {
	url        string
	client     *http.Client
	algorithms []jose.SignatureAlgorithm
	fetching   singleflight.Group // Concurrent callers share a fetch; each waits until its context ends.

	mu   sync.Mutex
	keys []jose.JSONWebKey
}

// noKeysError means that a signature could not be checked, because the keys were not
// available. The token may be valid.
type noKeysError struct{ cause error }

func (e *noKeysError) Error() string { return "the issuer's keys cannot be read: " + e.cause.Error() }
func (e *noKeysError) Unwrap() error { return e.cause }

var errSignature = errors.New("no key of the issuer made this signature")

// verifyErrorKey is the context key under which VerifySignature stores its error: the
// verifier keeps only the text.
type verifyErrorKey struct{}

// VerifySignature returns the payload of a token that a key of the issuer signed.
func (k *issuerKeys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := k.verify(ctx, token)
	if why, wanted := ctx.Value(verifyErrorKey{}).(*error); wanted {
		*why = err
	}
	return payload, err
}

func (k *issuerKeys) verify(ctx context.Context, token string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(token, k.algorithms)
	if err != nil {
		return nil, err
	}
	payload, named := verifyWith(k.known(), signed)
	if payload != nil {
		return payload, nil
	}
	keys, err := k.fetch(ctx)
	switch {
	case errors.Is(err, errThrottled) && named:
		// The key that the token names is known, and does not verify this signature.
		return nil, errSignature
	case err != nil:
		return nil, &noKeysError{err}
	}
	if payload, _ = verifyWith(keys, signed); payload == nil {
		return nil, errSignature
	}
	return payload, nil
}

// verifyWith returns the payload of a token that one of the keys signed, else nil. named is
// true if the token names one of the keys.
func verifyWith(keys []jose.JSONWebKey, signed *jose.JSONWebSignature) (payload []byte, named bool) {
	wanted := signed.Signatures[0].Header.KeyID // The compact form has one signature.
	for _, key := range keys {
		if wanted != "" && key.KeyID != wanted {
			continue
		}
		named = named || wanted != ""
		if payload, err := signed.Verify(&key); err == nil {
			return payload, true
		}
	}
	return nil, named
}

func (k *issuerKeys) known() []jose.JSONWebKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clip(k.keys)
}

// fetch reads the issuer's keys. Concurrent callers share one request.
func (k *issuerKeys) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	fetched := k.fetching.DoChan("", func() (any, error) {
		keys, err := k.read(context.WithoutCancel(ctx)) // Other callers wait for it, too.
		if err == nil {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.keys = keys
		}
		return nil, err
	})
	select {
	case result := <-fetched:
		return k.known(), result.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (k *issuerKeys) read(ctx context.Context) ([]jose.JSONWebKey, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := k.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the response is %s", answer.Status)
	}
	text, err := io.ReadAll(answer.Body) // The client limits the size.
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, err
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(raw, &key) == nil { // Unknown types of keys must be ignored (RFC 7517, 5).
			keys = append(keys, key)
		}
	}
	return keys, nil
}
