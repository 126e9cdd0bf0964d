// Package stream sends server-sent events: Events follows a tenant that another process
// provisions, Run provisions a tenant inside the request and reports each step.
package stream
