package dto

import (
	"math"
	"time"
)

// Text returns nil for the empty string.
func Text[S ~string](s S) *string {
	if s == "" {
		return nil
	}
	text := string(s)
	return &text
}

// Time returns nil for the zero time, else the time in UTC.
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

// List never returns nil.
func List[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

// value returns the zero value for nil.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// utc converts a time to UTC and keeps the zero time.
func utc(p *time.Time) time.Time { return value(p).UTC() }
