package main

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// imageSpec says what is in an image.
type imageSpec struct {
	name, description string
	licences          string // An SPDX expression.
	maxBytes          int64  // Compressed, for one platform.
	config            v1.Config
	files             func(r release, arch string) ([]file, error)
}

const (
	binPath      = "usr/local/bin/"
	postgresPath = "usr/local/pgsql/"
	dataPath     = "var/lib/devstack/"
)

// environment of all images: TLS libraries that are not Go's find the certificates, too.
func environment(more ...string) []string {
	return append([]string{"PATH=/usr/local/bin:/usr/local/pgsql/bin:/usr/bin:/bin", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"}, more...)
}

// images are all images, by name.
var images = map[string]imageSpec{
	"tenant-api": {
		name: "tenant-api", description: "REST API and worker that provision tenants of a healthcare platform",
		licences: "Apache-2.0", maxBytes: 40e6,
		config: v1.Config{
			Entrypoint: []string{"/usr/local/bin/tenant-api"}, Cmd: []string{"serve"},
			// On loopback nothing outside of the container would reach it.
			Env:          environment("APP_HOST=0.0.0.0", "LOG_FORMAT=json"),
			ExposedPorts: map[string]struct{}{"3000/tcp": {}}, StopSignal: "SIGTERM",
			Healthcheck: &v1.HealthConfig{
				Test:     []string{"CMD", "/usr/local/bin/tenant-api", "healthcheck"},
				Interval: 10 * time.Second, Timeout: 6 * time.Second, StartPeriod: 60 * time.Second, Retries: 3,
			},
		},
		files: func(r release, arch string) ([]file, error) { return r.program("tenant-api")(arch) },
	},
	"tenant-api-backup": {
		name: "tenant-api-backup", description: "tenant-api with PostgreSQL's pg_dump and pg_restore, for backups",
		licences: "Apache-2.0 AND PostgreSQL AND LGPL-2.1-or-later", maxBytes: 60e6,
		config: v1.Config{
			Entrypoint: []string{"/usr/local/bin/tenant-api"}, Cmd: []string{"help"},
			Env: environment("LOG_FORMAT=json"), StopSignal: "SIGTERM",
		},
		files: func(r release, arch string) ([]file, error) {
			return r.linked(arch, r.program("tenant-api"), r.postgresTools("pg_dump", "pg_restore"))
		},
	},
	"devstack": {
		name: "devstack", description: "PostgreSQL, a local Stellar network and a mail catcher, for development and tests",
		licences: "Apache-2.0 AND PostgreSQL AND GPL-2.0-only AND LGPL-2.1-or-later", maxBytes: 120e6,
		config: v1.Config{
			Entrypoint: []string{"/usr/local/bin/devstack"},
			Env:        environment("HOME=/" + strings.TrimSuffix(dataPath, "/")), StopSignal: "SIGTERM",
			Volumes: map[string]struct{}{"/" + strings.TrimSuffix(dataPath, "/"): {}},
		},
		files: func(r release, arch string) ([]file, error) {
			return r.linked(arch, r.program("devstack"), r.postgresServer, r.busybox, dataFolder)
		},
	},
}

// part returns files of an image for a processor.
type part func(arch string) ([]file, error)

// linked puts parts of an image together, with the shared libraries that they need.
func (r release) linked(arch string, parts ...part) ([]file, error) {
	var all []file
	for _, p := range parts {
		files, err := p(arch)
		if err != nil {
			return nil, err
		}
		all = append(all, files...)
	}
	return addLibraries(all, r.debian(arch))
}

func (r release) debian(arch string) string { return filepath.Join(r.input, "linux_"+arch, "debian") }

// program returns a program of this product with its bill of materials, and the licences of
// all that it is made of.
func (r release) program(name string) part {
	return func(arch string) ([]file, error) {
		dir := filepath.Join(r.input, "linux_"+arch)
		share := "usr/share/doc/" + name + "/"
		var files []file
		for _, f := range []struct {
			target, source string
			mode           int64
		}{
			{binPath + name, filepath.Join(dir, name), 0o755},
			{share + "sbom.cdx.json", filepath.Join(dir, name+".sbom.json"), 0o644},
			{share + "LICENSE", filepath.Join(r.root, "LICENSE"), 0o644},
			{share + "NOTICE", filepath.Join(r.root, "NOTICE"), 0o644},
			{share + "licences/go.txt", filepath.Join(r.root, "licences/go.txt"), 0o644},
			{share + "licences/crates.txt", filepath.Join(r.root, "licences/crates.txt"), 0o644},
		} {
			content, err := os.ReadFile(f.source)
			if err != nil {
				return nil, err
			}
			files = append(files, file{path: f.target, mode: f.mode, content: content})
		}
		return files, nil
	}
}

// dataFolder is the folder of devstack's data, which its user owns: a new volume there gets
// its owner and mode.
func dataFolder(string) ([]file, error) {
	return []file{{path: dataPath, mode: 0o700, owner: 65532}}, nil
}

const busyboxPackage = "busybox-static"

// applets are the programs that PostgreSQL and the watchdogs of devstack run.
var applets = []string{"sh", "cat", "head", "kill", "ps", "rm", "sleep"}

func (r release) busybox(arch string) ([]file, error) {
	content, err := os.ReadFile(filepath.Join(r.debian(arch), busyboxPackage, "bin/busybox"))
	if err != nil {
		return nil, err
	}
	files := []file{{path: "bin/busybox", mode: 0o755, content: content, debian: busyboxPackage}}
	for _, name := range applets {
		files = append(files, file{path: "bin/" + name, link: "busybox", mode: 0o777})
	}
	return files, nil
}

// postgresTools returns clients of PostgreSQL, and its library.
func (r release) postgresTools(names ...string) part {
	return func(arch string) ([]file, error) {
		keep := map[string]bool{"lib/libpq.so.5": true, "COPYRIGHT": true}
		for _, name := range names {
			keep["bin/"+name] = true
		}
		return r.postgresFiles(arch, func(name string) bool { return keep[name] || strings.HasPrefix(name, "lib/libpq.so.5.") })
	}
}

// postgresServer returns the server with psql and the tools of backups, without what only
// serves to compile programs.
func (r release) postgresServer(arch string) ([]file, error) {
	programs := map[string]bool{"initdb": true, "postgres": true, "pg_ctl": true, "psql": true, "pg_dump": true, "pg_restore": true}
	return r.postgresFiles(arch, func(name string) bool {
		dir, base := path.Split(name)
		switch {
		case name == "COPYRIGHT":
			return true
		case dir == "bin/":
			return programs[base]
		case strings.HasPrefix(dir, "lib/"):
			// The languages would need an interpreter that is not there.
			return strings.Contains(base, ".so") && !strings.Contains(base, "python") && !strings.Contains(base, "perl") && !strings.Contains(base, "tcl")
		}
		return strings.HasPrefix(dir, "share/") && !strings.HasPrefix(dir, "share/doc/") && !strings.HasPrefix(dir, "share/man/") && !strings.HasPrefix(dir, "share/locale/")
	})
}

// postgresFiles returns the files of the PostgreSQL distribution that keep selects.
func (r release) postgresFiles(arch string, keep func(name string) bool) ([]file, error) {
	root := filepath.Join(r.input, "linux_"+arch, "postgresql")
	var files []file
	err := filepath.WalkDir(root, func(p string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, p)
		if err != nil || !keep(name) {
			return err
		}
		f, err := fileAt(p)
		f.path = postgresPath + name
		files = append(files, f)
		return err
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s has no such files", root)
	}
	return files, err
}

// fileAt reads a file or a symbolic link. Its mode is reduced to whether it can be run.
func fileAt(p string) (file, error) {
	info, err := os.Lstat(p)
	if err != nil {
		return file{}, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(p)
		return file{link: target, mode: 0o777}, err
	}
	content, err := os.ReadFile(p)
	mode := int64(0o644)
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	return file{mode: mode, content: content}, err
}
