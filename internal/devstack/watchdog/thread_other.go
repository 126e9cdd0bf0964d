//go:build unix && !linux

package watchdog

import "syscall"

// DieWithThread does nothing: only Linux supports it. Elsewhere the watchdog's
// script alone cleans up.
func DieWithThread(*syscall.SysProcAttr, syscall.Signal) {}
