// Package deploytest holds the tests of deploy/: that what it has is valid by the rules of
// the programs that read it, and that it works as far as one machine can show that. It is a
// module of its own, because only these tests need these libraries.
package deploytest
