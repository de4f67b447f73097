// Package identity measures how students are identified at the desk: cards read
// by the camera, from the simulated booth to a row of the roster. It has no code
// of its own beyond its tests.
package identity
