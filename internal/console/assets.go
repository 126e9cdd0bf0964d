package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed assets/*.js assets/*.css assets/*.svg
var assetFiles embed.FS

// assets are the scripts, the style sheet and the icon. Their addresses have a hash of the content, so that
// browsers keep them for good and never mix two releases.
type assets struct {
	byName map[string]asset // By the name in the address.
	names  map[string]string
}

type asset struct {
	contentType   string
	plain, zipped []byte
}

var assetTypes = map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}

// newAssets reads the embedded files. It panics for one that cannot be read, which tests would see.
func newAssets() *assets {
	a := &assets{byName: map[string]asset{}, names: map[string]string{}}
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		content, err := assetFiles.ReadFile("assets/" + e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(content)
		extension := path.Ext(e.Name())
		name := strings.TrimSuffix(e.Name(), extension) + "-" + hex.EncodeToString(sum[:6]) + extension
		a.names[e.Name()], a.byName[name] = "/console/assets/"+name, asset{assetTypes[extension], content, zip(content)}
	}
	return a
}

// path is the address of an asset; empty for an unknown one.
func (a *assets) path(name string) string { return a.names[name] }

func zip(content []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // The level is valid.
	_, _ = w.Write(content)                               // A buffer takes everything.
	_ = w.Close()
	return b.Bytes()
}

// serve writes an asset. Everyone may read it.
func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	found, ok := a.byName[r.PathValue("name")]
	if !ok {
		http.Error(w, "This asset does not exist. Reload the page.", http.StatusNotFound)
		return
	}
	content := found.plain
	h := w.Header()
	h.Set("Content-Type", found.contentType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	if acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		content = found.zipped
	}
	h.Set("Content-Length", strconv.Itoa(len(content)))
	_, _ = w.Write(content) // The client may be gone.
}

// acceptsGzip reports whether the client takes compressed answers.
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, parameters, _ := strings.Cut(strings.TrimSpace(part), ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		_, quality, weighted := strings.Cut(parameters, "=")
		q, err := strconv.ParseFloat(strings.TrimSpace(quality), 64)
		return !weighted || err == nil && q > 0
	}
	return false
}
