// Package export sets up where the spans of package tracing go: to a collector by OTLP, to standard
// error, or nowhere. It is for programs, which call Start first.
package export

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

// Options are the settings of Start.
type Options struct {
	config.Tracing
	Program string // Name of the service, unless the settings have one.
	Version string
	Logger  func() *slog.Logger // For exports that fail. Default slog.Default.
}

// maxAttributeLength limits each value of a span, in characters, unless the environment says otherwise.
const maxAttributeLength = 512

// exportTimeout limits the export of what is left when the program ends.
const exportTimeout = 5 * time.Second

// Start makes spans go where the settings say, for the whole process. Nothing waits for a collector:
// spans wait in memory, at most 2048 of them, and others are dropped. stop exports those that wait, for
// at most five seconds; call it when the work has ended.
func Start(ctx context.Context, o Options) (stop func(), err error) {
	if o.Disabled {
		return func() {}, nil
	}
	if o.Logger == nil {
		o.Logger = slog.Default
	}
	exporter, err := o.exporter(ctx)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	if exporter == nil {
		tracing.SetIDsOnly()
		return func() {}, nil
	}
	otel.SetErrorHandler(&reporter{log: o.Logger, now: time.Now})
	limits := trace.NewSpanLimits() // The environment's.
	if limits.AttributeValueLengthLimit < 0 {
		limits.AttributeValueLengthLimit = maxAttributeLength
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(o.resource(ctx)), trace.WithSampler(newSampler(o.Tracing)), trace.WithRawSpanLimits(limits))
	otel.SetTracerProvider(provider)
	tracing.SetExporting()
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exportTimeout)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			otel.Handle(err)
		}
	}, nil
}

// exporter returns the exporter of the settings; nil without one. It does not connect.
func (o Options) exporter(ctx context.Context) (trace.SpanExporter, error) {
	var (
		http    []otlptracehttp.Option
		grpc    []otlptracegrpc.Option
		headers = map[string]string{}
	)
	for name, value := range o.Headers {
		headers[name] = value.Reveal()
	}
	if len(headers) > 0 {
		http, grpc = append(http, otlptracehttp.WithHeaders(headers)), append(grpc, otlptracegrpc.WithHeaders(headers))
	}
	switch {
	case o.Exporter == config.TracesConsole:
		return stdouttrace.New(stdouttrace.WithWriter(os.Stderr))
	case o.Exporter != config.TracesOTLP:
		return nil, nil //nolint:nilnil // There is none.
	case o.Protocol == config.TracesGRPC:
		return otlptracegrpc.New(ctx, grpc...)
	default:
		return otlptracehttp.New(ctx, http...)
	}
}

// resource describes this process. OTEL_RESOURCE_ATTRIBUTES of the environment take precedence.
func (o Options) resource(ctx context.Context) *resource.Resource {
	own := resource.NewSchemaless(
		attribute.String("service.name", cmp.Or(o.Service, o.Program)), attribute.String("service.version", o.Version),
		attribute.Int("process.pid", os.Getpid()),
	)
	environment, err := resource.New(ctx, resource.WithHost(), resource.WithFromEnv(), resource.WithTelemetrySDK())
	if err != nil { // OTEL_RESOURCE_ATTRIBUTES has an error; the rest is used.
		otel.Handle(err)
	}
	all, err := resource.Merge(own, environment)
	if err != nil { // Only if both have a schema, and own has none.
		otel.Handle(err)
	}
	return all
}

// maxErrorText limits the text of an error: a part of it can be the collector's.
const maxErrorText = 500

// reportInterval is the minimum time between two reports of exports that fail.
const reportInterval = time.Minute

// reporter logs the errors of the library: that a collector does not answer, mostly. It logs one in a
// minute, and how many there were.
type reporter struct {
	log  func() *slog.Logger
	now  func() time.Time
	last atomic.Int64 // Unix time of the last report, in nanoseconds.
	more atomic.Int64 // Errors since then.
}

// Handle implements otel.ErrorHandler.
func (r *reporter) Handle(err error) {
	now, last := r.now().UnixNano(), r.last.Load()
	if last != 0 && now-last < int64(reportInterval) || !r.last.CompareAndSwap(last, now) {
		r.more.Add(1)
		return
	}
	r.log().Warn("traces are not exported; the work goes on without them", slog.String("error", errs.Truncate(err.Error(), maxErrorText)), slog.Int64("more_errors", r.more.Swap(0)))
}
