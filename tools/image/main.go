// Command image assembles OCI images of this product's programs, without a base image and
// without a container engine. tools/images.sh builds the programs, fetches the rest, and
// runs it.
//
// The same input gives the same digests: files belong to root, have the time of the
// commit, and are in the order of their names.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// release is what all images of one run have in common.
type release struct {
	root     string // The repository, for licences.
	input    string // Programs and libraries: INPUT/linux_ARCH/...
	zones    string // Go's zoneinfo.zip.
	version  string
	revision string // The full commit.
	created  time.Time
}

// registry is where images are published.
const registry = "ghcr.io/healthcare-platform/"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	var r release
	var output, to string
	var created int64
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.StringVar(&r.root, "root", ".", "`folder` of the repository")
	flags.StringVar(&r.input, "input", "", "`folder` of programs and libraries")
	flags.StringVar(&r.zones, "zones", "", "Go's zoneinfo.zip")
	flags.StringVar(&output, "output", "", "`folder` for the images, each an OCI layout")
	flags.StringVar(&r.version, "version", "", "version of the programs")
	flags.StringVar(&r.revision, "revision", "", "commit of the programs")
	flags.Int64Var(&created, "created", 0, "time of the commit, in `seconds` since 1970")
	flags.StringVar(&to, "push", "", "publish the images of -output in this `registry`, and make none")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if to != "" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		return pushAll(ctx, to, output, flags.Args())
	}
	if r.input == "" || r.zones == "" || output == "" || r.version == "" || r.revision == "" || created == 0 || flags.NArg() == 0 {
		return errors.New("-input, -zones, -output, -version, -revision, -created and the names of images are needed")
	}
	r.created = time.Unix(created, 0).UTC()
	for _, name := range flags.Args() {
		if err := r.write(name, filepath.Join(output, name)); err != nil {
			return fmt.Errorf("image %s: %w", name, err)
		}
	}
	return nil
}

// write makes one image for all platforms, and stores it as an OCI layout in dir. Its
// tag there is the version.
func (r release) write(name, dir string) error {
	image, ok := images[name]
	if !ok {
		return errors.New("there is no such image")
	}
	index, err := r.index(image)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	if err := path.AppendIndex(index, layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": r.version,
		"io.containerd.image.name":          registry + name + ":" + r.version, // For "docker load" and "ctr image import".
	})); err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Printf("%s:%s %s\n", name, r.version, digest)
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, m := range manifest.Manifests {
		platform, err := index.Image(m.Digest)
		if err != nil {
			return err
		}
		size, err := compressedSize(platform)
		if err != nil {
			return err
		}
		fmt.Printf("  %s: %.1f MB compressed\n", m.Platform, float64(size)/1e6)
		if limit := image.maxBytes; size > limit {
			return fmt.Errorf("%s has %d bytes compressed, more than the limit of %d", m.Platform, size, limit)
		}
	}
	return nil
}

// index makes the image of each platform.
func (r release) index(spec imageSpec) (indexed, error) {
	index := mutate.IndexMediaType(empty.Index, ociIndex)
	for _, arch := range architectures {
		image, err := r.image(spec, arch)
		if err != nil {
			return nil, fmt.Errorf("linux/%s: %w", arch, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: descriptor(arch)})
	}
	annotated, ok := mutate.Annotations(index, r.labels(spec)).(indexed)
	if !ok {
		return nil, errors.New("the index cannot be annotated")
	}
	return annotated, nil
}
