package validate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
)

// body is a body that decodes its own fields and collects their errors, so that one
// response can report all of them.
type body interface {
	FieldReaders() map[string]FieldReader
	SetErrors(faults []problem.FieldError)
}

// FieldReader decodes the value of a field that is present.
type FieldReader func(field string, raw json.RawMessage) []problem.FieldError

// Errors collects the errors of a document.
type Errors []problem.FieldError

// SetErrors replaces the errors.
func (f *Errors) SetErrors(errors []problem.FieldError) { *f = errors }

// Check adds the error of a field, nil for none.
func (f Errors) Check(field string, err error) Errors {
	if err == nil {
		return f
	}
	return f.Merge(fieldError(field, err.Error()))
}

// Merge adds errors, one per field: the first one is kept. After an error of the whole
// body, errors of fields are dropped.
func (f Errors) Merge(added []problem.FieldError) Errors {
	all := slices.Clone(f)
	for _, e := range added {
		if !slices.ContainsFunc(all, func(known problem.FieldError) bool {
			return known.Field == problem.BodyField || known.Field == e.Field || strings.HasPrefix(known.Field, e.Field+".")
		}) {
			all = append(all, e)
		}
	}
	return all
}

// Problem returns the 400 for these errors, nil without errors.
func (f Errors) Problem() error {
	if len(f) == 0 {
		return nil
	}
	return problem.Invalid(f[:min(len(f), maxFieldErrors)]...)
}

// fieldError returns the error of one field.
func fieldError(field, message string) []problem.FieldError {
	return []problem.FieldError{{Field: field, Message: message}}
}

// JSON is the format with which huma reads and writes bodies.
var JSON = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		var text bytes.Buffer
		encoder := json.NewEncoder(&text)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(v); err != nil {
			return err
		}
		_, _ = w.Write(text.Bytes()) // The client may have disconnected.
		return nil
	},
	Unmarshal: func(data []byte, v any) error {
		d, ok := v.(body)
		if !ok {
			return fmt.Errorf("%T is not a document", v)
		}
		d.SetErrors(readObject(data, d.FieldReaders()))
		return nil
	},
}

// readObject reads one JSON object. It rejects further values, repeated fields and unknown
// fields.
func readObject(data []byte, readers map[string]FieldReader) []problem.FieldError {
	var (
		value     json.RawMessage
		syntaxErr *json.SyntaxError
	)
	err := json.Unmarshal(data, &value)
	switch {
	case !utf8.Valid(data):
		return fieldError(problem.BodyField, notUTF8)
	case len(bytes.TrimSpace(data)) == 0:
		return fieldError(problem.BodyField, "is blank; give a JSON object")
	case errors.As(err, &syntaxErr):
		return fieldError(problem.BodyField, "is not well-formed JSON; look at byte "+strconv.FormatInt(syntaxErr.Offset, 10))
	case hasLoneSurrogate(data):
		return fieldError(problem.BodyField, `has half of a surrogate pair (\ud800 and the like); write the character itself`)
	case jsonType(data) != "an object":
		return fieldError(problem.BodyField, "has to be an object, not "+jsonType(data))
	}
	return eachField(data, func(name string, raw json.RawMessage) []problem.FieldError {
		read, known := readers[name]
		if !known {
			return fieldError(quoteName(name), "is not a field of this request; remove it")
		}
		return read(name, raw)
	})
}

// eachField calls f for each field of a well-formed object, in order, and rejects repeated
// names.
func eachField(object []byte, f func(name string, raw json.RawMessage) []problem.FieldError) []problem.FieldError {
	var (
		fieldErrs []problem.FieldError
		seen      = map[string]bool{}
	)
	decoder := json.NewDecoder(bytes.NewReader(object))
	_, err := decoder.Token() // The opening brace.
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
			fieldErrs = append(fieldErrs, f(key, raw)...)
		default:
			fieldErrs = append(fieldErrs, problem.FieldError{Field: quoteName(key), Message: "occurs more than once; give it once"})
		}
		seen[key] = true
	}
	if err != nil { // Cannot happen: the JSON was parsed before.
		return fieldError(problem.BodyField, "is not well-formed JSON")
	}
	return fieldErrs
}

