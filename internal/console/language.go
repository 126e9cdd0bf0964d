package console

import (
	"fmt"
	"net/http"
	"slices"

	"golang.org/x/text/language"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/console/signin"
)

// languages are those of the pages; the first is the default. Texts are written in English in the code, and
// germanTexts has the others.
var languages = []string{"en", "de"}

var languageMatcher = language.NewMatcher([]language.Tag{language.English, language.German})

// languageCookie has the language that a person chose.
const languageCookie = "console-language"

// languageOf is the language of a request: the chosen one, else the browser's.
func languageOf(r *http.Request) string {
	if cookie, err := r.Cookie(languageCookie); err == nil && slices.Contains(languages, cookie.Value) {
		return cookie.Value
	}
	header := r.Header.Get("Accept-Language")
	if len(header) > maxLanguageHeader {
		return languages[0]
	}
	_, index := language.MatchStrings(languageMatcher, header)
	return languages[index]
}

// maxLanguageHeader is the longest Accept-Language that is read, in bytes.
const maxLanguageHeader = 256

// languageYear is how long a browser keeps the chosen language, in seconds.
const languageYear = 365 * 24 * 60 * 60

// chooseLanguage keeps the chosen language and returns to the page.
func (c *Console) chooseLanguage(w http.ResponseWriter, r *http.Request) {
	if chosen := r.PostForm.Get("language"); slices.Contains(languages, chosen) {
		http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: chosen, Path: Root, MaxAge: languageYear, HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode})
	}
	http.Redirect(w, r, signin.SafeReturn(r.PostForm.Get("return")), http.StatusSeeOther) //nolint:gosec // G710: SafeReturn is a page of the console
}

// translate returns a text in a language. text is the English one, with the verbs of fmt for args.
func translate(language, text string, args ...any) string {
	if language == "de" {
		if german, ok := germanTexts[text]; ok {
			text = german
		}
	}
	if len(args) == 0 {
		return text
	}
	for i, arg := range args { // Templates give optional values of the API as pointers.
		switch n := arg.(type) {
		case *int, *int64:
			args[i] = toInt(n)
		case *string:
			args[i] = deref(n)
		}
	}
	return fmt.Sprintf(text, args...)
}
