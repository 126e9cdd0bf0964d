//go:build unix

package pgserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Fetch returns the directory of downloaded PostgreSQL binaries of a major version, 0 for
// the newest, in the user's cache, and downloads them when they are missing. An archive
// whose SHA-256 is not the one pinned in this package is not unpacked. Any number of
// processes may call it concurrently: one downloads, the others wait.
// DEVSTACK_POSTGRES_MIRROR, the base URL of a Maven repository, replaces Maven Central.
func Fetch(ctx context.Context, major int, progress io.Writer) (string, error) {
	r, p, err := findRelease(cmp.Or(major, defaultMajor))
	if err != nil {
		return "", err
	}
	runAs, err := unprivilegedAccount()
	if err != nil {
		return "", err
	}
	f := downloader{platform: p, version: r.version, base: mavenCentral, progress: progress, backoff: time.Second}
	if mirror := strings.TrimRight(os.Getenv(mirrorEnv), "/"); mirror != "" {
		f.base = mirror
	}
	if f.cache, err = cacheDir(runAs); err != nil {
		return "", err
	}
	bin, err := f.ensure(ctx)
	if err != nil {
		return "", fmt.Errorf("download PostgreSQL %s: %w", f.version, err)
	}
	return bin, nil
}

type downloader struct {
	platform platform
	version  string
	base     string // Of a Maven repository, without a slash at the end.
	cache    string
	progress io.Writer
	backoff  time.Duration // Before the second try.
}

func (f *downloader) ensure(ctx context.Context) (string, error) {
	home := filepath.Join(f.cache, "postgresql-"+f.version)
	bin := filepath.Join(home, "bin")
	if hasBinaries(bin) {
		return bin, nil
	}
	unlock, err := f.lockCache(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	if hasBinaries(bin) { // By another process during the wait.
		return bin, nil
	}
	work, err := f.workDir()
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(work) }()
	if err := f.install(ctx, work, home); err != nil {
		return "", err
	}
	return bin, nil
}

// install downloads, verifies, unpacks and runs the binaries in work, then renames work
// to home.
func (f *downloader) install(ctx context.Context, work, home string) error {
	started := time.Now()
	archive, err := f.download(ctx, work)
	if err != nil {
		return err
	}
	unpacked := filepath.Join(work, "unpacked")
	if err := unpack(archive, unpacked); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	bin := filepath.Join(unpacked, "bin")
	if !hasBinaries(bin) {
		return fmt.Errorf("the archive has no initdb and postgres")
	}
	if err := checkRunnable(ctx, filepath.Join(bin, "postgres")); err != nil {
		return fmt.Errorf("the binaries do not run on this system: %w", err)
	}
	if err := os.Rename(unpacked, home); err != nil {
		return err
	}
	f.printf("PostgreSQL %s: ready in %s after %.1f s", f.version, home, time.Since(started).Seconds())
	return nil
}

// checkRunnable runs a program that was written just now. If another thread of this
// process forks at that moment, the child holds the file open for writing until it
// execs, and meanwhile the system refuses to run it.
func checkRunnable(ctx context.Context, program string) error {
	for n := 0; ; n++ {
		out, err := exec.CommandContext(ctx, program, "--version").CombinedOutput()
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.ETXTBSY) || n == 100 {
			return fmt.Errorf("%w: %s", err, lastLines(string(out)))
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// lockCache locks the cache; the lock ends with its owner.
func (f *downloader) lockCache(ctx context.Context) (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(f.cache, ".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for announced := false; ; {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("lock the cache: %w", err), file.Close())
		}
		if !announced {
			f.printf("PostgreSQL %s: another process is downloading it, waiting", f.version)
			announced = true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), file.Close())
		}
	}
}

// workDir creates a directory in the cache, and removes those of killed processes: this
// process holds the lock, so no other one uses them.
func (f *downloader) workDir() (string, error) {
	const pattern = ".download-*"
	old, err := filepath.Glob(filepath.Join(f.cache, pattern))
	if err != nil {
		return "", err
	}
	for _, dir := range old {
		_ = os.RemoveAll(dir) // A failed removal does no harm.
	}
	return os.MkdirTemp(f.cache, pattern)
}

func (f *downloader) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(f.progress, format+"\n", args...) // Only saves space.
}

// httpClient has timeouts for a server that stops sending, not for a slow one.
var httpClient = &http.Client{Transport: &http.Transport{
	Proxy:                 http.ProxyFromEnvironment,
	TLSHandshakeTimeout:   15 * time.Second,
	ResponseHeaderTimeout: 30 * time.Second,
	ForceAttemptHTTP2:     true,
}}
