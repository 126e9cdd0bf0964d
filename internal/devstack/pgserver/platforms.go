//go:build unix

package pgserver

import (
	"fmt"
	"runtime"
)

// The downloaded binaries: builds of the zonky project for embedding, from Maven
// Central. When the version changes, all digests change: they are the SHA-256 of the jar
// files. They are pinned here, so the download server cannot change the content.
const (
	fetchVersion = "18.6.0"
	mavenCentral = "https://repo1.maven.org/maven2"
	mirrorEnv    = "DEVSTACK_POSTGRES_MIRROR"
)

// platform is the download for one operating system and processor.
type platform struct {
	name   string
	sha256 string
}

var platforms = map[string]platform{
	"linux/amd64":  {"linux-amd64", "008ee189eaa7ca2b58bd01dd950291e638b998392cf982297acd4779ec898ac1"},
	"linux/arm64":  {"linux-arm64v8", "5f54e016723afa6213925a8acb939bac52944b1d348f65c7a20f0cd2928c31be"},
	"darwin/amd64": {"darwin-amd64", "690941008aac9ee360820fde9bb7870a4f3dcac5e9e2f9e45e42333a436ad0f9"},
	"darwin/arm64": {"darwin-arm64v8", "8f6ed6f38195b50a40712ada8b2a12060b6193c1a6977a6eb5cff053bb5a1b89"},
}

func currentPlatform() (platform, error) {
	current := runtime.GOOS + "/" + runtime.GOARCH
	p, ok := platforms[current]
	if !ok {
		return platform{}, fmt.Errorf("there is no download for %s", current)
	}
	return p, nil
}

// path is the path of the platform's jar file in a Maven repository.
func (p platform) path(version string) string {
	artifact := "embedded-postgres-binaries-" + p.name
	return fmt.Sprintf("/io/zonky/test/postgres/%s/%s/%s-%s.jar", artifact, version, artifact, version)
}
