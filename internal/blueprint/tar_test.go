package blueprint_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

func names(t *testing.T, files fs.FS) (all []string) {
	t.Helper()
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			all = append(all, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestReadTar_Folders(t *testing.T) {
	t.Parallel()
	want := []string{"blueprint.yaml", "mail/welcome.txt"}
	for name, headers := range map[string][]tar.Header{
		"Root":   {{Name: "blueprint.yaml"}, {Name: "mail/welcome.txt"}},
		"Dot":    {{Name: "./", Typeflag: tar.TypeDir}, {Name: "./blueprint.yaml"}, {Name: "./mail/", Typeflag: tar.TypeDir}, {Name: "./mail/welcome.txt"}},
		"Folder": {{Name: "clinic/", Typeflag: tar.TypeDir}, {Name: "clinic/blueprint.yaml"}, {Name: "clinic/mail/welcome.txt"}},
		"Git": {
			{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "0123"}}, {Name: "clinic/blueprint.yaml"}, {Name: "clinic/mail/welcome.txt"},
			{Name: "clinic/.gitignore"}, {Name: "clinic/.git/x", Typeflag: tar.TypeSymlink, Linkname: "/"}, {Name: "clinic/README.md"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, err := blueprint.ReadTar(tarOf(t, headers...))
			if err != nil {
				t.Fatal(err)
			}
			if got := names(t, files); !slices.Equal(got, want) {
				t.Errorf("files %q, want %q", got, want)
			}
		})
	}
	for _, headers := range [][]tar.Header{ // Nothing to strip.
		{{Name: "a/blueprint.yaml"}, {Name: "b/x"}}, {{Name: "a/x"}}, {{Name: "a/blueprint.yaml"}, {Name: "x"}},
	} {
		files, err := blueprint.ReadTar(tarOf(t, headers...))
		if err != nil || len(names(t, files)) != len(headers) || names(t, files)[0] != headers[0].Name {
			t.Errorf("files %q, %v", names(t, files), err)
		}
	}
}

func TestReadTar_Refuses(t *testing.T) {
	t.Parallel()
	many := make([]tar.Header, blueprint.MaxFiles+1)
	for i := range many {
		many[i].Name = fmt.Sprintf("x%d", i)
	}
	ignored := make([]tar.Header, 10001)
	for i := range ignored {
		ignored[i].Name = ".x"
	}
	for name, c := range map[string]struct {
		headers []tar.Header
		want    string
	}{
		"Outside":     {[]tar.Header{{Name: "../x"}}, "../x: is outside of the tar's folder"},
		"Inside":      {[]tar.Header{{Name: "a/../../x"}}, "is outside"},
		"Absolute":    {[]tar.Header{{Name: "/etc/x"}}, "is outside"},
		"Backslash":   {[]tar.Header{{Name: `..\x`}}, "is outside"},
		"Symlink":     {[]tar.Header{{Name: "blueprint.yaml", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}}, "blueprint.yaml: is a link"},
		"Link":        {[]tar.Header{{Name: "blueprint.yaml", Typeflag: tar.TypeLink, Linkname: "x"}}, "is a link"},
		"Device":      {[]tar.Header{{Name: "x", Typeflag: tar.TypeChar}}, "is a link or another special file"},
		"Twice":       {[]tar.Header{{Name: "x"}, {Name: "./x"}}, "x: is in the tar twice"},
		"FileAndDir":  {[]tar.Header{{Name: "mail"}, {Name: "mail/welcome.txt"}}, "is in a folder that the tar also has as a file"},
		"LargeFile":   {[]tar.Header{{Name: "x", Size: blueprint.MaxFileBytes + 1}}, "x: has more than 4 MiB"},
		"LargeFiles":  {[]tar.Header{{Name: "x", Size: 3 << 20}, {Name: "y", Size: 3 << 20}, {Name: "z", Size: 3 << 20}}, "z: makes the blueprint larger than 8 MiB"},
		"ManyFiles":   {many, "x2000: is one file too many"},
		"ManyIgnored": {ignored, "has more than 10000 entries"},
		"LargeHidden": {[]tar.Header{{Name: ".a", Size: 9 << 20}, {Name: ".b", Size: 9 << 20}}, "larger than 16 MiB unpacked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, err := blueprint.ReadTar(tarOf(t, c.headers...))
			if files != nil || errs.KindOf(err) != errs.KindInvalid || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestReadTar_Garbage(t *testing.T) {
	t.Parallel()
	whole := tarOf(t, tar.Header{Name: "blueprint.yaml", Size: 5000}).Bytes()
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	if _, err := z.Write(tarOf(t, tar.Header{Name: ".x", Size: 64 << 20}).Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the line is cut")
	for name, c := range map[string]struct {
		r    io.Reader
		want string
	}{
		"Empty":  {strings.NewReader(""), "is no tar"},
		"Text":   {strings.NewReader(strings.Repeat("blueprint", 200)), "is no complete tar"},
		"Cut":    {bytes.NewReader(whole[:2000]), "is no complete tar"},
		"Gzip":   {strings.NewReader("\x1f\x8b\x00"), "is no tar"},
		"Bomb":   {&bomb, "larger than 16 MiB unpacked"},
		"Broken": {io.MultiReader(bytes.NewReader(whole[:2000]), iotest.ErrReader(broken)), "is no complete tar"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := blueprint.ReadTar(c.r)
			if errs.KindOf(err) != errs.KindInvalid || !strings.Contains(errs.SafeMessage(err), c.want) || strings.Contains(errs.SafeMessage(err), "line") {
				t.Errorf("%v, want %q", err, c.want)
			}
			if name == "Broken" && !errors.Is(err, broken) {
				t.Errorf("%v has not the cause", err)
			}
		})
	}
}

// tarOf packs files of spaces.
func tarOf(t testing.TB, headers ...tar.Header) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		content := strings.Repeat(" ", int(h.Size))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}
