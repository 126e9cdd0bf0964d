package console

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
)

// clientOf is a client of an API that a test makes.
func clientOf(api http.HandlerFunc) *apiClient {
	outer := httptest.NewRequest(http.MethodGet, "/console", nil)
	outer.RemoteAddr = "192.0.2.7:4711"
	outer.Header.Set("X-Forwarded-For", "198.51.100.1")
	return &apiClient{api: api, token: "token", outer: outer}
}

func TestAPIClient_Do(t *testing.T) {
	t.Parallel()
	t.Run("PassesTheCallerOn", func(t *testing.T) {
		t.Parallel()
		var seen *http.Request
		c := clientOf(func(w http.ResponseWriter, r *http.Request) {
			seen = r
			_, _ = io.WriteString(w, `{"name": "Clinic"}`)
		})
		var answer struct{ Name string }
		if err := c.do(t.Context(), apiCall{method: http.MethodPost, path: "/admin/tenants", body: map[string]string{"a": "b"}}, &answer); err != nil || answer.Name != "Clinic" {
			t.Errorf("%+v, %v", answer, err)
		}
		if h := seen.Header; h.Get("Authorization") != "Bearer token" || h.Get("X-Forwarded-For") != "198.51.100.1" || h.Get("Content-Type") != "application/json" || seen.RemoteAddr != "192.0.2.7:4711" {
			t.Errorf("%v from %s", h, seen.RemoteAddr)
		}
	})
	t.Run("ReturnsTheProblem", func(t *testing.T) {
		t.Parallel()
		c := clientOf(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"status": 409, "detail": "it is held"}`)
		})
		var rejected *problem.Problem
		if err := c.get(t.Context(), "/x", nil, nil); !errors.As(err, &rejected) || rejected.Status != http.StatusConflict || rejected.Detail != "it is held" {
			t.Errorf("%v", err)
		}
	})
	t.Run("AnswerThatIsNoJSON", func(t *testing.T) {
		t.Parallel()
		c := clientOf(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		if err := c.get(t.Context(), "/x", nil, nil); err == nil || problemOf(err) != nil {
			t.Errorf("%v", err)
		}
	})
}

func TestAPIClient_Follow(t *testing.T) {
	t.Parallel()
	stream := func(lines string, then func(ctx context.Context)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, lines)
			then(r.Context())
		}
	}
	collect := func(t *testing.T, api http.HandlerFunc, stopAt string) (lines []string, err error) {
		t.Helper()
		err = clientOf(api).follow(t.Context(), apiCall{method: http.MethodGet, path: "/events"}, func(line string) bool {
			lines = append(lines, line)
			return line != stopAt
		})
		return lines, err
	}
	t.Run("UntilTheStreamEnds", func(t *testing.T) {
		t.Parallel()
		lines, err := collect(t, stream("one\ntwo\n", func(context.Context) {}), "")
		if !slices.Equal(lines, []string{"one", "two"}) || err != nil {
			t.Errorf("%q, %v", lines, err)
		}
	})
	t.Run("StopsTheStream", func(t *testing.T) {
		t.Parallel()
		lines, err := collect(t, stream("one\ntwo\n", func(ctx context.Context) { <-ctx.Done() }), "one")
		if !slices.Equal(lines, []string{"one"}) || err != nil {
			t.Errorf("%q, %v", lines, err)
		}
	})
	t.Run("APIThatAborts", func(t *testing.T) {
		t.Parallel()
		lines, err := collect(t, stream("one\n", func(context.Context) { panic(http.ErrAbortHandler) }), "")
		if !slices.Equal(lines, []string{"one"}) || err != nil {
			t.Errorf("%q, %v", lines, err)
		}
	})
	t.Run("RejectedStream", func(t *testing.T) {
		t.Parallel()
		_, err := collect(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"status": 429, "detail": "all places are taken"}`)
		}, "")
		if rejected := problemOf(err); rejected == nil || rejected.Status != http.StatusTooManyRequests {
			t.Errorf("%v", err)
		}
	})
}

func TestChoices(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string][]string{
		"eu|us": {"eu", "us"}, "^(eu|us|ap-1)$": {"eu", "us", "ap-1"}, "(?:a|b)": {"a", "b"}, "[a-z]+": nil, "": nil, "eu": nil, "a|b*": nil,
	} {
		if got := choices(pattern); !slices.Equal(got, want) {
			t.Errorf("%q: %q", pattern, got)
		}
	}
}

func TestAcceptsGzip(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]bool{"": false, "gzip": true, "br, gzip;q=0.5": true, "gzip;q=0": false, "GZIP": true, "gzipped": false} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Encoding", header)
		if got := acceptsGzip(r); got != want {
			t.Errorf("%q: %t", header, got)
		}
	}
}
