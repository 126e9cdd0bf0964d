package watchdog

import "syscall"

// DieWithThread makes the kernel send sig to the process that is started with
// these attributes when the thread that starts it ends, which it does at the
// latest with its process. Start it from a goroutine that is locked to its
// thread, and keep that goroutine until the process has ended.
func DieWithThread(attributes *syscall.SysProcAttr, sig syscall.Signal) {
	attributes.Pdeathsig = sig
}
