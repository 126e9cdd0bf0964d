package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/mod/semver"
)

// push publishes an image that write has made in dir, under its version and, unless that is a
// pre-release, as latest. It logs in with what "docker login" stored. A version that the registry
// has with other content is an error: versions never change.
func push(ctx context.Context, registry, image, dir string) error {
	stored, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return fmt.Errorf("%s has no image; make it first: %w", dir, err)
	}
	manifest, err := stored.IndexManifest()
	if err != nil {
		return err
	}
	if len(manifest.Manifests) != 1 {
		return fmt.Errorf("%s has %d images, want 1", dir, len(manifest.Manifests))
	}
	only := manifest.Manifests[0]
	index, err := stored.ImageIndex(only.Digest)
	if err != nil {
		return err
	}
	version := only.Annotations["org.opencontainers.image.ref.name"]
	repository := strings.TrimSuffix(registry, "/") + "/" + image
	tag, err := name.NewTag(repository + ":" + version)
	if err != nil {
		return err
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	there, err := published(tag, options)
	if err != nil {
		return err
	}
	if there != nil && there.Digest != only.Digest {
		return fmt.Errorf("%s is published with the digest %s, and this one has %s; versions never change", tag, there.Digest, only.Digest)
	}
	if err := remote.WriteIndex(tag, index, options...); err != nil {
		return err
	}
	if err := tagLatest(tag.Context().Tag("latest"), version, index, options); err != nil {
		return err
	}
	fmt.Printf("%s@%s\n", repository, only.Digest)
	return nil
}

// published returns the image of a tag; nil if the registry has none.
func published(tag name.Tag, options []remote.Option) (*v1.Descriptor, error) {
	there, err := remote.Head(tag, options...)
	var refused *transport.Error
	if errors.As(err, &refused) && refused.StatusCode == http.StatusNotFound {
		return nil, nil //nolint:nilnil // There is none.
	}
	if err != nil {
		return nil, fmt.Errorf("whether %s is published is not known: %w", tag, err)
	}
	return there, nil
}

// tagLatest makes an image the latest, unless it is a pre-release, or the latest is a newer version.
func tagLatest(latest name.Tag, version string, index v1.ImageIndex, options []remote.Option) error {
	if semver.Prerelease("v"+version) != "" {
		return nil
	}
	there, err := published(latest, options)
	if err != nil {
		return err
	}
	if there != nil {
		newest, err := remote.Index(latest, options...)
		if err != nil {
			return err
		}
		manifest, err := newest.IndexManifest()
		if err != nil {
			return err
		}
		if semver.Compare("v"+manifest.Annotations["org.opencontainers.image.version"], "v"+version) > 0 {
			return nil
		}
	}
	return remote.Tag(latest, index, options...)
}

// pushAll publishes the images in a folder.
func pushAll(ctx context.Context, registry, folder string, names []string) error {
	if folder == "" || len(names) == 0 {
		return errors.New("-push needs -output, where the images are, and the names of images")
	}
	for _, image := range names {
		if err := push(ctx, registry, image, filepath.Join(folder, image)); err != nil {
			return fmt.Errorf("push image %s: %w", image, err)
		}
	}
	return nil
}
