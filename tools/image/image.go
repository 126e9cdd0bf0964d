package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const ociIndex = types.OCIImageIndex

type indexed = v1.ImageIndex

// user is the user and group of every image's programs. It owns no file.
const user = "65532"

// architectures are the processors that images are made for, in Go's words.
var architectures = []string{"amd64", "arm64"}

// file is a file, folder or link in an image.
type file struct {
	path    string // Without a slash at the start.
	mode    int64
	content []byte
	link    string // Target of a symbolic link.
	owner   int    // User and group. Default: root.
	debian  string // The Debian package that it comes from.
}

func (f file) folder() bool { return strings.HasSuffix(f.path, "/") }

// layer packs files, and the folders that they need, into a layer.
func layer(files []file, created time.Time) (v1.Layer, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, f := range withFolders(files) {
		header := &tar.Header{Name: f.path, Mode: f.mode, ModTime: created, Format: tar.FormatPAX, Uid: f.owner, Gid: f.owner}
		switch {
		case f.folder():
			header.Typeflag = tar.TypeDir
		case f.link != "":
			header.Typeflag, header.Linkname = tar.TypeSymlink, f.link
		default:
			header.Typeflag, header.Size = tar.TypeReg, int64(len(f.content))
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("%s: %w", f.path, err)
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, fmt.Errorf("%s: %w", f.path, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(9), tarball.WithCompressedCaching)
}

// withFolders adds the parents of all files, and sorts by path. A parent is before what is
// in it.
func withFolders(files []file) []file {
	all := map[string]file{}
	for _, f := range files {
		all[f.path] = f
	}
	for _, f := range files {
		for dir := path.Dir(strings.TrimSuffix(f.path, "/")); dir != "."; dir = path.Dir(dir) {
			if _, ok := all[dir+"/"]; !ok {
				all[dir+"/"] = file{path: dir + "/", mode: 0o755}
			}
		}
	}
	sorted := make([]file, 0, len(all))
	for _, f := range all {
		sorted = append(sorted, f)
	}
	slices.SortFunc(sorted, func(a, b file) int { return cmp.Compare(a.path, b.path) })
	return sorted
}

// image makes the image of one platform: a layer that all images share, then one with the
// programs and what belongs to them.
func (r release) image(spec imageSpec, arch string) (v1.Image, error) {
	base, err := r.baseFiles()
	if err != nil {
		return nil, err
	}
	own, err := spec.files(r, arch)
	if err != nil {
		return nil, err
	}
	image := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	image = mutate.ConfigMediaType(image, types.OCIConfigJSON)
	for _, part := range []struct {
		files   []file
		comment string
	}{{base, "certificates, time zones, users"}, {own, spec.name}} {
		l, err := layer(part.files, r.created)
		if err != nil {
			return nil, err
		}
		if image, err = mutate.Append(image, mutate.Addendum{Layer: l, History: v1.History{
			Created: v1.Time{Time: r.created}, CreatedBy: "tools/image", Comment: part.comment,
		}}); err != nil {
			return nil, err
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.Architecture, config.OS, config.Created = arch, "linux", v1.Time{Time: r.created}
	config.Config = spec.config
	config.Config.User, config.Config.WorkingDir, config.Config.Labels = user+":"+user, "/", r.labels(spec)
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return nil, err
	}
	annotated, ok := mutate.Annotations(image, r.labels(spec)).(v1.Image)
	if !ok {
		return nil, fmt.Errorf("the image cannot be annotated")
	}
	return annotated, nil
}

// labels are the labels of the image, and the annotations of its manifests.
func (r release) labels(spec imageSpec) map[string]string {
	const prefix, source = "org.opencontainers.image.", "https://github.com/healthcare-platform/terraform-provider-healthcare"
	return map[string]string{
		prefix + "title": spec.name, prefix + "description": spec.description, prefix + "licenses": spec.licences,
		prefix + "version": r.version, prefix + "revision": r.revision, prefix + "created": r.created.Format(time.RFC3339),
		prefix + "source": source, prefix + "url": source, prefix + "vendor": "healthcare-platform",
		prefix + "documentation": source + "/blob/main/docs/guides/deploying.md",
	}
}

func descriptor(arch string) v1.Descriptor {
	return v1.Descriptor{MediaType: types.OCIManifestSchema1, Platform: &v1.Platform{OS: "linux", Architecture: arch}}
}

// compressedSize is what a machine downloads: manifest, configuration and layers, in bytes.
func compressedSize(image v1.Image) (int64, error) {
	size, err := image.Size()
	if err != nil {
		return 0, err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return 0, err
	}
	size += manifest.Config.Size
	for _, l := range manifest.Layers {
		size += l.Size
	}
	return size, nil
}
