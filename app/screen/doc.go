// Package screen draws the booth: it shows a booth.View and sends booth.Intent
// values, and nothing else passes between it and the rest of the program.
//
// It must not know the camera, the pipeline, the network or the rules of a
// visit: what may happen next is decided by the state machine in app/booth, and
// a screen that is wrong about it only sends an intent that is refused.
//
// Layout is in design units: 800 of them span the height of a landscape window
// and the width of a portrait one, whatever the pixels and the toolkit's scale,
// so that type keeps its size relative to the screen and can be read at two
// metres. Screens are built once and shown or hidden; nothing scrolls.
package screen
