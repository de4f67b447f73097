// Package bench measures what a visit costs on the machine it runs on: the parts
// together, on frames of the simulated booth, each beside a yardstick of the same
// run, so that a busy or slow machine shows in both. `make bench` prints the
// table.
//
// It holds no code of the product and sets no limits: a figure is not a test.
package bench
