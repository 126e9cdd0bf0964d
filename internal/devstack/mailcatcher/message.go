package mailcatcher

import (
	"bytes"
	"io"
	"strings"
	"time"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // Text in encodings other than UTF-8.
	"github.com/emersion/go-message/mail"
)

// Message is one caught mail. Texts are decoded.
type Message struct {
	Number    int       `json:"number"` // Counts from 1 and is never reused.
	Received  time.Time `json:"received"`
	From      string    `json:"from"` // Only the address; FromName has the name.
	FromName  string    `json:"fromName,omitempty"`
	To        []string  `json:"to"`      // The recipients of the envelope.
	ToNames   []string  `json:"toNames"` // Of the To header, in its order.
	Subject   string    `json:"subject"`
	MessageID string    `json:"messageId"` // Without angle brackets.
	Text      string    `json:"text"`
	HTML      string    `json:"html"`
	// Headers has the message's header fields as received, not decoded, by their
	// canonical name.
	Headers map[string][]string `json:"headers"`
	// Types are the media types of the message and its parts, outer ones first.
	Types []string `json:"types"`
	// Attachments are the file names of the attachments.
	Attachments []string `json:"attachments,omitempty"`
	// EnvelopeFrom is the address for bounces.
	EnvelopeFrom string `json:"envelopeFrom"`
	Encrypted    bool   `json:"encrypted"`          // Received over TLS.
	Username     string `json:"username,omitempty"` // The user that had logged in.
	// ParseError is why the message could not be parsed completely; Text is then the raw
	// content.
	ParseError string `json:"parseError,omitempty"`
	Raw        string `json:"-"` // As received.
}

// parse parses a message; an invalid one is kept unchanged, with the reason.
func parse(raw []byte) Message {
	m := Message{To: []string{}, ToNames: []string{}, Headers: map[string][]string{}, Types: []string{}, Raw: string(raw)}
	if err := m.read(raw); err != nil {
		m.ParseError, m.Text = err.Error(), string(raw)
	}
	return m
}

func (m *Message) read(raw []byte) error {
	entity, err := message.Read(bytes.NewReader(raw))
	if err != nil && !message.IsUnknownCharset(err) {
		return err
	}
	for field := entity.Header.Fields(); field.Next(); {
		m.Headers[field.Key()] = append(m.Headers[field.Key()], field.Value())
	}
	header := mail.Header{Header: entity.Header}
	// A header that cannot be decoded is kept as received; it is in Headers too.
	m.Subject, _ = header.Subject()
	m.MessageID, _ = header.MessageID()
	if from, err := header.AddressList("From"); err == nil && len(from) > 0 {
		m.From, m.FromName = from[0].Address, from[0].Name
	}
	if to, err := header.AddressList("To"); err == nil {
		for _, address := range to {
			m.ToNames = append(m.ToNames, address.Name)
		}
	}
	return entity.Walk(m.readPart)
}

// readPart reads one part of the message; the first text of each kind is the body.
func (m *Message) readPart(_ []int, e *message.Entity, err error) error {
	if err != nil && !message.IsUnknownCharset(err) {
		return err
	}
	kind, params, err := e.Header.ContentType()
	if err != nil {
		return err
	}
	m.Types = append(m.Types, kind)
	if strings.HasPrefix(kind, "multipart/") {
		return nil
	}
	disposition, attached, _ := e.Header.ContentDisposition() // It is optional.
	name := attached["filename"]
	if name == "" {
		name = params["name"]
	}
	switch {
	case disposition == "attachment" || name != "":
		m.Attachments = append(m.Attachments, name)
		return nil
	case kind == "text/html" && m.HTML == "":
		m.HTML, err = readText(e)
	case kind == "text/plain" && m.Text == "":
		m.Text, err = readText(e)
	}
	return err
}

// readText returns a part's text with LF line ends.
func readText(e *message.Entity) (string, error) {
	body, err := io.ReadAll(e.Body)
	return strings.ReplaceAll(string(body), "\r\n", "\n"), err
}
