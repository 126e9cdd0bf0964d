//go:build unix

package demo

import (
	"errors"
	"strings"
)

// maxLogLines is how many lines of a log are shown after a failure.
const maxLogLines = 30

// StageError is the error of a failed stage.
type StageError struct {
	Stage string
	Log   string // The end of the failed program's output; "" if there was none.
	Err   error
}

// Error returns stage and cause, without the log.
func (e *StageError) Error() string { return e.Stage + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *StageError) Unwrap() error { return e.Err }

// logError is a program's failure with its output.
type logError struct {
	err error
	log string
}

func (e *logError) Error() string { return e.err.Error() }
func (e *logError) Unwrap() error { return e.err }

func stageError(stage string, err error) *StageError {
	failed := &StageError{Stage: stage, Err: err}
	var logged *logError
	if errors.As(err, &logged) {
		failed.Log = lastLines(logged.log)
	}
	return failed
}

func lastLines(log string) string {
	lines := strings.Split(strings.TrimRight(log, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-maxLogLines):], "\n")
}
