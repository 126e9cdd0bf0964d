package stellarnet

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"time"
)

type faultKind int

const (
	dropBefore faultKind = iota
	dropAfter
	fail
	failAfter
	delay
)

// httpFault strikes so many calls of one method.
type httpFault struct {
	method string
	left   int
	kind   faultKind
	status int
	delay  time.Duration
}

// wrap lets faults strike before and after a handler.
func (f *Faults) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, "request body too large", http.StatusRequestEntityTooLarge)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		wait, struck := f.take(methodsOf(r, body))
		if wait > 0 && !pause(r, wait) {
			return
		}
		if struck == nil {
			next.ServeHTTP(w, r)
			return
		}
		struck.strike(w, r, next)
	})
}

func (fault *httpFault) strike(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if fault.kind == dropAfter || fault.kind == failAfter {
		next.ServeHTTP(httptest.NewRecorder(), r)
	}
	if fault.kind == dropBefore || fault.kind == dropAfter {
		panic(http.ErrAbortHandler) // net/http cuts the connection without a word.
	}
	http.Error(w, http.StatusText(fault.status), fault.status)
}

// methodsOf names what a request calls; a batch may name several.
func methodsOf(r *http.Request, body []byte) []string {
	if r.URL.Path == friendbotPath {
		return []string{FriendbotMethod}
	}
	type call struct {
		Method string `json:"method"`
	}
	var one call
	if json.Unmarshal(body, &one) == nil {
		return []string{one.Method}
	}
	var batch []call
	if json.Unmarshal(body, &batch) != nil {
		return nil // The RPC will say what is wrong with it.
	}
	names := make([]string, len(batch))
	for i := range batch {
		names[i] = batch[i].Method
	}
	return names
}

func pause(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
