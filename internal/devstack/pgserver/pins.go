//go:build unix

package pgserver

import (
	"fmt"
	"runtime"
)

// The binaries that are downloaded: those of the zonky project, built for
// embedding, from Maven Central. When the version changes, so do all digests:
// they are SHA-256 of the jar files and are pinned here, so whoever serves the
// download cannot change it.
const (
	fetchVersion = "18.4.0"
	mavenCentral = "https://repo1.maven.org/maven2"
	mirrorEnv    = "DEVSTACK_POSTGRES_MIRROR"
)

// platform is a download for one operating system and processor.
type platform struct {
	name   string
	sha256 string
}

var platforms = map[string]platform{
	"linux/amd64":  {"linux-amd64", "401d4e69baba9072d3772607710df0d47b39a7632c6b01b2a5f5d85a9514e212"},
	"linux/arm64":  {"linux-arm64v8", "a9ec284923b9a7d2db41509bfb88c3d0eeb9f4aa5e2b29ea0aac5e8dbaf4c335"},
	"darwin/amd64": {"darwin-amd64", "68381ed1488edd337345c6c4bc6ae0c823832a4dd7af8b04656ee5c218c291b5"},
	"darwin/arm64": {"darwin-arm64v8", "ab698c4486a795d2aa8a158b3a41e1201a77e7ff72a6255094cd5900080853c2"},
}

func currentPlatform() (platform, error) {
	here := runtime.GOOS + "/" + runtime.GOARCH
	p, ok := platforms[here]
	if !ok {
		return platform{}, fmt.Errorf("there is no download for %s", here)
	}
	return p, nil
}

// path is where a Maven repository has the platform's jar file.
func (p platform) path(version string) string {
	artifact := "embedded-postgres-binaries-" + p.name
	return fmt.Sprintf("/io/zonky/test/postgres/%s/%s/%s-%s.jar", artifact, version, artifact, version)
}
