// Package checks measures the rules of the photo guide against faults of known
// size: a ladder for every rule, from a good photo to a hopeless one, and two
// hundred varied good photos on which nothing may be said. `make bench-checks`
// prints the table and draws the plot that docs/checks.md shows.
//
// The photos are simulated: cut-out people before a simulated wall, so that the
// size of every fault is known by construction. It holds no code of the product.
package checks
