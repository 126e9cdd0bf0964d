package api

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// condition is what If-Match or If-None-Match says.
type condition struct {
	given    bool
	any      bool    // *
	versions []int64 // Tags that are none of ours are left out: they match nothing.
}

func (c condition) holds(version int64) bool { return c.any || slices.Contains(c.versions, version) }

// parseCondition reads a list of entity tags. Weak ones are taken like strong
// ones: a version of a tenant is shown in one way only.
func parseCondition(header, text string) (condition, error) {
	text = strings.TrimSpace(text)
	c := condition{given: text != "", any: text == "*"}
	if !c.given || c.any {
		return c, nil
	}
	for text != "" {
		tag, rest, closed := strings.Cut(strings.TrimPrefix(text, "W/"), `"`)
		if tag == "" && closed {
			tag, rest, closed = strings.Cut(rest, `"`)
		} else {
			closed = false
		}
		rest = strings.TrimLeft(rest, " \t")
		if !closed || rest != "" && rest[0] != ',' || strings.ContainsAny(tag, " \t") {
			return c, invalid(Fault{header, `cannot be read; give the ETag as it came, such as "3"`})
		}
		if version, err := strconv.ParseInt(tag, 10, 64); err == nil && etag(version) == `"`+tag+`"` {
			c.versions = append(c.versions, version)
		}
		text = strings.Trim(rest, ", \t")
	}
	return c, nil
}

// wanted is the version that a change is meant for, 0 for whichever there is.
// KindStale when the tenant is at none of those that the caller knows.
func (s *Server) wanted(ctx context.Context, id uuid.UUID, c condition) (int64, error) {
	switch {
	case !c.given || c.any:
		return 0, nil
	case len(c.versions) == 1 && c.versions[0] > 0:
		return c.versions[0], nil
	}
	t, err := s.opts.Service.Get(ctx, id)
	if err != nil {
		return 0, err
	}
	if !c.holds(t.Version) {
		return 0, provisioning.Errorf(provisioning.KindStale, "compare versions", "the tenant is not at the version of If-Match; read it again")
	}
	return t.Version, nil
}
