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
	failBefore
	failAfter
	delay
)

// rpcFault affects a number of calls of one method.
type rpcFault struct {
	method    string
	remaining int
	kind      faultKind
	status    int
	delay     time.Duration
}

// middleware injects faults before and after a handler.
func (f *Faults) middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, "request body too large", http.StatusRequestEntityTooLarge)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		wait, matched := f.consume(methodsOf(r, body))
		if wait > 0 && !sleepOrDone(r, wait) {
			return
		}
		if matched == nil {
			next.ServeHTTP(w, r)
			return
		}
		matched.inject(w, r, next)
	})
}

func (f *rpcFault) inject(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if f.kind == dropAfter || f.kind == failAfter {
		next.ServeHTTP(httptest.NewRecorder(), r)
	}
	if f.kind == dropBefore || f.kind == dropAfter {
		panic(http.ErrAbortHandler) // net/http closes the connection without a response.
	}
	http.Error(w, http.StatusText(f.status), f.status)
}

// methodsOf returns the methods that a request calls; a batch may have several.
func methodsOf(r *http.Request, body []byte) []string {
	if r.URL.Path == friendbotPath {
		return []string{FriendbotMethod}
	}
	type call struct {
		Method string `json:"method"`
	}
	var single call
	if json.Unmarshal(body, &single) == nil {
		return []string{single.Method}
	}
	var batch []call
	if json.Unmarshal(body, &batch) != nil {
		return nil // The RPC will report the error.
	}
	names := make([]string, len(batch))
	for i := range batch {
		names[i] = batch[i].Method
	}
	return names
}

func sleepOrDone(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
