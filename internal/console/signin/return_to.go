package signin

import (
	"net/url"
	"path"
	"strings"
)

// Path is where the console is.
const Path = "/console"

// maxReturnTo is the most bytes of an address to return to. Several are in one cookie.
const maxReturnTo = 300

// SafeReturn is the address of a page of the console to return to after a sign-in: Path for an
// address elsewhere, one that browsers could read as elsewhere, or one of the sign-in itself.
func SafeReturn(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil || len(address) > maxReturnTo || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "":
	case strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' }):
	case strings.ContainsFunc(u.Path, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }):
	case strings.Contains(address, "//") || strings.Contains(u.Path, "//"):
	case path.Clean(u.Path) != strings.TrimSuffix(u.Path, "/"):
	case u.Path != Path && !strings.HasPrefix(u.Path, Path+"/"):
	case u.Path == Path+"/sign-in" || strings.HasPrefix(u.Path, Path+"/sign-in/"):
	default:
		return address
	}
	return Path
}
