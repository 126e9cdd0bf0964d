//go:build unix

package pgserver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

const cacheName = "terraform-provider-healthcare"

// cacheDir is the directory for downloads: the user's cache, or the system's when the
// server's account cannot enter that (root's home is closed to "nobody").
func cacheDir(runAs *account) (string, error) {
	var candidates []string
	if dir, err := os.UserCacheDir(); err == nil {
		candidates = append(candidates, filepath.Join(dir, cacheName))
	}
	if runAs != nil {
		candidates = append(candidates, filepath.Join("/var/cache", cacheName))
	}
	candidates = append(candidates, filepath.Join(os.TempDir(), cacheName+"-"+strconv.Itoa(os.Geteuid())))
	var unusable []error
	for _, dir := range candidates {
		err := prepareCache(dir, runAs)
		if err == nil {
			return dir, nil
		}
		unusable = append(unusable, err)
	}
	return "", fmt.Errorf("no directory for the download: %w", errors.Join(unusable...))
}

// prepareCache creates the directory if needed. It must belong to this user and must not
// be writable by others, because its content is executed.
func prepareCache(dir string, runAs *account) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // G301: downloaded binaries, which a server of another user runs
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(stat.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%q does not belong to this user only", dir)
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // whatever the umask is, "nobody" must be able to read it
		return err
	}
	if err := syscall.Access(dir, 0o2); err != nil {
		return fmt.Errorf("write to %q: %w", dir, err)
	}
	return runAs.checkReachable(dir)
}
