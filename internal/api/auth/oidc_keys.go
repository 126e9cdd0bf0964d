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

// issuerKeys are the public keys of an issuer. It fetches them when a token has a
// signature that those it has do not explain: issuers change their keys. It is an
// oidc.KeySet.
type issuerKeys struct {
	url        string
	client     *http.Client
	algorithms []jose.SignatureAlgorithm
	fetching   singleflight.Group // Callers share a fetch, each as long as its context lasts.

	mu   sync.Mutex
	keys []jose.JSONWebKey
}

// noKeysError is why a signature could not be checked: the keys were not to be had.
// It says nothing about the token.
type noKeysError struct{ cause error }

func (e *noKeysError) Error() string { return "the issuer's keys cannot be read: " + e.cause.Error() }
func (e *noKeysError) Unwrap() error { return e.cause }

var errSignature = errors.New("no key of the issuer made this signature")

// verifyErrorKey is where VerifySignature leaves its error: the verifier keeps the text of it only.
type verifyErrorKey struct{}

// VerifySignature returns what a token says if a key of the issuer signed it.
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
		// The key that the token names was there, and did not make this signature.
		return nil, errSignature
	case err != nil:
		return nil, &noKeysError{err}
	}
	if payload, _ = verifyWith(keys, signed); payload == nil {
		return nil, errSignature
	}
	return payload, nil
}

// verifyWith returns the payload of a token that one of the keys signed, nil if none
// did. named says that the token names one of the keys.
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

// fetch gets the issuer's keys, together with everybody who needs them now.
func (k *issuerKeys) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	fetched := k.fetching.DoChan("", func() (any, error) {
		keys, err := k.read(context.WithoutCancel(ctx)) // Others wait for it, too.
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
		return nil, fmt.Errorf("the answer is %s", answer.Status)
	}
	text, err := io.ReadAll(answer.Body) // The client bounds it.
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
		if json.Unmarshal(raw, &key) == nil { // Kinds of keys that are not known are to be ignored (RFC 7517, 5).
			keys = append(keys, key)
		}
	}
	return keys, nil
}
