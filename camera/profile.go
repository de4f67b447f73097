package camera

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// profileVersion is the version of the files that Profiles writes.
const profileVersion = 1

// maxProfile bounds a profile's file; a real one has a kilobyte.
const maxProfile = 64 << 10

// ErrNoProfile means that nothing is kept for a camera.
var ErrNoProfile = errors.New("camera: no profile")

// Profile is what a camera is to be set to whenever it is opened: cameras
// forget their settings when they lose power.
type Profile struct {
	Version  int       `json:"version"`
	ID       string    `json:"id"` // Identity.ID
	Name     string    `json:"name"`
	Saved    time.Time `json:"saved"`
	Mode     Mode      `json:"mode"` // it was made in
	Settings []Setting `json:"settings"`
}

// Profiles keeps one profile a camera, each in a file of its own in Dir.
type Profiles struct{ Dir string }

// file is named after a digest: an identity is what a device says of itself,
// and no device may choose the names of files.
func (p Profiles) file(id string) string {
	sum := sha256.Sum256([]byte(id))
	return filepath.Join(p.Dir, hex.EncodeToString(sum[:8])+".json")
}

// Save writes a camera's profile in place of the one before. When it returns
// nil, the profile survives a power cut.
func (p Profiles) Save(v Profile) error {
	if v.ID == "" {
		return errors.New("camera: profile without an identity")
	}
	v.Version = profileVersion
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("camera: encode profile: %w", err)
	}
	if err := os.MkdirAll(p.Dir, 0o700); err != nil {
		return fmt.Errorf("camera: profiles' folder: %w", err)
	}
	if err := replace(p.file(v.ID), append(data, '\n')); err != nil {
		return fmt.Errorf("camera: save profile: %w", err)
	}
	return nil
}

// replace writes a file whole or not at all.
func replace(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	d, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Load finds the profile of the camera that id means: its own, or else that of
// the same model with the same serial number in another port, as long as there
// is just one. It fails with ErrNoProfile when there is none.
func (p Profiles) Load(id string) (Profile, error) {
	v, err := read(p.file(id))
	if err == nil && v.ID != id {
		err = fmt.Errorf("camera: profile of %q: it is another camera's", id)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return v, err
	}
	files, err := filepath.Glob(filepath.Join(p.Dir, "*.json"))
	if err != nil {
		return Profile{}, fmt.Errorf("camera: look for profiles: %w", err)
	}
	model, _, usb := strings.Cut(id, "@")
	var found []Profile
	for _, name := range files {
		v, err := read(name)
		if err != nil {
			continue // another camera's damage
		}
		if m, _, ok := strings.Cut(v.ID, "@"); ok && usb && m == model {
			found = append(found, v)
		}
	}
	if len(found) != 1 {
		return Profile{}, ErrNoProfile
	}
	return found[0], nil
}

// Remove forgets the profile of the camera that id means, as Load finds it; it
// is no error that there is none.
func (p Profiles) Remove(id string) error {
	v, err := p.Load(id)
	if errors.Is(err, ErrNoProfile) {
		return nil
	}
	if err == nil {
		id = v.ID
	} // else the file is damaged, and goes too
	if err := os.Remove(p.file(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("camera: remove profile: %w", err)
	}
	return nil
}

// Settings are what the camera is to be set to when it is opened: those of its
// profile or, without one, what suits every portrait: lamps of 50 Hz do not
// flicker, and the dark does not lower the frame rate. It has the shape of
// SupervisorParams.Restore, but for the error, which is of a profile that
// cannot be read.
func (p Profiles) Settings(id Identity) ([]Setting, error) {
	v, err := p.Load(id.ID)
	switch {
	case err == nil:
		return v.Settings, nil
	case errors.Is(err, ErrNoProfile):
		err = nil
	}
	return []Setting{{Name: PowerLine, Value: PowerLine50Hz}, {Name: ExposurePriority, Value: 0}}, err
}

func read(name string) (Profile, error) {
	st, err := os.Stat(name)
	if err != nil {
		return Profile{}, err
	}
	if st.Size() > maxProfile {
		return Profile{}, fmt.Errorf("camera: profile %s: %d bytes", filepath.Base(name), st.Size())
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return Profile{}, err
	}
	return parseProfile(data)
}

// parseProfile reads a profile's file.
func parseProfile(data []byte) (Profile, error) {
	var v Profile
	if err := json.Unmarshal(data, &v); err != nil {
		return Profile{}, fmt.Errorf("camera: read profile: %w", err)
	}
	if v.Version != profileVersion {
		return Profile{}, fmt.Errorf("camera: profile of version %d; this program knows %d", v.Version, profileVersion)
	}
	if v.ID == "" {
		return Profile{}, errors.New("camera: profile without an identity")
	}
	return v, nil
}