// jsonType returns the type of a JSON value for messages.
func jsonType(raw []byte) string {
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

// String reads a string.
func String(target *string) FieldReader {
	return func(field string, raw json.RawMessage) []problem.FieldError {
		if jsonType(raw) != "a string" || json.Unmarshal(raw, target) != nil {
			return fieldError(field, "has to be a string, not "+jsonType(raw))
		}
		return nil
	}
}

// OptionalString reads a string for a field of a patch.
func OptionalString(target **string) FieldReader {
	return func(field string, raw json.RawMessage) []problem.FieldError {
		*target = new(string)
		return String(*target)(field, raw)
	}
}

// Strings reads an array of minItems to maxItems strings.
func Strings(target *[]string, minItems, maxItems int) FieldReader {
	return func(field string, raw json.RawMessage) []problem.FieldError {
		var items []json.RawMessage
		if jsonType(raw) != "an array" || json.Unmarshal(raw, &items) != nil {
			return fieldError(field, "has to be an array, not "+jsonType(raw))
		}
		if n := len(items); n < minItems || n > maxItems {
			return fieldError(field, fmt.Sprintf("has %d entries; give %d to %d", n, minItems, maxItems))
		}
		*target = make([]string, len(items))
		var fieldErrs []problem.FieldError
		for i, item := range items {
			fieldErrs = append(fieldErrs, String(&(*target)[i])(fmt.Sprintf("%s[%d]", field, i), item)...)
		}
		return fieldErrs
	}
}

// StringMap reads an object of strings.
func StringMap(target *map[string]string) FieldReader {
	return func(field string, raw json.RawMessage) []problem.FieldError {
		*target = map[string]string{}
		if jsonType(raw) != "an object" {
			return fieldError(field, "has to be an object, not "+jsonType(raw))
		}
		return eachField(raw, func(name string, raw json.RawMessage) []problem.FieldError {
			var value string
			fieldErrs := String(&value)(field+"."+quoteName(name), raw)
			(*target)[name] = value
			return fieldErrs
		})
	}
}

// MaxInt is the largest integer that all JSON parsers read exactly.
const MaxInt = 1<<53 - 1

// Int reads a whole number in a range; message names the range.
func Int(target *int64, lowest, highest float64, message string) FieldReader {
	return func(field string, raw json.RawMessage) []problem.FieldError {
		n, err := strconv.ParseFloat(string(raw), 64) // JSON has one number type, and 60.0 is a whole number.
		if err != nil || n < lowest || n > highest || n != math.Trunc(n) {
			return fieldError(field, message)
		}
		*target = int64(n)
		return nil
	}
}

// OptionalBool reads true or false for a field of a patch.
func OptionalBool(target **bool) FieldReader {
	return func(field string, raw json.RawMessage) []problem.FieldError {
		*target = new(bool)
		return Bool(*target)(field, raw)
	}
}

// Bool reads true or false.
func Bool(target *bool) FieldReader {
	return func(field string, raw json.RawMessage) []problem.FieldError {
		if jsonType(raw) != "a boolean" || json.Unmarshal(raw, target) != nil {
			return fieldError(field, "has to be true or false, not "+jsonType(raw))
		}
		return nil
	}
}

// Nullable treats null like the empty value.
func Nullable(onNull func(), read FieldReader) FieldReader {
	return func(field string, raw json.RawMessage) []problem.FieldError {
		if jsonType(raw) == "null" {
			onNull()
			return nil
		}
		return read(field, raw)
	}
}

// hasLoneSurrogate reports whether an escape is an unpaired surrogate. encoding/json would
// replace it with U+FFFD without an error.
func hasLoneSurrogate(data []byte) bool {
	for i := 0; i < len(data); i++ {
		if data[i] != '\\' {
			continue
		}
		i++ // Skip the escaped character.
		r, isUnicode := unicodeEscape(data[i-1:])
		if !isUnicode || !utf16.IsSurrogate(r) {
			continue
		}
		low, isUnicode := unicodeEscape(data[min(i+5, len(data)):])
		if !isUnicode || utf16.DecodeRune(r, low) == utf8.RuneError {
			return true
		}
		i += 10 // Skip the rest of this escape and the second one.
	}
	return false
}

// unicodeEscape parses \uXXXX.
func unicodeEscape(data []byte) (rune, bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	return rune(n), err == nil
}
