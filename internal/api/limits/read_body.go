package limits

import (
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
)

// Body is what an operation accepts as its body.
type Body struct {
	MaxBytes     int64
	ContentTypes []string // Empty: it has no body.
	Form         string   // For problems: "JSON in UTF-8".
}

// ReadBody reads the whole body of an operation that accepts one. Without content types the
// operation has no body: nothing is read, and nothing waits for a body that may never come.
func ReadBody(w *ResponseWriter, r *http.Request, accepted Body) ([]byte, *problem.Problem) {
	tooLarge := problem.New(http.StatusRequestEntityTooLarge, "the body is larger than this server takes")
	if len(accepted.ContentTypes) == 0 {
		if r.ContentLength > accepted.MaxBytes {
			return nil, tooLarge
		}
		return nil, nil
	}
	if p := checkContentType(r.Header, accepted); p != nil {
		return nil, p
	}
	if r.ContentLength > accepted.MaxBytes {
		return nil, tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, accepted.MaxBytes))
	var (
		sizeErr *http.MaxBytesError
		netErr  net.Error
	)
	switch {
	case errors.As(err, &sizeErr):
		return nil, tooLarge
	case errors.As(err, &netErr) && netErr.Timeout():
		return nil, problem.New(http.StatusRequestTimeout, "the body did not arrive in time; send it without pauses")
	case err != nil:
		return nil, problem.Invalid(problem.FieldError{Field: problem.BodyField, Message: "is incomplete; send the complete body"})
	}
	w.BodyRead()
	if len(body) == 0 {
		return nil, problem.Invalid(problem.FieldError{Field: problem.BodyField, Message: "is missing; it has to be " + accepted.Form})
	}
	return body, nil
}

// checkContentType rejects a body of another Content-Type.
func checkContentType(h http.Header, accepted Body) *problem.Problem {
	mediaType, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset := params["charset"]
	if err != nil || !slices.Contains(accepted.ContentTypes, mediaType) || charset != "" && !strings.EqualFold(charset, "utf-8") || len(h.Values("Content-Type")) > 1 {
		return problem.New(http.StatusUnsupportedMediaType, "the body has to be "+accepted.Form+"; send it with Content-Type: "+strings.Join(accepted.ContentTypes, " or ")).
			WithHeader("Accept", strings.Join(accepted.ContentTypes, ", "))
	}
	if h.Get("Content-Encoding") != "" && !strings.EqualFold(h.Get("Content-Encoding"), "identity") {
		return problem.New(http.StatusUnsupportedMediaType, "the body is compressed; send it as it is").WithHeader("Accept-Encoding", "identity")
	}
	if strings.HasSuffix(mediaType, "json") {
		h.Set("Content-Type", "application/json") // The only name that huma knows.
	}
	return nil
}
