package testenv

import (
	"cmp"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is a span that a collector got.
type Span struct {
	TraceID, ID, Parent string // Hexadecimal.
	Name                string
	Service             string
	Attributes          map[string]string
	Links               []string // Trace ids.
	Failed              string   // The text of its error; empty: it has not failed.
	Began, Ended        uint64   // Unix time in nanoseconds.
}

// TraceCollector is a collector of OpenTelemetry that speaks OTLP over HTTP.
type TraceCollector struct {
	URL string // For OTEL_EXPORTER_OTLP_ENDPOINT.

	mu      sync.Mutex
	spans   []Span
	headers http.Header // Of the last export.
}

// Traces starts a collector that runs until the test ends.
func Traces(t *testing.T) *TraceCollector {
	t.Helper()
	c := &TraceCollector{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := c.take(r); err != nil {
			t.Errorf("export of traces: %v", err)
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

func (c *TraceCollector) take(r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	var export collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &export); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.headers = r.Header.Clone()
	for _, of := range export.GetResourceSpans() {
		service := textOf(of.GetResource().GetAttributes())["service.name"]
		for _, scope := range of.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				c.spans = append(c.spans, spanOf(s, service))
			}
		}
	}
	return nil
}

func spanOf(s *traces.Span, service string) Span {
	span := Span{
		TraceID: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()), Parent: hex.EncodeToString(s.GetParentSpanId()),
		Name: s.GetName(), Service: service, Attributes: textOf(s.GetAttributes()), Began: s.GetStartTimeUnixNano(), Ended: s.GetEndTimeUnixNano(),
	}
	for _, link := range s.GetLinks() {
		span.Links = append(span.Links, hex.EncodeToString(link.GetTraceId()))
	}
	if status := s.GetStatus(); status.GetCode() == traces.Status_STATUS_CODE_ERROR {
		span.Failed = status.GetMessage()
	}
	return span
}

func textOf(attributes []*common.KeyValue) map[string]string {
	texts := map[string]string{}
	for _, a := range attributes {
		text := a.GetValue().GetStringValue()
		if text == "" {
			text = a.GetValue().String()
		}
		texts[a.GetKey()] = text
	}
	return texts
}

// Spans returns all spans so far, in the order in which they began.
func (c *TraceCollector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	spans := slices.Clone(c.spans)
	slices.SortStableFunc(spans, func(a, b Span) int { return cmp.Compare(a.Began, b.Began) })
	return spans
}

// Header returns a header of the last export.
func (c *TraceCollector) Header(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.headers.Get(name)
}

// Tree shows the spans of a trace, each on a line, indented below its parent.
func (c *TraceCollector) Tree(traceID string) string {
	var (
		b     strings.Builder
		spans = c.Spans()
		show  func(parent string, depth int)
	)
	known := map[string]bool{}
	for _, s := range spans {
		known[s.ID] = true
	}
	show = func(parent string, depth int) {
		for _, s := range spans {
			if s.TraceID == traceID && (s.Parent == parent || depth == 0 && !known[s.Parent]) {
				b.WriteString(strings.Repeat("  ", depth) + s.Name + "\n")
				show(s.ID, depth+1)
			}
		}
	}
	show("", 0)
	return b.String()
}
