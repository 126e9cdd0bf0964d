package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// wholeBody is the field of a fault that is no field's.
const wholeBody = "body"

// document is a body that reads its own fields, and keeps what is wrong with
// them: so that all faults can be told at once, whoever finds them.
type document interface {
	readers() map[string]reader
	keep(faults []Fault)
}

// reader takes in the value of a field that is there.
type reader func(field string, raw json.RawMessage) []Fault

// faults is the part of a document that remembers.
type faults []Fault

func (f *faults) keep(more []Fault) { *f = more }

// and adds faults, one for each field: the first one says what to look at first.
// A fault of the whole body leaves nothing to be said of its fields.
func (f faults) and(more []Fault) faults {
	all := slices.Clone(f)
	for _, next := range more {
		if !slices.ContainsFunc(all, func(have Fault) bool {
			return have.Field == wholeBody || have.Field == next.Field || strings.HasPrefix(have.Field, next.Field+".")
		}) {
			all = append(all, next)
		}
	}
	return all
}

// problem is the refusal for these faults, nil if there are none.
func (f faults) problem() error {
	if len(f) == 0 {
		return nil
	}
	return invalid(f[:min(len(f), maxFaults)]...)
}

// jsonFormat is how huma reads and writes bodies.
var jsonFormat = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(v); err != nil {
			return err
		}
		_, _ = w.Write(text.Bytes()) // A caller who is gone misses nothing.
		return nil
	},
	Unmarshal: func(data []byte, v any) error {
		d, ok := v.(document)
		if !ok {
			return fmt.Errorf("%T is no document", v)
		}
		d.keep(readObject(data, d.readers()))
		return nil
	},
}

// readObject reads a JSON object, strictly: one value, each field once, and none
// that is not known.
func readObject(data []byte, readers map[string]reader) []Fault {
	var (
		whole  json.RawMessage
		syntax *json.SyntaxError
	)
	err := json.Unmarshal(data, &whole)
	switch {
	case !utf8.Valid(data):
		return []Fault{{wholeBody, notUTF8}}
	case len(bytes.TrimSpace(data)) == 0:
		return []Fault{{wholeBody, "is blank; give a JSON object"}}
	case errors.As(err, &syntax):
		return []Fault{{wholeBody, "is not well-formed JSON; look at byte " + strconv.FormatInt(syntax.Offset, 10)}}
	case loneSurrogate(data):
		return []Fault{{wholeBody, `has half of a surrogate pair (\ud800 and the like); write the character itself`}}
	case sortOf(data) != "an object":
		return []Fault{{wholeBody, "has to be an object, not " + sortOf(data)}}
	}
	return eachField(data, func(name string, raw json.RawMessage) []Fault {
		read, known := readers[name]
		if !known {
			return []Fault{{shown(name), "is no field of this request; remove it"}}
		}
		return read(name, raw)
	})
}

// eachField calls f for each field of a well-formed object, in order, and
// refuses the second of one name.
func eachField(object []byte, f func(name string, raw json.RawMessage) []Fault) []Fault {
	var (
		all  []Fault
		seen = map[string]bool{}
	)
	decoder := json.NewDecoder(bytes.NewReader(object))
	_, err := decoder.Token() // The brace.
	for err == nil && decoder.More() {
		var (
			name json.Token
			raw  json.RawMessage
		)
		if name, err = decoder.Token(); err != nil {
			break
		}
		if err = decoder.Decode(&raw); err != nil {
			break
		}
		key := fmt.Sprint(name)
		switch {
		case !seen[key]:
			all = append(all, f(key, raw)...)
		default:
			all = append(all, Fault{shown(key), "is there more than once; give it once"})
		}
		seen[key] = true
	}
	if err != nil { // It was well-formed a moment ago.
		return []Fault{{wholeBody, "is not well-formed JSON"}}
	}
	return all
}

// sortOf names the sort of a JSON value, for people.
func sortOf(raw []byte) string {
	switch trimmed := bytes.TrimLeft(raw, " \t\r\n"); {
	case len(trimmed) == 0:
		return "nothing"
	case trimmed[0] == '{':
		return "an object"
	case trimmed[0] == '[':
		return "an array"
	case trimmed[0] == '"':
		return "a string"
	case trimmed[0] == 'n':
		return "null"
	case trimmed[0] == 't', trimmed[0] == 'f':
		return "a boolean"
	}
	return "a number"
}

// asText reads a string.
func asText(into *string) reader {
	return func(field string, raw json.RawMessage) []Fault {
		if sortOf(raw) != "a string" || json.Unmarshal(raw, into) != nil {
			return []Fault{{field, "has to be a string, not " + sortOf(raw)}}
		}
		return nil
	}
}

// asGivenText is asText for a field that can be left as it is.
func asGivenText(into **string) reader {
	return func(field string, raw json.RawMessage) []Fault {
		*into = new(string)
		return asText(*into)(field, raw)
	}
}

// asPairs reads an object of strings.
func asPairs(into *map[string]string) reader {
	return func(field string, raw json.RawMessage) []Fault {
		*into = map[string]string{}
		if sortOf(raw) != "an object" {
			return []Fault{{field, "has to be an object, not " + sortOf(raw)}}
		}
		return eachField(raw, func(name string, raw json.RawMessage) []Fault {
			var value string
			wrong := asText(&value)(field+"."+shown(name), raw)
			(*into)[name] = value
			return wrong
		})
	}
}

// orNull makes null mean what empty does.
func orNull(empty func(), otherwise reader) reader {
	return func(field string, raw json.RawMessage) []Fault {
		if sortOf(raw) == "null" {
			empty()
			return nil
		}
		return otherwise(field, raw)
	}
}

// loneSurrogate reports whether an escape stands for half a character. The
// decoder would put a question mark in its place and say nothing.
func loneSurrogate(data []byte) bool {
	for i := 0; i < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		i++ // What is escaped.
		r, isUnicode := escaped(data[i-1:])
		if !isUnicode || !utf16.IsSurrogate(r) {
			continue
		}
		other, isUnicode := escaped(data[min(i+5, len(data)):])
		if !isUnicode || utf16.DecodeRune(r, other) == utf8.RuneError {
			return true
		}
		i += 10 // The rest of this one, and the other.
	}
	return false
}

// escaped reads \uXXXX.
func escaped(data []byte) (rune, bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	return rune(n), err == nil
}
