package dto

import (
	"math"
	"time"
)

// Text is null for the empty string.
func Text[S ~string](s S) *string {
	if s == "" {
		return nil
	}
	text := string(s)
	return &text
}

// Time is null for the zero time, and in UTC.
func Time(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// Milliseconds rounds a duration to whole milliseconds.
func Milliseconds(d time.Duration) int64 {
	return int64(math.Round(float64(d) / float64(time.Millisecond)))
}

// List is never null.
func List[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

// value is the zero value for null.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// utc keeps the zero time as it is.
func utc(p *time.Time) time.Time { return value(p).UTC() }
