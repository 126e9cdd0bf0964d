package api

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// condition is a parsed If-Match or If-None-Match header.
type condition struct {
	present    bool
	anyVersion bool    // *
	versions   []int64 // Foreign tags are omitted: they match nothing.
}

func (c condition) matches(version int64) bool {
	return c.anyVersion || slices.Contains(c.versions, version)
}

// parseCondition reads a list of entity tags. Weak tags are treated like strong ones: a
// version of a tenant has one representation.
func parseCondition(header, text string) (condition, error) {
	text = strings.TrimSpace(text)
	c := condition{present: text != "", anyVersion: text == "*"}
	if !c.present || c.anyVersion {
		return c, nil
	}
	for text != "" {
		tag, remainder, terminated := strings.Cut(strings.TrimPrefix(text, "W/"), `"`)
		if tag == "" && terminated {
			tag, remainder, terminated = strings.Cut(remainder, `"`)
		} else {
			terminated = false
		}
		remainder = strings.TrimLeft(remainder, " \t")
		if !terminated || remainder != "" && remainder[0] != ',' || strings.ContainsAny(tag, " \t") {
			return c, problem.Invalid(problem.FieldError{Field: header, Message: `cannot be read; give the ETag unchanged, such as "3"`})
		}
		if version, err := strconv.ParseInt(tag, 10, 64); err == nil && etag(version) == `"`+tag+`"` {
			c.versions = append(c.versions, version)
		}
		text = strings.Trim(remainder, ", \t")
	}
	return c, nil
}

// expectedVersion returns the version that a change requires, 0 for any version. KindStale
// when the tenant is at none of the listed versions.
func (s *Server) expectedVersion(ctx context.Context, id uuid.UUID, c condition) (int64, error) {
	switch {
	case !c.present || c.anyVersion:
		return 0, nil
	case len(c.versions) == 1 && c.versions[0] > 0:
		return c.versions[0], nil
	}
	t, err := s.opts.Service.Get(ctx, id)
	if err != nil {
		return 0, err
	}
	if !c.matches(t.Version) {
		return 0, errs.Errorf(errs.KindStale, "compare versions", "the tenant's version differs from If-Match; read the tenant again")
	}
	return t.Version, nil
}
