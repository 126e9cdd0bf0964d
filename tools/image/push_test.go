package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	server "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// TestPush publishes into a registry: the version, latest unless it is a pre-release, again without
// harm, and no other content under a version that is there.
func TestPush(t *testing.T) {
	t.Parallel()
	registry := httptest.NewServer(server.New(server.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(registry.Close)
	address := strings.TrimPrefix(registry.URL, "http://") + "/healthcare-platform"
	folder := t.TempDir()
	store := func(version string) v1.Hash {
		t.Helper()
		random, err := random.Index(100, 1, 2)
		if err != nil {
			t.Fatal(err)
		}
		index := mutate.Annotations(random, map[string]string{"org.opencontainers.image.version": version}).(v1.ImageIndex)
		path, err := layout.Write(filepath.Join(folder, "tenant-api"), mutate.IndexMediaType(empty.Index, ociIndex))
		if err == nil {
			err = path.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": version}))
		}
		if err != nil {
			t.Fatal(err)
		}
		digest, err := index.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return digest
	}
	pushed := func() error { return run([]string{"-push", address, "-output", folder, "tenant-api"}) }
	has := func(tag string, want v1.Hash) {
		t.Helper()
		ref, err := name.NewTag(address + "/tenant-api:" + tag)
		if err != nil {
			t.Fatal(err)
		}
		there, err := remote.Index(ref)
		if err != nil {
			t.Fatalf("%s: %v", tag, err)
		}
		if got, err := there.Digest(); err != nil || got != want {
			t.Errorf("%s is %s, want %s: %v", tag, got, want, err)
		}
	}
	first := store("1.2.3")
	for range 2 {
		if err := pushed(); err != nil {
			t.Fatal(err)
		}
		has("1.2.3", first)
		has("latest", first)
	}
	candidate := store("1.3.0-rc.1")
	if err := pushed(); err != nil {
		t.Fatal(err)
	}
	has("1.3.0-rc.1", candidate)
	has("latest", first)
	second := store("2.0.0")
	if err := pushed(); err != nil {
		t.Fatal(err)
	}
	has("latest", second)
	patch := store("1.2.4") // Of an older line.
	if err := pushed(); err != nil {
		t.Fatal(err)
	}
	has("1.2.4", patch)
	has("latest", second)
	store("1.2.3")
	if err := pushed(); err == nil || !strings.Contains(err.Error(), "versions never change") {
		t.Errorf("another image under a version that is there: %v", err)
	}
	has("1.2.3", first)
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(down.Close)
	if err := run([]string{"-push", strings.TrimPrefix(down.URL, "http://") + "/p", "-output", folder, "tenant-api"}); err == nil || !strings.Contains(err.Error(), "is not known") {
		t.Errorf("a registry that does not say what it has: %v", err)
	}
	if err := run([]string{"-push", address, "-output", folder, "devstack"}); err == nil || !strings.Contains(err.Error(), "has no image; make it first") {
		t.Errorf("an image that was not made: %v", err)
	}
}
