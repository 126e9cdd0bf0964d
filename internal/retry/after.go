package retry

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// After reads an HTTP header Retry-After: seconds, or a date (RFC 9110, 10.2.3). It returns the
// pause from now on, at least 0; ok is false when the text is neither. The text is from outside:
// the caller bounds the pause.
func After(text string, now time.Time) (pause time.Duration, ok bool) {
	// A larger number counts as the largest, some 68 years.
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0), true
	}
	return 0, false
}
