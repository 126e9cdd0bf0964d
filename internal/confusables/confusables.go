// Package confusables finds texts that look alike: it makes the skeletons of Unicode Technical
// Standard 39 (https://www.unicode.org/reports/tr39/), and the set of scripts that a text is written
// in. It uses Unicode's own table, because no library for Go that is kept up to date has it. Texts
// with one skeleton look alike in many fonts, and not in all; others can look alike, too.
package confusables

import (
	"bufio"
	_ "embed" // For the table.
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

//go:embed confusables.txt
var table string

// prototypes has the prototype of each confusable character.
var prototypes = sync.OnceValue(func() map[rune]string {
	found, err := parse(table)
	if err != nil {
		panic(err) // The table is part of the program, and a test reads it.
	}
	return found
})

func parse(table string) (map[rune]string, error) {
	found := map[rune]string{}
	lines := bufio.NewScanner(strings.NewReader(table))
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		source, target, _ := strings.Cut(lines.Text(), ";")
		from, err := codePoints(source)
		if err != nil {
			return nil, err
		}
		to, err := codePoints(target)
		if err != nil || len(from) != 1 || len(to) == 0 {
			return nil, fmt.Errorf("confusables.txt: the line %q is not one code point, a semicolon and its prototype", lines.Text())
		}
		found[from[0]] = string(to)
	}
	return found, lines.Err()
}

func codePoints(hex string) (points []rune, err error) {
	for field := range strings.FieldsSeq(hex) {
		n, err := strconv.ParseUint(field, 16, 21)
		if err != nil {
			return nil, fmt.Errorf("confusables.txt: the code point %q: %w", field, err)
		}
		points = append(points, rune(n))
	}
	return points, nil
}

// Skeleton returns the skeleton of a text: two texts that look alike have the same one. It is
// for comparison, and not for people.
func Skeleton(s string) string {
	known := prototypes()
	var b strings.Builder
	for _, r := range norm.NFD.String(s) {
		switch prototype, confusable := known[r]; {
		case IsIgnorable(r):
		case confusable:
			b.WriteString(prototype)
		default:
			b.WriteRune(r)
		}
	}
	return norm.NFD.String(b.String())
}

// IsIgnorable reports a character that has the property Default_Ignorable_Code_Point: programs
// that do not support it show nothing in its place.
func IsIgnorable(r rune) bool {
	switch {
	case unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector):
		return true
	case r >= 0xFFF9 && r <= 0xFFFB, r >= 0x13430 && r <= 0x13440, unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return false
	}
	return unicode.Is(unicode.Cf, r)
}

// Scripts returns the names of the scripts that the letters of a text belong to, sorted. What all
// scripts use, such as digits and combining marks, belongs to none.
func Scripts(s string) []string {
	var names []string
	for _, r := range s {
		if r <= unicode.MaxASCII {
			if unicode.IsLetter(r) && !slices.Contains(names, "Latin") {
				names = append(names, "Latin")
			}
			continue
		}
		if name := scriptOf(r); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// scriptNames are the scripts that tell texts apart.
var scriptNames = sync.OnceValue(func() []string {
	names := slices.Sorted(maps.Keys(unicode.Scripts))
	return slices.DeleteFunc(names, func(name string) bool { return name == "Common" || name == "Inherited" })
})

func scriptOf(r rune) string {
	for _, name := range scriptNames() {
		if unicode.Is(unicode.Scripts[name], r) {
			return name
		}
	}
	return ""
}
