//go:build unix && !linux

package guard

import "syscall"

// DieWithThread is possible on Linux alone; elsewhere the guard's script has to do.
func DieWithThread(*syscall.SysProcAttr, syscall.Signal) {}
