//go:build unix

package pgserver

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
)

// The downloaded binaries: builds of the zonky project for embedding, from Maven
// Central.
const (
	defaultMajor = 18
	mavenCentral = "https://repo1.maven.org/maven2"
	mirrorEnv    = "DEVSTACK_POSTGRES_MIRROR"
)

// release is the download of one major version. When the version changes, all digests
// change: they are the SHA-256 of the jar files, by operating system and processor. They
// are pinned here, so the download server cannot change the content.
type release struct {
	version string
	sha256  map[string]string
}

// releases are the downloads by major version: the newest, the oldest that the project
// supports, and those between that differ in what an ordinary owner may do with roles.
// There is no newer build of 13 than this one, and only for this platform.
var releases = map[int]release{
	18: {"18.6.0", map[string]string{
		"linux/amd64":  "008ee189eaa7ca2b58bd01dd950291e638b998392cf982297acd4779ec898ac1",
		"linux/arm64":  "5f54e016723afa6213925a8acb939bac52944b1d348f65c7a20f0cd2928c31be",
		"darwin/amd64": "690941008aac9ee360820fde9bb7870a4f3dcac5e9e2f9e45e42333a436ad0f9",
		"darwin/arm64": "8f6ed6f38195b50a40712ada8b2a12060b6193c1a6977a6eb5cff053bb5a1b89",
	}},
	16: {"16.15.0", map[string]string{
		"linux/amd64":  "653abc065c682b85d3da50168fb95dc524bd85426cdec9ce3695a550ef431df2",
		"linux/arm64":  "f846a9989d686b7977d6eca9bc9d8b2b69e3f70c7eb60e032197d9c574a6136c",
		"darwin/amd64": "1229188b99515d2160d5cb6222bc96d9c5f3a248268df3bc2dfe0047e6c233d8",
		"darwin/arm64": "65b953905f0a4d46030767a6b44a52360170d69a7985f1b02aa435f2f6256a83",
	}},
	15: {"15.19.0", map[string]string{
		"linux/amd64":  "95f0b66fe72d4ca66c815773c44cb1196ea38552463e89a35f18114b3ed1565f",
		"linux/arm64":  "95baf4bd4af31b91b3050118df59388ed0064756b556b850669e0300aa7b9911",
		"darwin/amd64": "11d0a55e26f4c74c6ea6c72c5e4e6ac959b29a06cc6da5e5ac8162f9fd9f8055",
		"darwin/arm64": "9bfc44d3f50298bb14fa125da4b67a36f382f8134ab2fc95349b72bcd5ec4e87",
	}},
	13: {"13.23.0", map[string]string{
		"linux/amd64": "0713b8a6dbe13440718ea789eefca6ae562b004bc0541d9c21d20300529c1db2",
	}},
}

// platformNames are the names of operating system and processor in the downloads' names.
var platformNames = map[string]string{
	"linux/amd64": "linux-amd64", "linux/arm64": "linux-arm64v8", "darwin/amd64": "darwin-amd64", "darwin/arm64": "darwin-arm64v8",
}

// platform is the download of a release for one operating system and processor.
type platform struct {
	name   string
	sha256 string
}

// findRelease returns the download of a major version for this system.
func findRelease(major int) (release, platform, error) {
	r, ok := releases[major]
	if !ok {
		return release{}, platform{}, fmt.Errorf("there is no download of PostgreSQL %d, only of %v", major, slices.Sorted(maps.Keys(releases)))
	}
	current := runtime.GOOS + "/" + runtime.GOARCH
	digest, ok := r.sha256[current]
	if !ok {
		return release{}, platform{}, fmt.Errorf("there is no download of PostgreSQL %s for %s, only for %v", r.version, current, slices.Sorted(maps.Keys(r.sha256)))
	}
	return r, platform{platformNames[current], digest}, nil
}

// path is the path of the platform's jar file in a Maven repository.
func (p platform) path(version string) string {
	artifact := "embedded-postgres-binaries-" + p.name
	return fmt.Sprintf("/io/zonky/test/postgres/%s/%s/%s-%s.jar", artifact, version, artifact, version)
}
