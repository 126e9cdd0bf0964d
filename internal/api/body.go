package api

import (
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"
)

// readBody reads the whole body, also of a call that wants none: what stays
// unread holds up the connection.
func (s *Server) readBody(c *call, r *http.Request) ([]byte, *Problem) {
	e := c.endpoint
	if len(e.media) > 0 {
		if p := wrongMedia(r.Header, e.media); p != nil {
			return nil, p
		}
	}
	tooLarge := newProblem(http.StatusRequestEntityTooLarge, "the body is larger than this server takes")
	if r.ContentLength > s.opts.MaxBody {
		return nil, tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.out, r.Body, s.opts.MaxBody))
	var (
		large   *http.MaxBytesError
		network net.Error
	)
	switch {
	case errors.As(err, &large):
		return nil, tooLarge
	case errors.As(err, &network) && network.Timeout():
		return nil, newProblem(http.StatusRequestTimeout, "the body did not arrive in time; send it without pauses")
	case err != nil:
		return nil, invalid(Fault{wholeBody, "did not arrive whole"})
	case len(e.media) > 0 && len(body) == 0:
		return nil, invalid(Fault{wholeBody, "is missing; give a JSON object"})
	}
	return body, nil
}

// wrongMedia refuses a body that is not said to be JSON.
func wrongMedia(h http.Header, wanted []string) *Problem {
	media, parameters, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset := parameters["charset"]
	if err != nil || !slices.Contains(wanted, media) || charset != "" && !strings.EqualFold(charset, "utf-8") || len(h.Values("Content-Type")) > 1 {
		return newProblem(http.StatusUnsupportedMediaType, "the body has to be JSON in UTF-8; send it with Content-Type: "+wanted[0]).
			with("Accept", strings.Join(wanted, ", "))
	}
	if h.Get("Content-Encoding") != "" && !strings.EqualFold(h.Get("Content-Encoding"), "identity") {
		return newProblem(http.StatusUnsupportedMediaType, "the body is compressed; send it as it is").with("Accept-Encoding", "identity")
	}
	h.Set("Content-Type", "application/json") // The one name by which huma knows it.
	return nil
}
