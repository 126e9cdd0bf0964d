package api

import (
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

// TestOperations_BodyReadTimeout: a limit that huma sets for reading a body stays
// on the connection and ends the context of a run that takes longer.
func TestOperations_BodyReadTimeout(t *testing.T) {
	t.Parallel()
	s := &Server{opts: Options{}.withDefaults()}
	s.buildRoutes()
	seen := 0
	for path, item := range s.api.OpenAPI().Paths {
		for _, op := range operationsOf(item) {
			if seen++; op.BodyReadTimeout >= 0 {
				t.Errorf("%s %s has a limit of %v", op.Method, path, op.BodyReadTimeout)
			}
		}
	}
	if seen < 16 {
		t.Errorf("%d operations", seen)
	}
}

func operationsOf(item *huma.PathItem) []*huma.Operation {
	var all []*huma.Operation
	for _, op := range []*huma.Operation{item.Get, item.Post, item.Patch, item.Put, item.Delete} {
		if op != nil {
			all = append(all, op)
		}
	}
	return all
}
