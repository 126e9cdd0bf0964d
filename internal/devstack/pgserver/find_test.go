//go:build unix

package pgserver

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// fakeInstallation creates an empty program for each name in dir.
func fakeInstallation(t *testing.T, dir string, programs ...string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range programs {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFind(t *testing.T) {
	t.Parallel()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	patterns := []string{filepath.Join(base, "lib/postgresql/*/bin"), filepath.Join(base, "opt/postgresql@*/bin")}
	if got, err := find("", patterns, hasBinaries); !errors.Is(err, ErrNoBinaries) {
		t.Errorf("found %q, error %v, want ErrNoBinaries", got, err)
	}
	fakeInstallation(t, filepath.Join(base, "lib/postgresql/9.6/bin"), "initdb", "postgres")
	fakeInstallation(t, filepath.Join(base, "lib/postgresql/15/bin"), "initdb", "postgres")
	fakeInstallation(t, filepath.Join(base, "lib/postgresql/18/bin"), "initdb") // Only the client package.
	homebrew := fakeInstallation(t, filepath.Join(base, "opt/postgresql@17/bin"), "initdb", "postgres")
	onPath := fakeInstallation(t, filepath.Join(base, "elsewhere"), "initdb", "postgres")
	links := fakeInstallation(t, filepath.Join(base, "links"))
	if err := os.Symlink(filepath.Join(onPath, "initdb"), filepath.Join(links, "initdb")); err != nil {
		t.Fatal(err)
	}
	halfThere := fakeInstallation(t, filepath.Join(base, "half"), "initdb")
	for name, c := range map[string]struct{ onPath, want string }{
		"NewestCompleteInstallation":      {"", homebrew},
		"PathComesFirst":                  {filepath.Join(onPath, "initdb"), onPath},
		"LinksOnPathAreFollowed":          {filepath.Join(links, "initdb"), onPath},
		"PathWithoutTheServerDoesNotHelp": {filepath.Join(halfThere, "initdb"), homebrew},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := find(c.onPath, patterns, hasBinaries); err != nil || got != c.want {
				t.Errorf("found %q, error %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestParseMajor(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]int{
		"postgres (PostgreSQL) 16.15": 16, "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n": 15, "postgres (PostgreSQL) 18beta1": 18,
		"postgres (PostgreSQL) 9.6.24": 9, "postgres (PostgreSQL) 17": 17, "another program": 0, "": 0,
	} {
		if got := parseMajor(answer); got != want {
			t.Errorf("%q is version %d, want %d", answer, got, want)
		}
	}
}

func TestFind_Version(t *testing.T) {
	t.Parallel()
	if got, err := Find(t.Context(), 99); !errors.Is(err, ErrNoBinaries) {
		t.Errorf("found %q, error %v, want ErrNoBinaries", got, err)
	}
	installed, err := findOrFetch(t.Context(), 0, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	major := majorVersion(t.Context(), installed)
	if major < 13 {
		t.Fatalf("%q is version %d", installed, major)
	}
	if got, err := findOrFetch(t.Context(), major, io.Discard); err != nil || majorVersion(t.Context(), got) != major {
		t.Errorf("found %q, error %v, want version %d", got, err, major)
	}
}

func TestAccount_CheckReachable(t *testing.T) {
	t.Parallel()
	base := t.TempDir() // Some parent directory is closed to other users.
	somebody := &account{uid: 64_321, gid: 64_321}
	if err := somebody.checkReachable(base); err == nil {
		t.Errorf("another user can enter %q, it seems", base)
	}
	if err := somebody.checkReachable("/"); err != nil {
		t.Error(err)
	}
	if err := (*account)(nil).checkReachable(base); err != nil {
		t.Errorf("the current user needs no check: %v", err)
	}
}
