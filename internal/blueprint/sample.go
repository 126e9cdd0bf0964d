package blueprint

import (
	"regexp/syntax"
	"strings"
)

// Sample returns a value of a variable for a trial: of set 0 the default, if there is one. Other
// sets have other values, where the pattern permits another. It is false when no value is found.
func (v Variable) Sample(set int) (string, bool) {
	if set == 0 && v.Default != nil {
		return *v.Default, true
	}
	value := "it's\n\"two\" lines"
	if v.Pattern != "" {
		parsed, err := syntax.Parse(v.Pattern, syntax.Perl)
		if err != nil {
			return "", false
		}
		var text strings.Builder
		if !writeSample(&text, parsed.Simplify(), set) {
			return "", false
		}
		value = text.String()
	}
	if v.check(value) != "" {
		return "", false
	}
	return value, true
}

// writeSample writes a text that an expression matches. set chooses among alternatives.
func writeSample(text *strings.Builder, re *syntax.Regexp, set int) bool {
	switch re.Op {
	case syntax.OpLiteral:
		text.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		if len(re.Rune) == 0 {
			return false
		}
		text.WriteRune(re.Rune[(set%(len(re.Rune)/2))*2])
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		text.WriteByte(byte('a' + set%26))
	case syntax.OpCapture, syntax.OpPlus:
		return writeSample(text, re.Sub[0], set)
	case syntax.OpStar, syntax.OpQuest:
		return set%2 == 0 || writeSample(text, re.Sub[0], set)
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if !writeSample(text, sub, set) {
				return false
			}
		}
	case syntax.OpAlternate:
		return writeSample(text, re.Sub[set%len(re.Sub)], set)
	case syntax.OpNoMatch, syntax.OpWordBoundary, syntax.OpNoWordBoundary, syntax.OpRepeat:
		return false
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText:
	}
	return true
}
