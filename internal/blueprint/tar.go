package blueprint

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// maxTarBytes is how much of an unpacked tar is read: its headers need space as well.
const maxTarBytes = 2 * MaxBytes

// errTooLarge is what reading a tar beyond the limit returns.
var errTooLarge = errors.New("the tar is too large")

// WriteTar writes the files that belong to a blueprint as a tar without compression. Equal
// files give equal bytes: their names are sorted, and no time or owner is recorded.
func WriteTar(files fs.FS, w io.Writer) error {
	var c collector
	found := collectFiles(files, &c)
	if err := c.err("write blueprint"); err != nil {
		return err
	}
	t := tar.NewWriter(w)
	for _, f := range found {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Mode: 0o644, Size: int64(len(f.content)), Format: tar.FormatUSTAR}
		if err := t.WriteHeader(header); err != nil {
			return errs.Wrap(err, errs.KindPermanent, "write blueprint", "the tar cannot be written")
		}
		if _, err := t.Write(f.content); err != nil {
			return errs.Wrap(err, errs.KindPermanent, "write blueprint", "the tar cannot be written")
		}
	}
	if err := t.Close(); err != nil {
		return errs.Wrap(err, errs.KindPermanent, "write blueprint", "the tar cannot be written")
	}
	return nil
}

// ReadTar reads a tar, plain or compressed by gzip, into memory. The blueprint's files are at
// its root or in the only folder there. A tar with links, with files outside of it or twice,
// or beyond the limits is an error of KindInvalid with Problems; the cause is in the error
// when reading itself failed.
func ReadTar(r io.Reader) (fs.FS, error) {
	const op = "read blueprint"
	plain, err := decompress(r)
	if err != nil {
		return nil, errs.Wrap(err, errs.KindInvalid, op, "the file is no tar; give a tar of the blueprint's folder, plain or compressed by gzip")
	}
	var c collector
	m, err := unpack(tar.NewReader(&limitedReader{plain, maxTarBytes}), &c)
	switch {
	case errors.Is(err, errTooLarge):
		return nil, errs.Wrap(err, errs.KindInvalid, op, "the tar is larger than %d MiB unpacked; a blueprint has at most %d MiB", maxTarBytes>>20, MaxBytes>>20)
	case err != nil:
		return nil, errs.Wrap(err, errs.KindInvalid, op, "the file is no complete tar; give a tar of the blueprint's folder, plain or compressed by gzip")
	}
	checkFolders(m, &c)
	if err := c.err(op); err != nil {
		return nil, err
	}
	return stripFolder(m), nil
}

// checkFolders refuses a name that is a file and a folder, of which a file system has one.
func checkFolders(m memoryFS, c *collector) {
	for name := range m {
		for folder := path.Dir(name); folder != "."; folder = path.Dir(folder) {
			if _, both := m[folder]; both {
				c.add(name, 0, "is in a folder that the tar also has as a file; remove one")
			}
		}
	}
}

func decompress(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	if magic, err := b.Peek(2); err != nil || !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return b, err
	}
	return gzip.NewReader(b)
}

// limitedReader fails beyond its limit, where io.LimitedReader ends as if it were complete.
type limitedReader struct {
	r    io.Reader
	left int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooLarge
	}
	if int64(len(p)) > l.left {
		p = p[:l.left]
	}
	n, err := l.r.Read(p)
	l.left -= int64(n)
	return n, err
}

// unpack reads the regular files of a tar. It stops at the first that breaks a limit.
func unpack(t *tar.Reader, c *collector) (memoryFS, error) {
	m, total := memoryFS{}, 0
	for entries := 0; ; entries++ {
		header, err := t.Next()
		switch {
		case errors.Is(err, io.EOF):
			return m, nil
		case err != nil:
			return nil, err
		case entries == maxEntries:
			c.add(".", 0, "the tar has more than %d entries; give the folder of the blueprint alone", maxEntries)
			return m, nil
		}
		name, take := examineEntry(c, header)
		if !take {
			continue
		}
		if _, twice := m[name]; twice {
			c.add(name, 0, "is in the tar twice; remove one")
			continue
		}
		content, err := io.ReadAll(io.LimitReader(t, MaxFileBytes+1))
		if err != nil {
			return nil, err
		}
		m[name], total = content, total+len(content)
		switch {
		case len(content) > MaxFileBytes:
			c.add(name, 0, "has more than %d MiB; divide it", MaxFileBytes>>20)
			return m, nil
		case total > MaxBytes:
			c.add(name, 0, "makes the blueprint larger than %d MiB; shorten its files", MaxBytes>>20)
			return m, nil
		case len(m) > MaxFiles:
			c.add(name, 0, "is one file too many; a blueprint has at most %d", MaxFiles)
			return m, nil
		}
	}
}

// examineEntry returns the name of an entry, and whether it is a file to read.
func examineEntry(c *collector, header *tar.Header) (string, bool) {
	if header.Typeflag == tar.TypeXGlobalHeader { // As git archive writes one.
		return "", false
	}
	name := path.Clean(header.Name)
	if !fs.ValidPath(name) || strings.Contains(name, `\`) {
		c.add(header.Name, 0, "is outside of the tar's folder; make the tar inside the blueprint's folder")
		return "", false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part != "." && ignored(part) { // .git, for instance.
			return "", false
		}
	}
	switch {
	case header.Typeflag == tar.TypeDir:
		return "", false
	case header.Typeflag != tar.TypeReg:
		c.add(name, 0, "is a link or another special file; put the file itself here")
		return "", false
	}
	return name, true
}

// stripFolder removes the folder around a blueprint, if everything is in it.
func stripFolder(m memoryFS) memoryFS {
	if _, ok := m[configFile]; ok || len(m) == 0 {
		return m
	}
	stripped, folder := memoryFS{}, ""
	for name, content := range m {
		first, rest, deeper := strings.Cut(name, "/")
		if !deeper || folder != "" && first != folder {
			return m
		}
		folder, stripped[rest] = first, content
	}
	if _, ok := stripped[configFile]; !ok {
		return m
	}
	return stripped
}
