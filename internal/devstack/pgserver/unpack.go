//go:build unix

package pgserver

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/ulikunitz/xz"
)

// maxUnpacked limits the disk space of an archive's content.
const maxUnpacked = 1 << 30

// unpack extracts the files of the .txz file in a jar to dir. It writes nothing outside
// of dir, whatever names and links the archive has.
func unpack(jar, dir string) error {
	outer, err := zip.OpenReader(jar)
	if err != nil {
		return err
	}
	defer func() { _ = outer.Close() }()
	for _, file := range outer.File {
		if strings.HasSuffix(file.Name, ".txz") {
			inner, err := file.Open()
			if err != nil {
				return err
			}
			return errors.Join(unpackTar(inner, dir), inner.Close())
		}
	}
	return fmt.Errorf("there is no .txz file in the archive")
}

func unpackTar(compressed io.Reader, dir string) error {
	plain, err := xz.NewReader(bufio.NewReaderSize(compressed, 1<<16))
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	// Root refuses every path outside of dir, also through links.
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	archive := tar.NewReader(io.LimitReader(plain, maxUnpacked))
	for {
		entry, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return root.Chmod(".", 0o755) // Whatever the umask is, "nobody" must be able to read it.
		}
		if err != nil {
			return err
		}
		if err := extractEntry(root, entry, archive); err != nil {
			return fmt.Errorf("%q: %w", entry.Name, err)
		}
	}
}

func extractEntry(root *os.Root, entry *tar.Header, content io.Reader) error {
	name := path.Clean(entry.Name)
	if !filepath.IsLocal(name) {
		return fmt.Errorf("the name points outside of the directory")
	}
	if err := extractDir(root, path.Dir(name)); err != nil {
		return err
	}
	switch entry.Typeflag {
	case tar.TypeDir:
		return extractDir(root, name)
	case tar.TypeReg:
		return extractFile(root, name, entry.FileInfo().Mode().Perm()&0o100 != 0, content)
	case tar.TypeSymlink:
		if path.IsAbs(entry.Linkname) || !filepath.IsLocal(path.Join(path.Dir(name), entry.Linkname)) { //nolint:gosec // this is the check
			return fmt.Errorf("the link to %q points outside of the directory", entry.Linkname)
		}
		return root.Symlink(entry.Linkname, name)
	default:
		return fmt.Errorf("neither a file, a directory nor a symbolic link")
	}
}

func extractDir(root *os.Root, name string) error {
	if name == "." {
		return nil
	}
	if err := extractDir(root, path.Dir(name)); err != nil {
		return err
	}
	if err := root.Mkdir(name, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return root.Chmod(name, 0o755)
}

func extractFile(root *os.Root, name string, executable bool, content io.Reader) error {
	mode := os.FileMode(0o644)
	if executable {
		mode = 0o755
	}
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Chmod(mode), file.Close())
}
