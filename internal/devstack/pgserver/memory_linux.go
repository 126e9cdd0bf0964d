package pgserver

import "syscall"

// freeBytes is what a file system in memory has free; 0 if dir is none.
func freeBytes(dir string) uint64 {
	const tmpfs = 0x01021994 // Of statfs(2).
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil || int64(fs.Type) != tmpfs || fs.Bsize <= 0 { //nolint:unconvert // Its type depends on the platform.
		return 0
	}
	return fs.Bavail * uint64(fs.Bsize)
}
