package config_test

import (
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

func TestReadTracing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		given map[string]string
		want  config.Tracing
		fault string
	}{
		"Nothing":          {nil, config.Tracing{Exporter: "none", Protocol: "http/protobuf"}, ""},
		"Endpoint":         {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector.example:4318"}, config.Tracing{Exporter: "otlp", Protocol: "http/protobuf"}, ""},
		"EndpointOfTraces": {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://c.example/v1/traces", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}, config.Tracing{Exporter: "otlp", Protocol: "grpc"}, ""},
		"Exporter":         {map[string]string{"OTEL_TRACES_EXPORTER": "console", "OTEL_SERVICE_NAME": "s", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, config.Tracing{Exporter: "console", Protocol: "grpc", Service: "s"}, ""},
		"Off":              {map[string]string{"OTEL_SDK_DISABLED": "TRUE", "OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c.example"}, config.Tracing{Disabled: true, Exporter: "none", Protocol: "http/protobuf"}, ""},
		"Share":            {map[string]string{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"}, config.Tracing{Exporter: "none", Protocol: "http/protobuf"}, ""},

		"UnknownExporter": {map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, config.Tracing{}, `OTEL_TRACES_EXPORTER is "zipkin"; choose one of otlp, console, none`},
		"UnknownProtocol": {map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, config.Tracing{}, `OTEL_EXPORTER_OTLP_PROTOCOL is "http/json"; choose one of http/protobuf, grpc`},
		"NoURL":           {map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, config.Tracing{}, "OTEL_EXPORTER_OTLP_ENDPOINT is not a URL; give it as http://collector.example:4318"},
		"UnknownSampler":  {map[string]string{"OTEL_TRACES_SAMPLER": "some"}, config.Tracing{}, `OTEL_TRACES_SAMPLER is "some"; choose one of always_on`},
		"ShareTooLarge":   {map[string]string{"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "50"}, config.Tracing{}, `OTEL_TRACES_SAMPLER_ARG is "50"; give the share of traces to record, from 0 to 1`},
		"ShareNoNumber":   {map[string]string{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "NaN"}, config.Tracing{}, `OTEL_TRACES_SAMPLER_ARG is "NaN"`},
		"NoHeader":        {map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "api-key"}, config.Tracing{}, "OTEL_EXPORTER_OTLP_HEADERS has an item that is not a header; give name=value"},
		"HeaderWithLines": {map[string]string{"OTEL_EXPORTER_OTLP_HEADERS": "k=a%0Ab"}, config.Tracing{}, "OTEL_EXPORTER_OTLP_HEADERS has an item that is not a header"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := config.ReadTracing(sourceOf(test.given))
			wantError(t, err, test.fault)
			if test.fault == "" && (got.Disabled != test.want.Disabled || got.Exporter != test.want.Exporter || got.Protocol != test.want.Protocol || got.Service != test.want.Service || got.Ratio != map[bool]float64{true: 0.5, false: 1}[name == "Share"]) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestReadTracing_Headers(t *testing.T) {
	t.Parallel()
	got, err := config.ReadTracing(sourceOf(map[string]string{"OTEL_EXPORTER_OTLP_TRACES_HEADERS": "authorization=Basic%20YTpi, x-team=ops", "OTEL_EXPORTER_OTLP_HEADERS": "x-other=all"}))
	wantError(t, err, "")
	if len(got.Headers) != 2 || got.Headers["authorization"].Reveal() != "Basic YTpi" || got.Headers["x-team"].Reveal() != "ops" {
		t.Errorf("%d headers: %q", len(got.Headers), got.Headers["authorization"].Reveal())
	}
}
