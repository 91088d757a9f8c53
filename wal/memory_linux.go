package wal

import "syscall"

// InMemory returns the kind of file system that dir is on if it lies in memory, so that
// a reboot loses what is written there, synced or not; else "".
func InMemory(dir string) (string, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return "", err
	}
	switch uint32(st.Type) { // the type is signed on some machines
	case 0x01021994:
		return "tmpfs", nil
	case 0x858458f6:
		return "ramfs", nil
	}
	return "", nil
}
