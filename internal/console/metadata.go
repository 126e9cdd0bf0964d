package console

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
)

// metadataText has one key=value in each line. A pair that a line cannot have as it is, such as one with a line break, is
// in quotes, as Go has them: what is read from the text is what was written.
func metadataText(metadata map[string]string) string {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		value := metadata[key]
		line := key + "=" + value
		if k, v, ok := splitPair(line); !ok || k != key || v != value || strings.ContainsAny(line, "\r\n") {
			line = strconv.Quote(key) + "=" + strconv.Quote(value)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// splitPair reads a line of metadataText, or one that a person wrote.
func splitPair(line string) (key, value string, ok bool) {
	line = strings.TrimSpace(line)
	if quoted, err := strconv.QuotedPrefix(line); err == nil && line[0] == '"' && strings.HasPrefix(line[len(quoted):], "=") {
		key, err = strconv.Unquote(quoted)
		value, ok = line[len(quoted)+1:], err == nil
	} else {
		key, value, ok = strings.Cut(line, "=")
		key = strings.TrimSpace(key)
	}
	if value = strings.TrimSpace(value); strings.HasPrefix(value, `"`) {
		if unquoted, err := strconv.Unquote(value); err == nil {
			value = unquoted
		}
	}
	return key, value, ok && key != ""
}

// metadata reads the field with one key=value in each line.
func (p *page) metadata() (map[string]string, *problem.Problem) {
	pairs := map[string]string{}
	for line := range strings.Lines(p.form("metadata")) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		key, value, ok := splitPair(line)
		if _, twice := pairs[key]; !ok || twice {
			text := translate(p.language, "needs one key=value in each line, and each key once")
			return nil, problem.Invalid(problem.FieldError{Field: "metadata", Message: text})
		}
		pairs[key] = value
	}
	return pairs, nil
}
