package console

// germanMoves are the texts of moves: their buttons, what they do and what they have done, and moves of several tenants.
var germanMoves = map[string]string{
	// Buttons.
	"Retry":              "Erneut versuchen",
	"Resume":             "Fortsetzen",
	"Unarchive":          "Aus Archiv reaktivieren",
	"Invite again":       "Erneut einladen",
	"Repair":             "Reparieren",
	"Reconcile contract": "Vertrag abgleichen",
	"Migrate":            "Migrieren",
	"Suspend":            "Aussetzen",
	"Set legal hold":     "Legal Hold setzen",
	"Clear legal hold":   "Legal Hold aufheben",
	"Skip undo":          "Rücknahme überspringen",
	"Archive":            "Archivieren",
	"Purge":              "Endgültig löschen",

	// What they do.
	"Queues another attempt. It continues under the same id; what is on the ledger already is used again.":                                                   "Stellt einen weiteren Versuch in die Warteschlange. Der Mandant behält seine ID; was bereits im Ledger steht, wird wiederverwendet.",
	"Puts the tenant back into service: its users can reach its data again.":                                                                                 "Nimmt den Mandanten wieder in Betrieb: Seine Benutzer können wieder auf seine Daten zugreifen.",
	"Brings the tenant back into service with its data.":                                                                                                     "Nimmt den Mandanten mit seinen Daten wieder in Betrieb.",
	"Sends the welcome mail once more, with a new invitation. Open invitations end.":                                                                         "Sendet die Willkommens-E-Mail noch einmal, mit einer neuen Einladung. Offene Einladungen enden.",
	"Restores privileges and missing objects of the tenant's schema and role. What others added stays.":                                                      "Stellt Rechte und fehlende Objekte von Schema und Rolle des Mandanten wieder her. Was andere hinzugefügt haben, bleibt.",
	"Reads the contract, and restores, extends or corrects it where that is needed.":                                                                         "Liest den Vertrag und stellt ihn bei Bedarf wieder her, verlängert oder korrigiert ihn.",
	"Brings the tenant to the active revision of its blueprint: migrations and privileges.":                                                                  "Bringt den Mandanten auf die aktive Revision seines Blueprints: Migrationen und Rechte.",
	"Takes the tenant out of service for a time: its users cannot reach its data, sessions and invitations end, and the contract says so.":                   "Nimmt den Mandanten vorübergehend außer Betrieb: Seine Benutzer können nicht auf seine Daten zugreifen, Sitzungen und Einladungen enden, und der Vertrag hält dies fest.",
	"Nothing deletes the tenant's data while there is a hold.":                                                                                               "Solange der Legal Hold besteht, kann nichts die Daten des Mandanten löschen.",
	"Without the hold, the tenant's data can be deleted.":                                                                                                    "Danach ist es wieder möglich, die Daten des Mandanten zu löschen.",
	"Records that what own steps left over at the receiver is not undone any more: a person did that, or accepts it.":                                        "Hält fest, dass nicht mehr zurückgenommen wird, was eigene Schritte beim Empfänger hinterlassen haben: Jemand hat es selbst zurückgenommen oder akzeptiert es.",
	"Takes the tenant out of service and keeps its data. A tenant that was never live is rolled back first.":                                                 "Nimmt den Mandanten außer Betrieb und behält seine Daten. Ein Mandant, der nie in Betrieb war, wird zuerst zurückgerollt.",
	"Deletes the tenant's data permanently: its schema, its role, and all personal data. This cannot be undone. The record, its log and a certificate stay.": "Löscht die Daten des Mandanten endgültig: Schema, Rolle und alle personenbezogenen Daten. Das lässt sich nicht rückgängig machen. Eintrag, Protokoll und ein Löschnachweis bleiben.",

	// The form.
	"Reason":                            "Grund",
	"It is kept in the audit log.":      "Er wird im Audit-Protokoll aufbewahrt.",
	"Type the tenant's name to confirm": "Zur Bestätigung den Namen des Mandanten eingeben",
	"Steps whose undo is skipped":       "Schritte, deren Rücknahme übersprungen wird",

	// Moves of several tenants.
	"A reason is missing.":                                                                    "Der Grund fehlt.",
	"At most %d tenants can be processed in one go.":                                          "Die Aktion ist für höchstens %d Mandanten in einem Durchgang möglich.",
	"Canaries: this many go first, and the rest only if they succeed":                         "Canarys: so viele zuerst, die übrigen nur bei Erfolg",
	"The tenants are processed one after the other. One that fails does not stop the others.": "Die Aktion läuft für jeden Mandanten einzeln, nacheinander. Ein Fehler hält die übrigen nicht auf.",
	"No tenant was selected. Go back and select some.":                                        "Es ist kein Mandant ausgewählt. Gehen Sie zurück und wählen Sie mindestens einen aus.",
	"Outcomes appear as they happen. Closing this page stops after the current tenant.":       "Die Ergebnisse erscheinen laufend. Wenn Sie diese Seite schließen, endet die Aktion nach dem gerade laufenden Mandanten.",
	"Progress": "Fortschritt",
	"The number does not match. Type %d to confirm.": "Die Zahl stimmt nicht. Geben Sie zur Bestätigung %d ein.",
	"This cannot be done with several tenants.":      "Das ist nicht für mehrere Mandanten möglich.",
	"Type the number of tenants to confirm":          "Zur Bestätigung die Anzahl der Mandanten eingeben",
	"done":                                           "erledigt",
	"not done: a canary failed":                      "nicht erledigt: ein Canary ist fehlgeschlagen",
	"queued for a worker":                            "in der Warteschlange",
	"1 done":                                         "1 erledigt",
	"%d done":                                        "%d erledigt",
	"1 failed":                                       "1 fehlgeschlagen",
	"%d failed":                                      "%d fehlgeschlagen",
	"1 not done":                                     "1 nicht erledigt",
	"%d not done":                                    "%d nicht erledigt",

	// What a form has done.
	"A worker will do it. This page shows when it is done.": "Ein Worker übernimmt das. Diese Seite zeigt an, wenn es erledigt ist.",
	"Another attempt is queued.":                            "Ein weiterer Versuch ist in der Warteschlange.",
	"New tenants are made from this revision.":              "Neue Mandanten erhalten diese Revision.",
	"No new tenants are made from this blueprint.":          "Aus dem Blueprint entstehen keine neuen Mandanten mehr.",
	"The change is saved.":                                  "Die Änderung ist gespeichert.",
	"The contract is reconciled.":                           "Der Vertrag ist abgeglichen.",
	"The drift is repaired.":                                "Die Abweichungen sind repariert.",
	"The invitation is on its way.":                         "Die Einladung ist unterwegs.",
	"The key is revoked.":                                   "Der Schlüssel ist widerrufen.",
	"The legal hold is cleared.":                            "Der Legal Hold ist aufgehoben.",
	"The legal hold is set.":                                "Der Legal Hold ist gesetzt.",
	"The tenant is archived. Its data is kept.":             "Der Mandant ist archiviert. Seine Daten bleiben.",
	"The tenant is in service again.":                       "Der Mandant ist wieder in Betrieb.",
	"The tenant is being provisioned.":                      "Der Mandant wird bereitgestellt.",
	"The tenant is migrated.":                               "Der Mandant ist migriert.",
	"The tenant is suspended.":                              "Der Mandant ist ausgesetzt.",
	"The tenant's data is deleted.":                         "Die Daten des Mandanten sind endgültig gelöscht.",
	"The undo is skipped.":                                  "Die Rücknahme ist übersprungen.",
}

