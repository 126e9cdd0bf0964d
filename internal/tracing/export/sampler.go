package export

import (
	"strings"

	"go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

// sampler is that of the settings. Of stored traces whose creator had no collector it decides as of new
// ones: a sampler that follows the parent would never record them.
type sampler struct {
	trace.Sampler
	root trace.Sampler // Of traces without a parent.
}

func newSampler(t config.Tracing) sampler {
	name, parentBased := strings.CutPrefix(t.Sampler, "parentbased_")
	var root trace.Sampler
	switch name {
	case "always_off":
		root = trace.NeverSample()
	case config.TracesRatio:
		root = trace.TraceIDRatioBased(t.Ratio)
	default:
		root = trace.AlwaysSample()
	}
	if parentBased {
		return sampler{trace.ParentBased(root), root}
	}
	return sampler{root, root}
}

// ShouldSample implements trace.Sampler.
func (s sampler) ShouldSample(p trace.SamplingParameters) trace.SamplingResult {
	if parent := oteltrace.SpanContextFromContext(p.ParentContext); parent.IsRemote() && !parent.IsSampled() && tracing.Undecided(p.ParentContext) {
		return s.root.ShouldSample(p)
	}
	return s.Sampler.ShouldSample(p)
}
