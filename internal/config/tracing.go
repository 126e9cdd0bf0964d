package config

import (
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// The variables of OpenTelemetry that this package reads. Its library reads others, too:
// OTEL_RESOURCE_ATTRIBUTES, and those of certificates, timeouts, batches and limits.
const (
	TracesDisabled   = "OTEL_SDK_DISABLED"
	TracesExporter   = "OTEL_TRACES_EXPORTER"
	TracesEndpoint   = "OTEL_EXPORTER_OTLP_ENDPOINT"
	TracesProtocol   = "OTEL_EXPORTER_OTLP_PROTOCOL"
	TracesHeaders    = "OTEL_EXPORTER_OTLP_HEADERS"
	TracesService    = "OTEL_SERVICE_NAME"
	TracesSampler    = "OTEL_TRACES_SAMPLER"
	TracesSamplerArg = "OTEL_TRACES_SAMPLER_ARG"

	// Traceparent names the trace and the span that a command or an apply is a part of, as W3C Trace Context has
	// it. It is no setting: the program around sets it.
	Traceparent = "TRACEPARENT"

	ownTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	ownTracesProtocol = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
	ownTracesHeaders  = "OTEL_EXPORTER_OTLP_TRACES_HEADERS"
)

// The exporters of traces.
const (
	TracesOTLP    = "otlp"    // To a collector.
	TracesConsole = "console" // To standard error.
	TracesNone    = "none"    // Nowhere: logs and problems have the ids of traces all the same.
)

// The protocols of OTLP.
const (
	TracesHTTP = "http/protobuf"
	TracesGRPC = "grpc"
)

// Tracing has the settings of traces that this program needs to know.
type Tracing struct {
	Disabled bool    // There are no traces, and no ids of traces.
	Exporter string  // TracesOTLP, TracesConsole or TracesNone.
	Protocol string  // TracesHTTP or TracesGRPC.
	Service  string  // Empty: the program's name.
	Sampler  string  // As OTEL_TRACES_SAMPLER has it.
	Ratio    float64 // Share of traces to record, with a sampler by ratio.
	// Headers of each export.
	Headers map[string]Secret
}

// ReadTracing reads the settings of traces, which are those of OpenTelemetry but for one default: traces
// are exported only if an exporter or an endpoint is set.
func ReadTracing(source Source) (Tracing, error) {
	r := &reader{get: source}
	t := Tracing{
		Disabled: r.oneOf(TracesDisabled, "false", "true", "false") == "true",
		Service:  r.text(TracesService, ""), Headers: r.tracesHeaders(ownTracesHeaders),
	}
	if general := r.tracesHeaders(TracesHeaders); t.Headers == nil {
		t.Headers = general
	}
	fallback := TracesNone
	for _, variable := range []string{TracesEndpoint, ownTracesEndpoint} {
		if text := r.text(variable, ""); text != "" {
			fallback = TracesOTLP
			if u, err := url.Parse(text); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
				r.addError(variable, "is not a URL; give it as http://collector.example:4318")
			}
		}
	}
	t.Exporter = r.oneOf(TracesExporter, fallback, TracesOTLP, TracesConsole, TracesNone)
	t.Protocol = r.oneOf(TracesProtocol, TracesHTTP, TracesHTTP, TracesGRPC)
	t.Protocol = r.oneOf(ownTracesProtocol, t.Protocol, TracesHTTP, TracesGRPC)
	t.Sampler, t.Ratio = r.sampler()
	return t, r.err()
}

// TracesRatio is the sampler by ratio.
const TracesRatio = "traceidratio"

// sampler reads the sampler, and the ratio of one that has it.
func (r *reader) sampler() (name string, ratio float64) {
	name, ratio = r.oneOf(TracesSampler, "parentbased_always_on", "always_on", "always_off", TracesRatio, "parentbased_always_on", "parentbased_always_off", "parentbased_"+TracesRatio), 1
	arg := r.text(TracesSamplerArg, "")
	if arg == "" || !strings.HasSuffix(name, TracesRatio) {
		return name, ratio
	}
	ratio, err := strconv.ParseFloat(arg, 64)
	if err != nil || !(ratio >= 0 && ratio <= 1) {
		r.addError(TracesSamplerArg, "is %q; give the share of traces to record, from 0 to 1", arg)
	}
	return name, ratio
}

// tracesHeaders reads headers as "name=value,name=value", whose values are percent-encoded.
func (r *reader) tracesHeaders(variable string) map[string]Secret {
	text := r.text(variable, "")
	if text == "" {
		return nil
	}
	headers := map[string]Secret{}
	for item := range strings.SplitSeq(text, ",") {
		name, encoded, found := strings.Cut(item, "=")
		name = strings.TrimSpace(name)
		value, err := url.PathUnescape(strings.TrimSpace(encoded))
		if !found || err != nil || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			r.addError(variable, "has an item that is not a header; give name=value, with commas in between and values percent-encoded")
			return nil
		}
		headers[name] = Secret(value)
	}
	return headers
}
