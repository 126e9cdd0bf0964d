package console

import "maps"

// germanTexts are the German texts by the English ones. A test finds those that are missing.
var germanTexts = joinTexts(germanTopics...)

// germanTopics are the German texts by topic. A text that several topics need is in one of them alone.
var germanTopics = []map[string]string{germanFrame, germanTenants, germanMoves, germanStatuses, germanPlatform}

// joinTexts puts the texts of all topics into one map.
func joinTexts(topics ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, topic := range topics {
		maps.Copy(all, topic)
	}
	return all
}

// germanFrame are the texts around all pages, of signing in and of errors.
var germanFrame = map[string]string{
	// Frame and navigation.
	"Tenant console":                      "Mandantenkonsole",
	"Skip to content":                     "Zum Inhalt springen",
	"Main":                                "Hauptnavigation",
	"Today":                               "Heute",
	"Tenants":                             "Mandanten",
	"Blueprints":                          "Blueprints",
	"Contracts":                           "Verträge",
	"API keys":                            "API-Schlüssel",
	"Platform":                            "Plattform",
	"API":                                 "API",
	"Search":                              "Suchen",
	"Search and commands":                 "Suche und Befehle",
	"Search tenants, or choose a command": "Mandanten suchen oder Befehl auswählen",
	"Search tenants for":                  "Mandanten suchen:",
	"Commands":                            "Befehle",
	"Arrows choose, Enter goes, Escape closes.": "Pfeiltasten: auswählen. Eingabe: öffnen. Esc: schließen.",
	"Confirm": "Bestätigung",

	// Signing in.
	"Sign in":                        "Anmelden",
	"Sign in with your organisation": "Mit Ihrer Organisation anmelden",
	"or":                             "oder",
	"API key":                        "API-Schlüssel",
	"What you do is recorded under the name of the key.": "Ihre Aktionen werden unter dem Namen des Schlüssels protokolliert.",
	"Signed in":                              "Angemeldet",
	"Sign out":                               "Abmelden",
	"Sign out everywhere":                    "Überall abmelden",
	"Your session has ended. Sign in again.": "Ihre Sitzung ist beendet. Melden Sie sich erneut an.",

	// What several pages have.
	"Actions":      "Aktionen",
	"All":          "Alle",
	"Cancel":       "Abbrechen",
	"Choose":       "Auswählen",
	"Continue":     "Weiter",
	"Copy":         "Kopieren",
	"Create":       "Erstellen",
	"Created":      "Erstellt",
	"Checked":      "Geprüft",
	"Detail":       "Details",
	"Details":      "Details",
	"Edit":         "Bearbeiten",
	"Filter":       "Filtern",
	"First page":   "Erste Seite",
	"Id":           "ID",
	"Name":         "Name",
	"Next page":    "Nächste Seite",
	"No event.":    "Keine Ereignisse.",
	"Not checked":  "Nicht geprüft",
	"Not known":    "Unbekannt",
	"Older events": "Ältere Ereignisse",
	"Pages":        "Seiten",
	"Save":         "Speichern",
	"Show":         "Anzeigen",
	"Show all":     "Alle anzeigen",
	"State":        "Zustand",
	"Status":       "Status",
	"Table":        "Tabelle",
	"since":        "seit",
	"until":        "bis",

	// Errors.
	"Back to today":                 "Zurück zu „Heute“",
	"Request":                       "Anfrage",
	"Something has to be corrected": "Eine Angabe muss korrigiert werden",
	"Something went wrong":          "Ein Fehler ist aufgetreten",
	"The form could not be read, or is too large.":                          "Das Formular war nicht lesbar oder ist zu groß.",
	"The log of the server has the cause.":                                  "Die Ursache steht im Protokoll des Servers.",
	"The service is not available":                                          "Der Dienst ist nicht verfügbar",
	"This does not exist":                                                   "Nicht gefunden",
	"This form was sent from another site. Open the console and try again.": "Dieses Formular wurde von einer anderen Website gesendet. Öffnen Sie die Konsole und versuchen Sie es erneut.",
	"This is not possible now":                                              "Das ist derzeit nicht möglich",
	"This page does not exist.":                                             "Diese Seite gibt es nicht.",
	"This page tries again every few seconds.":                              "Diese Seite versucht es alle paar Sekunden erneut.",
	"This server cannot do this":                                            "Dieser Server unterstützt das nicht",
	"This tenant does not exist.":                                           "Diesen Mandanten gibt es nicht.",
	"Too many requests":                                                     "Zu viele Anfragen",
	"You may not do this":                                                   "Dazu fehlt Ihnen die Berechtigung",
}
