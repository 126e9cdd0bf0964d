package console

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestMetadataText: what the form of a tenant shows, and a browser sends back, is the same metadata.
func TestMetadataText(t *testing.T) {
	t.Parallel()
	for _, metadata := range []map[string]string{
		{}, {"region": "eu", "ward": "7"}, {"empty": ""}, {"a=b": "c"}, {"url": "https://x.example/?a=b&c=d"}, {"lines": "one\ntwo=2\r\nthree"}, {"return": "a\rb"},
		{" blanks ": " around "}, {`"quoted"`: `"value"`}, {`"`: `"`}, {`"a"=b`: `\n`}, {"病室": "七\u2028八"}, {"rtl": "\u05d0\u05d1"}, {"tab": "\tx\x1b[31m"}, {"=": "="}, {"`a`": "'b'"}, {"x": `"unfinished`},
	} {
		sent := strings.ReplaceAll(strings.ReplaceAll(metadataText(metadata), "\r\n", "\n"), "\n", "\r\n") // As browsers do.
		p := &page{r: &http.Request{PostForm: url.Values{"metadata": {sent}}}, language: "en"}
		found, rejected := p.metadata()
		if rejected != nil || !maps.Equal(found, metadata) {
			t.Errorf("%q becomes %q, and then %q, %v", metadata, sent, found, rejected)
		}
	}
	for _, text := range []string{"key", "=value", "a=1\na=2", `"a"`, `""=x`} {
		p := &page{r: &http.Request{PostForm: url.Values{"metadata": {text}}}, language: "en"}
		if found, rejected := p.metadata(); rejected == nil {
			t.Errorf("%q is %q", text, found)
		}
	}
}

func FuzzMetadataText(f *testing.F) {
	f.Add("a=b", "c\nd")
	f.Add(`"`, ` "x`)
	f.Fuzz(func(t *testing.T, key, value string) {
		if key == "" || strings.ToValidUTF8(key+value, "") != key+value {
			return // The API has neither.
		}
		p := &page{r: &http.Request{PostForm: url.Values{"metadata": {metadataText(map[string]string{key: value})}}}, language: "en"}
		if found, rejected := p.metadata(); rejected != nil || !maps.Equal(found, map[string]string{key: value}) {
			t.Errorf("%q=%q becomes %q, %v", key, value, found, rejected)
		}
	})
}
