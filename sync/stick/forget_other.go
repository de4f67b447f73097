//go:build !linux

package stick

// forget does nothing where the kernel takes no such advice.
func forget(string) {}
