package stream

import (
	"context"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/limits"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// failingWriter is a connection on which every write fails.
type failingWriter struct{ http.ResponseWriter }

func (failingWriter) Header() http.Header       { return http.Header{} }
func (failingWriter) WriteHeader(int)           {}
func (failingWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestProvisionStream_Run(t *testing.T) {
	t.Parallel()
	t.Run("StopsRunWhenClientIsGone", func(t *testing.T) {
		t.Parallel()
		ended := make(chan result, 1)
		stop := sync.OnceFunc(func() { ended <- result{} })
		w := Run{KeepAlive: time.Millisecond, Revoked: func() error { return nil }, Out: &Writer{response: limits.NewResponseWriter(failingWriter{}, &http.Request{}, time.Second)}, stop: stop}
		w.forward(t.Context(), make(eventBuffer), ended) // Returns once the run was stopped.
	})
}

func TestObserve(t *testing.T) {
	t.Parallel()
	t.Run("NoOpWithoutStream", func(t *testing.T) {
		t.Parallel()
		Observe(t.Context(), provisioning.Event{})
	})
	t.Run("DropsEventsWhenBufferIsFull", func(t *testing.T) {
		t.Parallel()
		ctx := context.WithValue(t.Context(), eventBufferKey{}, make(eventBuffer, eventBufferSize))
		for range eventBufferSize + 100 {
			Observe(ctx, provisioning.Event{})
		}
	})
}
