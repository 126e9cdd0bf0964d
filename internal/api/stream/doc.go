// Package stream answers requests with server-sent events: Events follows a tenant that
// others provision, Run provisions one inside the request and reports each step.
package stream
