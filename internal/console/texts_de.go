package console

// germanTexts are the German texts by the English ones. A test finds those that are missing.
var germanTexts = map[string]string{}
