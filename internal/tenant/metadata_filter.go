package tenant

import (
	"context"
	"maps"
	"slices"
)

// MetadataFilter selects the tenants whose metadata has all of its pairs. An empty one selects
// all.
type MetadataFilter map[string]string

// Matches reports whether a tenant with this metadata is selected.
func (f MetadataFilter) Matches(metadata map[string]string) bool { return f.Missing(metadata) == "" }

// Missing returns the first key, in their order, whose value metadata does not have; "" if it has
// all. A key is never empty.
func (f MetadataFilter) Missing(metadata map[string]string) string {
	for _, key := range slices.Sorted(maps.Keys(f)) {
		if value, ok := metadata[key]; !ok || value != f[key] {
			return key
		}
	}
	return ""
}

type visibleKey struct{}

// WithVisible returns a context whose caller sees only these tenants.
func WithVisible(ctx context.Context, f MetadataFilter) context.Context {
	return context.WithValue(ctx, visibleKey{}, f)
}

// Visible returns the tenants that the caller sees.
func Visible(ctx context.Context) MetadataFilter {
	f, _ := ctx.Value(visibleKey{}).(MetadataFilter)
	return f
}
