package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
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
	if there, err := remote.Head(tag, options...); err == nil && there.Digest != only.Digest {
		return fmt.Errorf("%s is published with the digest %s, and this one has %s; versions never change", tag, there.Digest, only.Digest)
	}
	if err := remote.WriteIndex(tag, index, options...); err != nil {
		return err
	}
	if !strings.Contains(version, "-") { // No pre-release.
		if err := remote.Tag(tag.Context().Tag("latest"), index, options...); err != nil {
			return err
		}
	}
	fmt.Printf("%s@%s\n", repository, only.Digest)
	return nil
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
