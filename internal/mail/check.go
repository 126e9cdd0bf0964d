package mail

import "context"

// Check checks that the mail server answers, and encrypts as the settings say. It does not log in: a
// server may lock an account that logs in often. ctx limits it.
func (m *Mailer) Check(ctx context.Context) error {
	const op = "check mail server"
	c := &conversation{Mailer: m, delivery: &delivery{}, login: &login{options: m.options}}
	if err := c.dial(ctx); err != nil {
		return c.classify(ctx, err, op)
	}
	defer context.AfterFunc(ctx, c.close)()
	if err := c.greet(ctx); err != nil {
		c.close()
		return c.classify(ctx, err, op)
	}
	c.quit(nil)
	return nil
}