// germanStatuses are the texts of statuses and steps.
var germanStatuses = map[string]string{
	// Tenants, steps and jobs.
	"Pending":      "Ausstehend",
	"Provisioning": "Bereitstellung",
	"Active":       "Aktiv",
	"Suspended":    "Ausgesetzt",
	"Failed":       "Fehlgeschlagen",
	"Archived":     "Archiviert",
	"Purged":       "Endgültig gelöscht",
	"Running":      "Laufend",
	"Done":         "Erledigt",
	"Rolled back":  "Zurückgerollt",
	"Skipped":      "Übersprungen",
	"Waiting":      "Wartend",
	"Rejected":     "Abgelehnt",

	// Mails, invitations and keys.
	"None":     "Keine",
	"Sent":     "Gesendet",
	"Accepted": "Angenommen",
	"Expired":  "Abgelaufen",
	"Revoked":  "Widerrufen",

	// Database and contract.
	"In sync":  "Synchron",
	"Drifted":  "Abweichend",
	"Missing":  "Fehlt",
	"Live":     "Gültig",
	"Expiring": "Läuft bald ab",
	"Mismatch": "Falscher Vertrag",

	// Readiness and channel accounts.
	"OK":          "OK",
	"Degraded":    "Eingeschränkt",
	"Unavailable": "Nicht verfügbar",
	"Free":        "Frei",
	"In use":      "In Verwendung",
	"Quarantined": "In Quarantäne",
	"Disabled":    "Deaktiviert",

	// Classes of migrations; three of them also begin a list of tables.
	"Online":   "Online",
	"Locks":    "Sperrt",
	"Scans":    "Liest",
	"Rewrites": "Schreibt neu",

	// Steps.
	"Record the tenant":              "Mandanten eintragen",
	"Create the schema":              "Schema erstellen",
	"Run migrations":                 "Migrationen ausführen",
	"Create roles and administrator": "Rollen und Administrator erstellen",
	"Deploy the contract":            "Vertrag deployen",
	"Store the contract's address":   "Vertragsadresse speichern",
	"Send the welcome mail":          "Willkommens-E-Mail senden",
}
